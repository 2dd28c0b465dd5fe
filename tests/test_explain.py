"""`explain` on a finished run: every file that it promises, again, and with what goes wrong."""

import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pandas as pd
import pytest
import yaml
from safetensors import safe_open
from safetensors.numpy import load_file
from tiny_runs import CONFIGS, call, copy_cohort
from tiny_training import tiny_module

from mtl_hcc import explain
from mtl_hcc.command_line.config import build_parser, config_from_dict, instantiate
from mtl_hcc.explanation.explanation_plan import default_output
from mtl_hcc.explanation.record import read_record
from mtl_hcc.metrics.survival.concordance import concordance_harrell
from mtl_hcc.runs.checkpoint import export_model, load_model

pytestmark = pytest.mark.xdist_group("phantom run")

PHASES = ("arterial", "portal_venous", "delayed")
QUICK = ["--draws", "20", "--bootstraps", "50", "--device", "cpu"]


def table(folder: Path, name: str) -> pd.DataFrame:
    return pd.read_csv(folder / f"{name}.csv", dtype={"patient_id": str})


def read_maps(folder: Path) -> dict[str, np.ndarray]:
    """Return ``<task>/<phase>`` to the map on the prepared grid."""
    kept = load_file(folder / "prepared.safetensors")
    return {name[4:]: values for name, values in kept.items() if name.startswith("map/")}


@pytest.fixture(scope="module")
def explained(phantom_run, tmp_path_factory) -> Path:
    """Return the explanation of three external patients."""
    out = tmp_path_factory.mktemp("explained") / "explanation"
    flags = ["--checkpoint", phantom_run.run, "--split", "external", "--limit", "3", *QUICK]
    done = call(explain.main, *flags, "--sanity", "--output", out)
    assert done.code == 0, done.err
    assert "3 patients; maps of " in done.out
    assert "3 patients explained, 0 left out" in done.out
    assert "The same with random weights" in done.out
    return out


def test_each_patient_has_a_figure_per_task_and_a_map_per_task_and_phase(explained):
    patients = sorted(path.name for path in (explained / "maps").iterdir())
    assert patients == [f"VI-00{n}" for n in range(1, 4)]
    for patient in patients:
        for task in ("os", "rfs", "mvi"):
            png = explained / "overlays" / f"{patient}_{task}.png"
            assert png.read_bytes()[:4] == b"\x89PNG"
            for phase in PHASES:
                assert (explained / "maps" / patient / f"{task}_{phase}.nii.gz").is_file()
    assert not list(explained.rglob("*.tmp"))
    assert not list(explained.rglob("*.tmp"))


def test_a_map_lies_on_the_patients_own_image(phantom_run, explained):
    for phase in PHASES:
        own = nibabel.load(phantom_run.cohort / "images" / "VI-001" / f"{phase}.nii.gz")
        found = nibabel.load(explained / "maps" / "VI-001" / f"os_{phase}.nii.gz")
        assert found.shape == own.shape
        np.testing.assert_allclose(found.affine, own.affine, atol=1e-4)
    maps = read_maps(explained / "maps" / "VI-001")
    assert set(maps) == {f"{task}/{phase}" for task in ("os", "rfs", "mvi") for phase in PHASES}
    assert all(values.shape == (16, 16, 16) for values in maps.values())
    with safe_open(explained / "maps" / "VI-001" / "prepared.safetensors", "numpy") as file:
        assert json.loads(file.metadata()["geometry"])["spacing"] == [6.0, 6.0, 6.0]


def test_settings_and_resolution_are_kept(phantom_run, explained):
    kept = yaml.safe_load((explained / "explain.yaml").read_text())
    assert kept["patients"] == 3
    assert kept["layer"] == {
        "name": "relu0",  # of the finest: cells of 24 mm, none is as fine as 10 mm
        "cells": [4, 4, 4],
        "cell_mm": [24.0, 24.0, 24.0],
        "image_voxels": [16, 16, 16],
        "image_spacing_mm": [6.0, 6.0, 6.0],
    }
    assert "denseblock1: 2 x 2 x 2 cells of 48 x 48 x 48 mm" in kept["layers"]
    assert kept["settings"]["draws"] == 20
    assert len(kept["weights_sha256"]) == 64


