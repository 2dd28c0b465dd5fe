"""Task weights against worked numbers; what they promise over epochs and restarts."""

import io
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mtl_hcc.losses import (
    DynamicWeightAverage,
    EqualWeights,
    FixedWeights,
    TaskWeighting,
    UncertaintyWeights,
    in_units_of_zero,
)

TASKS = ["os", "rfs", "mvi"]


def started(weighting: TaskWeighting) -> TaskWeighting:
    weighting.start(TASKS)
    return weighting


def after(epochs: list[dict[str, float]], **settings: float) -> DynamicWeightAverage:
    dwa = started(DynamicWeightAverage(**settings))
    for losses in epochs:
        dwa.end_epoch(losses)
    return dwa


def losses(os: float, rfs: float, mvi: float) -> dict[str, float]:
    return {"os": os, "rfs": rfs, "mvi": mvi}


def test_dwa_gives_the_worked_numbers() -> None:
    weights = after([losses(2, 2, 2), losses(1, 2, 3)]).weights()
    assert weights == pytest.approx(losses(0.76, 0.98, 1.26), abs=5e-3)
    softmax = [math.exp(ratio / 2) for ratio in (0.5, 1, 1.5)]
    assert list(weights.values()) == pytest.approx([3 * x / sum(softmax) for x in softmax])


def test_typical_ratios_give_nearly_equal_weights() -> None:
    weights = after([losses(1, 1, 1), losses(0.95, 1, 1.05)]).weights()
    assert weights == pytest.approx(losses(0.975, 1.0, 1.025), abs=1e-3)


def test_dwa_is_one_for_the_first_two_epochs() -> None:
    for epochs in ([], [losses(5, 1, 2)]):
        assert after(epochs).weights() == losses(1.0, 1.0, 1.0)
    assert after([losses(5, 1, 2), losses(4, 1, 2)]).weights() != losses(1.0, 1.0, 1.0)


def test_dwa_takes_the_ratio_of_the_last_two_epochs_only() -> None:
    long = after([losses(9, 1, 7), losses(2, 2, 2), losses(1, 2, 3)])
    assert long.weights() == after([losses(2, 2, 2), losses(1, 2, 3)]).weights()


def test_an_extreme_ratio_is_clipped() -> None:
    unclipped = after([losses(1, 1, 1), losses(1, 1, 20)], ratio_limit=1e6).weights()
    assert unclipped == pytest.approx(losses(0.0002, 0.0002, 2.9996), abs=5e-5)
    clipped = after([losses(1, 1, 1), losses(1, 1, 20)])
    assert clipped.weights() == after([losses(1, 1, 1), losses(1, 1, 2)]).weights()
    falling = after([losses(1, 1, 1), losses(1, 1, 0.01)])
    assert falling.weights() == after([losses(1, 1, 1), losses(1, 1, 0.5)]).weights()


def test_a_loss_that_stays_at_zero_has_the_ratio_one() -> None:
    weights = after([losses(0, 1, 1), losses(0, 1, 1)]).weights()
    assert weights == pytest.approx(losses(1, 1, 1))


@pytest.mark.parametrize("unlabeled", [{"os": 1.0, "rfs": 1.0}, losses(1, 1, math.nan)])
def test_a_task_without_labels_in_an_epoch_keeps_its_last_ratio(
    unlabeled: dict[str, float],
) -> None:
    dwa = after([losses(1, 1, 2), losses(1, 1, 3)])
    before = dwa.weights()
    dwa.end_epoch(unlabeled)
    assert dwa.weights() == before
    dwa.end_epoch(losses(1, 1, 4.5))  # 4.5 / 3 = 3 / 2, to the last epoch with labels
    assert dwa.weights() == before


@settings(deadline=None, max_examples=60, derandomize=True)
@given(
    st.lists(
        st.fixed_dictionaries(
            dict.fromkeys(TASKS, st.floats(0, 1e6) | st.just(math.nan) | st.just(math.inf))
        ),
        max_size=5,
    )
)
def test_dwa_weights_are_positive_and_add_up_to_the_number_of_tasks(
    epochs: list[dict[str, float]],
) -> None:
    weights = after(epochs).weights()
    assert sum(weights.values()) == pytest.approx(3)
    assert min(weights.values()) > 0.4  # ratios 0.5, 2, 2 at temperature 2


def test_dwa_goes_on_after_a_restart() -> None:
    dwa = after([losses(3, 2, 1), losses(2.5, 1.7, 0.9)])
    file = io.BytesIO()
    torch.save(dwa.state_dict(), file)
    file.seek(0)
    resumed = started(DynamicWeightAverage())
    resumed.load_state_dict(torch.load(file, weights_only=True))
    assert resumed.weights() == dwa.weights()
    for each in (dwa, resumed):
        each.end_epoch(losses(2.2, 1.6, 0.8))
    assert resumed.weights() == dwa.weights() != losses(1.0, 1.0, 1.0)


