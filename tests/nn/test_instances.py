"""Instances: which slices of a view are there, where they lie, and what stands beside them."""

from dataclasses import replace

import pytest
import torch
from one_view import view_batch

from mtl_hcc.batch import ViewBatch
from mtl_hcc.nn import AxialSlices, Bag, SliceCombinations, Volumes
from mtl_hcc.regions import region_bits

PHASES, DEPTH, EDGE = 3, 8, 6
BITS = region_bits(("margin", "shell"))


def stack() -> ViewBatch:
    """Two patients: tumor and shell at other levels, a missing phase, two padding slices."""
    shape = (2, PHASES, DEPTH, EDGE, EDGE)
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0))
    regions = torch.full(shape, BITS["liver"], dtype=torch.uint8)
    regions[0, :, 3:5, 2:4, 2:4] |= BITS["tumor"]
    regions[0, :, 2:6, 1:5, 1:5] |= BITS["shell"]
    regions[0, 2, 6, 0, 0] |= BITS["tumor"]
    regions[1, 0, 0, 1, 1] |= BITS["tumor"]
    present = torch.tensor([[True, True, True], [True, False, True]])
    view = view_batch(images, regions, present, zones=("margin", "shell"), spacing_mm=(1, 1, 5))
    view.slice_present[1, 6:] = False
    return view


def levels(maker, view: ViewBatch, patient: int, phase: int) -> list[int]:
    layout = maker.layout(view)
    here = layout.present[patient] & (layout.phase[patient] == phase)
    return layout.level[patient][here].tolist()


def test_all_slices_that_are_there_are_instances_when_no_region_is_named():
    view = stack()
    assert levels(AxialSlices(), view, 0, 1) == list(range(8))
    assert levels(AxialSlices(), view, 1, 0) == list(range(6))
    assert levels(AxialSlices(), view, 1, 1) == []


def test_a_slice_must_meet_one_of_the_regions():
    view = stack()
    assert levels(AxialSlices(of=["tumor"]), view, 0, 0) == [3, 4]
    assert levels(AxialSlices(of=["tumor"]), view, 0, 2) == [3, 4, 6]
    assert levels(AxialSlices(of=["tumor", "shell"]), view, 0, 0) == [2, 3, 4, 5]
    assert levels(AxialSlices(of=["tumor"]), view, 1, 0) == [0]
    assert levels(AxialSlices(of=["tumor"]), view, 1, 2) == [], "nothing drawn: an empty phase"
    with pytest.raises(ValueError, match="unknown region 'spleen'"):
        AxialSlices(of=["spleen"]).layout(view)


def test_the_place_is_counted_in_millimeters_from_the_middle_of_the_slices_that_are_there():
    layout = AxialSlices().layout(stack())
    assert layout.place_mm[0, :8].tolist() == [5 * (k - 3.5) for k in range(8)]
    assert layout.place_mm[1, :6].tolist() == [5 * (k - 2.5) for k in range(6)]


def test_neighbors_stand_on_each_side_and_are_empty_beyond_the_ends():
    view, maker = stack(), AxialSlices(neighbors=1)
    layout = maker.layout(view)
    rows = layout.present.flatten().nonzero()[:, 0]
    images, regions = maker.take(view, layout, rows)
    assert images.shape == regions.bits.shape == (len(rows), 3, EDGE, EDGE)
    patient = rows // layout.present.shape[1]
    for row, (who, phase, level) in enumerate(
        zip(patient, layout.phase.flatten()[rows], layout.level.flatten()[rows], strict=True)
    ):
        last = 5 if who == 1 else 7
        for channel, beside in enumerate((level - 1, level, level + 1)):
            there = 0 <= beside <= last
            expected = view.images[who, phase, beside] if there else torch.zeros(EDGE, EDGE)
            assert images[row, channel].equal(expected)
            bits = view.regions[who, phase, beside] if there else torch.zeros(EDGE, EDGE)
            assert regions.bits[row, channel].equal(bits.byte())


