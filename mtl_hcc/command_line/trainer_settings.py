"""Settings of Lightning's trainer that would end without a result, or with a wrong one."""

import os
from collections.abc import Callable, Mapping
from typing import Any

from mtl_hcc.errors import ConfigError

_WHOLE_EPOCHS = "The epoch that is kept is chosen by the loss of the whole validation split."
PRECISIONS = ("32-true", "32", "bf16-mixed", "bf16", "16-mixed", "16")
"""Images and losses are float32 outside of autocast."""

Check = Callable[[Any], bool]
_RULES: dict[str, tuple[Check, str, str]] = {
    "max_epochs": (lambda x: x != 0, "1 or more", "Without an epoch nothing is learned."),
    "max_steps": (
        lambda x: x in (None, -1),
        "-1: training ends with a whole epoch",
        "Set trainer.max_epochs instead.",
    ),
    "check_val_every_n_epoch": (lambda x: x in (None, 1), "1", _WHOLE_EPOCHS),
    "val_check_interval": (lambda x: x in (None, 1.0), "nothing or 1.0", _WHOLE_EPOCHS),
    "limit_val_batches": (lambda x: x is None or x > 0, "above 0", _WHOLE_EPOCHS),
    "limit_train_batches": (lambda x: x is None or x > 0, "above 0", "Nothing would be learned."),
    "overfit_batches": (
        lambda x: not x,
        "0",
        "It would validate on training patients. Set trainer.limit_train_batches instead.",
    ),
    "fast_dev_run": (
        lambda x: not x,
        "false",
        "It keeps no checkpoint to predict with. For a trial: --trainer.max_epochs 1 "
        "--trainer.limit_train_batches 2.",
    ),
    "barebones": (lambda x: not x, "false", "It keeps neither checkpoint nor history."),
    "enable_checkpointing": (
        lambda x: x is not False,
        "true",
        "The best epoch's checkpoint is what predicts.",
    ),
    "precision": (
        lambda x: x is None or str(x) in PRECISIONS,
        f"one of {', '.join(PRECISIONS)}",
        "Weights stay in float32; mixed precision saves the memory.",
    ),
    "accumulate_grad_batches": (lambda x: x >= 1, "1 or more", "Correct it."),
    "gradient_clip_val": (lambda x: x is None or x >= 0, "0 or more", "Correct it."),
}


def check_trainer(settings: Mapping[str, Any]) -> None:
    """Raise for settings of the trainer with which a run could not end well.

    Args:
        settings: Arguments of Lightning's ``Trainer``.

    Raises:
        ConfigError: naming the setting, what is expected, and why.
    """
    if not hasattr(settings, "items"):
        raise ConfigError(
            f"trainer is {settings}",
            where="trainer",
            expected="settings below it, e.g. max_epochs",
            remedy="Correct the config.",
        )
    for name, (right, expected, remedy) in _RULES.items():
        if name in settings and not right(settings[name]):
            raise ConfigError(
                f"{name} is {settings[name]}",
                where=f"trainer.{name}",
                expected=expected,
                remedy=remedy,
            )
    _check_processes(settings)


def _check_processes(settings: Mapping[str, Any]) -> None:
    """Refuse more processes on the CPU than it has cores: they would only wait for each other."""
    import torch

    on_cpu = settings.get("accelerator") == "cpu" or not torch.accelerator.is_available()
    devices, cores = str(settings.get("devices")), max(os.cpu_count() or 1, 2)
    if on_cpu and devices.lstrip("-").isdigit() and not 1 <= int(devices) <= cores:
        raise ConfigError(
            f"devices is {devices}",
            where="trainer.devices",
            expected=f"1 to {cores} processes on this CPU",
            remedy="Correct it, or leave it out.",
        )
