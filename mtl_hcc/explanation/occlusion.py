"""What a patient's scores become without one phase, or without one region."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from mtl_hcc.batch import PatientBatch
from mtl_hcc.nn import Aggregator, Bag, Concatenate, Stem
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


@dataclass
class Passed:
    """What passed through a network on the way to its outputs.

    Attributes:
        bags: That reached the aggregator of the explained encoder.
        parts: Vectors of all encoders (and the clinical one) that reached the fusion.
    """

    bags: list[Bag]
    parts: list[list[Tensor]]


@contextmanager
def passing(network: PatientNetwork, view: str) -> Iterator[Passed]:
    """Keep the bags and the vectors that pass meanwhile."""
    kept = Passed([], [])

    def keep_bag(module: nn.Module, inputs: tuple[Bag]) -> None:
        kept.bags.append(inputs[0].with_features(inputs[0].features.detach()))

    def keep_parts(module: nn.Module, inputs: tuple[list[Tensor]]) -> None:
        kept.parts.append([part.detach() for part in inputs[0]])

    handles = [
        network.encoder(view).aggregator.register_forward_pre_hook(keep_bag),
        network.fusion.register_forward_pre_hook(keep_parts),
    ]
    try:
        yield kept
    finally:
        for handle in handles:
            handle.remove()


def phase_method(aggregator: Aggregator) -> str:
    """Say how a phase is taken away: as a missing one, where the aggregator has learned that."""
    if _knows_missing(aggregator):
        return "phase marked as absent"
    return "phase's vector replaced by its mean over the explained patients"


@torch.no_grad()
def from_bag(
    network: PatientNetwork, view: str, bag: Bag, parts: Sequence[Tensor]
) -> dict[str, Tensor]:
    """Return the outputs from the instances' vectors on: aggregator, fusion and heads.

    Args:
        network: In evaluation mode.
        view: Whose instances are given.
        bag: The instances.
        parts: What reached the fusion; the part of ``view`` is computed anew.
    """
    place = list(network.encoders).index(view)
    changed = list(parts)
    changed[place] = network.encoder(view).aggregator(bag)
    embedding = network.fusion(changed)
    return {name: head(embedding) for name, head in network.heads.items()}


def without_phase(
    network: PatientNetwork, view: str, bag: Bag, parts: Sequence[Tensor], phase: int
) -> dict[str, Tensor]:
    """Return the outputs when one phase is taken away.

    An aggregator that has learned to do without marks it as absent. A ``Concatenate`` that never
    missed a phase in training holds nothing for an absent one: there the vector becomes its mean
    over the patients (whom the phase then no longer tells apart; labels are not looked at).

    Args:
        network: As in :func:`from_bag`.
        view: In which the phase is taken away.
        bag: Of all patients that are explained.
        parts: Likewise.
        phase: Number of the phase.
    """
    of_phase = bag.phase == phase
    if _knows_missing(network.encoder(view).aggregator):
        return from_bag(network, view, replace(bag, present=bag.present & ~of_phase), parts)
    features = bag.features.clone()
    here = of_phase & bag.present
    if here.any():
        features[here] = features[here].mean(dim=0)
    return from_bag(network, view, bag.with_features(features), parts)


def _knows_missing(aggregator: Aggregator) -> bool:
    """Return whether the aggregator was made or trained for absent phases."""
    return not isinstance(aggregator, Concatenate) or bool(aggregator.missing.any())
