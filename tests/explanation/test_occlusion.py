"""Scores without a phase or a region, against the sums that they are made of."""

from functools import partial

import numpy as np
import pytest
import torch
from tiny_networks import linear_network, one_patient

from mtl_hcc.explanation.occlusion import (
    phase_method,
    region_method,
    stem_regions,
    without_phase,
    without_region,
    without_view,
)
from mtl_hcc.nn import (
    AxialSlices,
    Bag,
    ClinicalEncoder,
    Concatenate,
    CoxHead,
    DenseNet,
    EncoderParts,
    FullyConnected,
    GatedAttention,
    Mean,
    Nested,
    PatientNetwork,
    PlainStem,
    RegionStem,
    SliceCombinations,
    build_network,
)

STEM, OS, MVI = [1.0], [0.7, -0.4], [[0.0, 0.0], [1.0, 2.0]]


def region_network(kind: type, *, neighbors: int | None = None) -> PatientNetwork:
    torch.manual_seed(0)
    dimensions = "3d" if neighbors is None else "2d"
    parts = EncoderParts(
        instances=None if neighbors is None else AxialSlices(neighbors=neighbors),
        stem=lambda channels: kind(channels, out_channels=8, dimensions=dimensions),
        backbone=lambda channels: DenseNet(
            channels, growth_rate=4, layers=(1,), dimensions=dimensions
        ),
        aggregator=Mean,
    )
    heads = {"os": lambda width: CoxHead(width, endpoint="os")}
    return build_network(
        heads, partial(FullyConnected, widths=()), {"tumor": parts}, None, []
    ).eval()


def bag(vectors: torch.Tensor, present: torch.Tensor | None = None) -> dict[str, Bag]:
    """Return one vector for each phase, (patient, phase, feature), of the view ``tumor``."""
    there = torch.ones(vectors.shape[:2], dtype=torch.bool) if present is None else present
    phase = torch.arange(vectors.shape[1]).expand(there.shape)
    return {"tumor": Bag(vectors, there, phase, torch.zeros(there.shape), vectors.shape[1])}


def patients(number: int = 3):
    return [one_patient(seed=seed) for seed in range(number)]


def test_from_the_kept_vectors_on_the_scores_are_the_same():
    network, batch = linear_network(STEM, os=OS, mvi=MVI), one_patient()
    outputs = network(batch)
    again = network.judge(network.bags(batch), None)
    torch.testing.assert_close(again["os"], outputs["os"])
    torch.testing.assert_close(again["mvi"], outputs["mvi"])


def test_a_phase_that_was_never_missed_becomes_its_mean_over_the_patients():
    network = linear_network(STEM, os=OS, mvi=MVI)
    means = torch.stack([b.views["tumor"].images[0].mean(dim=(1, 2, 3)) for b in patients()])
    outputs = without_phase(network, "tumor", bag(means[..., None]), None, 0)
    expected = OS[0] * means[:, 0].mean() + OS[1] * means[:, 1]
    torch.testing.assert_close(outputs["os"][:, 0], expected)
    assert "mean over the explained patients" in phase_method(network.encoder("tumor"))


def test_the_mean_is_that_of_the_patients_who_have_the_phase():
    network = linear_network(STEM, os=[1.0, 0.0], mvi=MVI)
    vectors = torch.tensor([[[1.0], [0.0]], [[3.0], [0.0]], [[100.0], [0.0]]])
    present = torch.tensor([[True, True], [True, True], [False, True]])
    outputs = without_phase(network, "tumor", bag(vectors, present), None, 0)
    assert outputs["os"][:, 0].tolist() == [2.0, 2.0, 0.0], "the third never had it"


@pytest.mark.parametrize("trained", [True, False])
def test_a_learned_vector_of_absence_is_used(trained):
    network = linear_network(STEM, os=[1.0, 1.0], mvi=MVI)
    network.encoder("tumor").aggregator.missing.data += 5.0 * trained
    outputs = without_phase(network, "tumor", bag(torch.ones(2, 2, 1)), None, 1)
    assert outputs["os"][:, 0].tolist() == ([6.0, 6.0] if trained else [2.0, 2.0])
    assert ("absent" in phase_method(network.encoder("tumor"))) == trained


