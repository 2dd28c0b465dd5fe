"""FitSettings: what `fit` needs to know beyond the model, the data and the trainer."""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from mtl_hcc.covariates.reader import CovariateKind
from mtl_hcc.errors import ConfigError
from mtl_hcc.metrics.prediction_columns import TRUTHS

_LARGEST_SEED = 2**32 - 1
"""NumPy's."""
_MOST_RESAMPLES = 100_000
_TAKEN = ("network", "table estimator", *TRUTHS, "region statistics", "all clinical columns")
"""Names of models in the tables of every run."""

Repeat = Literal["always", "never"]
WandbMode = Literal["offline", "online", "disabled"]
_FROM_PRIVATE: tuple[WandbMode, ...] = ("disabled", "offline", "online")
_IN_ENVIRONMENT: dict[str, WandbMode] = {
    **{"disabled": "disabled", "offline": "offline", "dryrun": "offline"},
    **{"online": "online", "run": "online", "shared": "online"},
}


def wandb_mode(configured: WandbMode, flags: Sequence[str]) -> WandbMode:
    """Return what W&B may do: a flag beats all, else the more private of file and environment.

    Who has switched W&B off for the machine, or has ``WANDB_MODE=online`` from another project,
    must not send patients' predictions because of a file's line, or of a variable alone.

    Args:
        configured: As flags and files together say.
        flags: Of the command line.
    """
    allowed = _IN_ENVIRONMENT.get(os.environ.get("WANDB_MODE", "").lower())
    if allowed is None or any(flag.split("=")[0] == "--wandb" for flag in flags):
        return configured
    return min(configured, allowed, key=_FROM_PRIVATE.index)


@dataclass
class KeptEpoch:
    """Which epoch's weights a training ends with, in ``best.ckpt`` and ``model/``.

    Attributes:
        which: ``best`` by its validation loss, or ``last``.
        start: Share of ``trainer.max_epochs``, 0 to below 1: an earlier epoch is kept only until a
            later one comes, and ``patience`` counts from here.
        mean_over: Epochs, up to the one that is judged, over which the number is averaged: the loss
            of a small validation split jumps by more than epochs differ.
        scale: ``fitted`` multiplies the outputs of each task by the factor that fits the validation
            split best before its loss is taken (and adds intercepts to logits), so that
            overconfidence does not decide; ``given`` takes them as they are.
        normalize: Whether the loss of each task is divided by its value at score 0.
    """

    which: Literal["best", "last"] = "best"
    start: float = 0.0
    mean_over: int = 1
    scale: Literal["given", "fitted"] = "given"
    normalize: bool = False

    def first(self, max_epochs: int | None) -> float:
        """Return the first epoch, from 0, that is kept against worse ones; infinity for ``last``.

        Args:
            max_epochs: Of the trainer.
        """
        if self.which == "last":
            return math.inf
        last = (max_epochs or 0) - 1
        return min(math.ceil(self.start * (max_epochs or 0)), last) if last >= 0 else 0


@dataclass
class FitSettings:
    """Settings of one training run.

    Attributes:
        seed: Seed of the weights, the splits' shuffle, the batches and the augmentation.
        seeds: Networks of each fold, trained with the seeds ``seed``, ``seed + 1``, ... The run's
            predictions are the means over them (of log hazards and probabilities), and the run
            predicts as such an ensemble. Each has a folder ``seed_<seed>``.
        run: Folder of the run; everything that the run writes goes there.
        wandb: ``offline`` keeps the W&B files in the run folder, ``online`` sends them (patients'
            predictions included), ``disabled`` writes none. Given as a flag it holds; in a file, or
            left out, ``WANDB_MODE`` of the environment can make it more private, never less.
        wandb_project: Name of the W&B project.
        wandb_group: Name under which W&B groups this run with others (folds, seeds, the variants of
            an ablation); the run's own name when left out.
        patience: Epochs without a better validation loss before training stops.
        keep: Which epoch's weights the training ends with.
        ckpt_path: ``last`` goes on with a run that was stopped; or the path of a checkpoint.
        repeat: What to do where the run folder holds a run of these very settings and data:
            ``always`` moves it aside and trains anew; ``never`` leaves it as it is when it is
            finished, and goes on when it was stopped. Any other run is moved aside by both.
        baselines: Name to the covariates of a clinical model fitted beside the network on the same
            training patients (Cox for survival, logistic regression for classes); a covariate is
            ``linear``, ``log`` (log10(x + 1)) or its list of levels.
        strong_baselines: Beside a run with images also fit, with a ridge chosen on the training
            patients, *region statistics* (mean and spread of tumor, margin zone and liver, log
            tumor volume) and *all clinical columns* together.
        bootstraps: Resamples of the patients behind each interval.
    """

    seed: int = 0
    seeds: int = 1
    run: str = "runs/ct_mtl"
    wandb: WandbMode = "offline"
    wandb_project: str = "mtl_hcc"
    wandb_group: str | None = None
    patience: int = 20
    keep: KeptEpoch = field(default_factory=KeptEpoch)
    ckpt_path: str | None = None
    repeat: Repeat = "always"
    baselines: dict[str, dict[str, CovariateKind]] = field(default_factory=dict)
    strong_baselines: bool = True
    bootstraps: int = 1000


