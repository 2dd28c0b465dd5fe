"""Breslow's baseline hazard and survival probabilities against scikit-survival and lifelines."""

import lifelines
import numpy as np
import pandas as pd
import pytest
import torch
from sksurv.linear_model.coxph import BreslowEstimator

from mtl_hcc.losses import breslow_cumulative_hazard, survival_probability


@pytest.fixture
def training() -> pd.DataFrame:
    rng = np.random.default_rng(11)
    x = rng.normal(0.6, 1.0, 120)
    return pd.DataFrame(
        {
            "x": x,
            "days": np.ceil(rng.exponential(np.exp(-0.8 * x)) * 40),  # ties
            "event": (rng.random(120) < 0.6).astype(int),
        }
    )


def columns(table: pd.DataFrame) -> tuple[torch.Tensor, ...]:
    return tuple(torch.tensor(table[name].to_numpy(float)) for name in ("x", "days", "event"))


def test_cumulative_hazard_is_that_of_scikit_survival(training: pd.DataFrame) -> None:
    x, days, event = columns(training)
    times, hazard = breslow_cumulative_hazard(0.8 * x, days, event)
    theirs = BreslowEstimator().fit(0.8 * x.numpy(), event.numpy() > 0, days.numpy())
    assert times.tolist() == sorted(set(training.days[training.event == 1]))
    np.testing.assert_allclose(hazard, theirs.cum_baseline_hazard_(times.numpy()), rtol=1e-12)


def test_survival_is_that_of_scikit_survival_at_any_horizon(training: pd.DataFrame) -> None:
    x, days, event = columns(training)
    baseline = breslow_cumulative_hazard(0.8 * x, days, event)
    theirs = BreslowEstimator().fit(0.8 * x.numpy(), event.numpy() > 0, days.numpy())
    steps = theirs.get_survival_function(np.array([-1.0, 0.0, 1.5]))
    for horizon in (1.0, 7.0, 7.5, 30.0):
        ours = survival_probability(torch.tensor([-1.0, 0.0, 1.5]), horizon, *baseline)
        np.testing.assert_allclose(ours, [step(horizon) for step in steps], rtol=1e-6)


def test_survival_is_that_of_lifelines(training: pd.DataFrame) -> None:
    fitted = lifelines.CoxPHFitter().fit(training, "days", "event")
    beta = float(fitted.params_["x"])
    x, days, event = columns(training)
    times, hazard = breslow_cumulative_hazard(beta * x, days, event)
    # lifelines centres its baseline at the average covariate.
    centred = fitted.baseline_cumulative_hazard_["baseline cumulative hazard"].loc[times.numpy()]
    np.testing.assert_allclose(hazard * np.exp(beta * x.numpy().mean()), centred, rtol=1e-6)
    new = torch.tensor([-0.5, 0.4, 2.0], dtype=torch.float64)
    theirs = fitted.predict_survival_function(pd.DataFrame({"x": new.numpy()}), times=[5.0, 20.0])
    for horizon in (5.0, 20.0):
        ours = survival_probability(beta * new, horizon, times, hazard)
        np.testing.assert_allclose(ours, theirs.loc[horizon], rtol=1e-6)


def test_survival_is_one_before_the_first_event_and_constant_after_the_last() -> None:
    days, event = torch.tensor([3.0, 5.0, 9.0]), torch.tensor([0.0, 1.0, 1.0])
    times, hazard = breslow_cumulative_hazard(torch.zeros(3), days, event)
    assert times.tolist() == [5.0, 9.0]
    assert hazard.tolist() == pytest.approx([1 / 2, 1 / 2 + 1])
    at = [survival_probability(torch.zeros(1), t, times, hazard).item() for t in (4.99, 5, 9, 5000)]
    assert at == pytest.approx([1, np.exp(-0.5), np.exp(-1.5), np.exp(-1.5)])


def test_patients_without_a_label_are_left_out(training: pd.DataFrame) -> None:
    x, days, event = columns(training)
    known = breslow_cumulative_hazard(x[10:], days[10:], event[10:])
    days[:5], event[5:10] = torch.nan, torch.nan
    for ours, expected in zip(breslow_cumulative_hazard(x, days, event), known, strict=True):
        torch.testing.assert_close(ours, expected)


def test_without_events_everybody_survives() -> None:
    times, hazard = breslow_cumulative_hazard(torch.zeros(2), torch.ones(2), torch.zeros(2))
    assert len(times) == len(hazard) == 0
    assert survival_probability(torch.zeros(2), 365, times, hazard).tolist() == [1, 1]


@pytest.mark.parametrize("level", [-600.0, 600.0])
def test_log_hazards_far_from_zero_neither_overflow_nor_underflow(level: float) -> None:
    h = torch.tensor([0.3, -0.2, 0.8])
    days, event = torch.tensor([3.0, 5.0, 9.0]), torch.ones(3)
    far, near = (breslow_cumulative_hazard(x, days, event) for x in (h.double() + level, h))
    for horizon in (3, 5, 9):
        torch.testing.assert_close(
            survival_probability(h.double() + level, horizon, *far),
            survival_probability(h, horizon, *near),
        )


def test_sizes_that_differ_are_named() -> None:
    with pytest.raises(ValueError, match="'log_hazard' has 3 patients, 'time' 2, 'event' 3"):
        breslow_cumulative_hazard(torch.zeros(3), torch.zeros(2), torch.zeros(3))
