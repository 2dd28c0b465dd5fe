"""Exported table estimators: exact after loading, and refused when damaged or of another hand."""

import io
import json
import zipfile

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from mtl_hcc.errors import CheckpointError
from mtl_hcc.estimators import ClinicalColumns, RidgeEstimator
from mtl_hcc.estimators.exported import DESCRIPTION, PIPELINES, read_estimator, write_estimator
from mtl_hcc.estimators.features import PatientTables
from mtl_hcc.estimators.table_estimator import estimator_rows

TASKS = {"os": "survival", "mvi": "class"}


@pytest.fixture(scope="module")
def trained(cohort):
    table, truth = cohort
    clinical = table.assign(sex=np.where(np.arange(len(table)) % 3 == 0, "female", "male"))
    estimator = RidgeEstimator(features=ClinicalColumns(), ridge=0.1)
    splits = truth[["patient_id", "fold", "split"]]
    return PatientTables(clinical), estimator_rows(
        estimator, PatientTables(clinical), splits, TASKS
    )


@pytest.fixture
def folder(trained, tmp_path):
    write_estimator(trained[1][1], tmp_path)
    return tmp_path


def a_pipeline(features=3, last=None):
    x = np.random.default_rng(0).normal(size=(30, features))
    steps = [("impute", SimpleImputer()), ("scale", StandardScaler())]
    return Pipeline([*steps, ("model", last or LogisticRegression())]).fit(x, x[:, 0] > 0)


def test_a_loaded_estimator_predicts_exactly_what_the_fitted_one_did(trained, folder):
    tables, (_, fitted, _) = trained
    loaded = read_estimator(folder)
    assert {path.name for path in folder.iterdir()} == {DESCRIPTION, PIPELINES}
    for task in TASKS:
        assert loaded[task].columns == fitted[task].columns
        one, two = fitted[task].predict(tables), loaded[task].predict(tables)
        assert list(one) == list(two)
        for name in one:
            np.testing.assert_array_equal(one[name], two[name])


def test_no_row_of_a_patient_is_in_the_files(trained, folder):
    """Medians, coefficients and the baseline hazard travel; covariates of a patient do not."""
    tables = trained[0]
    for task in read_estimator(folder).values():
        for _, step in task.pipeline.steps:
            sizes = [np.size(v) for v in vars(step).values() if isinstance(v, np.ndarray)]
            assert max(sizes) < len(tables.clinical)
    assert not any(name in (folder / DESCRIPTION).read_text() for name in tables.clinical.index)


@pytest.mark.parametrize("name", [DESCRIPTION, PIPELINES])
def test_a_file_that_is_absent_or_cut_short_is_named(folder, name):
    whole = (folder / name).read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"\x00" * 100, b"{}", whole[::-1]):
        (folder / name).write_bytes(content)
        with pytest.raises(CheckpointError, match=rf"{name}: it .*Expected.*Copy the model folder"):
            read_estimator(folder)
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=f"no {name} in the folder"):
        read_estimator(folder)


def test_an_archive_that_could_run_code_is_refused_before_anything_is_built(folder, monkeypatch):
    called = []
    monkeypatch.setattr(skops.io, "loads", lambda *a, **k: called.append(a))
    scale = FunctionTransformer(np.log1p)
    steps = [("impute", SimpleImputer()), ("scale", scale), ("model", LogisticRegression())]
    x = np.random.default_rng(0).random((30, 3))
    hostile = Pipeline(steps).fit(x, x[:, 0] > 0.5)
    (folder / PIPELINES).write_bytes(skops.io.dumps({"os": hostile, "mvi": hostile}))
    with pytest.raises(CheckpointError, match=r"could run code.*FunctionTransformer.*unless you"):
        read_estimator(folder)
    assert called == []


@pytest.mark.parametrize(
    "node",
    [
        {"__module__": "os", "__class__": "system", "__loader__": "TypeNode"},
        {"__module__": "builtins", "__class__": "eval", "__loader__": "FunctionNode"},
        {"__module__": "numpy", "__class__": "ndarray", "__loader__": "ReduceNode"},
        {"__module__": "sklearn.pipeline", "__class__": "Pipeline", "__loader__": "MethodNode"},
    ],
)
def test_a_schema_that_names_a_function_or_another_type_is_refused(folder, node):
    changed = io.BytesIO()
    with zipfile.ZipFile(folder / PIPELINES) as old, zipfile.ZipFile(changed, "w") as new:
        for name in old.namelist():
            content = old.read(name)
            if name == "schema.json":
                schema = json.loads(content)
                schema["content"]["os"]["content"]["more"] = node
                content = json.dumps(schema).encode()
            new.writestr(name, content)
    (folder / PIPELINES).write_bytes(changed.getvalue())
    with pytest.raises(CheckpointError, match=f"could run code.*{node['__class__']}"):
        read_estimator(folder)


def test_a_zip_bomb_is_refused(folder):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as new:
        new.writestr("schema.json", b" " * 10_000_000)
    (folder / PIPELINES).write_bytes(packed.getvalue())
    with pytest.raises(CheckpointError, match="a few bytes that unpack to many"):
        read_estimator(folder)


def test_models_that_do_not_fit_their_description_are_refused(folder):
    def pipelines(**models):
        (folder / PIPELINES).write_bytes(skops.io.dumps(models))

    known = read_estimator(folder)
    size = len(known["mvi"].features)
    cox = known["os"].pipeline
    for models, said in (
        ({"mvi": a_pipeline(size)}, "models of mvi, but estimator.json speaks of os, mvi"),
        ({"os": cox, "mvi": a_pipeline(size + 1)}, f"takes {size + 1} features, {size} are named"),
        ({"os": cox, "mvi": cox}, "the model of mvi is .*CoxPHSurvivalAnalysis"),
        ({"os": cox, "mvi": "nothing"}, "the model of mvi is no fitted pipeline"),
    ):
        pipelines(**models)
        with pytest.raises(CheckpointError, match=said):
            read_estimator(folder)
    spoilt = a_pipeline(size)
    spoilt[-1].coef_[0, 0] = np.nan
    pipelines(os=cox, mvi=spoilt)
    with pytest.raises(CheckpointError, match="the model of mvi holds values that are no numbers"):
        read_estimator(folder)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"format": 2}, "its format is 2, not 1"),
        ({"tasks": {}}, "no task in it"),
        ({"tasks": []}, "damaged"),
    ],
)
def test_a_description_of_another_make_is_refused(folder, change, said):
    content = json.loads((folder / DESCRIPTION).read_text()) | change
    (folder / DESCRIPTION).write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=said):
        read_estimator(folder)


def test_a_kind_of_covariate_that_does_not_exist_is_refused(folder):
    content = json.loads((folder / DESCRIPTION).read_text())
    content["tasks"]["os"]["columns"]["clinical"]["afp_ng_ml"] = "log1p"
    (folder / DESCRIPTION).write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match="column 'afp_ng_ml' is read as 'log1p'"):
        read_estimator(folder)


def test_new_patients_are_grouped_imputed_and_scaled_as_train_was(trained, folder):
    tables = trained[0]
    loaded = read_estimator(folder)["os"]
    new = tables.clinical.iloc[[0, 0, 0]].copy()
    new.index = pd.Index(["A", "B", "C"], name="patient_id")
    new["sex"] = ["male", "unknown", None]
    new["afp_ng_ml"] = new["afp_ng_ml"].astype(float)
    risk = loaded.predict(PatientTables(new))["risk"]
    assert risk[1] == risk[2] != risk[0] or loaded.columns.clinical["sex"][0] == "male"
    assert np.isfinite(risk).all()
