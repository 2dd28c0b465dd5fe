"""Stops a training at the first number that is not finite, and says whose it was, and why.

A NaN that is trained on spreads to every weight within one step, and a NaN that is left out of a
sum looks like the best loss there is. What is looked at (gathered outputs, reduced gradients) is
the same on every rank, so all ranks stop at the same step and none waits for another.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pytorch_lightning as lightning
import torch
from torch import Tensor, nn

from mtl_hcc.batch import PatientBatch
from mtl_hcc.errors import TrainingError
from mtl_hcc.training.gather import gather_texts

FEW = 20
"""How many patients a message names."""
HUGE = 1e9
"""A covariate beyond this is no measurement that a clinic writes down."""


class FiniteCheck:
    """Looks at every loss, gradient and weight of a training.

    Args:
        module: That is trained.
        covariates: Names of its encoded covariates, for messages.
    """

    def __init__(self, module: lightning.LightningModule, covariates: Sequence[str]) -> None:
        self.module, self.covariates = module, tuple(covariates)
        self._batch: PatientBatch | None = None
        self._validated: dict[int, str] = {}
        self._odd: list[str] = []

    def training_covariates(self, values: Tensor) -> None:
        """Raise where a covariate of the training split has no finite mean and deviation.

        Args:
            values: (patient, covariate), NaN where missing.
        """
        infinite = values.isinf().any(dim=0).tolist()
        bad = [name for name, found in zip(self.covariates, infinite, strict=True) if found]
        if bad:
            raise TrainingError(
                "a value of the training split is infinite",
                where=f"covariate {', '.join(bad)}",
                remedy="Correct the column in the clinical table.",
            )

    def losses(
        self, batch: PatientBatch, outputs: Mapping[str, Tensor], losses: Mapping[str, Tensor]
    ) -> None:
        """Raise unless a training step's outputs and losses are finite.

        Args:
            batch: This rank's share.
            outputs: Task name to (patient of all ranks, outputs).
            losses: Name to scalar loss of all ranks.
        """
        self._batch = batch
        if wrong := not_finite(outputs, losses):
            raise self._stopped(f"the training loss is not finite: {', '.join(wrong)}")

    def gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Raise where a finite loss has gradients that would make the weights NaN.

        The norm is that which clipping takes: where it overflows, clipping would train nothing.
        """
        norm = nn.utils.get_total_norm([p.grad for p in parameters if p.grad is not None])
        if norm.isfinite():
            return
        scaler = self._scaler
        if scaler is not None and scaler.get_scale() >= 1:
            return  # it leaves this step out and scales the next losses less, as it should
        raise self._stopped(f"the gradients are not finite (norm {float(norm):g})")

    def weights(self, network: nn.Module) -> None:
        """Raise where a weight, or a statistic of a norm, is not finite on any rank."""
        floats = {
            name: tensor
            for name, tensor in network.state_dict().items()
            if tensor.is_floating_point() and tensor.numel()
        }
        fine = torch.stack([tensor.isfinite().all() for tensor in floats.values()]).tolist()
        bad = [name for name, is_fine in zip(floats, fine, strict=True) if not is_fine]
        bad = _few(gather_texts(bad))  # statistics of batch norms differ between ranks
        if bad:
            raise self._stopped(f"weights are not finite after the epoch: {', '.join(bad)}")

    def start_validation(self) -> None:
        """Forget the last epoch's validation patients."""
        self._batch = None
        self._validated.clear()
        self._odd.clear()

    def note(self, batch: PatientBatch, outputs: Mapping[str, Tensor]) -> None:
        """Remember this rank's validation patients, and what is odd about their inputs."""
        self._validated |= zip(batch.index.tolist(), batch.patient_id, strict=True)
        if not all(bool(output.isfinite().all()) for output in outputs.values()):
            self._odd += odd_inputs(batch, self.covariates)

    def validation(
        self, losses: Mapping[str, float], total: float, bad: Mapping[str, Sequence[int]]
    ) -> None:
        """Raise unless validation gives a number to choose the best epoch by.

        Args:
            losses: Task name to loss, NaN where nobody informs the task.
            total: Sum of those that somebody informs.
            bad: Task name to index of the patients whose output is not finite.
        """
        if math.isfinite(total) and not bad:
            return
        if not bad and all(math.isnan(loss) for loss in losses.values()):
            if self.module.trainer.sanity_checking:  # of a few patients only
                return
            raise TrainingError(
                "no patient has a label (for survival: an event) of any task",
                where="split validation",
                remedy="The best epoch is chosen by the validation loss: correct data.split.",
            )
        wrong = [name for name, loss in losses.items() if name in bad or math.isinf(loss)]
        whose = {index for patients in bad.values() for index in patients} or {*self._validated}
        raise self._stopped(
            f"the validation loss is not finite: {', '.join(wrong or losses)}",
            patients=[name for index, name in self._validated.items() if index in whose],
            odd=self._odd,
        )

    @property
    def _scaler(self) -> Any:
        """What scales the losses for float16, if anything does."""
        return getattr(self.module.trainer.precision_plugin, "scaler", None)

    def _stopped(
        self, found: str, *, patients: Sequence[str] = (), odd: Sequence[str] = ()
    ) -> TrainingError:
        """Return the error that ends the training; every rank must call this."""
        if self._batch is not None:
            patients, odd = self._batch.patient_id, odd_inputs(self._batch, self.covariates)
        who, odd = _few(gather_texts(list(patients))), _few(gather_texts(list(odd)))
        rate = self.module.trainer.optimizers[0].param_groups[0]["lr"]
        where = f"epoch {self.module.current_epoch}, learning rate {rate:.3g}"
        if who:
            where += f", patients {', '.join(who)}"
        if odd:
            remedy = f"The data are the cause: {'; '.join(odd)}. Correct or remove these patients."
        else:
            remedy = (
                "The inputs of these patients are finite, so likely causes are a learning rate "
                "that is too high or a covariate with values far from all others"
            )
            half = ", or float16 (take --trainer.precision bf16-mixed)"
            remedy += half * (self._scaler is not None) + "."
        return TrainingError(found, where=where, remedy=remedy)


