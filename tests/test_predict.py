"""A trained model on a cohort: the same numbers by every way in, with or without outcomes."""

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from tiny_runs import call, copy_cohort

from mtl_hcc import evaluate, predict
from mtl_hcc.cohorts.phantom.settings import PhantomSettings
from mtl_hcc.cohorts.phantom.write import write_phantom

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
    assert list(found) == list(expected)
    assert set(found["split"]) == {"external"}, "to the command they are new patients"
    pd.testing.assert_frame_equal(
        found.drop(columns="split"), expected.drop(columns="split"), rtol=1e-5, atol=1e-5
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