def test_shares_add_up_and_are_compared_with_random_places(explained):
    regions = table(explained, "regions")
    assert len(regions) == 3 * 3 * 3 * 5
    wide = regions.pivot(index=["patient_id", "task", "phase"], columns="region", values="share")
    known = wide.dropna()
    assert len(known) > 20
    whole = known[["tumor", "ring", "liver", "rest"]].sum(axis=1)
    np.testing.assert_allclose(whole, 1, rtol=1e-6)
    np.testing.assert_allclose(known["tumor_ring"], known["tumor"] + known["ring"], rtol=1e-6)
    moved = regions[regions["region"].isin(["tumor", "ring", "tumor_ring"])].dropna(subset="p")
    assert moved["p"].between(1 / 21 - 1e-9, 1).all()
    assert regions.loc[regions["region"].isin(["liver", "rest"]), "p"].isna().all()
    by_phase = regions.drop_duplicates(["patient_id", "task", "phase"])
    sums = by_phase.groupby(["patient_id", "task"])["phase_share"].sum()
    np.testing.assert_allclose(sums, 1, rtol=1e-5)
    pooled = table(explained, "regions_pooled")
    row = pooled.set_index(["task", "phase", "region"]).loc[("os", "arterial", "tumor")]
    alone = regions.query("task == 'os' and phase == 'arterial' and region == 'tumor'")
    assert row["n"] == alone["share"].notna().sum()
    assert row["share"] == pytest.approx(alone["share"].mean())
    assert row["share_null"] == pytest.approx(alone["share_null"].mean(), rel=1e-4)
    assert row["share_ci_low"] <= row["share"] <= row["share_ci_high"]
    assert 1 / 21 - 1e-9 <= row["p"] <= 1


def test_the_scores_are_those_of_the_predictions(phantom_run, explained):
    predictions = phantom_run.table("predictions.csv").set_index(["patient_id", "task"])
    scores = table(explained, "occlusion").drop_duplicates(["patient_id", "task"])
    for row in scores.itertuples():
        said = predictions.loc[(row.patient_id, row.task)]
        p = said["probability"]
        expected = np.log(p / (1 - p)) if row.task == "mvi" else said["risk"]
        assert row.score == pytest.approx(expected, abs=1e-4)


def test_the_pooled_drop_is_that_of_the_concordance(phantom_run, explained):
    occlusion, pooled = table(explained, "occlusion"), table(explained, "occlusion_pooled")
    parts = occlusion.drop_duplicates(["part", "name"])[["part", "name"]].to_numpy().tolist()
    assert parts == [
        *(["region", name] for name in ("background_liver", "rim", "margin", "tumor")),
        *(["phase", name] for name in PHASES),
    ]
    np.testing.assert_allclose(
        occlusion["change"], occlusion["score_without"] - occlusion["score"], atol=1e-9
    )
    truth = phantom_run.table("predictions.csv").query("task == 'os'").set_index("patient_id")
    rows = occlusion.query("task == 'os' and name == 'tumor'").set_index("patient_id")
    truth = truth.loc[rows.index]
    row = pooled.set_index(["task", "name"]).loc[("os", "tumor")]
    before, after = (
        concordance_harrell(rows[name], truth["time_days"], truth["event"])
        for name in ("score", "score_without")
    )
    assert row["value"] == pytest.approx(before)
    assert row["drop"] == pytest.approx(before - after)
    assert row["metric"] == "concordance_harrell"
    assert "stem" in row["method"]
    assert set(pooled.query("task == 'mvi'")["metric"]) == {"auc"}


def test_maps_change_when_the_weights_are_random(explained):
    """Adebayo 2018: a map that does not depend on the weights explains the image alone."""
    sanity = table(explained, "sanity")
    assert len(sanity) == 3 * 3 * 3 * 4
    whole = sanity[sanity["randomized"] == "stem"]
    assert whole["rank_correlation"].abs().mean() < 0.6
    assert whole["rank_correlation"].max() < 0.99
    pooled = table(explained, "sanity_pooled").set_index(["task", "phase", "randomized"])
    one = whole.query("task == 'os' and phase == 'arterial'")["rank_correlation"]
    found = pooled.loc[("os", "arterial", "stem"), "rank_correlation"]
    assert found == pytest.approx(one.mean())
    trained, maps = read_maps(explained / "maps" / "VI-001"), sanity.query("patient_id == 'VI-001'")
    assert len(trained) == len(maps) / 4


def test_finished_patients_are_kept_and_other_settings_redo_them(phantom_run, tmp_path):
    flags = ["--checkpoint", phantom_run.run, "--split", "external", *QUICK, "--no_overlays"]
    flags += ["--output", tmp_path, "--limit", "2"]
    assert call(explain.main, *flags).code == 0
    files = sorted((tmp_path / "maps").rglob("*.*"))
    assert len(files) == 2 * 10
    first = {path: path.stat().st_mtime_ns for path in files}
    tables = {name: table(tmp_path, name) for name in ("regions", "occlusion", "regions_pooled")}
    files[0].unlink()  # of the first patient
    assert call(explain.main, *flags).code == 0
    redone = {path.parent.name for path in files if path.stat().st_mtime_ns != first[path]}
    assert redone == {"VI-001"}
    for name, before in tables.items():
        pd.testing.assert_frame_equal(table(tmp_path, name), before)
    assert call(explain.main, *flags, "--method", "hirescam").code == 0
    assert all(path.stat().st_mtime_ns != first[path] for path in files)
    other = table(tmp_path, "regions")
    assert not np.allclose(other["share"], tables["regions"]["share"], equal_nan=True)


