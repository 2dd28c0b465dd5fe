"""The truth of the phantom: calibrated ceilings, consistent times, and what each phase shows."""

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter
from scipy import stats
from sklearn.metrics import roc_auc_score
from sksurv.metrics import concordance_index_censored
from visible_truth import VISIBILITY, visible_log_hazard

from mtl_hcc.cohorts.phantom import PhantomSettings
from mtl_hcc.cohorts.phantom import latents as truth
from mtl_hcc.cohorts.phantom.lesion import CAPSULE_HU, WASHOUT_HU
from mtl_hcc.cohorts.phantom.outcomes import draw_clinical, draw_outcomes
from mtl_hcc.cohorts.phantom.phantom_cohort import draw_tables
from mtl_hcc.errors import CohortError
from mtl_hcc.patient import CT_PHASES


@pytest.fixture(scope="module")
def population() -> pd.DataFrame:
    """4,000 patients: latents, outcomes and clinical columns in one table."""
    luck = truth.draw_luck([np.random.default_rng(20)] * 4000)
    latents = truth.draw_latents(luck)
    outcomes = draw_outcomes(latents, luck)
    clinical = draw_clinical(latents, luck).drop(columns="afp_ng_ml")
    return pd.concat([latents, outcomes, clinical], axis=1)


def concordance(table: pd.DataFrame, endpoint: str, risk: "pd.Series[float]") -> float:
    event = table[f"{endpoint}_event"].astype(bool)
    return float(concordance_index_censored(event, table[f"{endpoint}_days"], risk)[0])


@pytest.mark.parametrize(("endpoint", "ceiling"), [("os", 0.82), ("rfs", 0.80)])
def test_the_true_log_hazard_scores_the_stated_concordance(population, endpoint, ceiling):
    assert concordance(population, endpoint, population[f"{endpoint}_log_hazard"]) == pytest.approx(
        ceiling, abs=0.02
    )


def test_the_true_mvi_probability_scores_the_stated_auc_and_prevalence(population):
    auc = roc_auc_score(population["mvi"], population["mvi_probability"])
    assert auc == pytest.approx(0.90, abs=0.015)
    assert population["mvi"].mean() == pytest.approx(0.45, abs=0.03)


def test_the_tumor_diameter_alone_scores_about_0_65(population):
    read = population["tumor_diameter_mm"]
    scores = [concordance(population, endpoint, read) for endpoint in ("os", "rfs")]
    scores.append(roc_auc_score(population["mvi"], read))
    assert scores == pytest.approx([0.65] * 3, abs=0.025)


def test_events_are_as_frequent_as_in_real_cohorts(population):
    assert 0.30 < population["os_event"].mean() < 0.50
    assert population["os_event"].mean() < population["rfs_event"].mean() < 0.62


def test_a_cox_model_finds_slope_one_on_the_true_log_hazards(population):
    for endpoint in ("os", "rfs"):
        columns = [f"{endpoint}_{part}" for part in ("days", "event", "log_hazard")]
        days, event, _ = columns
        fitted = CoxPHFitter().fit(population[columns], days, event)
        assert fitted.params_.iloc[0] == pytest.approx(1.0, abs=0.06)


def test_times_are_whole_positive_days_with_ties_and_rfs_never_outlasts_os(population):
    assert pd.api.types.is_integer_dtype(population["rfs_days"])
    assert population["rfs_days"].min() >= 1
    assert (population["rfs_days"] <= population["os_days"]).all()
    assert population["os_days"].duplicated().any()
    recurred_or_died = population["rfs_event"] >= population["os_event"]
    assert recurred_or_died.all()
    alive = population["rfs_event"] == 0
    assert (population.loc[alive, "rfs_days"] == population.loc[alive, "os_days"]).all()


def test_the_grade_is_above_zero_exactly_with_mvi(population):
    assert ((population["mvi_grade"] > 0) == (population["mvi"] == 1)).all()
    assert set(population["mvi_grade"]) == {0, 1, 2}


def test_the_rates_of_death_and_recurrence_add_up():
    death, recurrence = pd.Series([0.0, 1.0]), pd.Series([0.0, -1.0])
    rate = np.exp(truth.RECURRENCE_LOG_RATE)
    expected = np.log([1 + rate, np.e + rate / np.e])
    assert list(truth.either_log_hazard(death, recurrence)) == pytest.approx(list(expected))


