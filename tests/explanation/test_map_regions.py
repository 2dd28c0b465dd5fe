"""Shares of maps by region, and random places of the tumor, against counting by hand."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy.ndimage import gaussian_filter
from scipy.stats import kstest

from mtl_hcc.explanation.region_shares import (
    FEWEST_PLACES,
    MOVED,
    PARTS,
    Zones,
    null_distribution,
    one_sided_p,
    shares_and_hits,
)
from mtl_hcc.regions import Region

SHAPE = (14, 12, 12)
ONE_MM = (1.0, 1.0, 1.0)


def zones(*, ring_mm: float = 2.0, spacing=ONE_MM, tumor=(4, 5, 5), edge: int = 3) -> Zones:
    """Return a cubic tumor in a liver that leaves two voxels on each side."""
    bits = np.zeros(SHAPE, np.uint8)
    bits[2:-2, 2:-2, 2:-2] |= np.uint8(Region.LIVER)
    z, y, x = tumor
    bits[z : z + edge, y : y + edge, x : x + edge] |= np.uint8(Region.TUMOR)
    return Zones.of(bits, spacing=spacing, ring_mm=ring_mm)


def test_the_parts_do_not_overlap_and_fill_the_field_of_view():
    parts = zones().parts()
    assert list(parts) == list(PARTS)
    once = sum(parts[name].astype(int) for name in ("tumor", "ring", "liver", "rest"))
    assert (once == 1).all()
    assert (parts["tumor_ring"] == (parts["tumor"] | parts["ring"])).all()


def test_the_ring_reaches_as_many_millimeters_from_the_surface_within_the_liver():
    ring = zones(ring_mm=2.0, spacing=(2.0, 1.0, 1.0)).parts()["ring"]
    line = lambda axis, at: np.flatnonzero(np.moveaxis(ring, axis, 0)[(slice(None), *at)])  # noqa: E731
    assert line(0, (6, 6)).tolist() == [3, 7], "slices are 2 mm thick"
    assert line(1, (5, 6)).tolist() == [3, 4, 8, 9]
    assert zones(ring_mm=0).parts()["ring"].sum() == 0
    assert not zones(ring_mm=50).parts()["ring"][0].any(), "the liver ends"


@given(arrays.arrays(np.float64, (2, *SHAPE), elements=st.floats(0, 10, width=32)))
@settings(max_examples=25, deadline=None)
def test_shares_add_up_to_one_and_the_peak_lies_in_one_part(maps):
    share, hit = shares_and_hits(maps, zones().parts())
    whole = [PARTS.index(name) for name in ("tumor", "ring", "liver", "rest")]
    for number, one in enumerate(maps):
        if one.sum() == 0:
            assert np.isnan(share[number]).all()
            assert np.isnan(hit[number]).all()
            continue
        assert share[number, whole].sum() == pytest.approx(1)
        assert hit[number, whole].sum() == 1
        near = PARTS.index("tumor_ring")
        assert share[number, near] == pytest.approx(share[number, 0] + share[number, 1])


def test_a_random_place_gives_what_counting_there_gives():
    rng = np.random.default_rng(0)
    maps, zone = rng.random((2, *SHAPE)), zones()
    null = null_distribution(maps, zone, draws=400, rng=rng)
    assert null.places == 8 * 6 * 6 - 1, (
        "a cube of 3 in a liver of 10 x 8 x 8, its own place left out"
    )
    assert null.inside == 1
    expected = {name: [] for name in MOVED}
    hits = {name: [] for name in MOVED}
    for place in np.ndindex(8, 6, 6):
        if place == (2, 3, 3):
            continue
        moved = zones(tumor=tuple(2 + p for p in place)).parts()
        for name in MOVED:
            expected[name].append(maps[:, moved[name]].sum(axis=1) / maps.sum(axis=(1, 2, 3)))
            hits[name].append([moved[name].ravel()[one.argmax()] for one in maps])
    for part, name in enumerate(MOVED):
        values = np.stack(expected[name], axis=1)  # (map, place)
        for number in range(2):
            drawn = null.share[number, part]
            nearest = np.abs(drawn[:, None] - values[number]).min(axis=1)
            assert nearest.max() < 1e-9, "every draw is one of the places"
            assert len(np.unique(drawn.round(9))) > 150
            chance = np.mean([one[number] for one in hits[name]])
            assert null.hit[number, part].mean() == pytest.approx(chance, abs=0.09)


def test_the_same_seed_draws_the_same_places():
    maps = np.random.default_rng(0).random((1, *SHAPE))
    one, same, other = (
        null_distribution(maps, zones(), draws=50, rng=np.random.default_rng(seed)).share
        for seed in (1, 1, 2)
    )
    assert (one == same).all()
    assert (one != other).any()


def test_p_is_uniform_when_the_map_knows_nothing_of_the_tumor():
    rng = np.random.default_rng(7)
    values = []
    for _ in range(300):
        place = tuple(int(2 + rng.integers(n)) for n in (8, 6, 6))
        maps = gaussian_filter(rng.random(SHAPE), 1.5)[None]
        zone = zones(tumor=place)
        share, _ = shares_and_hits(maps, zone.parts())
        null = null_distribution(maps, zone, draws=99, rng=rng)
        values.append(one_sided_p(share[0, 0], null.share[0, 0]))
    assert kstest(values, "uniform").pvalue > 0.05
    assert np.mean(np.array(values) <= 0.05) == pytest.approx(0.05, abs=0.03)


def test_a_map_of_the_tumor_alone_has_the_smallest_p():
    zone = zones()
    maps = zone.tumor[None].astype(float)
    share, hit = shares_and_hits(maps, zone.parts())
    assert share[0].tolist() == hit[0].tolist() == [1, 0, 1, 0, 0]
    null = null_distribution(maps, zone, draws=199, rng=np.random.default_rng(0))
    assert one_sided_p(share[0, 0], null.share[0, 0]) == pytest.approx(1 / 200)


def test_a_tumor_without_another_place_has_no_null():
    bits = np.full((4, 4, 4), int(Region.LIVER | Region.TUMOR), np.uint8)
    zone = Zones.of(bits, spacing=ONE_MM, ring_mm=2)
    rng = np.random.default_rng(0)
    assert null_distribution(np.ones((1, 4, 4, 4)), zone, draws=9, rng=rng) is None
    empty = Zones.of(np.zeros((4, 4, 4), np.uint8), spacing=ONE_MM, ring_mm=2)
    assert null_distribution(np.ones((1, 4, 4, 4)), empty, draws=9, rng=rng) is None
    assert np.isnan(one_sided_p(0.3, np.full(9, np.nan)))


def test_where_few_places_hold_all_of_the_tumor_the_next_best_are_drawn():
    bits = np.zeros((12, 12, 12), np.uint8)
    bits[1:10, 1:10, 1:10] |= np.uint8(Region.LIVER)
    bits[2:10, 2:10, 2:10] |= np.uint8(
        Region.TUMOR
    )  # eight of nine voxels wide: eight places, one its own
    zone = Zones.of(bits, spacing=ONE_MM, ring_mm=1)
    null = null_distribution(
        np.ones((1, 12, 12, 12)), zone, draws=500, rng=np.random.default_rng(0)
    )
    assert null.places == FEWEST_PLACES
    assert 0.8 < null.inside < 1


def test_a_map_that_is_zero_has_neither_share_nor_null():
    null = null_distribution(np.zeros((1, *SHAPE)), zones(), draws=9, rng=np.random.default_rng(0))
    assert np.isnan(null.share).all()
    assert np.isnan(null.hit).all()