def test_a_patient_who_cannot_be_read_is_set_aside_and_the_others_go_on(phantom_run, tmp_path):
    store = tmp_path / "store"
    shutil.copytree(phantom_run.store, store, ignore=shutil.ignore_patterns("phantom-*"))
    (damaged,) = store.glob("patients/VI-002*")
    damaged.write_bytes(damaged.read_bytes()[:1000])
    flags = ["--checkpoint", phantom_run.run, "--cohort", phantom_run.cohort, "--store", store]
    flags += ["--patients", "VI-001", "VI-002", "--output", tmp_path / "out", *QUICK]
    done = call(explain.main, *flags, "--no_overlays")
    assert done.code == 0, done.err
    assert "1 patients explained, 1 left out" in done.out
    assert "VI-002 (explain)" in done.out
    quarantine = table(tmp_path / "out", "quarantine").set_index("patient_id")
    assert "damaged or half-written" in quarantine.loc["VI-002", "reason"]
    assert set(table(tmp_path / "out", "regions")["patient_id"]) == {"VI-001"}


def test_another_cohort_without_outcomes_is_explained(phantom_run, tmp_path):
    rows = copy_cohort(phantom_run.cohort, tmp_path / "cohort", patients=["I-001", "VI-003"])
    rows[["patient_id"]].to_csv(tmp_path / "cohort" / "patients.csv", index=False)
    flags = ["--checkpoint", phantom_run.run, "--cohort", tmp_path / "cohort", *QUICK]
    flags += ["--no_overlays"]
    done = call(explain.main, *flags, "--output", tmp_path / "out", "--split", "new")
    assert done.code == 0, done.err
    assert set(table(tmp_path / "out", "regions")["split"]) == {"new"}
    pooled = table(tmp_path / "out", "occlusion_pooled")
    assert (pooled["n"] == 0).all()
    assert pooled["value"].isna().all()
    assert pooled["mean_change"].notna().all()
    assert pooled["method"].str.len().min() > 5, "why there is no value"


def test_gated_attention_is_written_as_a_table(phantom_run, tmp_path):
    _, values = load_model(phantom_run.run)
    attention = {"class_path": "GatedAttention", "init_args": {"hidden": 4}}
    values["model"]["encoders"]["tumor"]["aggregator"] = attention
    parser = build_parser("")
    module = instantiate(parser, config_from_dict(parser, values)).model
    module.config = values
    export_model(module, tmp_path / "model")
    flags = ["--checkpoint", tmp_path / "model", "--limit", "2", "--no_overlays", *QUICK]
    done = call(explain.main, *flags, "--cohort", phantom_run.cohort, "--store", phantom_run.store)
    assert done.code == 0, done.err
    out = tmp_path / "explanation"
    attention = table(out, "attention")
    assert list(attention) == [
        *("patient_id", "center", "split", "phase", "place_mm", "attention"),
    ]
    np.testing.assert_allclose(attention.groupby("patient_id")["attention"].sum(), 1, rtol=1e-5)
    method = table(out, "occlusion").query("part == 'phase'")["method"].unique()
    assert method.tolist() == ["phase marked as absent"]
    record = read_record(out / "maps" / attention["patient_id"].iloc[0])
    assert record.arrays["tumor.features"].shape[0] == 3


@pytest.fixture(scope="module")
def two_views(phantom_run, tmp_path_factory) -> tuple[Path, Path]:
    """Return the explanation of a model of slices of the liver and volumes of the tumor."""
    folder = tmp_path_factory.mktemp("two_views")
    table = copy_cohort(phantom_run.cohort, folder / "cohort", patients=["VI-001", "VI-002"])
    table.to_csv(folder / "cohort" / "patients.csv", index=False)
    _, values = load_model(phantom_run.run)
    view = values["data"]["preparation"]["views"]["tumor"]
    values["data"]["preparation"]["views"] = {
        "liver": view | {"center_on": "liver"},
        "tumor": view,
    }
    flat = {"dimensions": "2d"}
    liver = {
        "instances": {"class_path": "AxialSlices", "init_args": {"of": ["tumor"]}},
        "stem": {
            "class_path": "RegionStem",
            "init_args": {
                "out_channels": 8,
                "regions": ["background_liver", "rim", "tumor"],
                **flat,
            },
        },
        "backbone": {
            "class_path": "DenseNet",
            "init_args": {"layers": [1], "norm": "group"} | flat,
        },
        "aggregator": {
            "class_path": "Nested",
            "init_args": {
                "within": {"class_path": "GatedAttention"},
                "over": {"class_path": "Attention"},
            },
        },
        "instances_per_chunk": 4,
    }
    values["model"]["encoders"] = {"liver": liver} | values["model"]["encoders"]
    parser = build_parser("")
    module = instantiate(parser, config_from_dict(parser, values)).model
    module.config = values
    export_model(module, folder / "model")
    flags = ["--checkpoint", folder / "model", "--cohort", folder / "cohort", *QUICK]
    done = call(explain.main, *flags, "--output", folder / "out")
    assert done.code == 0, done.err
    assert done.out.index("View liver:") < done.out.index("View tumor:")
    return folder / "out", folder


