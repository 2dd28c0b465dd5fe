"""MultiTaskModule in Lightning's loop: losses, weights, bank, target, validation, optimizer."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import pytorch_lightning as lightning
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines.utils import concordance_index
from pytorch_lightning.loggers.logger import DummyLogger
from safetensors.torch import save_file
from sklearn.metrics import f1_score, roc_auc_score
from tiny_training import rows_of, tiny_batch, tiny_module
from torch import Tensor
from torch.nn import functional
from torch.utils.data import DataLoader
from torchsurv.metrics.cindex import ConcordanceIndex

from mtl_hcc.batch import PatientBatch
from mtl_hcc.errors import ConfigError
from mtl_hcc.losses import (
    DynamicWeightAverage,
    FixedWeights,
    RiskBank,
    UncertaintyWeights,
    neg_partial_log_likelihood,
)
from mtl_hcc.nn import CoxHead, EncoderParts, Mean, PlainStem, ResNet
from mtl_hcc.training import epoch_outputs
from mtl_hcc.training.epoch_outputs import EpochOutputs, c_index
from mtl_hcc.training.module import MultiTaskModule
from mtl_hcc.training.schedule import schedule_factor

PATIENTS = 24


class Batches(lightning.LightningDataModule):
    """Given batches for training and validation."""

    def __init__(self, train: Sequence[PatientBatch], validation: Sequence[PatientBatch]) -> None:
        super().__init__()
        self.train, self.validation = train, validation
        self.train_covariates = torch.cat([batch.covariates for batch in train]).numpy()

    def train_dataloader(self) -> Any:
        return DataLoader(self.train, batch_size=None)

    def val_dataloader(self) -> Any:
        return DataLoader(self.validation, batch_size=None)


class Recorder(DummyLogger):
    """Keeps what is logged, by epoch."""

    def __init__(self) -> None:
        super().__init__()
        self.epochs: dict[int, dict[str, float]] = {}

    def log_metrics(self, metrics: dict[str, float], step: int | None = None) -> None:
        self.epochs.setdefault(int(metrics["epoch"]), {}).update(metrics)

    def series(self, name: str) -> list[float]:
        return [row[name] for row in self.epochs.values()]


def cut(batch: PatientBatch, size: int) -> list[PatientBatch]:
    return [
        rows_of(batch, list(range(start, min(start + size, len(batch)))))
        for start in range(0, len(batch), size)
    ]


def fit(
    module: MultiTaskModule,
    folder: Path,
    *,
    epochs: int = 1,
    train_size: int = 8,
    validation_size: int = 8,
    callbacks: Sequence[lightning.Callback] = (),
) -> Recorder:
    recorder = Recorder()
    trainer = lightning.Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=recorder,
        log_every_n_steps=1,
        callbacks=list(callbacks),
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        num_sanity_val_steps=0,
        default_root_dir=folder,
    )
    train, validation = tiny_batch(PATIENTS), tiny_batch(PATIENTS, seed=1)
    data = Batches(cut(train, train_size), cut(validation, validation_size))
    trainer.fit(module, datamodule=data)
    return recorder


@torch.no_grad()
def step_losses(module: MultiTaskModule, batch: PatientBatch) -> dict[str, Tensor]:
    outputs = module(batch)
    return {name: head.loss(outputs[name], batch.targets) for name, head in module.heads.items()}


# Losses and weights


def test_the_training_loss_is_the_weighted_sum_of_the_losses_of_the_heads():
    module = tiny_module(weighting=FixedWeights(weights={"os": 0.5, "mvi": 3.0}))
    batch = tiny_batch()
    known = batch.targets["mvi"].isfinite()
    outputs = module(batch)
    cox = neg_partial_log_likelihood(
        outputs["os"], batch.targets["os_days"], batch.targets["os_event"]
    )
    entropy = functional.cross_entropy(outputs["mvi"][known], batch.targets["mvi"][known].long())
    expected = 0.5 * cox + 3.0 * entropy
    torch.testing.assert_close(module.training_step(batch, 0)["loss"], expected)


def test_normalized_losses_are_shares_of_their_value_at_score_zero():
    module = tiny_module(weighting=FixedWeights(weights={"os": 0.5, "mvi": 3.0}))
    module.normalize_losses = True
    batch = tiny_batch()
    losses = step_losses(module, batch)
    time, event = batch.targets["os_days"], batch.targets["os_event"]
    zero = neg_partial_log_likelihood(torch.zeros(len(time)), time, event)
    expected = 0.5 * losses["os"] / zero + 3.0 * losses["mvi"] / math.log(2)
    torch.testing.assert_close(module.training_step(batch, 0)["loss"].detach(), expected)


def test_normalized_losses_change_neither_what_is_logged_nor_the_ratios_of_dwa(tmp_path: Path):
    still, moving = {"learning_rate": 0.0}, {"learning_rate": 0.05}
    plain, normalized, learning = (
        tiny_module(weighting=DynamicWeightAverage(), normalize_losses=flag, **rate)
        for flag, rate in ((False, still), (True, still), (True, moving))
    )
    expected, found, moved = (
        fit(module, tmp_path, epochs=4, train_size=10) for module in (plain, normalized, learning)
    )
    assert found.epochs == expected.epochs
    of_the_last_epoch = [moved.epochs[3][f"train/loss_{task}"] for task in learning.heads]
    assert learning.weighting.last_loss.tolist() == pytest.approx(of_the_last_epoch)
    assert moved.series("weights/os")[3] != 1.0


def test_the_epoch_mean_of_a_loss_is_unweighted_and_over_informative_patients(tmp_path: Path):
    module = tiny_module(weighting=FixedWeights(weights={"os": 0.5, "mvi": 3.0}), learning_rate=0.0)
    recorder = fit(module, tmp_path, train_size=10)  # 10, 10 and 4 patients
    batches = cut(tiny_batch(PATIENTS), 10)
    for name, head in module.heads.items():
        counts = [float(head.informative(batch.targets).sum()) for batch in batches]
        losses = [float(step_losses(module, batch)[name]) for batch in batches]
        mean = sum(c * loss for c, loss in zip(counts, losses, strict=True)) / sum(counts)
        assert recorder.epochs[0][f"train/loss_{name}"] == pytest.approx(mean, rel=1e-5)
    total = recorder.epochs[0]["train/loss_os"] + recorder.epochs[0]["train/loss_mvi"]
    assert recorder.epochs[0]["train/loss"] == pytest.approx(total, rel=1e-5)


def test_dynamic_weights_follow_the_mean_losses_of_the_last_two_epochs(tmp_path: Path):
    module = tiny_module(weighting=DynamicWeightAverage(temperature=2.0), learning_rate=0.05)
    recorder = fit(module, tmp_path, epochs=5)
    losses = {name: recorder.series(f"train/loss_{name}") for name in module.heads}
    for epoch in range(5):
        ratios = [losses[name][epoch - 1] / losses[name][epoch - 2] for name in module.heads]
        shares = [math.exp(min(max(ratio, 0.5), 2.0) / 2.0) for ratio in ratios]
        for name, share in zip(module.heads, shares, strict=True):
            expected = 1.0 if epoch < 2 else 2 * share / sum(shares)
            assert recorder.epochs[epoch][f"weights/{name}"] == pytest.approx(expected, rel=1e-5)
    assert len(set(recorder.series("weights/os"))) == 4  # it moves from the third epoch on


def test_uncertainty_weights_are_learnt_without_weight_decay(tmp_path: Path):
    module = tiny_module(weighting=UncertaintyWeights(), learning_rate=0.05)
    fit(module, tmp_path)
    assert (module.weighting.log_variance != 0).all()
    decayed, free = module.trainer.optimizers[0].param_groups
    assert any(p is module.weighting.log_variance for p in free["params"])
    assert (decayed["weight_decay"], free["weight_decay"]) == (0.01, 0.0)
    assert {p.ndim for p in decayed["params"]} == {2}
    assert {p.ndim for p in free["params"]} == {1}
    grouped = len(decayed["params"]) + len(free["params"])
    assert grouped == len(list(module.parameters()))


def test_a_task_without_any_label_in_training_is_an_empty_number_and_no_obstacle(tmp_path: Path):
    module = tiny_module(weighting=DynamicWeightAverage())
    train = tiny_batch(PATIENTS)
    train.targets["mvi"][:] = torch.nan
    trainer = lightning.Trainer(
        max_epochs=3,
        accelerator="cpu",
        logger=(recorder := Recorder()),
        log_every_n_steps=1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=tmp_path,
    )
    trainer.fit(module, datamodule=Batches(cut(train, 8), [tiny_batch(8, seed=1)]))
    assert math.isnan(recorder.epochs[2]["train/loss_mvi"])
    assert math.isnan(recorder.epochs[2]["train/auc_mvi"])
    assert math.isfinite(recorder.epochs[2]["train/loss"])
    assert math.isfinite(recorder.epochs[2]["validation/loss_mvi"])
    assert all(p.isfinite().all() for p in module.parameters())


# Risk bank and target network


class Watch(lightning.Callback):
    """Looks at the bank before and after each step, and when validation ends."""

    def __init__(self) -> None:
        self.before: list[set[int]] = []
        self.after: list[set[int]] = []
        self.at_validation: list[set[int]] = []
        self.target_gaps: list[float] = []

    @staticmethod
    def held(module: MultiTaskModule) -> set[int]:
        return {i for i in module.risk_bank.index.tolist() if i >= 0}

    def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any) -> None:
        self.before.append(self.held(module))

    def on_train_batch_end(self, trainer: Any, module: Any, *args: Any) -> None:
        # Callbacks come before the module's own hook: this is the state just after the step.
        self.after.append(self.held(module))

    def on_validation_epoch_end(self, trainer: Any, module: Any) -> None:
        self.at_validation.append(self.held(module))


def test_the_bank_is_written_in_training_only_and_after_the_optimizer_step(tmp_path: Path):
    module = tiny_module(risk_bank=RiskBank(endpoints=["os"], capacity=100))
    fit(module, tmp_path, epochs=2, train_size=8, callbacks=[watch := Watch()])
    everybody = set(range(PATIENTS))
    assert watch.before[:3] == watch.after[:3] == [set(), set(range(8)), set(range(16))]
    # Validation patients have the same indices as training patients here: compare the scores.
    assert watch.at_validation == [everybody, everybody]
    assert int(module.risk_bank.step) == 6, "one write for each training batch, none in validation"
    last = cut(tiny_batch(PATIENTS), 8)[-1]
    with torch.no_grad():
        scores = module(last)["os"][:, 0]
    where = [module.risk_bank.index.tolist().index(i) for i in last.index.tolist()]
    # Scores are of the last forward pass in training, one optimizer step before these weights.
    assert (module.risk_bank.scores[where, 0] - scores).abs().max() < 0.05
    torch.testing.assert_close(
        module.risk_bank.times[where, 0], last.targets["os_days"], equal_nan=True
    )


def test_the_bank_enters_the_training_loss_but_not_the_validation_loss(tmp_path: Path):
    module = tiny_module(risk_bank=RiskBank(endpoints=["os"], capacity=100), learning_rate=0.0)
    without = tiny_module(learning_rate=0.0)
    banked, alone = (fit(m, tmp_path, epochs=2).epochs[1] for m in (module, without))
    assert banked["train/loss_os"] > alone["train/loss_os"] + 0.1  # larger risk sets
    assert banked["validation/loss_os"] == alone["validation/loss_os"]
    # With everybody in the bank at these very weights each batch gives its terms of the exact loss.
    module.eval()
    exact = step_losses(module, tiny_batch(PATIENTS))["os"]
    assert banked["train/loss_os"] == pytest.approx(float(exact), rel=1e-5)


def test_the_target_is_an_exponential_moving_average_and_writes_the_bank(tmp_path: Path):
    decay, snapshots = 0.9, []

    class Snapshots(lightning.Callback):
        def on_train_batch_end(self, trainer: Any, module: Any, *args: Any) -> None:
            snapshots.append({k: v.clone() for k, v in module.network.state_dict().items()})

    module = tiny_module(
        risk_bank=RiskBank(endpoints=["os"], capacity=8), target_decay=decay, learning_rate=0.1
    )
    fit(module, tmp_path, train_size=8, callbacks=[Snapshots()])
    expected = snapshots[0]
    for snapshot in snapshots[1:]:
        for name, value in snapshot.items():
            expected[name] = decay * expected[name] + (1 - decay) * value
    found = module.target.module.state_dict()
    torch.testing.assert_close({name: found[name] for name in expected}, expected)
    last = cut(tiny_batch(PATIENTS), 8)[-1]
    order = [module.risk_bank.index.tolist().index(i) for i in last.index.tolist()]
    with torch.no_grad():
        torch.testing.assert_close(
            module.risk_bank.scores[order, 0], module.target(last)["os"][:, 0]
        )
    trained = {
        id(p) for group in module.trainer.optimizers[0].param_groups for p in group["params"]
    }
    assert not trained & {id(p) for p in module.target.parameters()}


def test_a_bank_that_no_head_or_two_heads_serve_is_refused():
    with pytest.raises(ValueError, match="remembers 'rfs', which 0 Cox heads predict"):
        tiny_module(risk_bank=RiskBank(endpoints=["os", "rfs"], capacity=4))
    twice = {name: lambda width: CoxHead(width, endpoint="os") for name in ("os", "death")}
    with pytest.raises(ValueError, match="remembers 'os', which 2 Cox heads predict"):
        tiny_module(heads=twice, risk_bank=RiskBank(endpoints=["os"], capacity=4))


# Validation and what is logged


def test_validation_is_exact_whatever_the_batch_size(tmp_path: Path):
    found = []
    for size in (5, 8, PATIENTS):
        module = tiny_module(learning_rate=0.01)
        found.append(fit(module, tmp_path, epochs=1, validation_size=size).epochs[0])
    names = [name for name in found[0] if name.startswith("validation/")]
    for name in names:
        assert found[0][name] == pytest.approx(found[2][name], rel=1e-5)
        assert found[1][name] == pytest.approx(found[2][name], rel=1e-5)

    module.eval()
    batch = tiny_batch(PATIENTS, seed=1)
    losses = {name: float(loss) for name, loss in step_losses(module, batch).items()}
    with torch.no_grad():
        outputs = module(batch)
    os = batch.targets["os_days"].isfinite()
    mvi = batch.targets["mvi"].isfinite()
    label, logits = batch.targets["mvi"][mvi], outputs["mvi"][mvi]
    expected = {
        "loss_os": losses["os"],
        "loss_mvi": losses["mvi"],
        "loss": losses["os"] + losses["mvi"],
        "c_index_os": concordance_index(
            batch.targets["os_days"][os], -outputs["os"][os, 0], batch.targets["os_event"][os]
        ),
        "auc_mvi": roc_auc_score(label, logits.softmax(1)[:, 1]),
        "f1_mvi": f1_score(label, logits.argmax(1)),
    }
    assert {f"validation/{name}" for name in expected} == set(names)
    for name, value in expected.items():
        assert found[2][f"validation/{name}"] == pytest.approx(value, rel=1e-4), name


def test_a_patient_who_is_seen_twice_counts_once(tmp_path: Path):
    repeated = tiny_batch(PATIENTS, seed=1)
    more = rows_of(repeated, [*range(PATIENTS), 0, 3, 3])
    module = tiny_module()
    for batch in (repeated, more):
        module.on_validation_epoch_start()
        for part in cut(batch, 10):
            module.validation_step(part, 0)
        outputs, targets = module.epochs["validation"].patients()
        torch.testing.assert_close(outputs["os"], module(repeated)["os"])
        torch.testing.assert_close(targets["mvi"], repeated.targets["mvi"], equal_nan=True)


def test_each_epoch_logs_train_validation_and_weights(tmp_path: Path):
    recorder = fit(tiny_module(), tmp_path, epochs=2)
    numbers = ["loss", "loss_os", "loss_mvi", "c_index_os", "auc_mvi", "f1_mvi"]
    expected = {f"{split}/{name}" for split in ("train", "validation") for name in numbers}
    expected |= {"weights/os", "weights/mvi", "epoch"}
    assert {frozenset(row) for row in recorder.epochs.values()} == {frozenset(expected)}


@pytest.mark.parametrize("event", [0.0, math.nan])
def test_all_censored_or_unlabeled_or_of_one_class_gives_empty_numbers(event: float):
    module = tiny_module()
    batch = tiny_batch(PATIENTS)
    batch.targets["os_event"][:] = event
    batch.targets["mvi"][:] = 1
    module.validation_step(batch, 0)
    outputs = module.epochs["validation"]
    values = outputs.monitor(outputs.exact_losses())
    empty = {name for name, value in values.items() if math.isnan(value)}
    assert empty == {"loss_os", "c_index_os", "auc_mvi", "f1_mvi"}
    assert values["loss"] == pytest.approx(values["loss_mvi"])


# Optimizer and schedule


def test_the_cosine_schedule_falls_from_the_peak_to_zero_over_all_steps(tmp_path: Path):
    rates = []

    class Rates(lightning.Callback):
        def on_before_optimizer_step(self, trainer: Any, module: Any, optimizer: Any) -> None:
            rates.append(optimizer.param_groups[0]["lr"])

    module = tiny_module(learning_rate=0.1, warmup_epochs=1.0)
    fit(module, tmp_path, epochs=4, train_size=8, callbacks=[Rates()])
    warm = [0.1 * (step + 1) / 4 for step in range(3)]
    cosine = [0.05 * (1 + math.cos(math.pi * step / 9)) for step in range(9)]
    assert rates == pytest.approx(warm + cosine)
    assert module.trainer.optimizers[0].param_groups[0]["lr"] == pytest.approx(0.0)


def test_a_constant_schedule_stays_at_the_peak_and_may_have_no_end():
    factor = schedule_factor("constant", steps=math.inf, warmup_steps=2)
    assert [factor(step) for step in range(4)] == pytest.approx([1 / 3, 2 / 3, 1, 1])


def test_a_cosine_schedule_without_an_end_is_refused(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"trainer.max_epochs: a cosine schedule without an end"):
        fit(tiny_module(), tmp_path, epochs=-1)


def test_the_c_index_of_an_epoch_does_not_depend_on_the_unit_of_the_log_hazard():
    log_hazard = torch.tensor([3.0, 1.0, 2.0, 2.0])
    time, event = torch.tensor([10.0, 40.0, 30.0, 20.0]), torch.tensor([1.0, 1.0, 1.0, 1.0])
    assert c_index(log_hazard, time, event) == pytest.approx(5.5 / 6)
    assert c_index(1e-12 * log_hazard, time, event) == pytest.approx(5.5 / 6)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(st.lists(st.tuples(st.integers(-3, 3), st.integers(1, 5), st.booleans()), max_size=30))
def test_the_c_index_of_an_epoch_is_that_of_torchsurv_with_ties_of_every_kind(rows: list[Any]):
    table = torch.tensor(rows, dtype=torch.float32).reshape(-1, 3)
    h, time, event = table[:, 0] / 3, table[:, 1], table[:, 2]
    value = c_index(h, time, event)
    later = (time[:, None] < time) | ((time[:, None] == time) & (event == 0))
    if (later & (event[:, None] > 0)).any():
        theirs = ConcordanceIndex(tied_tol=0)(h, event > 0, time)
        assert value == pytest.approx(float(theirs), abs=1e-6)
    else:
        assert math.isnan(value), "no pair is comparable"


def test_the_c_index_of_a_log_hazard_that_is_no_number_is_empty():
    h = torch.tensor([1.0, math.nan, 0.0])
    assert math.isnan(c_index(h, torch.tensor([1.0, 2.0, 3.0]), torch.ones(3)))


def test_torchsurv_confirms_the_first_c_index_and_a_difference_is_said(
    monkeypatch: pytest.MonkeyPatch,
):
    h, time, event = torch.tensor([3.0, 1.0, 2.0]), torch.tensor([1.0, 3.0, 2.0]), torch.ones(3)
    epoch = EpochOutputs({})
    assert epoch._c_index("os", h, time, event) == 1.0  # a warning would be an error here
    monkeypatch.setattr(epoch_outputs, "c_index", lambda *labels: 0.25)
    assert epoch._c_index("os", h, time, event) == 0.25, "once is enough"
    with pytest.warns(UserWarning, match="0.2500 by mtl_hcc and 1.0000 by TorchSurv"):
        epoch._c_index("rfs", h, time, event)


def test_a_training_starts_from_the_weights_that_a_backbone_names_and_nothing_else_reads_them(
    tmp_path,
):
    path = tmp_path / "weights.safetensors"
    stored = dict(ResNet(4, width=4, dimensions="3d").features.state_dict())
    save_file(stored, path)
    parts = EncoderParts(
        stem=lambda channels: PlainStem(channels, out_channels=4),
        backbone=lambda channels: ResNet(channels, width=4, weights=str(path)),
        aggregator=Mean,
    )
    module = tiny_module(encoders={"tumor": parts})
    weights = module.network.encoder("tumor").backbone.features.state_dict()
    module.setup("predict")
    assert not weights["layer1.0.conv1.weight"].equal(stored["layer1.0.conv1.weight"])
    module.setup("fit")
    assert weights["layer1.0.conv1.weight"].equal(stored["layer1.0.conv1.weight"])
    path.unlink()
    tiny_module(encoders={"tumor": parts}).setup("predict")
    with pytest.raises(ConfigError, match="No such file"):
        module.setup("fit")
