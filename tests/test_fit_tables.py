"""Estimators on tables through the commands: fit, predict, report; and what they refuse."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import yaml
from tiny_runs import COARSE, CONFIGS, PHANTOM, QUIET, PhantomRun, call
from tiny_training import cohort_table

from mtl_hcc import explain, fit, predict, report

pytestmark = pytest.mark.xdist_group("phantom run")

COLUMNS = {"age_years": "linear", "afp_ng_ml": "log", "sex": ["female", "male"]}
HORIZONS = [f"survival_{days}" for days in (365, 730, 1095, 1825)]
FILES = {
    *("config.yaml", "predictions.csv", "baselines.csv", "metrics.csv", "patients.csv"),
    *("quarantine.csv", "splits.csv", "model", "run_record.json"),
}


def write_config(folder, *, columns=COLUMNS, split="SplitByColumn", **changes):
    """Write a cohort and a config, and return the flags of a run on them."""
    folder.mkdir(parents=True, exist_ok=True)
    table = cohort_table(90)
    table["sex"] = np.where(np.arange(90) % 3 == 0, "female", "male")
    table.to_csv(folder / "cohort.csv")
    features = {"class_path": "ClinicalColumns", "init_args": {"columns": columns}}
    values = {
        "run": str(folder / "run"),
        "bootstraps": 20,
        "baselines": {"AFP": {"afp_ng_ml": "log"}},
        "estimator": {"class_path": "RidgeEstimator", "init_args": {"features": features}},
        "data": {
            "cohort": str(folder / "cohort.csv"),
            "store": str(folder / "store"),
            "split": split,
            "endpoints": ["os", "rfs", "mvi"],
        },
    }
    (folder / "mine.yaml").write_text(yaml.safe_dump(values | changes))
    return ["--config", folder / "mine.yaml", "--wandb", "disabled"]


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """A finished run of clinical columns; not to be changed."""
    folder = tmp_path_factory.mktemp("tables")
    done = call(fit.main, *write_config(folder))
    assert done.code == 0, done.err
    return folder, done


def test_a_run_leaves_the_files_of_a_network_wherever_they_make_sense(fitted):
    folder, done = fitted
    assert {path.name for path in (folder / "run").iterdir()} == FILES
    assert {path.name for path in (folder / "run" / "model").iterdir()} == {
        *("config.yaml", "estimator.json", "estimator.skops", "training_ranges.json")
    }
    assert "table estimator" in done.out
    assert f"predict --checkpoint {folder / 'run'}" in done.out


def test_its_predictions_follow_the_contract(fitted):
    rows = pd.read_csv(fitted[0] / "run" / "predictions.csv")
    columns = ["patient_id", "center", "split", "fold", "task", "risk", "time_days", "event"]
    assert list(rows) == [*columns, *HORIZONS, "label", "probability"]
    assert rows.groupby("task").size().to_dict() == {"mvi": 90, "os": 90, "rfs": 90}
    survival = rows[rows["task"] != "mvi"]
    assert (np.diff(survival[HORIZONS], axis=1) <= 0).all()
    metrics = pd.read_csv(fitted[0] / "run" / "metrics.csv")
    assert metrics["model"].unique().tolist() == ["table estimator", "AFP"]


def test_predict_takes_the_run_without_asking_which_kind_it_is(fitted, tmp_path):
    folder, _ = fitted
    flags = ["--cohort", folder / "cohort.csv", "--output", tmp_path / "new.csv"]
    done = call(predict.main, "--checkpoint", folder / "run", *flags)
    assert done.code == 0, done.err
    new, own = (pd.read_csv(p) for p in (tmp_path / "new.csv", folder / "run" / "predictions.csv"))
    keys = ["task", "patient_id"]
    new, own = (table.set_index(keys).sort_index() for table in (new, own))
    for column in ("risk", "probability", *HORIZONS):
        np.testing.assert_allclose(new[column], own[column], rtol=1e-12)
    train = own.index[own["split"] == "train"]
    assert new.loc[train, "out_of_range"].isna().all(), "nobody of train is unlike train"


def test_who_is_unlike_the_training_patients_is_said(fitted, tmp_path):
    table = pd.read_csv(fitted[0] / "cohort.csv").drop(columns=["os_days", "os_event", "mvi"])
    table.loc[3, "age_years"] = 140
    table.to_csv(tmp_path / "cohort.csv", index=False)
    flags = ["--cohort", tmp_path / "cohort.csv", "--output", tmp_path / "new.csv"]
    done = call(predict.main, "--checkpoint", fitted[0] / "run", *flags)
    assert done.code == 0, done.err
    rows = pd.read_csv(tmp_path / "new.csv")
    assert rows.loc[rows["patient_id"] == "P003", "out_of_range"].str.contains("age_years").all()
    assert rows["event"].isna().sum() == len(rows) - 90, "OS is unknown, RFS is known"


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda t: t.drop(columns="afp_ng_ml"), ["no column 'afp_ng_ml'", "estimator.features"]),
        (
            lambda t: t.assign(sex=t["sex"].where(t.index != 4, "other")),
            ["patient P004, column sex: level 'other'", "one of female, male"],
        ),
    ],
)
def test_a_cell_that_cannot_be_read_is_named_and_nothing_is_predicted(
    fitted, tmp_path, change, parts
):
    change(pd.read_csv(fitted[0] / "cohort.csv")).to_csv(tmp_path / "cohort.csv", index=False)
    flags = ["--cohort", tmp_path / "cohort.csv", "--output", tmp_path / "new.csv"]
    done = call(predict.main, "--checkpoint", fitted[0] / "run", *flags)
    assert done.code == 2
    assert all(part in done.err for part in parts), done.err
    assert not (tmp_path / "new.csv").exists()


def test_every_fold_has_a_model_of_its_own(tmp_path):
    split = {"class_path": "KFold", "init_args": {"folds": 3, "validation_fraction": 0.2}}
    flags = write_config(tmp_path, split=split)
    done = call(fit.main, *flags)
    assert done.code == 0, done.err
    run = tmp_path / "run"
    rows = pd.read_csv(run / "predictions.csv")
    assert sorted(rows["fold"].unique()) == [0, 1, 2]
    for fold in range(3):
        assert (run / f"fold_{fold}" / "model" / "estimator.skops").is_file()
    test = rows[(rows["split"] == "test") & (rows["task"] == "os")]
    assert test["patient_id"].is_unique
    flags = ["--cohort", tmp_path / "cohort.csv", "--output", tmp_path / "new.csv"]
    done = call(predict.main, "--checkpoint", run, *flags)
    assert done.code == 0, done.err
    new = pd.read_csv(tmp_path / "new.csv").query("task == 'os'").set_index("patient_id")["risk"]
    mean = rows[rows["task"] == "os"].groupby("patient_id")["risk"].mean()
    np.testing.assert_allclose(new.loc[mean.index], mean, rtol=1e-12)
    done = call(predict.main, "--checkpoint", run / "fold_1", *flags)
    assert done.code == 0, done.err
    new = pd.read_csv(tmp_path / "new.csv")
    new = new[new["task"] == "os"].set_index("patient_id")["risk"]
    own = rows[(rows["fold"] == 1) & (rows["task"] == "os")].set_index("patient_id")["risk"]
    np.testing.assert_allclose(new.loc[own.index], own, rtol=1e-12)


def test_a_second_run_moves_the_first_aside_and_resuming_is_refused(fitted, tmp_path):
    shutil.copytree(fitted[0], tmp_path / "copy")
    flags = ["--config", tmp_path / "copy" / "mine.yaml", "--wandb", "disabled"]
    flags += ["--run", tmp_path / "copy" / "run"]
    before = (tmp_path / "copy" / "run" / "predictions.csv").read_bytes()
    done = call(fit.main, *flags, "--ckpt_path", "last")
    assert done.code == 2
    assert "there is nothing to resume" in done.err
    assert (tmp_path / "copy" / "run" / "predictions.csv").read_bytes() == before
    done = call(fit.main, *flags)
    assert done.code == 0, done.err
    assert "moved to" in done.out
    assert (tmp_path / "copy" / "run" / "predictions.csv").read_bytes() == before
    assert (tmp_path / "copy" / "run_1" / "predictions.csv").read_bytes() == before


def test_a_config_with_both_or_neither_is_refused(tmp_path):
    flags = write_config(tmp_path, trainer={"max_epochs": 2})
    done = call(fit.main, *flags)
    assert done.code == 2
    assert "both estimator and trainer are set" in done.err
    assert "mine.yaml" in done.err
    flags = write_config(tmp_path)
    done = call(fit.main, *flags, "--trainer.max_epochs", "2")
    assert done.code == 2
    assert "both estimator and trainer are set" in done.err
    done = call(fit.main, *write_config(tmp_path, estimator=None))
    assert done.code == 2
    assert "neither model nor estimator is set" in done.err
    both = ["--config", CONFIGS / "ct_mtl.yaml", *write_config(tmp_path)]
    assert "both estimator and model and trainer" in call(fit.main, *both).err


@pytest.mark.parametrize(
    ("flags", "parts"),
    [
        (["--data.covariates", "{age_years: linear}"], ["data.covariates", "estimator.features"]),
        (["--estimator.ridge", "-1"], ["estimator.ridge is -1.0", "0 or more"]),
        (["--estimator.ridges", "1"], ["ridges"]),
        (["--estimator", "Ridge"], ["Ridge"]),
        (["--seeds", "2"], ["seeds is 2", "fitted without chance"]),
        (["--data.prediction_rotations", "2"], ["prediction_rotations is 2", "at no images"]),
        (["--estimator.features", "RegionStatistics"], ["no images are prepared"]),
        (["--baselines", "{sex: {sex: [male]}}"], ["column sex: level 'female'", "baselines.sex"]),
        (["--baselines", "{region statistics: {age_years: linear}}"], ["region statistics"]),
    ],
)
def test_a_setting_that_cannot_be_is_named(tmp_path, flags, parts):
    done = call(fit.main, *write_config(tmp_path), *flags)
    assert done.code == 2
    assert all(part in done.err for part in parts), done.err
    assert not (tmp_path / "run").exists()


def test_an_endpoint_that_cannot_be_fitted_stops_the_run(tmp_path):
    flags = write_config(tmp_path)
    table = pd.read_csv(tmp_path / "cohort.csv")
    table["rfs_event"] = [1] + [0] * 89
    table.to_csv(tmp_path / "cohort.csv", index=False)
    done = call(fit.main, *flags)
    assert done.code == 2
    assert "rfs: one event in train, so no ridge can be chosen" in done.err
    assert not (tmp_path / "run" / "predictions.csv").exists()


def test_labels_outside_of_train_change_no_file_of_the_model(fitted, tmp_path):
    flags = write_config(tmp_path)
    table = pd.read_csv(tmp_path / "cohort.csv")
    outside = table["split"] != "train"
    table.loc[outside & table["os_days"].notna(), "os_days"] = 5
    table.loc[outside, "rfs_days"] = 5
    table.loc[outside, "mvi"] = 1 - table.loc[outside, "mvi"]
    table.to_csv(tmp_path / "cohort.csv", index=False)
    assert call(fit.main, *flags).code == 0
    rows = [pd.read_csv(f / "run" / "predictions.csv") for f in (fitted[0], tmp_path)]
    for column in ("risk", "probability", *HORIZONS):
        np.testing.assert_array_equal(rows[0][column], rows[1][column])
    for name in ("estimator.json", "training_ranges.json"):
        one, two = ((f / "run" / "model" / name).read_text() for f in (fitted[0], tmp_path))
        assert json.loads(one) == json.loads(two)


def test_a_folder_of_two_kinds_or_a_damaged_one_is_refused(fitted, tmp_path):
    model = tmp_path / "model"
    shutil.copytree(fitted[0] / "run" / "model", model)
    flags = ["--cohort", fitted[0] / "cohort.csv", "--output", tmp_path / "new.csv"]
    (model / "estimator.json").unlink()
    done = call(predict.main, "--checkpoint", tmp_path, *flags)
    assert done.code == 2
    assert "no estimator.json in the folder" in done.err
    shutil.copy(fitted[0] / "run" / "model" / "estimator.json", model)
    (model / "model.safetensors").write_bytes(b"x")
    done = call(predict.main, "--checkpoint", tmp_path, *flags)
    assert done.code == 2
    assert "it holds a network (model.safetensors) and a table estimator" in done.err


def test_explain_says_that_it_needs_a_network(fitted, tmp_path):
    done = call(explain.main, "--checkpoint", fitted[0] / "run", "--output", tmp_path / "maps")
    assert done.code == 2
    assert "it holds an estimator on tables, not a network" in done.err


def test_the_report_tells_of_a_table_estimator(fitted, tmp_path):
    flags = ["--run", fitted[0] / "run", "--output", tmp_path / "page", "--bootstraps", "20"]
    done = call(report.main, *flags)
    assert done.code == 0, done.err
    page = (tmp_path / "page" / "index.html").read_text(encoding="utf-8")
    assert "table estimator" in page
    assert "A network for several tasks" not in page
    assert "RidgeEstimator" in page


def test_region_statistics_are_a_run_and_stand_beside_every_imaging_run(
    phantom_run: PhantomRun, tmp_path
):
    flags = ["--config", CONFIGS / "region_statistics.yaml", *COARSE, *QUIET[:2]]
    flags += ["--data.phantom.patients", PHANTOM, "--data.store", phantom_run.store]
    flags += ["--run", tmp_path / "run", "--bootstraps", "0", "--estimator.ridge", "0.3"]
    flags += ["--data.endpoints", "[os, rfs]"]
    done = call(fit.main, *flags)
    assert done.code == 0, done.err
    described = json.loads((tmp_path / "run" / "model" / "estimator.json").read_text())
    assert len(described["tasks"]["os"]["features"]) == 13
    own = pd.read_csv(tmp_path / "run" / "predictions.csv")
    assert not {"label", "probability"} & set(own), "as of a network without classes"
    done = call(
        *(predict.main, "--checkpoint", tmp_path / "run", "--cohort", phantom_run.cohort),
        *("--output", tmp_path / "new.csv", "--store", tmp_path / "prepared"),
    )
    assert done.code == 0, done.err
    new, own = (pd.read_csv(p) for p in (tmp_path / "new.csv", tmp_path / "run/predictions.csv"))
    keys = ["task", "patient_id"]
    new, own = (table.set_index(keys).sort_index()["risk"] for table in (new, own))
    np.testing.assert_allclose(new, own, rtol=1e-12)
    beside = phantom_run.table("baselines.csv")
    assert {"region statistics", "all clinical columns"} <= set(beside["model"])
