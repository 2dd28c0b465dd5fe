import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter, NelsonAalenFitter

from mtl_hcc.metrics.survival.cox_regression import baseline_survival


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(4)
    x = rng.normal(size=150)
    time, end = rng.exponential(500 * np.exp(-x)), rng.uniform(50, 1500, 150)
    days = np.ceil(np.minimum(time, end) / 20) * 20  # ties
    return pd.DataFrame({"x": x, "days": days, "event": (time <= end) * 1.0})


def test_without_covariates_it_is_nelson_and_aalens_estimate(table):
    fitted = NelsonAalenFitter(nelson_aalen_smoothing=False).fit(table["days"], table["event"])
    at = [1, 100, 333, 800]
    found = baseline_survival(np.zeros(150), table["days"], table["event"], at)
    steps = [
        sum(
            ((table["days"] == day) & (table["event"] == 1)).sum() / (table["days"] >= day).sum()
            for day in table["days"].unique()
            if day <= last
        )
        for last in at
    ]
    np.testing.assert_allclose(found, np.exp(-np.array(steps)))
    # lifelines steps through tied events one by one, Breslow takes them together.
    approximate = np.exp(-fitted.cumulative_hazard_at_times(at))
    np.testing.assert_allclose(found, approximate, atol=0.01)


def test_it_is_the_breslow_estimate_of_lifelines(table):
    model = CoxPHFitter().fit(table, "days", "event")
    risk = model.params_["x"] * (table["x"] - table["x"].mean())
    days = (100, 400, 900)
    found = baseline_survival(risk, table["days"], table["event"], days)
    curve = model.baseline_survival_["baseline survival"]
    np.testing.assert_allclose(found, [curve.loc[:day].iloc[-1] for day in days], atol=1e-6)
