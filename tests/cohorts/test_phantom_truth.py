"""The truth of the phantom: calibrated ceilings, consistent times, and what each phase shows."""

import numpy as np
import pandas as pd
import pytest
from lifelines import CoxPHFitter
from scipy import stats
from sklearn.metrics import roc_auc_score
from sksurv.metrics import concordance_index_censored

from mtl_hcc.cohorts.phantom import PhantomSettings
from mtl_hcc.cohorts.phantom import latents as truth
from mtl_hcc.cohorts.phantom.case_mix import DEVELOPMENT, EXTERNAL, PLAIN, CaseMix
from mtl_hcc.cohorts.phantom.lesion import CAPSULE_HU, WASHOUT_HU
from mtl_hcc.cohorts.phantom.outcomes import bclc_stage, draw_clinical, draw_outcomes
from mtl_hcc.cohorts.phantom.phantom_cohort import draw_tables
from mtl_hcc.cohorts.phantom.visible import SHOWN_IN, visible_scores
from mtl_hcc.errors import CohortError
from mtl_hcc.patient import CT_PHASES


def drawn(mix: CaseMix, seed: int = 20) -> pd.DataFrame:
    """Return 4,000 patients: latents, outcomes and clinical columns in one table."""
    luck = truth.draw_luck([np.random.default_rng(seed)] * 4000)
    latents = truth.draw_latents(luck, mix)
    outcomes = draw_outcomes(latents, luck, mix)
    clinical = draw_clinical(latents, luck, mix).drop(columns="afp_ng_ml")
    return pd.concat([latents, outcomes, clinical], axis=1)


@pytest.fixture(scope="module")
def population() -> pd.DataFrame:
    return drawn(DEVELOPMENT)


@pytest.fixture(scope="module")
def external() -> pd.DataFrame:
    return drawn(EXTERNAL)


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
    assert population["mvi"].mean() == pytest.approx(0.44, abs=0.03)


def test_the_tumor_diameter_alone_scores_about_0_65(population):
    read = population["tumor_diameter_mm"]
    scores = [concordance(population, endpoint, read) for endpoint in ("os", "rfs")]
    scores.append(roc_auc_score(population["mvi"], read))
    assert scores == pytest.approx([0.65] * 3, abs=0.025)


def test_events_are_as_frequent_as_in_real_cohorts(population):
    assert 0.30 < population["os_event"].mean() < 0.50
    assert population["os_event"].mean() < population["rfs_event"].mean() < 0.65


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
        satellites=0,
        infiltration=0.0,
    )
    expected = 1 / (1 + np.exp(-DEVELOPMENT.mvi_log_odds))
    assert truth.mvi_probability(median).item() == pytest.approx(expected)
    corona = median.assign(corona=1.0)
    step = truth.MVI_EFFECT["corona"] * 0.5 / stats.beta(0.8, 0.8).std()
    odds = np.log(truth.mvi_probability(corona) / (1 - truth.mvi_probability(corona)))
    assert odds.item() == pytest.approx(DEVELOPMENT.mvi_log_odds + step)


def test_the_latents_are_standardized_in_a_population_of_plain_cases():
    scores = truth.standardized(drawn(PLAIN)).drop(columns=["satellites", "infiltration"])
    assert scores.mean().abs().max() < 0.06
    assert (scores.std() - 1).abs().max() < 0.06


def test_three_phases_show_nearly_all_that_is_true(population):
    seen = visible_scores(population, CT_PHASES)
    for endpoint in ("os", "rfs"):
        best = concordance(population, endpoint, population[f"{endpoint}_log_hazard"])
        visible = concordance(population, endpoint, seen[f"{endpoint}_log_hazard"])
        assert best - 0.015 < visible < best
    best = roc_auc_score(population["mvi"], population["mvi_probability"])
    assert best - 0.01 < roc_auc_score(population["mvi"], seen["mvi_probability"]) < best


def test_the_visible_ceiling_falls_with_the_phases_that_show_a_sign(population):
    """Washout acts on survival, corona and capsule on MVI; hyperenhancement on nothing."""

    def ceilings(phases):
        seen = visible_scores(population, phases)
        values = [concordance(population, e, seen[f"{e}_log_hazard"]) for e in ("os", "rfs")]
        return np.array([*values, roc_auc_score(population["mvi"], seen["mvi_probability"])])

    everything = ceilings(CT_PHASES)
    assert ceilings(["arterial", "delayed"]) == pytest.approx(everything)
    late = everything - ceilings(["portal_venous", "delayed"])
    early = everything - ceilings(["arterial"])
    assert (late[:2] < 0.01).all()
    assert late[2] == pytest.approx(0.11, abs=0.03)
    assert early == pytest.approx([0.07, 0.07, 0.06], abs=0.025)
    assert ceilings([]) == pytest.approx([0.5, 0.5, 0.5], abs=0.001)


def test_the_visible_hazard_is_the_mean_over_mvi_at_its_visible_probability(population):
    """By brute force: AFP at its mean, MVI drawn a thousand times."""
    one = population.iloc[[3]]
    seen = visible_scores(one, CT_PHASES)
    unlucky = one.assign(afp_ng_ml=truth.AFP_MEDIAN_NG_ML)
    chance = truth.mvi_probability(unlucky).item()
    assert seen["mvi_probability"].item() == pytest.approx(chance)
    scores = truth.standardized(unlucky)
    weights = (1 - chance, chance)
    hazards = [np.exp(truth.log_hazard_of_death(scores, mvi).item()) for mvi in (0, 1)]
    assert seen["os_log_hazard"].item() == pytest.approx(np.log(np.dot(weights, hazards)))
    rate = np.exp(truth.RECURRENCE_LOG_RATE)
    hazards = [
        hazard + rate * np.exp(truth.log_hazard_of_recurrence(scores, mvi).item())
        for mvi, hazard in enumerate(hazards)
    ]
    assert seen["rfs_log_hazard"].item() == pytest.approx(np.log(np.dot(weights, hazards)))


