"""Scores without a phase or a region, against the sums that they are made of."""

import numpy as np
import pytest
import torch
from tiny_networks import linear_network, one_patient

from mtl_hcc.explanation.occlusion import (
    from_vectors,
    phase_method,
    phase_vectors,
    region_method,
    stem_regions,
    without_phase,
    without_region,
)
from mtl_hcc.nn import (
    Concatenate,
    CoxHead,
    DenseNet,
    FullyConnected,
    GatedAttention,
    Mean,
    PlainStem,
    RegionStem,
)
from mtl_hcc.nn.network import ImageEncoder, PatientNetwork

STEM, OS, MVI = [1.0], [0.7, -0.4], [[0.0, 0.0], [1.0, 2.0]]


def region_network(stem) -> PatientNetwork:
    torch.manual_seed(0)
    backbone = DenseNet(8, growth_rate=4, layers=(1,))
    aggregator = Concatenate(backbone.out_features, phases=2)
    image = ImageEncoder(stem=stem, backbone=backbone, aggregator=aggregator)
    fusion = FullyConnected(aggregator.out_features, widths=())
    heads = {"os": CoxHead(fusion.out_features, endpoint="os")}
    return PatientNetwork(image=image, clinical=None, fusion=fusion, heads=heads).eval()


def patients(number: int = 3):
    return [one_patient(seed=seed) for seed in range(number)]


def test_from_the_kept_vectors_on_the_scores_are_the_same():
    network, batch = linear_network(STEM, os=OS, mvi=MVI), one_patient()
    with phase_vectors(network.image.aggregator) as kept:
        outputs = network(batch)
    again = from_vectors(network, kept[0], batch.phase_present, None)
    torch.testing.assert_close(again["os"], outputs["os"])
    torch.testing.assert_close(again["mvi"], outputs["mvi"])


def test_a_phase_that_was_never_missed_becomes_its_mean_over_the_patients():
    network = linear_network(STEM, os=OS, mvi=MVI)
    means = torch.stack([b.images[0].mean(dim=(1, 2, 3)) for b in patients()])  # (patient, phase)
    present = torch.ones(3, 2, dtype=torch.bool)
    outputs = without_phase(network, means[..., None], present, None, 0)
    expected = OS[0] * means[:, 0].mean() + OS[1] * means[:, 1]
    torch.testing.assert_close(outputs["os"][:, 0], expected)
    assert "mean over the explained patients" in phase_method(network.image.aggregator)


def test_the_mean_is_that_of_the_patients_who_have_the_phase():
    network = linear_network(STEM, os=[1.0, 0.0], mvi=MVI)
    vectors = torch.tensor([[[1.0], [0.0]], [[3.0], [0.0]], [[100.0], [0.0]]])
    present = torch.tensor([[True, True], [True, True], [False, True]])
    outputs = without_phase(network, vectors, present, None, 0)
    assert outputs["os"][:, 0].tolist() == [2.0, 2.0, 0.0], "the third never had it"


@pytest.mark.parametrize("trained", [True, False])
def test_a_learned_vector_of_absence_is_used(trained):
    network = linear_network(STEM, os=[1.0, 1.0], mvi=MVI)
    network.image.aggregator.missing.data += 5.0 * trained
    vectors, present = torch.ones(2, 2, 1), torch.ones(2, 2, dtype=torch.bool)
    outputs = without_phase(network, vectors, present, None, 1)
    assert outputs["os"][:, 0].tolist() == ([6.0, 6.0] if trained else [2.0, 2.0])
    assert ("absent" in phase_method(network.image.aggregator)) == trained


def test_a_mean_over_phases_does_without_one():
    network = linear_network(STEM, os=[1.0], mvi=[[0.0], [1.0]], aggregator=Mean(1))
    vectors = torch.tensor([[[1.0], [5.0]]])
    outputs = without_phase(network, vectors, torch.ones(1, 2, dtype=torch.bool), None, 0)
    assert outputs["os"].item() == 5.0
    assert phase_method(GatedAttention(1)) == "phase marked as absent"


def test_a_region_is_off_when_its_filters_are_zero():
    stem = RegionStem(out_channels=8)
    network, batch = region_network(stem), one_patient()
    batch.regions |= 4 * (torch.rand(batch.regions.shape) < 0.2)
    for number, region in enumerate(stem_regions(stem)):
        found = without_region(network, batch, region)["os"]
        weight = stem.convolution.weight.data
        kept = weight.clone()
        weight[:, [number, number + 3]] = 0
        torch.testing.assert_close(found, network(batch)["os"].detach())
        weight.copy_(kept)
        assert found.item() != network(batch)["os"].item()
    assert stem_regions(stem) == ("background_liver", "margin", "tumor")
    assert "stem" in region_method(stem)


def test_without_region_stems_the_image_is_empty_there():
    stem = PlainStem(out_channels=8)
    network, batch = region_network(stem), one_patient()
    found = without_region(network, batch, "tumor")["os"]
    before = batch.images.clone()
    batch.images = torch.where(batch.regions & 2 > 0, 0.0, batch.images)
    torch.testing.assert_close(found, network(batch)["os"].detach())
    assert (before != batch.images).any()
    assert np.isfinite(found.item())
