"""The number by which epochs are compared, against fits of other libraries and by value."""

import math

import numpy as np
import pandas as pd
import pytest
import torch
from lifelines import CoxPHFitter
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss

from mtl_hcc.nn import ClassHead, CoxHead
from mtl_hcc.training.epoch_outputs import EpochOutputs
from mtl_hcc.training.validation_criterion import fitted_loss, validation_criterion

PATIENTS = 60
COX = CoxHead(2, endpoint="os")


def survival(seed: int = 0, *, slope: float = 1.0) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    rng = np.random.default_rng(seed)
    log_hazard = rng.normal(size=PATIENTS)
    days = rng.permutation(PATIENTS) + 100 * rng.exponential(np.exp(-slope * log_hazard))
    event = (rng.random(PATIENTS) < 0.7).astype(float)
    days[:5] = np.nan
    targets = {"os_days": torch.tensor(days).float(), "os_event": torch.tensor(event).float()}
    return torch.tensor(log_hazard).float()[:, None], targets


def test_the_fitted_cox_loss_is_that_of_a_regression_on_the_log_hazard():
    output, targets = survival()
    known = targets["os_days"].isfinite()
    table = pd.DataFrame(
        {
            "h": 7 * output[known, 0].double().numpy(),
            **{name: values[known].numpy() for name, values in targets.items()},
        }
    )
    regression = CoxPHFitter().fit(table, "os_days", "os_event")
    expected = -regression.log_likelihood_ / table["os_event"].sum()
    for scale in (1.0, 7.0, 0.01, 300.0):
        assert fitted_loss(COX, scale * output, targets) == pytest.approx(expected, rel=1e-5)
    assert fitted_loss(COX, output, targets) <= float(COX.loss(output, targets))


def test_an_epoch_that_is_wrong_throughout_is_no_better_than_no_information():
    output, targets = survival()
    zero = float(COX.loss_at_zero(output, targets))
    assert fitted_loss(COX, -output, targets) == pytest.approx(zero, rel=1e-5)
    assert fitted_loss(COX, 0 * output, targets) == pytest.approx(zero, rel=1e-5)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_fitted_class_loss_is_that_of_a_logistic_regression(classes: int):
    rng = np.random.default_rng(1)
    head = ClassHead(2, column="mvi", classes=classes)
    label = rng.integers(0, classes, PATIENTS)
    logits = rng.normal(size=(PATIENTS, classes)) + 1.5 * np.eye(classes)[label] + [3.0] * classes
    targets = {"mvi": torch.tensor(label).float()}
    targets["mvi"][:4] = torch.nan
    found = [fitted_loss(head, torch.tensor(s * logits).float(), targets) for s in (1.0, 20.0)]
    assert found[0] == pytest.approx(found[1], rel=1e-4)
    if classes == 2:
        score = (logits[4:, 1] - logits[4:, 0])[:, None]
        regression = LogisticRegression(C=1e10, tol=1e-10).fit(score, label[4:])
        expected = log_loss(label[4:], regression.predict_proba(score))
        assert found[0] == pytest.approx(expected, rel=1e-5)
    constant = fitted_loss(head, torch.zeros(PATIENTS, classes), targets)
    share = np.bincount(label[4:]) / len(label[4:])
    assert constant == pytest.approx(-(share * np.log(share)).sum(), rel=1e-5)
    assert found[0] < constant


def test_a_perfect_order_has_a_finite_fit():
    targets = {"os_days": torch.arange(1.0, 9.0), "os_event": torch.ones(8)}
    output = torch.arange(8.0, 0.0, -1.0)[:, None]
    assert 0 <= fitted_loss(COX, output, targets) < 1e-4
    head, label = ClassHead(2, column="mvi"), torch.tensor([0.0, 0.0, 1.0, 1.0])
    logits = torch.stack([torch.zeros(4), torch.arange(4.0)], dim=1)
    assert 0 <= fitted_loss(head, logits, {"mvi": label}) < 1e-4


def epoch_of(seed: int = 0) -> EpochOutputs:
    """Return a validation epoch in which nobody has an RFS event."""
    heads = {"os": COX, "rfs": CoxHead(2, endpoint="rfs"), "mvi": ClassHead(2, column="mvi")}
    output, targets = survival(seed)
    targets |= {"rfs_days": targets["os_days"], "rfs_event": torch.zeros(PATIENTS)}
    targets["mvi"] = (torch.arange(PATIENTS) % 3 == 0).float()
    epoch = EpochOutputs(heads)
    logits = torch.randn(PATIENTS, 2, generator=torch.Generator().manual_seed(seed))
    with torch.inference_mode():  # as in Lightning's validation
        outputs = {"os": 5 * output, "rfs": output, "mvi": 5 * logits}
        outputs = {name: value.clone() for name, value in outputs.items()}
        epoch.add(torch.arange(PATIENTS), outputs, targets, {})
    return epoch


def test_the_criterion_is_the_sum_of_what_is_asked_for():
    epoch = epoch_of()
    outputs, targets = epoch.patients()
    plain = {name: float(epoch.heads[name].loss(outputs[name], targets)) for name in ("os", "mvi")}
    fits = {name: fitted_loss(epoch.heads[name], outputs[name], targets) for name in plain}
    zero = {"os": float(COX.loss_at_zero(outputs["os"], targets)), "mvi": math.log(2)}
    for fitted, losses in ((False, plain), (True, fits)):
        found = validation_criterion(epoch, fitted=fitted, normalized=False)
        assert found == pytest.approx(losses["os"] + losses["mvi"])
        found = validation_criterion(epoch, fitted=fitted, normalized=True)
        expected = losses["os"] / zero["os"] + losses["mvi"] / zero["mvi"]
        assert found == pytest.approx(expected)
    assert validation_criterion(epoch, fitted=False, normalized=False) == pytest.approx(
        epoch.total(epoch.exact_losses())
    )
    assert fits["os"] < plain["os"] - 0.5
