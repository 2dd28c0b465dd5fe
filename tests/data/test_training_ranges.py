"""What a model has seen, and in what words a patient lies outside of it."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from mtl_hcc.data.training_ranges import (
    RANGES,
    out_of_range,
    read_ranges,
    training_ranges,
    write_ranges,
)
from mtl_hcc.errors import CheckpointError

COVARIATES = {"age_years": "linear", "afp_ng_ml": "log", "sex": ["female", "male"]}


def cohort(patients=100, *, seed=0, **cells):
    """Return what the data module says of a cohort; ``cells`` replace the first patient's."""
    rng = np.random.default_rng(seed)
    names = [f"P{number:03d}" for number in range(patients)]
    table = pd.DataFrame(
        {
            "age_years": rng.uniform(30, 80, patients),
            "afp_ng_ml": 10 ** rng.uniform(0, 4, patients),
            "sex": "male",
        },
        index=names,
    )
    quality = pd.DataFrame(
        {
            "portal_venous_parenchyma": rng.normal(110, 8, patients),
            "rise_to_portal_venous": rng.normal(40, 3, patients),
            "tumor_volume_mm3": 1000 * 10 ** rng.uniform(0, 2, patients),
            "lesions": 1.0,
            "implausible": "",
            "portal_venous_clip_low": 3.0,
        },
        index=names,
    )
    for name, value in cells.items():
        (table if name in table else quality).loc["P000", name] = value
    splits = pd.Series(["train"] * (patients // 2) + ["external"] * (patients - patients // 2))
    return SimpleNamespace(
        table=table, quality=quality, covariates=COVARIATES, measured={}, splits=splits
    )


RANGES_OF_100 = training_ranges(cohort())


def reason(**cells):
    return out_of_range(RANGES_OF_100, cohort(1, seed=1, **cells))["P000"]


def test_patients_of_the_same_kind_are_hardly_ever_out_of_range():
    reasons = out_of_range(RANGES_OF_100, cohort(1000, seed=2)).values()
    assert sum(bool(reason) for reason in reasons) < 60, (
        "1 in 20 for 50 training patients and 8 values"
    )


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        ({"portal_venous_parenchyma": 1134.0}, "portal_venous liver without tumor 1,134; in tra"),
        ({"rise_to_portal_venous": 0.0}, "rise of the liver to the portal_venous phase 0; in trai"),
        ({"tumor_volume_mm3": 3e5}, "tumor volume 300,000 mm3; in training"),
        ({"lesions": 4.0}, "number of lesions 4; in training 1 to 1"),
        ({"age_years": 3.0}, "age_years 3; in training 30 to 80"),
        ({"afp_ng_ml": 1e6}, "afp_ng_ml 1,000,000; in training"),
        ({"sex": "female"}, "sex female; in training male"),
        ({"age_years": np.nan}, "without age_years, which no training patient lacked"),
        (
            {"portal_venous_parenchyma": np.nan},
            "without portal_venous liver, which no training patient lacked",
        ),
        ({"implausible": "a liver of 268 ml"}, "a liver of 268 ml"),
    ],
)
def test_the_reason_names_the_measurement_its_value_and_the_range(cells, words):
    assert words in reason(**cells)


def test_several_reasons_are_listed_and_a_value_within_training_gives_none():
    assert reason(age_years=70.0) == ""
    assert reason(age_years=3.0, lesions=4.0).count(";") == 3
    assert reason(portal_venous_clip_low=999.0) == "", "only some measurements are compared"


def test_measurements_that_the_network_reads_are_compared_and_told_apart_from_columns():
    def of(module, volume):
        module.covariates = {"tumor_volume_mm3": "linear"}
        module.table["tumor_volume_mm3"] = volume
        module.measured = {"portal_venous_clip_low": "linear", "tumor_volume_mm3": "log"}
        return module

    ranges = training_ranges(of(cohort(), 9.0))
    names = ("tumor_volume_mm3", "measured tumor_volume_mm3", "portal_venous_clip_low")
    assert set(names) <= set(ranges)
    assert ranges["measured tumor_volume_mm3"] == RANGES_OF_100["tumor_volume_mm3"]
    odd = of(cohort(1, seed=1, tumor_volume_mm3=3e5, portal_venous_clip_low=np.nan), 11.0)
    found = out_of_range(ranges, odd)["P000"]
    assert "measured tumor volume 300,000 mm3; in training" in found
    assert "tumor volume 11 mm3; in training 9 to 9 mm3" in found
    assert "without portal_venous_clip_low, which no training patient lacked" in found


def test_only_training_patients_count():
    module = cohort()
    module.table.loc["P099", "age_years"] = 1.0
    assert training_ranges(module) == RANGES_OF_100


def test_ranges_survive_the_file_and_give_no_patient_away(tmp_path):
    module = cohort()
    write_ranges(training_ranges(module), tmp_path)
    assert read_ranges(tmp_path) == RANGES_OF_100
    (tmp_path / "run").mkdir()
    tmp_path.joinpath(RANGES).rename(tmp_path / "run" / RANGES)
    (tmp_path / "run").rename(tmp_path / "model")
    assert read_ranges(tmp_path) == RANGES_OF_100, "in a run folder"
    text = (tmp_path / "model" / RANGES).read_text()
    exact = [module.table[name].iloc[:50] for name in ("age_years", "afp_ng_ml")]
    assert not any(f"{value:.4g}" in text for values in exact for value in values)


def test_a_model_without_ranges_compares_with_nothing(tmp_path):
    assert read_ranges(tmp_path) == {}
    assert read_ranges(tmp_path / "best.ckpt") == {}
    assert out_of_range({}, cohort(1))["P000"] == ""


@pytest.mark.parametrize(
    "content",
    ["no json", "[]", json.dumps({"age_years": {"seen": [1]}}), json.dumps({"age_years": 3})],
)
def test_a_damaged_file_is_one_message(tmp_path, content):
    (tmp_path / RANGES).write_text(content)
    with pytest.raises(CheckpointError, match=r"training_ranges.json: it is damaged"):
        read_ranges(tmp_path)
