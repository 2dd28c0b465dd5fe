"""Whether weights fit a network, and are numbers: looked at before anything is loaded."""

from collections.abc import Mapping

import torch
from torch import Tensor

from mtl_hcc.errors import CheckpointError


def check_fits(expected: Mapping[str, Tensor], found: Mapping[str, Tensor], *, where: str) -> None:
    """Raise unless names and shapes of the weights agree.

    Raises:
        CheckpointError: naming the first weight that differs.
    """
    grows = ("baseline_time", "baseline_hazard")  # one entry per event time of the training split
    for name in sorted({*expected, *found}):
        one, other = expected.get(name), found.get(name)
        if name.endswith(grows) and one is not None and other is not None:
            continue
        if one is None or other is None or one.shape != other.shape:
            shapes = [tuple(t.shape) if t is not None else "absent" for t in (other, one)]
            raise CheckpointError(
                f"weight '{name}' is {shapes[0]} in the checkpoint but {shapes[1]} in this config",
                where=where,
                expected="a checkpoint of the same model settings",
                remedy="Use the config.yaml beside the checkpoint, or train anew.",
            )


def check_finite(weights: Mapping[str, Tensor], *, where: str) -> None:
    """Raise when a weight is not a number or infinite: such a network predicts nonsense.

    Raises:
        CheckpointError: naming the first such weight.
    """
    for name, weight in weights.items():
        if not torch.isfinite(weight).all():
            raise CheckpointError(
                f"weight '{name}' holds values that are no numbers (NaN or infinite)",
                where=where,
                expected="the weights of a training that went well",
                remedy="Take another checkpoint of the run, or train anew with a lower "
                "learning_rate.",
            )
