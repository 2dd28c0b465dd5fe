"""What a patient's scores become without one phase, or without one region."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from mtl_hcc.batch import PatientBatch
from mtl_hcc.nn import Aggregator, Concatenate, Stem
from mtl_hcc.nn.network import PatientNetwork
from mtl_hcc.nn.stems import RegionStem, region_mask

DEFAULT_REGIONS = ("background_liver", "margin", "tumor")


def stem_regions(stem: Stem) -> tuple[str, ...]:
    """Return the regions that can be taken away from this stem."""
    return stem.regions if isinstance(stem, RegionStem) else DEFAULT_REGIONS


def region_method(stem: Stem) -> str:
    """Say how a region is taken away."""
    if isinstance(stem, RegionStem):
        return "image and mask of the region are zero in the stem"
    return "image is zero in the region"


@torch.no_grad()
def without_region(network: PatientNetwork, batch: PatientBatch, region: str) -> dict[str, Tensor]:
    """Return the outputs when a region of all phases does not reach the stem.

    Args:
        network: With images, in evaluation mode.
        batch: Patients.
        region: One of :func:`stem_regions`.
    """
    if network.image is None or batch.images is None or batch.regions is None:
        raise ValueError("this network or batch has no images")
    stem = network.image.stem
    if isinstance(stem, RegionStem):
        with _channels_off(stem, region):
            outputs: dict[str, Tensor] = network(batch)
        return outputs
    images = batch.images.masked_fill(region_mask(batch.regions, region), 0)
    outputs = network(replace(batch, images=images))
    return outputs


@contextmanager
def _channels_off(stem: RegionStem, region: str) -> Iterator[None]:
    """Zero the region's two input channels of the stem's convolution."""
    place = stem.regions.index(region)
    channels = [place, place + len(stem.regions)]

    def off(module: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        kept = torch.ones(inputs[0].shape[1], device=inputs[0].device, dtype=inputs[0].dtype)
        kept[channels] = 0
        return (inputs[0] * kept[:, None, None, None],)

    handle = stem.convolution.register_forward_pre_hook(off)
    try:
        yield
    finally:
        handle.remove()


@contextmanager
def phase_vectors(aggregator: Aggregator) -> Iterator[list[Tensor]]:
    """Keep the (patient, phase, feature) vectors that reach the aggregator meanwhile."""
    kept: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, Tensor]) -> None:
        kept.append(inputs[0].detach())

    handle = aggregator.register_forward_pre_hook(keep)
    try:
        yield kept
    finally:
        handle.remove()


def phase_method(aggregator: Aggregator) -> str:
    """Say how a phase is taken away: as a missing one, where the aggregator has learned that."""
    if _knows_missing(aggregator):
        return "phase marked as absent"
    return "phase's vector replaced by its mean over the explained patients"


@torch.no_grad()
def from_vectors(
    network: PatientNetwork, vectors: Tensor, present: Tensor, covariates: Tensor | None
) -> dict[str, Tensor]:
    """Return the outputs from the phases' vectors on: aggregator, fusion and heads.

    Args:
        network: With images, in evaluation mode.
        vectors: (patient, phase, feature).
        present: (patient, phase) bool.
        covariates: (patient, covariate), if the network takes any.
    """
    if network.image is None:
        raise ValueError("this network has no images")
    parts = [network.image.aggregator(vectors, present)]
    if network.clinical is not None and covariates is not None:
        parts.append(network.clinical(covariates))
    embedding = network.fusion(parts)
    return {name: head(embedding) for name, head in network.heads.items()}


def without_phase(
    network: PatientNetwork,
    vectors: Tensor,
    present: Tensor,
    covariates: Tensor | None,
    phase: int,
) -> dict[str, Tensor]:
    """Return the outputs when one phase is taken away.

    An aggregator that has learned to do without marks it as absent. A ``Concatenate`` that never
    missed a phase in training holds nothing for an absent one: there the vector becomes its mean
    over the patients (whom the phase then no longer tells apart; labels are not looked at).

    Args:
        network: As in :func:`from_vectors`, and so the others.
        vectors: Of all patients that are explained.
        present: Likewise.
        covariates: Likewise.
        phase: Number of the phase.
    """
    if network.image is None:
        raise ValueError("this network has no images")
    if _knows_missing(network.image.aggregator):
        present = present.clone()
        present[:, phase] = False
    else:
        vectors = vectors.clone()
        here = present[:, phase]
        if here.any():
            vectors[here, phase] = vectors[here, phase].mean(dim=0)
    return from_vectors(network, vectors, present, covariates)


def _knows_missing(aggregator: Aggregator) -> bool:
    """Return whether the aggregator was made or trained for absent phases."""
    return not isinstance(aggregator, Concatenate) or bool(aggregator.missing.any())
