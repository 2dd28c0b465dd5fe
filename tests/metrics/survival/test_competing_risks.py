import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_hcc.metrics.bootstrap import NotComputableError
from mtl_hcc.metrics.predictions import check_predictions
from mtl_hcc.metrics.survival.first_events import competing_rows, first_event
from mtl_hcc.metrics.survival.hazard_ratio import hazard_ratio
from mtl_hcc.metrics.survival.incidence import cumulative_incidence, gray_test
from mtl_hcc.metrics.survival.product_limit import kaplan_meier

both_studies = pytest.mark.parametrize("study", ["heavy", "tcga_lihc"])


@pytest.fixture
def causes(patients):
    """Patients with a known first event; TCGA-LIHC's is derived from RFS and OS."""
    if "os_days" in patients:
        columns = ["rfs_days", "rfs_event", "os_days", "os_event"]
        patients = patients.assign(cause=first_event(*(patients[name] for name in columns)))
    return patients.dropna(subset=["cause"])


@both_studies
@pytest.mark.parametrize("cause", [1, 2])
def test_incidence_error_and_interval_equal_r(causes, found_by_r, cause):
    found = cumulative_incidence(causes["time"], causes["cause"], cause)
    parts = [found_by_r(f"incidence{part} {cause}") for part in ("", " low", " high")]
    errors = found_by_r(f"incidence se {cause}")
    for days in errors:
        assert found.at(float(days)) == pytest.approx([part[days] for part in parts], abs=1e-12)
        place = np.searchsorted(found.time, float(days), side="right") - 1
        assert found.std_error[place] == pytest.approx(errors[days], abs=1e-12)


@both_studies
@pytest.mark.parametrize("groups", ["high", "group"])
@pytest.mark.parametrize("cause", [1, 2])
def test_gray_of_two_and_more_groups_equals_cmprsk(causes, found_by_r, cause, groups):
    chi_square, degrees, p = gray_test(causes["time"], causes["cause"], causes[groups], cause)
    expected = found_by_r(f"gray {cause} {groups}")
    assert (chi_square, p) == pytest.approx((expected["chi"], expected["p"]))
    assert degrees == causes[groups].nunique() - 1


@both_studies
@pytest.mark.parametrize("cause", [1, 2])
def test_the_cause_specific_ratio_censors_the_other_cause(causes, found_by_r, cause):
    found = hazard_ratio(causes["time"], causes["cause"] == cause, causes["high"])
    expected = found_by_r(f"cause-specific {cause}")["hazard_ratio"]
    assert found[0] == pytest.approx(expected, rel=1e-6)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.tuples(st.integers(1, 9), st.integers(0, 2)), min_size=1, max_size=30))
def test_incidences_and_event_free_survival_add_up_to_one(rows):
    time, cause = (np.array(column) for column in zip(*rows, strict=True))
    first, second = (cumulative_incidence(time, cause, of) for of in (1, 2))
    survival = kaplan_meier(time, cause > 0).survival
    assert first.incidence + second.incidence + survival == pytest.approx(np.ones(len(survival)))
    for found in (first, second):
        assert (found.ci_low <= found.incidence + 1e-12).all()
        assert (found.ci_high >= found.incidence - 1e-12).all()


def test_without_competitor_it_is_one_minus_kaplan_meier_with_its_variance():
    rng = np.random.default_rng(1)
    time, event = rng.integers(1, 30, 60), (rng.random(60) < 0.5).astype(int)
    found, curve = cumulative_incidence(time, event), kaplan_meier(time, event)
    assert found.incidence == pytest.approx(1 - curve.survival)
    alive = curve.at_risk > curve.events
    left = curve.at_risk[alive] * (curve.at_risk[alive] - curve.events[alive])
    greenwood = curve.survival[alive] * np.sqrt(np.cumsum(curve.events[alive] / left))
    assert found.std_error[alive] == pytest.approx(greenwood)


def test_the_first_event_follows_from_both_endpoints():
    rfs_days, rfs_event = [90, 90, 90, 90, 90, np.nan], [1, 1, 0, 1, 0, 1]
    os_days, os_event = [200, 90, 200, 80, 90, 200], [1, 1, 1, 0, 1, 1]
    found = first_event(rfs_days, rfs_event, os_days, os_event)
    assert list(found[:3]) == [1, 2, 0]
    assert np.isnan(found[3:]).all(), "RFS beyond OS, a death that ends no RFS, an empty cell"


@pytest.fixture
def both_tasks():
    rows = pd.DataFrame(
        {
            "patient_id": list("abcdef"),
            "center": "I",
            "split": ["train"] * 4 + ["external"] * 2,
            "fold": 0,
            "risk": [1.0, 2.0, 3.0, 4.0, 9.0, 0.0],
        }
    )
    rfs = rows.assign(task="rfs", time_days=[5, 6, 7, 8, 9, 10], event=[1, 1, 0, 1, 1, 1])
    os = rows.assign(task="os", time_days=[5, 9, 7, 8, 10, 9], event=[1, 0, 0, 0, 1, 0])
    return check_predictions(pd.concat([rfs, os]))


def test_the_groups_are_cut_at_the_median_rfs_risk_of_train(both_tasks):
    found = competing_rows(both_tasks).set_index("patient_id")
    assert found["cause"].to_dict() == {"a": 2, "b": 1, "c": 0, "d": 1, "e": 1}
    assert found["high"].to_dict() == {"a": False, "b": False, "c": True, "d": True, "e": True}
    assert found.attrs == {"rule": "cut at the median risk of train", "dropped": 1}


def test_without_one_of_the_tasks_the_reason_names_it(both_tasks):
    with pytest.raises(NotComputableError, match="no task os"):
        competing_rows(both_tasks[both_tasks["task"] == "rfs"])
    with pytest.raises(NotComputableError, match="all patients are in one"):
        gray_test([1, 2], [1, 2], [0, 0])
    with pytest.raises(NotComputableError, match="no event of this cause"):
        gray_test([1, 2], [2, 2], [0, 1])
