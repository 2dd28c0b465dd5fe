import numpy as np
import pandas as pd
import pytest

from mtl_hcc.metrics.survival.horizons import shown_horizon
from mtl_hcc.metrics.task_metric import TaskRows
from mtl_hcc.metrics.task_panels import in_years, task_panels, why_no_panel


@pytest.fixture
def table():
    """OS with survival at two horizons, and MVI, of two splits; a baseline with risks only."""
    rng = np.random.default_rng(0)
    who = pd.DataFrame(
        {
            "patient_id": [f"P{k}" for k in range(100)],
            "center": "I",
            "split": np.repeat(["external", "train"], 50),
            "fold": 0,
        }
    )
    os = who.assign(
        model="network",
        task="os",
        risk=rng.normal(size=100),
        time_days=np.tile(np.linspace(10, 1000, 50), 2),
        event=(np.arange(100) % 2).astype(float),
        survival_365=0.8,
        survival_730=0.6,
    )
    mvi = who.assign(model="network", task="mvi", probability=0.4, label=np.arange(100) % 2)
    risks = os.drop(columns=["survival_365", "survival_730"]).assign(model="size")
    return pd.concat([os, mvi, risks], ignore_index=True)


def sample(days, filled=(365, 730)):
    columns = {f"survival_{horizon}": 0.5 for horizon in filled}
    rows = pd.DataFrame({"time_days": days, "event": 1, "fold": 0, **columns})
    return TaskRows(rows, rows.iloc[:0], "survival")


def test_tasks_splits_horizons_and_sizes(table):
    panels = task_panels(table)
    assert panels.splits == ["train", "external"]
    assert panels.tasks == ["os", "mvi"]
    assert panels.horizons == {"os": 730, "mvi": None}
    assert panels.title("os", "train") == "OS at 2 years, train"
    assert panels.size_in_words("mvi", "train") == "50 patients, 25 positive"
    assert panels.size("os", "external") == (50, 25)


def test_tasks_without_probabilities_are_left_out_with_the_reason(table):
    risks = table[table["model"] == "size"]
    several = table[table["task"] == "mvi"].assign(task="mvi_grade", probability=np.nan)
    several = several.assign(probability_0=0.2, probability_1=0.3, probability_2=0.5)
    panels = task_panels(pd.concat([risks, several.assign(model="size")], ignore_index=True))
    assert panels.tasks == []
    assert panels.left_out_in_words() == (
        " Not shown: OS (no predicted survival inside the follow-up), "
        "MVI_GRADE (more than two classes)."
    )
    assert task_panels(table).left_out_in_words() == ""


def test_a_model_without_the_horizon_says_so(table):
    panels = task_panels(table)
    assert why_no_panel(panels.sample("os", "train"), 730) == ""
    assert why_no_panel(panels.sample("os", "train", "size"), 730) == (
        "no predicted survival at 730 days"
    )
    assert panels.sample("mvi", "train", "size") is None
    assert why_no_panel(None, None) == "no patient with a known outcome"


def test_the_latest_horizon_with_a_quarter_still_followed_is_shown():
    well, badly = sample([100] * 2 + [800] * 8), sample([100] * 2 + [400] * 6 + [800] * 2)
    assert shown_horizon([well]) == 730
    assert shown_horizon([well, badly]) == 365


def test_without_a_quarter_the_best_horizon_is_shown_and_without_any_none():
    hardly = sample([100] * 8 + [400, 800])
    assert shown_horizon([hardly]) == 365
    assert shown_horizon([sample([100, 200])]) is None
    assert shown_horizon([sample([100, 200]), sample([800, 900], filled=(730,))]) == 730
    assert shown_horizon([]) is None


def test_horizons_are_told_in_years_where_they_are_some():
    assert [in_years(days) for days in (365, 1095, 500)] == ["1 year", "3 years", "500 days"]
