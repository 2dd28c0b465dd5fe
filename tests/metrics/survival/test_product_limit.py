from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from lifelines import KaplanMeierFitter
from lifelines.statistics import logrank_test

from mtl_hcc.metrics.bootstrap import NotComputableError
from mtl_hcc.metrics.survival.hazard_ratio import logrank
from mtl_hcc.metrics.survival.product_limit import kaplan_meier, number_at_risk

ORACLES = Path(__file__).parents[2] / "oracles"


@pytest.fixture(scope="module")
def patients():
    rng = np.random.default_rng(1)
    return rng.integers(1, 30, 80), rng.random(80) < 0.5, rng.random(80) < 0.4


def test_the_curve_equals_lifelines(patients):
    time, event, _ = patients
    curve = kaplan_meier(time, event)
    expected = KaplanMeierFitter().fit(time, event).survival_function_["KM_estimate"]
    assert curve.survival == pytest.approx(expected.loc[curve.time].to_numpy())


def test_the_log_rank_p_equals_lifelines(patients):
    time, event, group = patients
    expected = logrank_test(time[group], time[~group], event[group], event[~group]).p_value
    assert logrank(time, event, group)[2] == pytest.approx(expected)


def test_tcga_lihc_equals_r(clinical_tables):
    table = pd.read_csv(clinical_tables / "tcga_lihc" / "clinical.csv")
    expected = pd.read_csv(ORACLES / "survival_metrics" / "tcga_lihc.csv", index_col="endpoint")
    days = np.array([365, 1095, 1825])
    for endpoint in ("os", "rfs"):
        rows = table.dropna(subset=["afp", f"{endpoint}_days", f"{endpoint}_event"])
        time, event = rows[f"{endpoint}_days"], rows[f"{endpoint}_event"]
        of_r = expected.loc[endpoint]
        assert logrank(time, event, rows["afp"] > 20)[2] == pytest.approx(of_r["logrank_p"])
        assert list(number_at_risk(time, days)) == [of_r[f"at_risk_{d}"] for d in days]
        curve = kaplan_meier(time, event)
        at = [curve.at(day)[0] for day in days]
        assert at == pytest.approx([of_r[f"survival_{d}"] for d in days])


def test_one_group_alone_has_no_log_rank_test():
    with pytest.raises(NotComputableError):
        logrank([1, 2], [1, 1], [True, True])
