import numpy as np
import pytest
from drawing import ball, to_image

from mtl_hcc.imaging.grid import Grid
from mtl_hcc.imaging.margin import margin_zone, surface_points


def zone_of(spacing, radius, *, target=1.0, margin=2.0):
    size = tuple(int(80 / s) + 1 for s in spacing)
    center = (40.3, 39.6, 40.9)
    tumor = ball(size, spacing, center, radius)
    image = to_image(tumor.astype(np.uint8), spacing)
    grid = Grid.around(center, field_of_view_mm=72, spacing_mm=target)
    return margin_zone(tumor, image, grid, margin_mm=margin), grid, tumor, image


@pytest.mark.parametrize(
    ("spacing", "within"),
    [((1.0, 1.0, 1.0), 0.01), ((0.7, 0.7, 2.0), 0.03), ((0.7, 0.7, 5.0), 0.02)],
)
@pytest.mark.parametrize("radius", [10, 20])
def test_the_zone_around_a_ball_has_the_volume_of_its_shell(spacing, within, radius):
    zone, grid, _, _ = zone_of(spacing, radius)
    shell = 4 / 3 * np.pi * ((radius + 2) ** 3 - (radius - 2) ** 3)
    assert zone.sum() * grid.voxel_mm3 == pytest.approx(shell, rel=within)


@pytest.mark.parametrize(("target", "margin"), [(2.0, 2.0), (3.0, 2.0), (1.0, 5.0), (1.0, 0.5)])
def test_millimeters_count_and_not_voxels(target, margin):
    zone, grid, _, _ = zone_of((1.0, 1.0, 1.0), 20, target=target, margin=margin)
    shell = 4 / 3 * np.pi * ((20 + margin) ** 3 - (20 - margin) ** 3)
    assert zone.sum() * grid.voxel_mm3 == pytest.approx(shell, rel=0.03 if margin >= 2 else 0.06)


def test_surface_points_lie_on_the_ball():
    _, grid, tumor, image = zone_of((0.7, 0.7, 2.0), 15)
    points = surface_points(tumor, image, grid, finest_mm=2.0)
    distance = np.linalg.norm(points - [40.3, 39.6, 40.9], axis=1)
    assert distance.mean() == pytest.approx(15, abs=0.1)
    assert np.percentile(abs(distance - 15), 95) < 0.5


def test_no_tumor_or_no_margin_gives_no_zone():
    zone, grid, tumor, image = zone_of((1.0, 1.0, 1.0), 10, margin=0)
    assert not zone.any()
    assert not margin_zone(np.zeros_like(tumor), image, grid, margin_mm=2).any()


def test_a_tumor_cut_by_the_field_has_no_surface_at_the_cut():
    spacing = (1.0, 1.0, 1.0)
    tumor = ball((60, 60, 60), spacing, (30, 30, 30), 20)
    image = to_image(tumor.astype(np.uint8), spacing)
    grid = Grid.around((30, 30, 30), field_of_view_mm=20, spacing_mm=1)
    assert not margin_zone(tumor, image, grid, margin_mm=2).any()