def test_the_visible_probability_takes_the_level_of_the_center_from_the_truth(external):
    seen = visible_scores(external, CT_PHASES)["mvi_probability"]
    assert seen.mean() == pytest.approx(external["mvi"].mean(), abs=0.02)


def test_the_phases_that_show_a_sign_are_those_of_the_hu_values():
    assert set(SHOWN_IN) == set(truth.LATENTS)
    for name, contrast in (("washout", WASHOUT_HU), ("capsule", CAPSULE_HU)):
        shown = [phase for phase, hu in zip(CT_PHASES, contrast, strict=True) if hu]
        assert list(SHOWN_IN[name]) == shown


def test_the_external_center_has_other_patients_other_prognosis_and_shorter_follow_up(
    population, external
):
    means, others = population.mean(numeric_only=True), external.mean(numeric_only=True)
    assert external["diameter_mm"].median() / population["diameter_mm"].median() > 1.15
    assert others["washout"] - means["washout"] > 0.08
    assert means["capsule"] - others["capsule"] > 0.08
    assert means["nodularity"] - others["nodularity"] > 0.08
    for share in ("satellites", "infiltration"):
        assert (external[share] > 0).mean() > (population[share] > 0).mean() + 0.02
    followed = [
        table.loc[table["os_event"] == 0, "os_days"].median() for table in (population, external)
    ]
    assert followed[1] < 0.6 * followed[0]
    of_latents = truth.log_hazard_of_death(truth.standardized(external), external["mvi"])
    assert (external["os_log_hazard"] - of_latents).tolist() == pytest.approx(
        [EXTERNAL.log_hazard] * 4000
    )


@pytest.mark.parametrize(("endpoint", "ceiling"), [("os", 0.81), ("rfs", 0.80)])
def test_what_a_patient_has_acts_alike_in_the_external_center(external, endpoint, ceiling):
    score = external[f"{endpoint}_log_hazard"]
    assert concordance(external, endpoint, score) == pytest.approx(ceiling, abs=0.02)
    columns = [f"{endpoint}_{part}" for part in ("days", "event", "log_hazard")]
    fitted = CoxPHFitter().fit(external[columns], *columns[:2])
    assert fitted.params_.iloc[0] == pytest.approx(1.0, abs=0.06)


def test_odd_tumors_are_as_frequent_as_stated(population, external):
    for table, mix in ((population, DEVELOPMENT), (external, EXTERNAL)):
        infiltrating = table["infiltration"] > 0
        assert infiltrating.mean() == pytest.approx(mix.infiltrating, abs=0.02)
        assert (table.loc[infiltrating, "capsule"] == 0).all()
        assert table.loc[infiltrating, "infiltration"].between(0.6, 1).all()
        assert (table["satellites"] > 0).mean() == pytest.approx(mix.satellites, abs=0.02)
        assert set(table["satellites"]) == {0, 1, 2, 3}
    assert (population["diameter_mm"] > 98).mean() == pytest.approx(0.04, abs=0.01)
    assert 140 < population["diameter_mm"].max() <= 150
    plain = drawn(PLAIN)[["satellites", "infiltration", "diameter_mm"]]
    assert (plain.max() < [1e-9, 1e-9, 98]).all()


def test_bclc_follows_its_rule(population):
    cases = pd.DataFrame(
        [
            (18, 1, False, 0, "0"),
            (18, 1, True, 0, "A"),
            (21, 1, False, 0, "A"),
            (140, 1, False, 0, "A"),
            (30, 3, False, 0, "A"),
            (31, 2, False, 0, "B"),
            (25, 4, False, 0, "B"),
            (18, 1, False, 1, "C"),
        ],
        columns=["diameter", "number", "weak", "ecog", "stage"],
    )
    found = bclc_stage(cases["diameter"], cases["number"], cases["weak"], cases["ecog"])
    assert list(found) == list(cases["stage"])
    assert (population["tumor_number"] == population["satellites"] + 1).all()
    alone = (population["tumor_number"] == 1) & (population["ecog"] == 0)
    assert set(population.loc[alone, "bclc_stage"]) == {"0", "A"}
    shares = population["bclc_stage"].value_counts(normalize=True)
    assert shares["A"] > 0.7
    assert shares["C"] < 0.06


def test_the_center_changes_what_is_the_center_s_alone():
    one, truth_of_one = draw_tables(PhantomSettings(patients={"I": 4, "VI": 3}))
    two, _ = draw_tables(PhantomSettings(patients={"I": 4, "VI": 3}, cases="plain"))
    assert one["sex"].tolist() == two["sex"].tolist()
    ordinary = truth_of_one["diameter_mm"].between(16, 98) & (one["center"] == "I")
    pd.testing.assert_series_equal(
        one.loc[ordinary, "tumor_diameter_mm"], two.loc[ordinary, "tumor_diameter_mm"]
    )


def test_the_plain_cases_are_those_of_version_3():
    """Numbers that version 3 gave, of which the pinned runs of an earlier version speak."""
    patients, oracle = draw_tables(PhantomSettings(patients={"I": 2, "VI": 1}, cases="plain"))
    assert patients["os_days"].tolist() == [1371, 1944, 2263]
    assert oracle["mvi_probability"].tolist() == pytest.approx([0.02682802, 0.4802705, 0.33230833])


def test_settings_of_another_version_are_refused():
    with pytest.raises(ValueError, match="version is 3, but this package makes version 4"):
        PhantomSettings(version=3)


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
