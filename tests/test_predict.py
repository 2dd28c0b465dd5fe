"""A trained model on a cohort: the same numbers by every way in, with or without outcomes."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk  # noqa: N813
import yaml
from tiny_runs import call, copy_cohort

from mtl_hcc import evaluate, predict
from mtl_hcc.cohorts.phantom.phantom_cohort import write_phantom
from mtl_hcc.cohorts.phantom.settings import PhantomSettings

pytestmark = pytest.mark.xdist_group("phantom run")

SHIPPED = Path(__file__).parents[1] / "checkpoints" / "ct_mtl_phantom"
KEYS = ["patient_id", "task"]
OUTCOMES = ["time_days", "event", "label"]


def predicted(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype={"patient_id": str}).set_index(KEYS).sort_index()


@pytest.fixture(scope="module")
def again(phantom_run, tmp_path_factory) -> Path:
    """Return a folder with the predictions of the training cohort, made by the command."""
    folder = tmp_path_factory.mktemp("again")
    flags = ["--checkpoint", phantom_run.run, "--cohort", phantom_run.cohort]
    done = call(predict.main, *flags, "--output", folder / "predictions.csv")
    assert done.code == 0, done.err
    assert "24 patients, 3 tasks" in done.out
    next_command = f"Next: python -m mtl_hcc.evaluate --predictions {folder / 'predictions.csv'}"
    assert next_command in done.out
    return folder


def test_the_training_cohort_gets_the_predictions_that_training_wrote(phantom_run, again):
    expected = predicted(phantom_run.run / "predictions.csv")
    found = predicted(again / "predictions.csv")
    assert list(found) == [*expected, "out_of_range"]
    assert set(found["split"]) == {"external"}, "to the command they are new patients"
    pd.testing.assert_frame_equal(
        found.drop(columns=["split", "out_of_range"]),
        expected.drop(columns="split"),
        rtol=1e-5,
        atol=1e-5,
    )


@pytest.mark.parametrize("checkpoint", ["checkpoints/best.ckpt", "model"])
def test_checkpoint_export_and_another_batch_size_give_the_same(
    phantom_run, again, tmp_path, checkpoint
):
    flags = [
        *("--checkpoint", phantom_run.run / checkpoint),
        *("--cohort", phantom_run.cohort),
        *("--store", again / "predictions_prepared"),
        *("--batch_size", "5"),
        *("--split", "center six"),
        *("--output", tmp_path / "new" / "out.csv"),
    ]
    done = call(predict.main, *flags)
    assert done.code == 0, done.err
    assert ("No survival probabilities" in done.out) == (checkpoint != "model")
    found, expected = predicted(tmp_path / "new" / "out.csv"), predicted(again / "predictions.csv")
    assert set(found["split"]) == {"center six"}
    same = ["risk", "probability", "center", *OUTCOMES]
    pd.testing.assert_frame_equal(found[same], expected[same], rtol=1e-5, atol=1e-5)
    curves = [name for name in expected if name.startswith("survival_")]
    if checkpoint == "model":
        pd.testing.assert_frame_equal(found[curves], expected[curves], rtol=1e-5, atol=1e-5)
    else:  # taken amid training, without the baseline hazard
        assert found[curves].isna().all(axis=None)


def test_the_predictions_can_be_evaluated(phantom_run, again):
    flags = ["--predictions", again / "predictions.csv", "--bootstraps", "20"]
    done = call(evaluate.main, *flags, "--output", again)
    assert done.code == 0, done.err
    metrics = pd.read_csv(again / "metrics.csv")
    metrics = metrics[metrics["horizon_days"].isna()]
    pooled = metrics[metrics["center"] == "all"].set_index(["task", "metric"])
    assert pooled.loc[("os", "concordance_harrell"), "n"] == 24
    assert np.isfinite(pooled.loc[("mvi", "auc"), "value"])
    trained = phantom_run.table("metrics.csv")
    trained = trained[(trained["model"] == "network") & (trained["split"] == "external")]
    trained = trained[trained["horizon_days"].isna()]
    by_center = metrics[metrics["center"] == "VI"].set_index(["task", "metric"])["value"]
    expected = trained.set_index(["task", "metric"])["value"]
    for key in (("os", "concordance_harrell"), ("mvi", "auc")):
        assert by_center[key] == pytest.approx(expected[key]), "center VI is the external split"


def test_a_cohort_that_is_only_names_and_images_is_predicted(phantom_run, again, tmp_path):
    patients = ["I-001", "VI-002", "VI-003"]
    rows = copy_cohort(phantom_run.cohort, tmp_path / "cohort", patients=patients)
    rows[["patient_id"]].to_csv(tmp_path / "cohort" / "patients.csv", index=False)
    flags = ["--checkpoint", phantom_run.run, "--cohort", tmp_path / "cohort"]
    done = call(predict.main, *flags, "--output", tmp_path / "out.csv")
    assert done.code == 0, done.err
    found, expected = predicted(tmp_path / "out.csv"), predicted(again / "predictions.csv")
    expected = expected.loc[found.index]
    assert len(found) == 9
    assert found.reindex(columns=OUTCOMES).isna().all(axis=None)
    curves = [name for name in expected if name.startswith("survival_")]
    same = ["risk", "probability", *curves]
    pd.testing.assert_frame_equal(found[same], expected[same], rtol=1e-5, atol=1e-5)
    # Nothing can be evaluated, and that is said, not an error.
    flags = ["--predictions", tmp_path / "out.csv", "--output", tmp_path, "--bootstraps", "20"]
    done = call(evaluate.main, *flags)
    assert done.code == 0, done.err
    metrics = pd.read_csv(tmp_path / "metrics.csv")
    assert metrics["value"].isna().all()
    assert metrics["method"].notna().all()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--checkpoint", "absent", "--cohort", "c"], "absent: no such file or folder"),
        (["--checkpoint", "{run}", "--cohort", "absent"], "absent: no such"),
        (["--checkpiont", "{run}"], "checkpiont"),
        (["--checkpoint", "{run}", "--batch_size", "0"], "batch_size is 0"),
    ],
)
def test_wrong_arguments_are_one_message(phantom_run, tmp_path, flags, message, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = call(predict.main, *[flag.format(run=phantom_run.run) for flag in flags])
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err
    assert not list(tmp_path.glob("*.csv"))


@pytest.mark.skipif(not SHIPPED.is_dir(), reason="no model is shipped in checkpoints/")
def test_the_shipped_model_gives_the_predictions_that_are_kept_with_it(tmp_path):
    """Its phantom is made anew, so this also notices when the same settings give other patients."""
    config = yaml.safe_load((SHIPPED / "config.yaml").read_text())
    settings = PhantomSettings(**config["data"]["phantom"])
    few = dataclasses.replace(settings, patients={"I": 2, "II": 1, "VI": 2}, paper_size=False)
    write_phantom(tmp_path / "cohort", few, workers=1, progress=False)
    flags = ["--checkpoint", SHIPPED, "--cohort", tmp_path / "cohort"]
    done = call(predict.main, *flags, "--output", tmp_path / "out.csv")
    assert done.code == 0, done.err
    found = predicted(tmp_path / "out.csv")
    expected = predicted(SHIPPED / "expected_predictions.csv")
    assert found.index.equals(expected.index)
    same = ["risk", "probability"]
    pd.testing.assert_frame_equal(found[same], expected[same], rtol=0, atol=1e-3)
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) < 5e6


# Patients unlike those of the training -------------------------------------------------------


def odd_cohort(root: Path, shared_data: Path) -> Path:
    """Return a cohort of a leg sarcoma: its CT for all phases, its tumor, muscle for a liver."""
    source = shared_data / "images" / "sts_sarcoma" / "STS_002"
    tumor = sitk.ReadImage(str(source / "CT_gtv.nii.gz"))
    image = sitk.ReadImage(str(source / "CT_image.nii.gz"))
    labels = sitk.GetArrayFromImage(tumor)
    muscle = (sitk.GetArrayFromImage(image) > 20) & (sitk.GetArrayFromImage(image) < 100)
    drawn = sitk.GetImageFromArray(np.where(labels > 0, 2, muscle).astype(np.uint8))
    drawn.CopyInformation(tumor)
    folder = root / "cohort" / "images" / "STS_002"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for phase in ("arterial", "portal_venous", "delayed"):
        noise = sitk.GetImageFromArray(rng.normal(0, 3, labels.shape).astype(np.float32))
        noise.CopyInformation(image)
        sitk.WriteImage(sitk.Cast(image, sitk.sitkFloat32) + noise, str(folder / f"{phase}.nii.gz"))
    sitk.WriteImage(drawn, str(folder / "regions.nii.gz"))
    (root / "cohort" / "patients.csv").write_text("patient_id\nSTS_002\n")
    return root / "cohort"


@pytest.mark.skipif(not SHIPPED.is_dir(), reason="no model is shipped in checkpoints/")
def test_a_leg_sarcoma_is_not_predicted_without_a_word(shared_data, tmp_path):
    cohort = odd_cohort(tmp_path, shared_data)
    flags = ["--checkpoint", SHIPPED, "--cohort", cohort, "--output", tmp_path / "out.csv"]
    done = call(predict.main, *flags)
    if done.code != 0:  # already refused while it was prepared
        assert "none of the 1 patients could be prepared" in done.err
        assert "STS_002" in done.err
    done = call(predict.main, *flags, "--plausibility", "remark")
    assert done.code == 0, done.err
    (reason,) = set(pd.read_csv(tmp_path / "out.csv")["out_of_range"])
    assert "rise of the liver to the portal_venous phase" in reason
    assert "1 of 1 patients are unlike those that the model was trained on" in done.out
    assert f"STS_002: {reason}" in done.out


def test_a_model_carries_ranges_of_its_training_patients(phantom_run):
    ranges = json.loads((phantom_run.run / "model" / "training_ranges.json").read_text())
    low, high = ranges["portal_venous_parenchyma"]["seen"]
    quality = pd.read_csv(phantom_run.store / "quality.csv").set_index("patient_id")
    trained = quality[quality.index.str.startswith("I-")]["portal_venous_parenchyma"]
    assert low == pytest.approx(trained.min(), abs=10)
    assert low <= trained.min() < trained.max() <= high
    assert {"tumor_volume_mm3", "rise_to_portal_venous"} <= {*ranges}


def test_own_training_patients_are_in_range_and_tumors_of_three_times_the_largest_are_not(
    phantom_run, again, tmp_path
):
    found = predicted(again / "predictions.csv").reset_index()
    trained = found[found["patient_id"].str.startswith("I-")]
    assert trained["out_of_range"].isna().all()
    # The same patients for a model whose training patients had tumors of a third of the size.
    model = shutil.copytree(phantom_run.run / "model", tmp_path / "model")
    ranges = json.loads((model / "training_ranges.json").read_text())
    for kind in ("seen", "accepted"):
        ranges["tumor_volume_mm3"][kind][1] /= 3
    (model / "training_ranges.json").write_text(json.dumps(ranges))
    store = again / "predictions_prepared"
    flags = ["--checkpoint", model, "--cohort", phantom_run.cohort, "--store", store]
    done = call(predict.main, *flags, "--output", tmp_path / "out.csv")
    assert done.code == 0, done.err
    quality = pd.read_csv(store / "quality.csv").set_index("patient_id")
    largest = quality.index[quality.index.str.startswith("I-")][
        quality[quality.index.str.startswith("I-")]["tumor_volume_mm3"].argmax()
    ]
    reasons = predicted(tmp_path / "out.csv")["out_of_range"].loc[largest]
    assert reasons.str.startswith("tumor volume").all()
    assert f"{largest}: tumor volume" in done.out


def test_a_model_without_ranges_still_predicts_and_says_so(phantom_run, again, tmp_path):
    model = shutil.copytree(phantom_run.run / "model", tmp_path / "old")
    (model / "training_ranges.json").unlink()
    store = again / "predictions_prepared"
    flags = ["--checkpoint", model, "--cohort", phantom_run.cohort, "--store", store]
    done = call(predict.main, *flags, "--output", tmp_path / "out.csv")
    assert done.code == 0, done.err
    assert "carries no ranges of its training patients" in done.out
    assert predicted(tmp_path / "out.csv")["out_of_range"].isna().all()