def test_each_view_of_a_model_is_explained_in_a_folder_of_its_own(two_views):
    out, _ = two_views
    for view in ("liver", "tumor"):
        occlusion = table(out / view, "occlusion")
        assert len(table(out / view, "regions")) == 2 * 3 * 3 * 5
        parts = occlusion.drop_duplicates(["part", "name"])[["part", "name"]].to_numpy().tolist()
        assert parts[-1] == ["view", view]
        assert (out / view / "overlays" / "VI-001_os.png").is_file()
        assert (out / view / "maps" / "VI-001" / "os_arterial.nii.gz").is_file()
    scores = [
        table(out / view, "occlusion").groupby(["patient_id", "task"])["score"].first()
        for view in ("liver", "tumor")
    ]
    pd.testing.assert_series_equal(*scores)
    assert not (out / "tumor" / "attention.csv").exists(), "its phases stand side by side"


def test_slices_have_attention_and_maps_at_their_places(two_views):
    out, _ = two_views
    attention = table(out / "liver", "attention")
    by_patient = attention.groupby("patient_id")
    np.testing.assert_allclose(by_patient["attention"].sum(), 1, rtol=1e-5)
    assert set(attention["phase"]) == set(PHASES)
    one = attention.query("patient_id == 'VI-001' and phase == 'arterial'")
    assert (one["place_mm"].diff().dropna() == 6).all(), "slices of 6 mm, from below"
    maps = read_maps(out / "liver" / "maps" / "VI-001")["os/arterial"]
    seen = np.flatnonzero(maps.any(axis=(1, 2)))
    middle = (len(maps) - 1) / 2
    assert set(6.0 * (seen - middle)) <= set(one["place_mm"])


def test_one_view_can_be_named(two_views, tmp_path):
    _, folder = two_views
    flags = ["--checkpoint", folder / "model", "--cohort", folder / "cohort", *QUICK]
    flags += ["--store", folder / "out" / "prepared", "--no_overlays", "--output", tmp_path / "out"]
    done = call(explain.main, *flags, "--view", "tumor", "--limit", "1")
    assert done.code == 0, done.err
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["tumor"]
    done = call(explain.main, *flags, "--view", "spleen")
    assert done.code == 2
    assert "no encoder of the view 'spleen'. Expected one of liver, tumor" in done.err


def test_a_model_without_images_has_nothing_to_show(tmp_path):
    module = tiny_module()
    values = yaml.safe_load((CONFIGS / "clinical_mtl.yaml").read_text())
    values["model"]["heads"].pop("rfs")
    values["model"]["clinical"] = {"class_path": "ClinicalEncoder"}
    values["model"]["fusion"]["init_args"] = {"widths": [8], "dropout": 0.0}
    values["data"]["covariates"] = {"age_years": "linear", "afp_ng_ml": "log"}
    module.config = values
    export_model(module, tmp_path / "model")
    done = call(explain.main, "--checkpoint", tmp_path / "model", "--output", tmp_path / "out")
    assert done.code == 2
    assert "takes no images" in done.err
    assert "occlusion of clinical covariates is not offered" in done.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--layer", "conv9"], "stem: 4 x 4 x 4 cells of 24 x 24 x 24 mm"),
        (["--patients", "VI-999"], "patient VI-999 is not in the store"),
        (["--split", "nowhere"], "one of train (12), validation (6), external (6)"),
        (["--draws", "0"], "draws is 0"),
        (["--limit", "0"], "limit is 0"),
        (["--method", "lime"], "lime"),
        (["--layr", "stem"], "layr"),
    ],
)
def test_wrong_arguments_are_one_message(phantom_run, tmp_path, flags, message):
    done = call(explain.main, "--checkpoint", phantom_run.run, "--output", tmp_path / "out", *flags)
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "out" / "regions.csv").exists()


def test_by_default_the_explanation_lies_in_the_run(tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "best.ckpt").touch()
    places = [tmp_path, tmp_path / "model", tmp_path / "checkpoints" / "best.ckpt"]
    assert {default_output(place) for place in places} == {tmp_path / "explanation"}
