"""The sanity test of the maps: with random weights they must become other maps (Adebayo 2018)."""

from collections.abc import Iterator
from copy import deepcopy

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import spearmanr
from torch import nn

from mtl_hcc.nn.network import PatientNetwork

STAGES = ("heads", "fusion", "backbone", "stem")
"""From the output to the input; each adds to those before it, the last one is the whole network."""


def randomized(
    network: PatientNetwork, view: str, *, seed: int
) -> Iterator[tuple[str, PatientNetwork]]:
    """Yield copies of a network with more and more random weights ("cascading randomization").

    Args:
        network: Trained.
        view: Whose encoder is explained.
        seed: Seed of the weights.

    Yields:
        The stage up to which the weights are random, from the heads down, and the copy, on the
        device of the original.
    """
    device = next(network.parameters()).device
    copy = deepcopy(network).cpu()  # there the draw is the same on every machine
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for stage in STAGES:
            for part in _parts(copy, view, stage):
                _reset(part)
            yield stage, deepcopy(copy).requires_grad_(False).eval().to(device)


def rank_correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Return Spearman's correlation of two maps over the same voxels; 0 if one is constant.

    Args:
        one: (voxel,).
        other: (voxel,).
    """
    if one.size < 2 or np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    return float(spearmanr(one, other).statistic)


def _parts(network: PatientNetwork, view: str, stage: str) -> list[nn.Module]:
    encoder = network.encoder(view)
    parts: dict[str, list[nn.Module | None]] = {
        "heads": [network.heads],
        "fusion": [network.fusion, network.clinical, encoder.aggregator],
        "backbone": [encoder.backbone, encoder.projection],
        "stem": [encoder.stem],
    }
    return [part for part in parts[stage] if part is not None]


def _reset(part: nn.Module) -> None:
    """Draw all weights anew as torch does before training; batch-norm statistics are forgotten.

    A projection too, although it is zero before training: nothing would be seen through it.
    """
    for module in part.modules():
        reset = getattr(module, "reset_parameters", None)
        if callable(reset):
            reset()