def test_a_mean_over_phases_does_without_one():
    network = linear_network(STEM, os=[1.0], mvi=[[0.0], [1.0]], aggregator=Mean(1))
    outputs = without_phase(network, "tumor", bag(torch.tensor([[[1.0], [5.0]]])), None, 0)
    assert outputs["os"].item() == 5.0


@pytest.mark.parametrize(
    ("aggregator", "method"),
    [
        (GatedAttention, "phase marked as absent"),
        (lambda width: Nested(width, within=Mean, over=GatedAttention), "phase marked as absent"),
        (lambda width: Nested(width, within=Mean, over=Concatenate), "mean over the explained"),
    ],
)
def test_how_a_phase_is_taken_away_depends_on_what_joins_the_phases(aggregator, method: str):
    network = linear_network(STEM, os=OS, mvi=MVI)
    encoder = network.encoder("tumor")
    encoder.aggregator = aggregator(1)
    assert method in phase_method(encoder)
    encoder.instances = SliceCombinations(phases=2)
    assert "mean over the explained" in phase_method(encoder), "they never saw zeros in training"


def test_a_view_is_taken_away_by_the_means_of_its_vectors():
    network = linear_network(STEM, os=OS, mvi=MVI)
    vectors = torch.rand(4, 2, 1, generator=torch.Generator().manual_seed(0))
    outputs = without_view(network, "tumor", bag(vectors), None)
    mean = vectors.mean(0)[:, 0] @ torch.tensor(OS)
    torch.testing.assert_close(outputs["os"][:, 0], mean.expand(4))
    torch.manual_seed(0)
    parts = EncoderParts(stem=PlainStem, backbone=DenseNet, aggregator=Concatenate)
    joined = build_network(
        {"os": lambda width: CoxHead(width, endpoint="os")},
        FullyConnected,
        {"tumor": parts},
        ClinicalEncoder,
        ["age_years"],
    ).eval()
    width = joined.encoder("tumor").backbone.out_features
    given = bag(torch.rand(4, 3, width))
    ages = torch.tensor([[1.0], [2.0], [3.0], [1.0]])
    found = without_view(joined, "tumor", given, ages)["os"][:, 0]
    assert found[0] == found[3], "only the covariate is left"
    assert found[0] != found[1]


@pytest.mark.parametrize("neighbors", [None, 0, 1])
def test_a_region_is_off_when_its_filters_are_zero(neighbors: int | None):
    network, batch = region_network(RegionStem, neighbors=neighbors), one_patient()
    stem, seen = network.encoder("tumor").stem, batch.views["tumor"]
    seen.regions |= 4 * (torch.rand(seen.regions.shape) < 0.2)
    for number, region in enumerate(stem_regions(stem)):
        found = without_region(network, batch, "tumor", region)["os"]
        weight = stem.convolution.weight.data
        kept = weight.clone()
        weight.unflatten(1, (2, 3, -1))[:, :, number] = 0
        torch.testing.assert_close(found, network(batch)["os"].detach())
        weight.copy_(kept)
        assert found.item() != network(batch)["os"].item()
    assert stem_regions(stem) == ("background_liver", "margin", "tumor")
    assert "stem" in region_method(stem)


def test_without_region_stems_the_image_is_empty_there():
    network, batch = region_network(PlainStem), one_patient()
    found = without_region(network, batch, "tumor", "tumor")["os"]
    seen = batch.views["tumor"]
    before = seen.images.clone()
    seen.images = torch.where(seen.regions & 2 > 0, 0.0, seen.images)
    torch.testing.assert_close(found, network(batch)["os"].detach())
    assert (before != seen.images).any()
    assert np.isfinite(found.item())