def not_finite(outputs: Mapping[str, Tensor], losses: Mapping[str, Tensor]) -> list[str]:
    """Return what is not finite, e.g. ``["os (nan)"]``; the device is asked once.

    An unlabeled patient's NaN does not reach the loss, but the batch norms and the risk bank.

    Args:
        outputs: Task name to (patient, outputs).
        losses: Task name, or name of their sum, to scalar loss.
    """
    values = torch.stack(
        [
            torch.where(outputs[name].isfinite().all(), loss.detach(), torch.nan)
            if name in outputs
            else loss.detach()
            for name, loss in losses.items()
        ]
    ).tolist()
    pairs = zip(losses, values, strict=True)
    return [f"{name} ({value:g})" for name, value in pairs if not math.isfinite(value)]


def odd_inputs(batch: PatientBatch, covariates: Sequence[str]) -> list[str]:
    """Return what in a batch no network can learn from, patient by patient.

    Args:
        batch: As the network got it.
        covariates: Names of the encoded covariates.
    """
    found = []
    for row, patient in enumerate(batch.patient_id):
        images = (view.images[row] for view in batch.views.values())
        if bad := sum(int((~array.isfinite()).sum()) for array in images):
            found.append(f"patient {patient} has {bad} voxels that are not finite")
        if batch.covariates is not None:
            values = batch.covariates[row].tolist()
            found += [
                f"patient {patient} has {value:g} as {name}"
                for name, value in zip(covariates, values, strict=True)
                if abs(value) > HUGE  # a NaN is a missing value, and not above anything
            ]
    return found


def _few(texts: Sequence[str]) -> list[str]:
    unique = list(dict.fromkeys(texts))
    more = len(unique) - FEW
    return [*unique[:FEW], f"and {more} more"] if more > 0 else unique