def test_combine_is_the_weighted_sum_and_leaves_backward_to_the_caller() -> None:
    x = torch.tensor(2.0, requires_grad=True)
    weighting = started(FixedWeights(weights=losses(1, 0.5, 0)))
    total = weighting.combine({"os": x, "rfs": x**2, "mvi": x**3})
    assert x.grad is None
    total.backward()
    assert total.item() == 2 + 0.5 * 4
    assert x.grad.item() == 1 + 0.5 * 4


def test_equal_weights_are_one() -> None:
    weighting = started(EqualWeights())
    weighting.end_epoch(losses(1, 2, 3))
    assert weighting.weights() == losses(1.0, 1.0, 1.0)


def test_uncertainty_weights_learn_the_inverse_of_each_loss() -> None:
    # exp(-s) L + s is least at s = log L, where the weight is 1 / L.
    weighting = started(UncertaintyWeights())
    optimizer = torch.optim.SGD(weighting.parameters(), lr=0.2)
    constant = {task: torch.tensor(value) for task, value in losses(0.5, 2.0, 4.0).items()}
    for _ in range(300):
        optimizer.zero_grad()
        weighting.combine(constant).backward()
        optimizer.step()
    assert weighting.weights() == pytest.approx(losses(2.0, 0.5, 0.25), rel=1e-3)


def test_uncertainty_weights_do_not_learn_from_a_batch_without_labels() -> None:
    weighting = started(UncertaintyWeights(initial_log_variance=0.7))
    h = torch.ones(1, requires_grad=True)
    total = weighting.combine({"os": (h * 3).sum(), "rfs": (h * 0).sum(), "mvi": (h * 1).sum()})
    total.backward()
    weight = math.exp(-0.7)
    assert total.item() == pytest.approx(4 * weight + 2 * 0.7)
    assert weighting.log_variance.grad.tolist() == pytest.approx([1 - 3 * weight, 0, 1 - weight])


def test_the_optimizer_and_the_checkpoint_of_the_module_around_see_what_is_learnt() -> None:
    around = torch.nn.Module()
    around.weighting = started(UncertaintyWeights())
    assert [name for name, _ in around.named_parameters()] == ["weighting.log_variance"]
    around.weighting = started(DynamicWeightAverage())
    assert set(around.state_dict()) == {
        f"weighting.{name}" for name in ("last_loss", "ratio", "epochs")
    }


def test_starting_again_changes_nothing_and_other_tasks_are_refused() -> None:
    dwa = after([losses(2, 2, 2), losses(1, 2, 3)])
    before = dwa.weights()
    dwa.start(TASKS)
    assert dwa.weights() == before
    with pytest.raises(ValueError, match="was started for"):
        dwa.start(["os"])


def test_names_that_do_not_fit_are_named() -> None:
    with pytest.raises(ValueError, match=r"No task named efs; the tasks are \['os', "):
        started(FixedWeights(weights={"os": 1, "rfs": 1, "mvi": 1, "efs": 1}))
    with pytest.raises(ValueError, match="No fixed weight for mvi"):
        started(FixedWeights(weights={"os": 1, "rfs": 1}))
    with pytest.raises(ValueError, match="No task named efs"):
        started(DynamicWeightAverage()).end_epoch({"efs": 1.0})
    with pytest.raises(ValueError, match="No task named efs"):
        started(EqualWeights()).combine({"efs": torch.tensor(1.0)})


@pytest.mark.parametrize("value", [-1.0, math.nan, math.inf])
def test_impossible_fixed_weights_are_refused(value: float) -> None:
    with pytest.raises(ValueError, match="must be 0 or more and finite"):
        FixedWeights(weights={"os": value})


@pytest.mark.parametrize("bad", [{"temperature": 0.0}, {"ratio_limit": 0.5}])
def test_impossible_dwa_settings_are_refused(bad: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="expected above 0"):
        DynamicWeightAverage(**bad)


# Losses in units of their value at score 0


def test_each_loss_is_a_share_of_its_value_at_score_zero() -> None:
    plain = {"os": torch.tensor(3.0), "rfs": torch.tensor(0.5), "mvi": torch.tensor(0.3)}
    zero = {"os": torch.tensor(4.0), "rfs": torch.tensor(0.0), "mvi": torch.tensor(math.log(2))}
    found = in_units_of_zero(plain, zero)
    expected = losses(0.75, 0.5 / math.log(2), 0.3 / math.log(2))
    assert {task: float(loss) for task, loss in found.items()} == pytest.approx(expected)


@pytest.mark.parametrize(
    "weighting",
    [
        EqualWeights(),
        FixedWeights(weights=losses(1, 2, 3)),
        DynamicWeightAverage(),
        UncertaintyWeights(initial_log_variance=0.3),
    ],
)
def test_every_weighting_takes_normalized_losses(weighting: TaskWeighting) -> None:
    started(weighting)
    plain = {task: torch.tensor(2.0, requires_grad=True) for task in TASKS}
    zero = {task: torch.tensor(value) for task, value in losses(4.0, 3.0, 0.7).items()}
    weighting.combine(in_units_of_zero(plain, zero)).backward()
    for task, loss in plain.items():
        assert float(loss.grad) == pytest.approx(weighting.weights()[task] / float(zero[task]))