def test_a_slice_that_only_pads_is_never_seen_whatever_stands_in_it():
    maker, view = AxialSlices(neighbors=2), stack()
    other = replace(view, images=view.images.clone(), regions=view.regions.clone())
    other.images[1, :, 6:] = torch.nan
    other.regions[1, :, 6:] = 255
    for seen in (view, other):
        layout = maker.layout(seen)
        rows = layout.present.flatten().nonzero()[:, 0]
        images, regions = maker.take(seen, layout, rows)
        if seen is view:
            expected = images, regions.bits
    assert images.equal(expected[0])
    assert regions.bits.equal(expected[1])


def test_volumes_are_one_for_each_phase():
    view = stack()
    layout = Volumes().layout(view)
    images, _ = Volumes().take(view, layout, torch.tensor([1, 5]))
    assert layout.present.equal(view.phase_present)
    assert images[:, 0].equal(torch.stack([view.images[0, 1], view.images[1, 2]]))


def test_slices_around_the_largest_area_go_through_the_backbone_once():
    view = stack()
    view.regions[0, 1, 5, :5, :5] |= BITS["tumor"]
    maker = SliceCombinations(slices=3)
    assert levels(maker, view, 0, 0) == [2, 3, 4], "two slices are as large: the lower one"
    assert levels(maker, view, 0, 1) == [4, 5, 6]
    assert levels(maker, view, 1, 0) == [0, 1, 2], "moved up from the end of the stack"
    assert levels(maker, view, 1, 2) == [], "the tumor was not drawn there"
    view.regions[1, 0, 5] |= BITS["tumor"]
    assert levels(maker, view, 1, 0) == [3, 4, 5], "and never onto padding"


def bag_of(view: ViewBatch, maker: SliceCombinations) -> Bag:
    layout = maker.layout(view)
    features = torch.arange(layout.present.numel() * 2.0).unflatten(0, (*layout.present.shape, 2))
    return Bag(features, layout.present, layout.phase, layout.place_mm, PHASES)


def test_instances_are_all_combinations_of_one_slice_for_each_phase():
    maker = SliceCombinations(slices=3)
    bag = bag_of(stack(), maker)
    joined = maker.combine(bag)
    assert joined.features.shape == (2, 27, 6)
    assert maker.out_features(2) == 6
    assert joined.present[0].all()
    found = {tuple(vector.tolist()) for vector in joined.features[0]}
    slots = bag.features[0].unflatten(0, (3, 3))
    expected = {
        (*slots[0, a].tolist(), *slots[1, b].tolist(), *slots[2, c].tolist())
        for a in range(3)
        for b in range(3)
        for c in range(3)
    }
    assert found == expected


def test_a_missing_phase_holds_zeros_and_gives_no_choice():
    maker, view = SliceCombinations(slices=3), stack()
    joined = maker.combine(bag_of(view, maker))  # the second patient has one phase with a tumor
    assert joined.present[1].sum() == 3
    assert (joined.features[1, joined.present[1], 2:] == 0).all()
    view.phase_present[1] = False
    assert not maker.combine(bag_of(view, maker)).present[1].any()


def test_weights_of_combinations_are_shared_out_to_their_slices():
    maker = SliceCombinations(slices=3)
    bag = bag_of(stack(), maker)
    joined = maker.combine(bag)
    weights = torch.rand(2, 27).masked_fill(~joined.present, 0)
    weights = weights / weights.sum(1, keepdim=True)
    shares = maker.spread(weights, bag)
    torch.testing.assert_close(shares.sum(1), torch.ones(2))
    assert (shares[~bag.present] == 0).all()
    torch.testing.assert_close(shares[0].unflatten(0, (3, 3)).sum(1), torch.full((3,), 1 / 3))
    first = torch.tensor([k // 9 == 1 for k in range(27)])  # the middle slice of the first phase
    torch.testing.assert_close(shares[0, 1], weights[0, first].sum() / 3)
    torch.testing.assert_close(shares[1, :3].sum(), torch.tensor(1.0))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: AxialSlices(neighbors=-1), "instances.neighbors is -1"),
        (lambda: SliceCombinations(slices=0), "0 slices"),
        (
            lambda: SliceCombinations(phases=2).layout(stack()),
            "instances.phases is 2, but the view has 3",
        ),
    ],
)
def test_settings_that_make_no_instances_are_refused(make, message: str):
    with pytest.raises(ValueError, match=message):
        make()
