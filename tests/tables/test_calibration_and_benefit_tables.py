import numpy as np
import pandas as pd
import pytest

from mtl_hcc.tables.calibration_groups import calibration_groups
from mtl_hcc.tables.net_benefit_table import net_benefit


@pytest.fixture
def scored():
    """OS at one year and MVI of 100 patients by a network; MVI by a baseline too."""
    rng = np.random.default_rng(1)
    log_hazard = rng.normal(size=100)
    time, end = rng.exponential(900 * np.exp(-log_hazard)), rng.uniform(400, 2000, 100)
    who = pd.DataFrame(
        {
            "patient_id": [f"P{k}" for k in range(100)],
            "center": "I",
            "split": np.repeat(["external", "train"], 50),
            "fold": 0,
            "model": "network",
        }
    )
    os = who.assign(
        task="os",
        risk=log_hazard,
        time_days=np.ceil(np.minimum(time, end)),
        event=(time <= end).astype(float),
        survival_365=np.exp(-365 / 900 * np.exp(log_hazard)),
    )
    probability = 1 / (1 + np.exp(-log_hazard))
    mvi = who.assign(
        task="mvi", label=(rng.random(100) < probability).astype(float), probability=probability
    )
    return pd.concat([os, mvi, mvi.assign(model="size", probability=0.4)], ignore_index=True)


def test_groups_of_every_task_and_split_add_up_to_the_patients(scored):
    table = calibration_groups(scored)
    assert table.groupby(["task", "split"])["n"].sum().tolist() == [50] * 4
    first = table.iloc[0]
    assert (first["Task"], first["Split"], first["Patients"]) == ("OS at 1 year", "train", "10")
    assert table["predicted"].between(table["predicted_low"], table["predicted_high"]).all()
    mvi = table[table["task"] == "mvi"]
    assert mvi["observed"].to_numpy() == pytest.approx(mvi["events"] / mvi["n"])
    assert "Wilson" in table.attrs["caption"]


def test_tied_predictions_stay_in_one_group_and_small_samples_have_fewer_groups(scored):
    scored["probability"] = scored["probability"].round(0)
    table = calibration_groups(scored)
    assert (table[table["task"] == "mvi"].groupby("split").size() == 2).all()
    few = scored.groupby(["model", "task", "split"]).head(25)
    assert calibration_groups(few).query("task == 'os'").groupby("split").size().tolist() == [2, 2]


def test_the_net_benefit_is_printed_beside_its_numbers(scored):
    table = net_benefit(scored, thresholds=(0.1, 0.4), bootstraps=50)
    assert len(table) == 8
    row = table.query("task == 'mvi' and split == 'train' and threshold == 0.4").iloc[0]
    printed = row["Net benefit: network"]
    assert printed.startswith(f"{row['net_benefit network']:.1f} (")
    assert row["ci_low network"] < row["net_benefit network"] < row["ci_high network"]
    assert row["net_benefit size"] == row["net_benefit treat all"]  # 0.4 treats everybody
    os = table[table["task"] == "os"]
    assert (os["Net benefit: size"] == "-").all()
    assert (os["horizon_days"] == 365).all()


def test_tables_without_probabilities_are_empty(scored):
    risks = scored[scored["task"] == "os"].drop(columns="survival_365")
    assert net_benefit(risks).empty
    assert calibration_groups(risks).empty
    assert calibration_groups(risks).attrs["caption"]