def check_settings(config: Any) -> None:
    """Raise for settings of :class:`FitSettings` with which a run could not end well.

    Args:
        config: The parsed config.

    Raises:
        ConfigError: naming the setting, what is expected, and what to do.
    """
    taken = [name for name in config.baselines if name in _TAKEN]
    endless = "trainer" in config and (config.trainer.max_epochs or -1) < 1
    wrong = {
        "run": (not config.run.strip(), "a folder"),
        "data.store": (not config.data.store.strip(), "a folder"),
        "data.fold": (config.data.fold != 0, "0: each fold of data.split is trained in turn"),
        "seed": (not 0 <= config.seed <= _LARGEST_SEED, f"0 to {_LARGEST_SEED}"),
        "seeds": (config.seeds < 1, "1 or more"),
        "patience": (config.patience < 1, "1 epoch or more"),
        "keep.start": (
            not 0 <= config.keep.start < 1 or (config.keep.start > 0 and endless),
            "a share of trainer.max_epochs, 0 to below 1, and that it is set",
        ),
        "keep.mean_over": (config.keep.mean_over < 1, "1 epoch or more"),
        "bootstraps": (
            not 0 <= config.bootstraps <= _MOST_RESAMPLES,
            f"0 (no intervals) or more, up to {_MOST_RESAMPLES}; papers use 1000",
        ),
        "data.prediction_rotations": (
            "estimator" in config and config.data.prediction_rotations != 1,
            "1: an estimator on tables looks at no images that could be turned",
        ),
        "baselines": (bool(taken), f"other names than {', '.join(_TAKEN)}"),
    }
    if config.seeds > 1:
        last = config.seed + config.seeds - 1
        wrong["seeds"] = (
            "estimator" in config or last > _LARGEST_SEED,
            "1 for an estimator on tables, which is fitted without chance"
            if "estimator" in config
            else f"seeds up to {_LARGEST_SEED}",
        )
        wrong["ckpt_path"] = (
            config.ckpt_path not in (None, "last", "best"),
            "last or best with several seeds: from one checkpoint all would be one network",
        )
    for name, (is_wrong, expected) in wrong.items():
        if is_wrong:
            value = ", ".join(taken) if name == "baselines" else config[name]
            raise ConfigError(
                f"{name.split('.')[-1]} is {value!r}",
                where=name,
                expected=expected,
                remedy="Correct the setting, or leave it out.",
            )


def patience_remark(config: Any) -> str:
    """Return that early stopping cannot act, with the numbers; nothing where it can.

    Args:
        config: The parsed config of a network.
    """
    epochs = config.trainer.max_epochs
    if epochs is None or epochs < 1:
        return ""
    first = KeptEpoch(**config.keep.as_dict()).first(epochs)
    if first + config.patience < epochs - 1:
        return ""
    counted = f" from epoch {first:g} on" if 0 < first < math.inf else ""
    why = "keep.which is last" if first == math.inf else f"patience is {config.patience}{counted}"
    return (
        f"All {epochs} epochs will be trained: {why}, so early stopping cannot act. "
        "Set patience lower if it should."
        if first < math.inf
        else f"All {epochs} epochs will be trained: {why}."
    )
