"""Task heads: losses against torch and TorchSurv, missing labels, tables, baselines."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from sksurv.linear_model.coxph import BreslowEstimator
from torch import Tensor
from torch.nn import functional
from torchsurv.loss import cox

from mtl_hcc.losses import RiskBank
from mtl_hcc.nn import ClassHead, CoxHead, TaskHead

WIDTH, PATIENTS = 6, 12
HEADS: dict[str, Callable[[], TaskHead]] = {
    "cox": lambda: CoxHead(WIDTH, endpoint="os"),
    "two classes": lambda: ClassHead(WIDTH, column="mvi"),
    "three classes": lambda: ClassHead(
        WIDTH, column="mvi_grade", classes=3, class_weights=[1.0, 2.0, 0.5]
    ),
}


def embedding() -> Tensor:
    return torch.randn(PATIENTS, WIDTH, generator=torch.Generator().manual_seed(4))


def targets() -> dict[str, Tensor]:
    """No two patients share a time: the case where TorchSurv is exact."""
    generator = torch.Generator().manual_seed(5)
    return {
        "os_days": torch.randperm(2000, generator=generator)[:PATIENTS].float() + 1,
        "os_event": (torch.rand(PATIENTS, generator=generator) < 0.6).float(),
        "mvi": torch.randint(0, 2, (PATIENTS,), generator=generator).float(),
        "mvi_grade": torch.randint(0, 3, (PATIENTS,), generator=generator).float(),
    }


@pytest.fixture(params=HEADS.values(), ids=HEADS)
def head(request: pytest.FixtureRequest) -> TaskHead:
    torch.manual_seed(0)
    return request.param()


def without_labels_of(rows: list[int]) -> dict[str, Tensor]:
    blanked = {name: values.clone() for name, values in targets().items()}
    for values in blanked.values():
        values[rows] = torch.nan
    return blanked


def test_gradients_reach_the_embedding_and_every_weight(head: TaskHead):
    inputs = embedding().requires_grad_()
    output = head(inputs)
    assert output.dtype == torch.float32
    head.loss(output, targets()).backward()
    assert inputs.grad.abs().sum() > 0
    assert all(p.grad.abs().sum() > 0 for p in head.parameters())


def test_a_patient_without_label_counts_as_absent(head: TaskHead):
    missing = [1, 5, 6]
    kept = [row for row in range(PATIENTS) if row not in missing]
    inputs = embedding().requires_grad_()
    loss = head.loss(head(inputs), without_labels_of(missing))
    alone = {name: values[kept] for name, values in targets().items()}
    torch.testing.assert_close(loss, head.loss(head(embedding()[kept]), alone))
    loss.backward()
    assert (inputs.grad[missing] == 0).all()


def test_a_batch_without_any_label_gives_zero_and_zero_gradients(head: TaskHead):
    inputs = embedding().requires_grad_()
    nobody = without_labels_of(list(range(PATIENTS)))
    loss = head.loss(head(inputs), nobody)
    loss.backward()
    assert loss.item() == 0
    for gradient in (inputs.grad, *(p.grad for p in head.parameters())):
        assert gradient.equal(torch.zeros_like(gradient))
    assert not head.labeled(nobody).any()


def test_the_loss_at_score_zero_is_the_log_of_the_classes_or_the_mean_log_size_of_the_risk_sets():
    output = torch.randn(5, 3)
    classes = ClassHead(4, column="mvi", classes=3, class_weights=[1.0, 2.0, 5.0])
    label = {"mvi": torch.tensor([0.0, 1.0, 2.0, torch.nan, 0.0])}
    assert float(classes.loss_at_zero(output, label)) == pytest.approx(np.log(3))

    cox = CoxHead(4, endpoint="os")
    followed = {
        "os_days": torch.tensor([10.0, 20.0, 20.0, 40.0, torch.nan]),
        "os_event": torch.tensor([1.0, 1.0, 1.0, 0.0, torch.nan]),
    }
    expected = (np.log(4) + np.log(3) + np.log(2)) / 3  # tied: 3 at risk, then 2
    assert float(cox.loss_at_zero(output[:, :1], followed)) == pytest.approx(expected)
    breslow = CoxHead(4, endpoint="os", ties="breslow")
    expected = (np.log(4) + 2 * np.log(3)) / 3
    assert float(breslow.loss_at_zero(output[:, :1], followed)) == pytest.approx(expected)

    # Two remembered patients, whose scores do not matter: everybody is at score 0.
    bank = RiskBank(endpoints=["os"], capacity=4)
    remembered = torch.tensor([30.0, 50.0])
    ones = {"os": torch.ones(2)}
    bank.write(torch.tensor([7, 8]), {"os": torch.tensor([9.0, -9.0])}, {"os": remembered}, ones)
    expected = (np.log(6) + np.log(5) + np.log(4)) / 3
    found = cox.loss_at_zero(output[:, :1], followed, index=torch.arange(5), bank=bank)
    assert float(found) == pytest.approx(expected)
    assert not found.requires_grad


def test_the_layer_and_its_loss_stay_in_float32_under_autocast(head: TaskHead):
    inputs = embedding()
    expected = head.loss(head(inputs), targets())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(head.loss(head(inputs), targets()), expected)


def test_the_cox_loss_is_that_of_torchsurv_where_no_times_are_tied():
    head, labels = CoxHead(WIDTH, endpoint="os"), targets()
    output = head(embedding())
    expected = cox.neg_partial_log_likelihood(
        output[:, 0], labels["os_event"].bool(), labels["os_days"]
    )
    torch.testing.assert_close(head.loss(output, labels), expected)


def test_who_informs_the_cox_loss_are_those_with_an_event():
    head, labels = CoxHead(WIDTH, endpoint="os"), without_labels_of([0])
    assert head.informative(labels).equal(labels["os_event"] == 1)
    assert head.labeled(labels).sum() == PATIENTS - 1


def test_a_risk_bank_joins_the_cox_loss_of_its_endpoints_only():
    labels, output = targets(), torch.linspace(-1, 1, PATIENTS)[:, None]
    now, before = torch.arange(4), torch.arange(4, PATIENTS)
    bank = RiskBank(endpoints=["os"], capacity=PATIENTS)
    bank.write(
        before,
        {"os": output[before, 0]},
        {"os": labels["os_days"][before]},
        {"os": labels["os_event"][before]},
    )
    batch = {name: values[now] for name, values in labels.items()}
    head = CoxHead(WIDTH, endpoint="os")
    alone = head.loss(output[now], batch)
    assert head.loss(output[now], batch, index=now, bank=bank) != alone
    bank.eval()
    assert head.loss(output[now], batch, index=now, bank=bank) == alone
    other = RiskBank(endpoints=["rfs"], capacity=2)
    assert head.loss(output[now], batch, index=now, bank=other) == alone


@pytest.mark.parametrize("weights", [None, [1.0, 3.0]])
def test_the_class_loss_is_the_cross_entropy_of_torch(weights: list[float] | None):
    head = ClassHead(WIDTH, column="mvi", class_weights=weights)
    labels = without_labels_of([2, 3])
    known = labels["mvi"].isfinite()
    output = head(embedding())
    expected = functional.cross_entropy(
        output[known],
        labels["mvi"][known].long(),
        weight=None if weights is None else torch.tensor(weights),
    )
    torch.testing.assert_close(head.loss(output, labels), expected)


def test_class_weights_must_be_as_many_as_classes():
    with pytest.raises(ValueError, match="2 class_weights given for 3 classes"):
        ClassHead(WIDTH, column="mvi_grade", classes=3, class_weights=[1.0, 2.0])


def test_class_tables_hold_the_label_and_the_probability_of_the_positive_or_of_each_class():
    labels, two = without_labels_of([0]), torch.tensor([[0.0, 0.0]]).repeat(PATIENTS, 1)
    table = ClassHead(WIDTH, column="mvi").to_table(two, labels)
    assert set(table) == {"label", "probability"}
    assert table["probability"].tolist() == [0.5] * PATIENTS
    torch.testing.assert_close(table["label"], labels["mvi"], equal_nan=True)
    three = ClassHead(WIDTH, column="mvi_grade", classes=3)
    table = three.to_table(torch.log(torch.tensor([[1.0, 2.0, 5.0]])), {"mvi_grade": torch.ones(1)})
    found = [table[f"probability_{k}"].item() for k in range(3)]
    assert found == pytest.approx([0.125, 0.25, 0.625])


def survival_cohort(patients: int = 200) -> tuple[Tensor, dict[str, Tensor]]:
    """Whole-day times with ties; the followed-up longest for 2,500 days."""
    rng = np.random.default_rng(3)
    risk = rng.normal(0, 1, patients)
    time = np.ceil(rng.exponential(900 * np.exp(-risk))).clip(1, 2500)
    event = (rng.random(patients) < 0.6) & (time < 2500)
    days, flags = (torch.tensor(x, dtype=torch.float32) for x in (time, event))
    return torch.tensor(risk, dtype=torch.float32)[:, None], {"os_days": days, "os_event": flags}


def test_survival_probabilities_are_those_of_the_breslow_estimator_of_scikit_survival():
    risk, labels = survival_cohort()
    head = CoxHead(WIDTH, endpoint="os")
    head.fit_baseline_hazard(risk, labels)
    oracle = BreslowEstimator().fit(
        risk[:, 0].numpy().astype(float),
        labels["os_event"].numpy().astype(bool),
        labels["os_days"].numpy().astype(float),
    )
    new = torch.tensor([[-1.0], [0.0], [2.0]])
    unknown = {"os_days": torch.full((3,), torch.nan), "os_event": torch.full((3,), torch.nan)}
    table = head.to_table(new, unknown)
    curves = oracle.get_survival_function(new[:, 0].numpy().astype(float))
    for days in (365, 730, 1095, 1825):
        expected = [curve(days) for curve in curves]
        np.testing.assert_allclose(table[f"survival_{days}"], expected, rtol=1e-6)
    assert table["risk"].equal(new[:, 0])
    assert table["event"].isnan().all()


def test_a_horizon_beyond_the_follow_up_of_the_training_split_stays_empty():
    risk, labels = survival_cohort()
    head = CoxHead(WIDTH, endpoint="os", horizons_days=(365, 2500, 3000))
    head.fit_baseline_hazard(risk, labels)
    table = head.to_table(risk, labels)
    assert table["survival_365"].isfinite().all()
    assert table["survival_2500"].isnan().all(), "nobody is followed beyond the last day"
    assert table["survival_3000"].isnan().all()


@pytest.mark.parametrize("blank", ["os_days", "os_event"])
def test_without_labels_or_events_there_is_no_baseline_and_no_survival(blank: str):
    risk, labels = survival_cohort(10)
    head = CoxHead(WIDTH, endpoint="os")
    head.fit_baseline_hazard(risk, labels | {blank: torch.full((10,), torch.nan)})
    assert head.to_table(risk, labels)["survival_365"].isnan().all()
    head.fit_baseline_hazard(risk, labels | {"os_event": torch.zeros(10)})
    assert head.to_table(risk, labels)["survival_365"].isnan().all()


def test_a_baseline_of_another_size_travels_in_the_state_dict():
    risk, labels = survival_cohort()
    trained, fresh = CoxHead(WIDTH, endpoint="os"), CoxHead(WIDTH, endpoint="os")
    trained.fit_baseline_hazard(risk, labels)
    fresh.load_state_dict(trained.state_dict())
    first, second = (head.to_table(risk, labels) for head in (trained, fresh))
    torch.testing.assert_close(second, first, rtol=0, atol=0)
    trained.load_state_dict(CoxHead(WIDTH, endpoint="os").state_dict())
    assert len(trained.baseline_time) == 0