def test_the_median_patient_has_the_probability_of_the_intercept():
    median = pd.DataFrame([dict.fromkeys(truth.UNIT_LATENTS, 0.5)]).assign(
        diameter_mm=truth.DIAMETER_MEDIAN_MM,
        loat_area_mm2=truth.LOAT_MEDIAN_MM2,
        afp_ng_ml=truth.AFP_MEDIAN_NG_ML,
    )
    expected = 1 / (1 + np.exp(-truth.MVI_INTERCEPT))
    assert truth.mvi_probability(median).item() == pytest.approx(expected)
    corona = median.assign(corona=1.0)
    step = truth.MVI_EFFECT["corona"] * 0.5 / stats.beta(0.8, 0.8).std()
    odds = np.log(truth.mvi_probability(corona) / (1 - truth.mvi_probability(corona)))
    assert odds.item() == pytest.approx(truth.MVI_INTERCEPT + step)


def test_the_latents_are_standardized_in_their_population(population):
    scores = truth.standardized(population)
    assert scores.mean().abs().max() < 0.06
    assert (scores.std() - 1).abs().max() < 0.06


def test_three_phases_show_nearly_all_that_is_true(population):
    seen = visible_log_hazard(population, CT_PHASES)
    for endpoint in ("os", "rfs"):
        best = concordance(population, endpoint, population[f"{endpoint}_log_hazard"])
        visible = concordance(population, endpoint, seen[f"{endpoint}_log_hazard"])
        assert best - 0.015 < visible < best
    best = roc_auc_score(population["mvi"], population["mvi_probability"])
    assert best - 0.01 < roc_auc_score(population["mvi"], seen["mvi_probability"]) < best


def test_without_the_portal_venous_phase_the_visible_ceiling_falls(population):
    everything = visible_log_hazard(population, CT_PHASES)
    washed_out = visible_log_hazard(population, ["arterial", "delayed"])
    for endpoint in ("os", "rfs"):
        drop = concordance(population, endpoint, everything[f"{endpoint}_log_hazard"])
        drop -= concordance(population, endpoint, washed_out[f"{endpoint}_log_hazard"])
        assert 0.02 < drop < 0.06
    drop = roc_auc_score(population["mvi"], everything["mvi_probability"])
    drop -= roc_auc_score(population["mvi"], washed_out["mvi_probability"])
    assert 0.01 < drop < 0.05


def test_without_any_phase_nothing_is_visible(population):
    assert visible_log_hazard(population, [])["os_log_hazard"].nunique() == 1


def test_the_stated_visibility_is_that_of_the_hu_values():
    for name, contrast in (("washout", WASHOUT_HU), ("capsule", CAPSULE_HU)):
        shown = [VISIBILITY[name][phase] for phase in CT_PHASES]
        assert shown == pytest.approx([hu / contrast[1] for hu in contrast])


def test_the_paper_size_has_192_116_and_80_patients():
    patients, oracle = draw_tables(PhantomSettings(paper_size=True))
    assert patients["split"].value_counts().to_dict() == {
        "train": 192,
        "validation": 116,
        "external": 80,
    }
    assert patients["patient_id"].is_unique
    assert list(oracle["patient_id"]) == list(patients["patient_id"])


def test_a_larger_cohort_keeps_the_patients_of_the_smaller_one():
    small, _ = draw_tables(PhantomSettings(patients={"I": 3, "VI": 2}))
    large, _ = draw_tables(PhantomSettings(patients={"I": 9, "II": 4, "VI": 5}))
    kept = large[large["patient_id"].isin(small["patient_id"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, small)


def test_another_seed_gives_other_patients():
    one, _ = draw_tables(PhantomSettings(patients={"I": 5}, seed=1))
    two, _ = draw_tables(PhantomSettings(patients={"I": 5}, seed=2))
    assert (one["os_days"] != two["os_days"]).any()


def test_settings_name_an_unknown_center_and_an_empty_phantom():
    with pytest.raises(ValueError, match="VII"):
        PhantomSettings(patients={"VII": 3})
    with pytest.raises(CohortError, match="no patients"):
        draw_tables(PhantomSettings(patients={"I": 0}))
