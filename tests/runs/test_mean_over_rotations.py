"""A prediction that is the mean over rotations: the same by every way in, and by hand."""

import shutil

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_runs import QUIET, call
from tiny_training import tiny_config

from mtl_hcc import fit, predict
from mtl_hcc.data.augmentation.right_angle_rotation import CUBE_ROTATIONS
from mtl_hcc.data.prediction_rotations import rotated
from mtl_hcc.losses import breslow_cumulative_hazard, survival_probability
from mtl_hcc.runs.checkpoint import load_model
from mtl_hcc.runs.model_config import build_data

CURVES = [f"survival_{days}" for days in (365, 730, 1095, 1825)]
KEYS = ["patient_id", "task"]

pytestmark = pytest.mark.xdist_group("phantom run")


def read(path):
    return pd.read_csv(path, dtype={"patient_id": str}).set_index(KEYS).sort_index()


@pytest.fixture(scope="module")
def turned(phantom_run, tmp_path_factory):
    """Return the finished phantom run, predicted anew as the mean over four rotations."""
    run = shutil.copytree(phantom_run.run, tmp_path_factory.mktemp("turned") / "run")
    flags = ["--config", run / "config.yaml", "--run", run, "--ckpt_path", "last", *QUIET]
    done = call(fit.main, *flags, "--data.prediction_rotations", "4")
    assert done.code == 0, done.err
    return run


def outputs_by_hand(run, datamodule):
    """Return patients, and of each rotation log hazards of OS and MVI probabilities."""
    module, _ = load_model(run)
    loader = datamodule.everybody()
    log_hazards, probabilities = [], []
    with torch.inference_mode():
        for rotation in CUBE_ROTATIONS[:4]:
            seen = [
                datamodule.on_after_batch_transfer(rotated(batch, rotation), 0) for batch in loader
            ]
            found = [module(batch) for batch in seen]
            log_hazards.append(torch.cat([output["os"][:, 0] for output in found]))
            logits = torch.cat([output["mvi"] for output in found])
            probabilities.append(logits.softmax(1)[:, 1])
    return torch.stack(log_hazards), torch.stack(probabilities)


def test_a_run_s_predictions_are_the_means_and_its_baseline_hazard_belongs_to_them(
    phantom_run, turned
):
    _, config = load_model(turned)
    assert config["data"]["prediction_rotations"] == 4
    datamodule = build_data(config, store=str(phantom_run.store), cohort=None)
    datamodule.prepare_data()
    datamodule.setup("predict")
    log_hazards, probabilities = outputs_by_hand(turned, datamodule)
    assert log_hazards.std(0).max() > 1e-4, "the network does not see the same in all"
    found = pd.read_csv(turned / "predictions.csv").set_index(KEYS)
    os = found.xs("os", level="task").loc[datamodule.table.index]
    mvi = found.xs("mvi", level="task").loc[datamodule.table.index]
    np.testing.assert_allclose(os["risk"], log_hazards.mean(0), atol=1e-5)
    np.testing.assert_allclose(mvi["probability"], probabilities.mean(0), atol=1e-5)
    train = os[os["split"] == "train"]
    columns = (torch.tensor(train[name].to_numpy()) for name in ("risk", "time_days", "event"))
    times, hazard = breslow_cumulative_hazard(*columns)
    expected = survival_probability(torch.tensor(os["risk"].to_numpy()), 365.0, times, hazard)
    np.testing.assert_allclose(os["survival_365"], expected, atol=1e-5)


def test_predict_gives_them_again_from_the_exported_model(phantom_run, turned, tmp_path):
    flags = ["--checkpoint", turned, "--cohort", phantom_run.cohort, "--batch_size", "5"]
    done = call(predict.main, *flags, "--output", tmp_path / "out.csv")
    assert done.code == 0, done.err
    found, expected = read(tmp_path / "out.csv"), read(turned / "predictions.csv")
    same = ["risk", "probability", *CURVES]
    pd.testing.assert_frame_equal(found[same], expected[same], rtol=1e-5, atol=1e-5)
    assert expected["survival_365"].notna().any()
    one = read(phantom_run.run / "predictions.csv")
    assert (one["risk"] - expected["risk"]).abs().max() > 1e-4


def test_another_number_of_rotations_leaves_survival_probabilities_empty_and_says_why(
    phantom_run, turned, tmp_path
):
    store = ["--store", tmp_path / "store"]
    flags = ["--checkpoint", phantom_run.run, "--cohort", phantom_run.cohort, *store]
    done = call(predict.main, *flags, "--rotations", "4", "--output", tmp_path / "four.csv")
    assert done.code == 0, done.err
    assert "baseline hazard is that of predictions by 1 rotation, not 4" in done.out
    assert "--ckpt_path last --data.prediction_rotations 4" in done.out
    found, expected = read(tmp_path / "four.csv"), read(turned / "predictions.csv")
    same = ["risk", "probability"]
    pd.testing.assert_frame_equal(found[same], expected[same], rtol=1e-5, atol=1e-5)
    assert found[CURVES].isna().all(axis=None)
    done = call(predict.main, *flags, "--rotations", "25", "--output", tmp_path / "no.csv")
    assert done.code == 2
    assert "data.prediction_rotations: prediction_rotations is 25. Expected 1 to 24" in done.err


def test_without_images_it_is_refused_before_training(tmp_path):
    tiny_config(tmp_path)
    flags = ["--config", tmp_path / "config.yaml", "--run", tmp_path / "run"]
    done = call(fit.main, *flags, "--data.prediction_rotations", "2")
    assert done.code == 2
    assert "there are no images to turn" in done.err
    assert not (tmp_path / "run").exists()
