import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from drawing import ball, to_image

from mtl_hcc.imaging.grid import Grid
from mtl_hcc.imaging.margin import margin_zone, surface_points
from mtl_hcc.imaging.resample import sample_mask


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


def turned_ball(spacing, radius, degrees, *, target=1.0, field=72.0):
    """A ball drawn on a grid that is turned by three angles: its tumor, image and target grid."""
    turn = sitk.Euler3DTransform()
    turn.SetRotation(*np.radians(degrees))
    size = tuple(int(80 / s) + 1 for s in spacing)
    inside = (40.3, 39.6, 40.9)
    tumor = ball(size, spacing, inside, radius)
    image = to_image(tumor.astype(np.uint8), spacing, direction=turn.GetMatrix())
    center = np.array(turn.GetMatrix()).reshape(3, 3) @ inside
    grid = Grid.around(tuple(center.tolist()), field_of_view_mm=field, spacing_mm=target)
    return tumor, image, grid


@pytest.mark.parametrize("degrees", [(20, 0, 0), (5, -10, 15), (30, 35, 40)])
@pytest.mark.parametrize(
    "spacing",
    [
        (1.0, 1.0, 1.0),
        (0.7, 0.7, 2.5),
        (0.7, 0.7, 5.0),
        (2.0, 2.0, 1.0),
        (2.0, 2.0, 2.5),
        (2.0, 2.0, 5.0),
    ],
)
def test_an_oblique_drawing_gives_the_margin_of_an_axial_one(spacing, degrees):
    shell = 4 / 3 * np.pi * (17**3 - 13**3)
    volumes = []
    for angles in ((0, 0, 0), degrees):
        tumor, image, grid = turned_ball(spacing, 15, angles)
        zone = margin_zone(tumor, image, grid, margin_mm=2.0)
        volumes.append(zone.sum() * grid.voxel_mm3)
        drawn = tumor.sum() * np.prod(spacing)
        prepared = sample_mask(tumor, image, grid, between_slices=True).sum() * grid.voxel_mm3
        assert prepared == pytest.approx(drawn, abs=grid.voxel_mm3)
    axial, oblique = volumes
    assert axial == pytest.approx(shell, rel=0.02)
    assert oblique == pytest.approx(shell, rel=0.02)
    assert oblique == pytest.approx(axial, rel=0.015)


def test_an_oblique_drawing_gives_the_margin_of_an_axial_one_on_a_coarser_grid():
    volumes = []
    for angles in ((0, 0, 0), (30, 35, 40)):
        tumor, image, grid = turned_ball((0.7, 0.7, 5.0), 15, angles, target=2.0)
        volumes.append(margin_zone(tumor, image, grid, margin_mm=2.0).sum() * grid.voxel_mm3)
    assert volumes[1] == pytest.approx(volumes[0], rel=0.03)


@pytest.mark.parametrize("degrees", [(0, 0, 0), (2, 0, 0), (30, 35, 40)])
def test_a_mask_that_the_field_cuts_keeps_the_volume_inside(degrees):
    tumor, image, grid = turned_ball((0.7, 0.7, 5.0), 20, degrees, field=20)
    filled = sample_mask(tumor, image, grid, between_slices=True)
    assert filled.sum() == pytest.approx(20**3, rel=0.001)
    tumor, image, grid = turned_ball((0.7, 0.7, 5.0), 20, degrees, field=30)
    cap = np.pi * (20 - 15) ** 2 * (3 * 20 - (20 - 15)) / 3  # The six faces each cut one off.
    expected = 4 / 3 * np.pi * 20**3 - 6 * cap
    volume = sample_mask(tumor, image, grid, between_slices=True).sum() * grid.voxel_mm3
    assert volume == pytest.approx(expected, rel=0.02)
