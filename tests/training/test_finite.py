"""A number that is not finite ends a training, with task, epoch, patients and cause."""

import math
from types import SimpleNamespace
from typing import Any

import pytest
import pytorch_lightning as lightning
import torch
from test_module import Batches, Recorder, cut
from tiny_training import tiny_batch, tiny_module, with_images
from torch import Tensor, nn

from mtl_hcc.batch import PatientBatch
from mtl_hcc.errors import TrainingError
from mtl_hcc.training.finite import FEW, odd_inputs
from mtl_hcc.training.module import MultiTaskModule

PATIENTS = 24


def fit(
    module: MultiTaskModule, train: PatientBatch, validation: PatientBatch, **settings: Any
) -> Recorder:
    trainer = lightning.Trainer(
        **{"max_epochs": 3, "num_sanity_val_steps": 0} | settings,
        accelerator="cpu",
        logger=(recorder := Recorder()),
        log_every_n_steps=1,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    data = Batches(cut(train, 8), cut(validation, 8))
    data.train_covariates = tiny_batch(PATIENTS).covariates.numpy()  # else their scale is NaN, too
    trainer.fit(module, datamodule=data)
    return recorder


def refused(
    module: MultiTaskModule, train: PatientBatch, validation: PatientBatch, **settings: Any
) -> TrainingError:
    with pytest.raises(TrainingError) as caught:
        fit(module, train, validation, **settings)
    return caught.value


def test_an_infinite_covariate_ends_the_training_with_patient_and_covariate():
    train = tiny_batch(PATIENTS)
    train.covariates[10, 0] = torch.inf
    error = refused(tiny_module(), train, tiny_batch(8, seed=1))
    assert error.found.startswith("the training loss is not finite: os (nan)")
    assert error.where.startswith("epoch 0, learning rate 0.00097, patients P008, P009, P010, ")
    assert "The data are the cause: patient P010 has inf as age_years" in error.remedy


def test_a_learning_rate_that_is_too_high_is_named_with_the_patients_of_the_batch():
    module = tiny_module(learning_rate=1e12, schedule="constant", weight_decay=0.1)
    error = refused(module, tiny_batch(PATIENTS), tiny_batch(8, seed=1), max_epochs=9)
    assert "not finite" in error.found
    assert "learning rate 1e+12" in error.where
    assert "patients P" in error.where
    assert "a learning rate that is too high" in error.remedy


def test_a_task_without_events_does_not_hide_the_nan_of_a_patient_in_the_batch():
    train = tiny_batch(PATIENTS)
    for column in ("os_event", "os_days", "mvi"):
        train.targets[column][10] = torch.nan
    train.covariates[10, 0] = torch.inf
    error = refused(tiny_module(), train, tiny_batch(8, seed=1))
    assert "P010" in error.where


def test_a_nan_in_validation_ends_the_training_before_the_epoch_is_logged():
    validation = tiny_batch(16, seed=1)
    validation.covariates[3, 0] = torch.inf
    recorder = Recorder()
    error = refused(tiny_module(), tiny_batch(PATIENTS), validation)
    assert error.found == "the validation loss is not finite: os, mvi"
    assert error.where == "epoch 0, learning rate 0.00075, patients P003"
    assert "patient P003 has inf as age_years" in error.remedy
    assert recorder.epochs == {}


class RootOfZero(torch.autograd.Function):
    """A finite value with a NaN gradient, as of the square root at 0 in places."""

    @staticmethod
    def forward(ctx: Any, value: Tensor) -> Tensor:
        return value.clone()

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return gradient * torch.nan


def with_nan_gradients(module: MultiTaskModule) -> MultiTaskModule:
    real = module.weighting.combine
    module.weighting.combine = lambda losses: RootOfZero.apply(real(losses))
    return module


def test_a_finite_loss_with_nan_gradients_changes_no_weight():
    module = with_nan_gradients(tiny_module())
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    error = refused(module, tiny_batch(PATIENTS), tiny_batch(8, seed=1))
    assert error.found == "the gradients are not finite (norm nan)"
    torch.testing.assert_close(dict(module.named_parameters()), before, rtol=0, atol=0)


@pytest.mark.parametrize(("scale", "stops"), [(1024.0, False), (0.5, True)])
def test_a_step_that_float16_leaves_out_is_no_error_until_scaling_cannot_help(
    scale: float, stops: bool, monkeypatch: pytest.MonkeyPatch
):
    module = tiny_module()
    scaler = SimpleNamespace(get_scale=lambda: scale)
    trainer = SimpleNamespace(
        precision_plugin=SimpleNamespace(scaler=scaler),
        optimizers=[torch.optim.SGD(module.parameters(), lr=0.1)],
        current_epoch=0,
    )
    monkeypatch.setattr(MultiTaskModule, "trainer", trainer)
    monkeypatch.setattr(MultiTaskModule, "current_epoch", 0)
    weight = nn.Parameter(torch.zeros(2))
    weight.grad = torch.tensor([1.0, torch.inf])
    if not stops:
        return module.finite.gradients([weight])
    with pytest.raises(TrainingError, match=r"take --trainer.precision bf16-mixed"):
        module.finite.gradients([weight])
    return None


def test_weights_that_are_not_finite_are_never_saved():
    class Spoilt(MultiTaskModule):
        def on_validation_end(self) -> None:
            next(self.network.parameters()).data[0] = torch.nan

    module = tiny_module()
    module.__class__ = Spoilt
    error = refused(module, tiny_batch(PATIENTS), tiny_batch(8, seed=1))
    assert error.found.startswith("weights are not finite after the epoch: ")


def test_a_validation_split_without_any_label_is_refused_and_not_a_loss_of_zero():
    validation = tiny_batch(8, seed=1)
    for values in validation.targets.values():
        values[:] = torch.nan
    error = refused(tiny_module(), tiny_batch(PATIENTS), validation)
    assert "split validation: no patient has a label" in str(error)
    module = tiny_module()
    module.validation_step(validation, 0)
    numbers = module.epochs["validation"].monitor(module.epochs["validation"].exact_losses())
    assert all(math.isnan(value) for value in numbers.values()), numbers


def test_a_loss_that_is_nan_makes_the_sum_nan():
    module = tiny_module()
    module.validation_step(tiny_batch(8), 0)
    total = module.epochs["validation"].total
    assert math.isnan(total({"os": math.nan, "mvi": 0.5}))
    assert total({"os": 0.25, "mvi": 0.5}) == 0.75


def test_what_is_odd_about_inputs_is_said_patient_by_patient():
    batch = with_images(tiny_batch(4))
    batch.views["tumor"].images[2, 1, 0, 0, :3] = torch.nan
    batch.covariates[1, 1] = 1e30
    assert odd_inputs(batch, ["age_years", "afp_ng_ml"]) == [
        "patient P001 has 1e+30 as afp_ng_ml",
        "patient P002 has 3 voxels that are not finite",
    ]
    many = tiny_batch(FEW + 10)
    many.covariates[:, 0] = torch.inf
    error = refused(tiny_module(), many, tiny_batch(8, seed=1), max_epochs=1)
    assert "and" not in error.where, "a batch of eight"
