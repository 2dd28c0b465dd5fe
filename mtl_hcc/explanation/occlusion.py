"""What a patient's scores become without one region, one phase, or one whole view."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import Tensor, nn

from mtl_hcc.batch import PatientBatch
from mtl_hcc.nn import Bag, Concatenate, ImageEncoder, Nested, Stem
from mtl_hcc.nn.network import PatientNetwork
from mtl_hcc.nn.stems import RegionStem

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
def without_region(
    network: PatientNetwork, batch: PatientBatch, view: str, region: str
) -> dict[str, Tensor]:
    """Return the outputs when a region of all phases does not reach the stem.

    Args:
        network: With images, in evaluation mode.
        batch: Patients.
        view: In which the region is taken away.
        region: One of :func:`stem_regions`.
    """
    stem = network.encoder(view).stem
    if isinstance(stem, RegionStem):
        with _channels_off(stem, region):
            outputs: dict[str, Tensor] = network(batch)
        return outputs
    seen = batch.views[view]
    images = seen.images.masked_fill(seen.region_maps.mask(region), 0)
    outputs = network(replace(batch, views={**batch.views, view: replace(seen, images=images)}))
    return outputs


@contextmanager
def _channels_off(stem: RegionStem, region: str) -> Iterator[None]:
    """Zero the region's input channels of the stem's convolution: its images, and its masks."""
    place, regions = stem.regions.index(region), len(stem.regions)

    def off(module: nn.Module, inputs: tuple[Tensor]) -> tuple[Tensor]:
        kept = inputs[0].clone()
        kept.unflatten(1, (2, regions, -1))[:, :, place] = 0
        return (kept,)

    handle = stem.convolution.register_forward_pre_hook(off)
    try:
        yield
    finally:
        handle.remove()


def phase_method(encoder: ImageEncoder) -> str:
    """Say how a phase is taken away: as a missing one, where the encoder has learned that."""
    if _knows_missing(encoder):
        return "phase marked as absent"
    return "phase's vector replaced by its mean over the explained patients"


VIEW_METHOD = "vectors of all phases replaced by their means over the explained patients"


@torch.no_grad()
def without_phase(
    network: PatientNetwork,
    view: str,
    bags: Mapping[str, Bag],
    covariates: Tensor | None,
    phase: int,
) -> dict[str, Tensor]:
    """Return the outputs when one phase is taken away.

    An aggregator that has learned to do without marks it as absent. A ``Concatenate`` that never
    missed a phase in training holds nothing for an absent one: there the vector becomes its mean
    over the patients (whom the phase then no longer tells apart; labels are not looked at).

    Args:
        network: In evaluation mode.
        view: In which the phase is taken away.
        bags: Of all patients that are explained, by view.
        covariates: Of the same patients.
        phase: Number of the phase.
    """
    bag = bags[view]
    if _knows_missing(network.encoder(view)):
        changed = bag.only(bag.phase != phase)
    else:
        changed = _averaged(bag, phase)
    return network.judge({**bags, view: changed}, covariates)


@torch.no_grad()
def without_view(
    network: PatientNetwork, view: str, bags: Mapping[str, Bag], covariates: Tensor | None
) -> dict[str, Tensor]:
    """Return the outputs when a view no longer tells the patients apart.

    Each instance becomes the mean of its phase over the patients; which phases and slices a patient
    has stays as it is.

    Args:
        network: As in :func:`without_phase`.
        view: That is taken away.
        bags: As in :func:`without_phase`.
        covariates: As in :func:`without_phase`.
    """
    changed = bags[view]
    for phase in range(changed.phases):
        changed = _averaged(changed, phase)
    return network.judge({**bags, view: changed}, covariates)


def _averaged(bag: Bag, phase: int) -> Bag:
    """Return the bag with the mean vector of a phase in place of each of its vectors."""
    here = (bag.phase == phase) & bag.present
    features = bag.features.clone()
    if here.any():
        features[here] = features[here].mean(dim=0)
    return bag.with_features(features)


def _knows_missing(encoder: ImageEncoder) -> bool:
    """Return whether the encoder was made or trained for absent phases."""
    if encoder.instances.joins_phases:
        return False
    last = encoder.aggregator
    while isinstance(last, Nested):
        last = last.over
    return not isinstance(last, Concatenate) or bool(last.missing.any())
