"""survival_summary, hazard_ratios and competing_risks say what metrics and R's peers say."""

import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter

from mtl_hcc.metrics.evaluate_predictions import evaluate_predictions
from mtl_hcc.metrics.survival.first_events import competing_rows
from mtl_hcc.metrics.survival.incidence import gray_test
from mtl_hcc.tables.competing_risks import competing_risks
from mtl_hcc.tables.hazard_ratios import hazard_ratios
from mtl_hcc.tables.survival_summary import survival_summary


@pytest.fixture(scope="module")
def predictions() -> pd.DataFrame:
    """OS and RFS of 90 train and 60 external patients."""
    rng = np.random.default_rng(6)
    risk = rng.normal(size=150)
    death, recurrence = (rng.exponential(days * np.exp(-risk)) for days in (1500, 900))
    end = rng.uniform(300, 2600, 150)
    who = pd.DataFrame(
        {
            "patient_id": [f"P{k}" for k in range(150)],
            "center": "I",
            "split": np.repeat(["train", "external"], [90, 60]),
            "fold": 0,
            "model": "network",
            "risk": risk,
        }
    )
    os = who.assign(task="os", time_days=np.ceil(np.minimum(death, end)), event=1.0 * (death < end))
    first = np.minimum(death, recurrence)
    rfs = who.assign(
        task="rfs", time_days=np.ceil(np.minimum(first, end)), event=1.0 * (first < end)
    )
    return pd.concat([os, rfs], ignore_index=True)


def row(table: pd.DataFrame, **cells: str) -> "pd.Series[object]":
    found = table[np.logical_and.reduce([table[key] == value for key, value in cells.items()])]
    assert len(found) == 1
    return found.iloc[0]


def test_medians_and_survival_are_those_of_lifelines(predictions):
    summary = survival_summary(predictions)
    assert len(summary) == 2 * 2 * 3
    os = predictions[predictions["task"] == "os"]
    cut = os.loc[os["split"] == "train", "risk"].median()
    rows = os[(os["split"] == "external") & (os["risk"] > cut)]
    found = row(summary, Task="OS", Split="external", Group="high risk")
    fitted = KaplanMeierFitter().fit(rows["time_days"], rows["event"])
    band = fitted.confidence_interval_
    assert (found["Patients"], found["Events"]) == (len(rows), rows["event"].sum())
    assert found["median"] == fitted.median_survival_time_
    assert found["survival_730"] == pytest.approx(fitted.predict(730))
    low, high = band.loc[:730].iloc[-1]
    assert (found["survival_730_low"], found["survival_730_high"]) == pytest.approx((low, high))
    percent = f"{100 * found['survival_730']:.0f} ({100 * low:.0f}-{100 * high:.0f})"
    assert found["2-year survival, % (95% CI)"] == percent
    reverse = KaplanMeierFitter().fit(rows["time_days"], 1 - rows["event"])
    assert found["follow_up"] == reverse.median_survival_time_


def test_restricted_means_differ_as_the_metric_says(predictions):
    summary = survival_summary(predictions).set_index(["Task", "Split", "Group"])
    metrics = evaluate_predictions(predictions, bootstraps=0)
    metrics = metrics.query("metric == 'rmst_difference' and task == 'os' and split == 'train'")
    high, low = (summary.loc[("OS", "train", group)] for group in ("high risk", "low risk"))
    horizon = float(high["RMST up to day"])
    expected = metrics.set_index("horizon_days").loc[horizon, "value"]
    assert high["rmst"] - low["rmst"] == pytest.approx(expected)


def test_a_median_beyond_the_follow_up_is_said(predictions):
    alive = predictions.assign(event=np.where(predictions["risk"] < 0, 0, predictions["event"]))
    summary = survival_summary(alive)
    found = row(summary, Task="OS", Split="train", Group="low risk")
    assert found["Median survival, days (95% CI)"] == "not reached"
    assert np.isnan(found["median"])


def test_patients_that_repeat_count_once_in_all_and_have_no_interval_in_groups(predictions):
    twice = pd.concat([predictions, predictions.assign(fold=1)])
    once, found = survival_summary(predictions), survival_summary(twice)
    numbers = once.columns[13:]
    a, b = (row(t, Task="OS", Split="train", Group="all")[numbers] for t in (once, found))
    assert list(a.astype(float)) == pytest.approx(list(b.astype(float)), nan_ok=True)
    group = row(found, Task="OS", Split="train", Group="high risk")
    assert np.isnan(group["survival_365_low"])
    assert group["Patients"] == 45


def test_hazard_ratios_are_those_of_the_metrics(predictions):
    worse = predictions.assign(model="worse", risk=predictions["risk"].sample(frac=1).to_numpy())
    metrics = evaluate_predictions(pd.concat([predictions, worse]), bootstraps=0)
    table = hazard_ratios(metrics)
    assert list(table["Model"]) == ["network", "worse"] * 4
    found = row(table, Task="RFS", Split="external", Model="network")
    of = metrics.query("model == 'network' and task == 'rfs' and split == 'external'")
    of = of.set_index("metric")
    assert found["hazard_ratio"] == of.loc["hazard_ratio", "value"]
    assert found["logrank_p"] == of.loc["logrank_p", "value"]
    lost = of.loc[["rmst_difference"]].dropna(subset=["value"]).iloc[-1]
    assert (found["rmst_difference"], found["RMST up to day"]) == (
        lost["value"],
        f"{lost['horizon_days']:g}",
    )


def test_a_ratio_without_a_value_is_explained(predictions):
    none = predictions.assign(event=0.0)
    table = hazard_ratios(evaluate_predictions(none, bootstraps=0))
    assert set(table["Note"]) == {"no event"}
    assert set(table["Hazard ratio (95% CI)"]) == {""}


def test_competing_risks_add_up_and_carry_the_tests(predictions):
    table = competing_risks(predictions)
    assert len(table) == 2 * 3 * 2
    parts = table.set_index(["Split", "Group", "First event"])["incidence_730"].unstack()
    both = parts["recurrence"] + parts["death without recurrence"]
    assert both.to_numpy() == pytest.approx(parts["either (RFS)"].to_numpy())
    rows = competing_rows(predictions).query("split == 'train'")
    expected = gray_test(rows["time_days"], rows["cause"], rows["high"], 2)[2]
    place = {"Split": "train", "Group": "high risk"}
    assert row(table, **place, **{"First event": "death without recurrence"})["p"] == expected
    metrics = evaluate_predictions(predictions, bootstraps=0)
    of = metrics.query("task == 'rfs' and split == 'train'").set_index("metric")["value"]
    either = row(table, **place, **{"First event": "either (RFS)"})
    assert either["hazard_ratio"] == pytest.approx(of["hazard_ratio"])
    assert either["p"] == pytest.approx(of["logrank_p"])


def test_tables_without_their_tasks_say_so(predictions):
    rfs = predictions[predictions["task"] == "rfs"]
    assert competing_risks(rfs).empty
    assert "no task os" in competing_risks(rfs).attrs["caption"]
    classes = rfs.assign(task="mvi", risk=np.nan, probability=0.5, label=1)
    assert survival_summary(classes).empty
    assert hazard_ratios(evaluate_predictions(classes, bootstraps=0)).empty
