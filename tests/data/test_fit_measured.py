"""A network that reads measurements of the images beside them, by the real commands."""

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_runs import CONFIGS, QUIET, call, copy_cohort

from mtl_hcc import fit, predict
from mtl_hcc.data.training_ranges import read_ranges
from mtl_hcc.runs.checkpoint import load_model

MEASURED = {"tumor_diameter_mm": "linear", "tumor_volume_mm3": "log", "arterial_tumor_sd": "linear"}


def flags(cohort, folder):
    """Return flags of one epoch of the shipped CT config on twelve coarse patients."""
    return [
        *("--config", CONFIGS / "ct_mtl.yaml", "--data.cohort", cohort),
        *("--run", folder / "run", "--data.store", folder / "store", *QUIET),
        *("--data.preparation.views.tumor.spacing_mm", "4"),
        *("--data.preparation.views.tumor.field_of_view_mm", "64"),
        *("--data.preparation.plausibility", "remark", "--data.preparing.workers", "1"),
        *("--data.batch_size", "4", "--data.rounds", "1", "--bootstraps", "0"),
        *("--trainer.max_epochs", "1", "--trainer.accelerator", "cpu"),
        *("--baselines", "{}", "--strong_baselines", "false"),
        *("--data.covariates", "{tumor_diameter_mm: linear}", "--data.measured", str(MEASURED)),
    ]


@pytest.fixture(scope="module")
def cohort(cohort_folder, tmp_path_factory):
    """Return a cohort whose table has a diameter of its own, by another reader."""
    folder = tmp_path_factory.mktemp("measured") / "cohort"
    table = copy_cohort(cohort_folder, folder)
    table.assign(tumor_diameter_mm=range(60, 60 + len(table))).to_csv(
        folder / "patients.csv", index=False
    )
    return folder


@pytest.mark.slow
def test_a_network_learns_from_images_columns_and_measurements(cohort, tmp_path):
    given = [*flags(cohort, tmp_path), "--model.clinical", "ClinicalEncoder"]
    done = call(fit.main, *given)
    assert done.code == 0, done.err
    exported = tmp_path / "run" / "model"
    module, config = load_model(exported)
    assert config["data"]["measured"] == MEASURED
    table = pd.read_csv(cohort / "patients.csv", index_col="patient_id")
    quality = pd.read_csv(tmp_path / "store" / "quality.csv", index_col="patient_id")
    train = table.index[table["split"] == "train"]
    seen = [
        table.loc[train, "tumor_diameter_mm"],
        quality.loc[train, "tumor_diameter_mm"],
        np.log10(quality.loc[train, "tumor_volume_mm3"] + 1),
        quality.loc[train, "arterial_tumor_sd"],
    ]
    expected = torch.tensor([np.median(values) for values in seen])
    found = module.network.clinical.median.double()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5)
    ranges = read_ranges(exported)
    assert ranges["tumor_diameter_mm"].seen == (60, 66)
    assert ranges["measured tumor_diameter_mm"].seen[1] < 60
    assert "arterial_tumor_sd" in ranges
    out = ["--cohort", cohort, "--output", tmp_path / "out.csv", "--plausibility", "remark"]
    done = call(predict.main, "--checkpoint", exported, *out)
    assert done.code == 0, done.err
    key = ["patient_id", "task"]
    before, again = (
        pd.read_csv(path).set_index(key)["risk"]
        for path in (tmp_path / "run" / "predictions.csv", tmp_path / "out.csv")
    )
    pd.testing.assert_series_equal(again.loc[before.index], before, rtol=1e-4)


def test_without_an_encoder_of_them_measurements_are_refused(cohort, tmp_path):
    done = call(fit.main, *flags(cohort, tmp_path))
    assert done.code == 2
    assert "model.clinical is not set, data.covariates and data.measured name 4" in done.err
    assert not (tmp_path / "store").exists()
