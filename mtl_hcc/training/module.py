"""MultiTaskModule: the only LightningModule. It trains any network of parts on any set of tasks."""

import math
import warnings
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy as np
import pytorch_lightning as lightning
import torch
from torch import Tensor

from mtl_hcc.batch import PatientBatch
from mtl_hcc.errors import ConfigError
from mtl_hcc.losses import EqualWeights, RiskBank, TaskWeighting, in_units_of_zero
from mtl_hcc.nn import (
    Backbone,
    ClinicalEncoder,
    CoxHead,
    EncoderParts,
    Fusion,
    TaskHead,
    build_network,
)
from mtl_hcc.training.epoch_outputs import EpochOutputs
from mtl_hcc.training.finite import FiniteCheck
from mtl_hcc.training.gather import Step, gather_step
from mtl_hcc.training.optimizer import adamw, resume_settings
from mtl_hcc.training.schedule import schedule_factor
from mtl_hcc.training.weight_average import RunningAverage, WeightAverage, exchanged_names

_LARGEST_NUMBER = 1e30
"""Of a setting: the optimizer squares some of them."""


class MultiTaskModule(lightning.LightningModule):
    """Trains ``pool(heads(fusion(encoder_1(view_1), ..., encoder_v(view_v), clinical)))``.

    A paper is a set of arguments. Leave out ``encoders`` for a clinical model, ``clinical`` for an
    imaging model.

    Args:
        heads: Task name to head; the head is given the width of the embedding.
        fusion: Joins the encoders' vectors and the clinical one; given the width of each.
        encoders: Name of a view (``data.preparation.views``) to how it becomes a vector.
        clinical: Given the number of covariates.
        covariates: Names of the encoded covariates, in the order of ``PatientBatch.covariates``.
        pool: ``score`` lets the heads judge each instance of the only encoder, which has no
            aggregator then, and takes the mean of what they say: probabilities, log hazards.
        weighting: How the tasks' losses are combined.
        normalize_losses: Whether each is divided by its value at score 0 before, so that no task
            counts more because its loss is larger. What is logged, and what the weighting knows of
            an epoch, are the losses as they are.
        risk_bank: Patients of earlier batches that enlarge the risk sets of the Cox losses.
        target_decay: If given, the bank is written by an exponential moving average of the network
            (batch-norm statistics included) with this decay, e.g. 0.99, as in momentum contrast.
        weight_average: If given, validation, checkpoints and the exported model have an average of
            the weights of many steps.
        learning_rate: Peak learning rate of AdamW.
        weight_decay: Decoupled L2 penalty of AdamW.
        schedule: ``cosine`` falls to zero over the trainer's ``max_epochs``.
        warmup_epochs: Epochs of linear warm-up from zero.
        seed: Seeds dropout of each batch, so that a resumed run draws what an unbroken one would.
    """

    def __init__(
        self,
        *,
        heads: dict[str, Callable[[int], TaskHead]],
        fusion: Callable[[Sequence[int]], Fusion],
        encoders: dict[str, EncoderParts] | None = None,
        clinical: Callable[[int], ClinicalEncoder] | None = None,
        covariates: list[str] | None = None,
        pool: Literal["embedding", "score"] = "embedding",
        weighting: TaskWeighting | None = None,
        normalize_losses: bool = False,
        risk_bank: RiskBank | None = None,
        target_decay: float | None = None,
        weight_average: WeightAverage | None = None,
        learning_rate: float = 1e-3,
        weight_decay: float = 1e-2,
        schedule: Literal["cosine", "constant"] = "cosine",
        warmup_epochs: float = 0.0,
        seed: int = 0,
    ) -> None:
        super().__init__()
        for name, value in (
            ("learning_rate", learning_rate),
            ("weight_decay", weight_decay),
            ("warmup_epochs", warmup_epochs),
        ):
            if not 0 <= value <= _LARGEST_NUMBER:
                raise ValueError(f"model.{name} is {value:g}; expected 0 or more")
        self.network = build_network(
            heads, fusion, encoders or {}, clinical, covariates or [], pool
        )
        self.heads: dict[str, TaskHead] = dict(self.network.heads.items())  # type: ignore[arg-type]
        self.weighting = weighting or EqualWeights()
        self.weighting.start(list(self.heads))
        self.normalize_losses = normalize_losses
        if risk_bank is not None:
            cox = [head for head in self.heads.values() if isinstance(head, CoxHead)]
            risk_bank.check_predicted([head.endpoint for head in cox])
        self.risk_bank = risk_bank
        self.target = (
            RunningAverage(self.network, decay=target_decay, warm_up=False)
            if target_decay is not None and risk_bank is not None
            else None
        )
        self.weight_average = weight_average
        self.average = (
            RunningAverage(self.network, decay=weight_average.decay) if weight_average else None
        )
        self.learning_rate, self.weight_decay = learning_rate, weight_decay
        self.schedule: Literal["cosine", "constant"] = schedule
        self.warmup_epochs = warmup_epochs
        self.seed = seed
        self.config: dict[str, Any] = {}
        """The complete config as plain values; travels in every checkpoint."""
        self.epochs = {"train": EpochOutputs(self.heads), "validation": EpochOutputs(self.heads)}
        self.finite = FiniteCheck(self, covariates or [])

    @property
    def target_columns(self) -> list[str]:
        """Names of the table columns that the heads learn from."""
        return sorted({column for head in self.heads.values() for column in head.columns})

    def forward(self, batch: PatientBatch) -> dict[str, Tensor]:
        """Return task name to raw output, (patient, outputs)."""
        outputs: dict[str, Tensor] = self.network(batch)
        return outputs

    # Training

    def setup(self, stage: str) -> None:
        """Take the weights that a backbone starts from; those of a checkpoint come after."""
        if stage == "fit":
            for part in self.network.modules():
                if isinstance(part, Backbone):
                    part.start()

    def on_fit_start(self) -> None:
        """Take the covariates' medians and scales from the training split."""
        # What we log is gathered and the same on every rank; averaging it would change nothing.
        warnings.filterwarnings("ignore", message=r".*sync_dist=True.* when logging on epoch level")
        clinical = self.network.clinical
        if clinical is not None:
            known = torch.as_tensor(self.trainer.datamodule.train_covariates)  # type: ignore[attr-defined]
            self.finite.training_covariates(known)
            clinical.fit(known.to(self.device))

    def on_train_start(self) -> None:
        """Let the settings beat what a resumed checkpoint says of learning rate and decay."""
        optimizer, scheduler = self.trainer.optimizers[0], self.trainer.lr_scheduler_configs[0]
        resume_settings(
            optimizer, scheduler.scheduler, rate=self.learning_rate, decay=self.weight_decay
        )

    def on_train_epoch_start(self) -> None:
        """Forget the last epoch's outputs."""
        self.epochs["train"].clear()

    def on_train_batch_start(self, batch: PatientBatch, batch_idx: int) -> None:
        """Seed dropout; at every batch, for the loaders draw too, at other times after a resume."""
        words = [self.seed, self.current_epoch, batch_idx, self.global_rank]
        torch.manual_seed(int(np.random.SeedSequence(words).generate_state(1)[0]))

    def training_step(self, batch: PatientBatch, batch_idx: int) -> dict[str, Any]:
        """Return the weighted loss of the global batch, the same on every rank."""
        step = gather_step(batch, self(batch), self.target_columns)
        of_whom: Any = {"targets": step.targets, "index": step.index, "bank": self.risk_bank}
        heads = self.heads.items()
        losses = {name: head.loss(step.outputs[name], **of_whom) for name, head in heads}
        counted = losses
        if self.normalize_losses:
            zero = {name: head.loss_at_zero(step.outputs[name], **of_whom) for name, head in heads}
            counted = in_units_of_zero(losses, zero)
        total = self.weighting.combine(counted)
        self.finite.losses(batch, step.outputs, losses | {"their weighted sum": total})
        self.epochs["train"].add(step.index, step.outputs, step.targets, losses)
        return {"loss": total, "step": step}

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Look at the gradients before they change the weights."""
        self.finite.gradients(self.parameters())

    def optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        """Step, and take the new weights into the average."""
        super().optimizer_step(*args, **kwargs)
        if self.weight_average is None or self.average is None:
            return
        begins = self.weight_average.first_epoch(self.trainer.max_epochs)
        averaged = self.current_epoch >= begins
        (self.average.update_parameters if averaged else self.average.follow)(self.network)

    @torch.no_grad()
    def on_train_batch_end(self, outputs: Any, batch: PatientBatch, batch_idx: int) -> None:
        """Write the batch into the risk bank, after the optimizer's step."""
        if self.risk_bank is None:
            return
        step: Step = outputs["step"]
        if self.target is not None:
            self.target.update_parameters(self.network)
            step = gather_step(batch, self.target(batch), self.target_columns)
        scores, times, events = {}, {}, {}
        for name, head in self.heads.items():
            if isinstance(head, CoxHead) and head.endpoint in self.risk_bank.endpoints:
                scores[head.endpoint] = step.outputs[name][:, 0].detach()
                times[head.endpoint], events[head.endpoint] = (
                    step.targets[column] for column in head.columns
                )
        self.risk_bank.write(step.index, scores, times, events)

    def on_train_epoch_end(self) -> None:
        """Log the epoch and set the task weights of the next one."""
        self.finite.weights(self.network)  # before a checkpoint is written
        weights = self.weighting.weights()
        means = self.epochs["train"].mean_losses()
        self._log("train", self.epochs["train"].monitor(means))
        self._log("weights", weights)
        if self.risk_bank is not None and self.current_epoch == 0:
            # While the bank fills, the risk sets grow, and the Cox losses with them: not a rate.
            means = {
                name: loss for name, loss in means.items() if self.heads[name].kind != "survival"
            }
        self.weighting.end_epoch(means)

    # Validation

    def on_validation_epoch_start(self) -> None:
        """Forget the last epoch's outputs."""
        self.epochs["validation"].clear()
        self.finite.start_validation()
        if self.average is not None:
            self.average.exchange(self.network)

    def validation_step(self, batch: PatientBatch, batch_idx: int) -> None:
        """Collect the outputs; the losses are computed on the full validation split."""
        outputs = self(batch)
        self.finite.note(batch, outputs)
        step = gather_step(batch, outputs, self.target_columns)
        self.epochs["validation"].add(step.index, step.outputs, step.targets, {})

    def on_validation_epoch_end(self) -> None:
        """Log exact losses and metrics of the full validation split: sum over tasks, unweighted."""
        if self.average is not None:
            self.average.exchange(self.network)  # training goes on with its own weights
        epoch = self.epochs["validation"]
        losses = epoch.exact_losses()
        self.finite.validation(losses, epoch.total(losses), epoch.not_finite())
        self._log("validation", epoch.monitor(losses))

    # What Lightning asks for

    def configure_optimizers(self) -> Any:
        """AdamW and a schedule stepped at every batch."""
        optimizer = adamw(self.parameters(), rate=self.learning_rate, decay=self.weight_decay)
        steps = self.trainer.estimated_stepping_batches  # of the whole training, or infinity
        if self.schedule == "cosine" and not math.isfinite(steps):
            raise ConfigError(
                "a cosine schedule without an end",
                where="trainer.max_epochs",
                remedy="Set trainer.max_epochs, or model.schedule to constant.",
            )
        in_epoch = math.ceil(
            self.trainer.num_training_batches / self.trainer.accumulate_grad_batches
        )
        factor = schedule_factor(
            self.schedule, steps=steps, warmup_steps=round(self.warmup_epochs * in_epoch)
        )
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, factor)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": scheduler, "interval": "step"},
        }

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Add the config, as plain values; ``network.`` are the weights that predict."""
        checkpoint["config"] = self.config
        if self.average is not None:
            checkpoint["state_dict"] = exchanged_names(checkpoint["state_dict"])

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Give the network back what training goes on with."""
        if self.average is not None:
            checkpoint["state_dict"] = exchanged_names(checkpoint["state_dict"])

    # Inside

    def _log(self, section: str, values: dict[str, float]) -> None:
        # Every rank holds the same gathered values: nothing to reduce.
        self.log_dict({f"{section}/{name}": value for name, value in values.items()})
