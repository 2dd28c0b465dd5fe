import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter

from mtl_hcc.metrics.bootstrap import point_value
from mtl_hcc.metrics.comparisons import compare_models
from mtl_hcc.metrics.reclassification import (
    idi_statistic,
    nri_statistic,
    reclassification_at_horizons,
)
from mtl_hcc.metrics.task_metric import TaskRows

DAYS = 365


def drawn(number: int = 200, *, censored: bool = True) -> pd.DataFrame:
    """Return outcomes and two models' survival at a year; no two times are equal."""
    rng = np.random.default_rng(11)
    hazard = np.exp(rng.normal(size=number))
    time = rng.exponential(700 / hazard)
    end = rng.uniform(100, 1500, number) if censored else np.full(number, 1e5)
    noise = rng.normal(size=(2, number))
    return pd.DataFrame(
        {
            "patient_id": np.arange(number).astype(str),
            "fold": 0,
            "time_days": np.minimum(time, end),
            "event": (time <= end).astype(float),
            "new": np.exp(-DAYS / 700 * hazard * np.exp(0.3 * noise[0])),
            "old": np.exp(-DAYS / 700 * hazard * np.exp(1.5 * noise[1])),
        }
    )


def metrics_of(table: pd.DataFrame) -> dict[str, float]:
    sides = [table.assign(**{f"survival_{DAYS}": table[name]}) for name in ("new", "old")]
    sample = TaskRows(sides[0], sides[0].iloc[:0], "survival")
    metrics = reclassification_at_horizons(sample, sides[1])
    assert [metric.horizon_days for metric in metrics] == [DAYS, DAYS]
    return {metric.name: point_value(metric.statistic, len(table)) for metric in metrics}


def test_without_censoring_they_are_those_of_two_classes():
    table = drawn(censored=False)
    found = metrics_of(table)
    label, scores = table["time_days"] <= DAYS, (1 - table["new"], 1 - table["old"])
    expected = {
        "nri_continuous": point_value(nri_statistic(label, *scores), len(table)),
        "idi": point_value(idi_statistic(label, *scores), len(table)),
    }
    assert found == pytest.approx(expected)
    assert found["idi"] > 0.05, "the new model is the better one"


def test_with_censoring_the_weights_are_those_of_lifelines():
    table = drawn()
    followed = KaplanMeierFitter().fit(table["time_days"], 1 - table["event"])
    case = (table["event"] == 1) & (table["time_days"] <= DAYS)
    weights = 1 / followed.predict(table["time_days"] - 1e-9).to_numpy()
    change = table["old"] - table["new"]
    control = table["time_days"] > DAYS
    expected = {
        name: np.average(moved[case], weights=weights[case]) - moved[control].mean()
        for name, moved in (("nri_continuous", np.sign(change)), ("idi", change))
    }
    assert metrics_of(table) == pytest.approx(expected)


def test_they_stand_in_the_comparisons_with_an_interval_and_the_horizon():
    table = drawn(censored=True)
    parts = [
        table.assign(
            model=name, task="os", split="test", center="I", risk=-table[name],
            **{f"survival_{DAYS}": table[name], "survival_9000": 0.01},
        )
        for name in ("new", "old")
    ]  # fmt: skip
    comparisons = compare_models(pd.concat(parts, ignore_index=True), bootstraps=100)
    rows = comparisons[comparisons["metric"].isin(["nri_continuous", "idi"])]
    found = rows[rows["horizon_days"] == DAYS].set_index("metric")
    expected = metrics_of(table)
    for name, value in expected.items():
        assert found.loc[name, "difference"] == pytest.approx(value)
        assert found.loc[name, "ci_low"] < value < found.loc[name, "ci_high"]
        assert "censoring weights from the evaluated rows" in found.loc[name, "method"]
    past = rows[rows["horizon_days"] == 9000]
    assert past["difference"].isna().all()
    assert past["method"].str.contains("beyond the follow-up").all()
