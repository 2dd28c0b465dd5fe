import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from drawing import ball, cube, to_image
from scipy.ndimage import distance_transform_edt

from mtl_hcc.imaging.grid import Grid
from mtl_hcc.imaging.margin import surface_points, zone_around
from mtl_hcc.imaging.resample import sample_mask
from mtl_hcc.imaging.view import Zone


def margin_zone(tumor, image, grid, *, margin_mm):
    """Return the zone to both sides of the surface."""
    anywhere = np.ones(grid.shape, dtype=np.bool_)
    zone = Zone(inward_mm=margin_mm, outward_mm=margin_mm)
    return zone_around(tumor, image, grid, zone, tumor=anywhere, liver=anywhere)


def zone_of(spacing, radius, *, target=1.0, margin=2.0):
    size = tuple(int(80 / s) + 1 for s in spacing)
    center = (40.3, 39.6, 40.9)
    tumor = ball(size, spacing, center, radius)
    image = to_image(tumor.astype(np.uint8), spacing)
    grid = cube(center, field_mm=72, spacing_mm=target)
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
    grid = cube((30, 30, 30), field_mm=20, spacing_mm=1)
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
    grid = cube(tuple(center.tolist()), field_mm=field, spacing_mm=target)
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


def drawn_ball(radius, center, spacing=(1.0, 1.0, 1.0), edge=80):
    """Return a ball's mask and its image."""
    tumor = ball(tuple(int(edge / s) + 1 for s in spacing), spacing, center, radius)
    return tumor, to_image(tumor.astype(np.uint8), spacing)


def distance_to(grid, center):
    """Return the distance of each voxel of a grid (z, y, x) to a point in mm."""
    axes = [
        o + s * np.arange(n) for o, s, n in zip(grid.origin, grid.spacing, grid.size, strict=True)
    ]
    x, y, z = (axis - c for axis, c in zip(axes, center, strict=True))
    return np.sqrt(z[:, None, None] ** 2 + y[None, :, None] ** 2 + x**2)


@pytest.mark.parametrize("reaches", [(2, 2), (0, 10), (5, 0), (3, 6)])
@pytest.mark.parametrize("target", [(1, 1, 1), (1, 1, 3), (0.8, 0.8, 5), (2, 1, 3), (3, 3, 1)])
def test_zones_are_exact_on_voxels_of_any_shape(target, reaches):
    center, radius = (40.3, 39.6, 40.9), 16
    tumor, image = drawn_ball(radius, center, (0.8, 0.8, 1.0))
    grid = Grid.around(center, field_mm=(70.0, 70.0, 70.0), spacing_mm=target)
    depth = radius - distance_to(grid, center)  # what the ball says
    inward, outward = reaches
    zone = zone_around(
        tumor,
        image,
        grid,
        Zone(inward_mm=inward, outward_mm=outward),
        tumor=depth >= 0,
        liver=np.ones(grid.shape, dtype=np.bool_),
    )
    expected = (depth <= inward) & (depth >= -outward)
    expected &= (depth < 0) | (inward > 0)
    expected &= (depth >= 0) | (outward > 0)
    assert zone.sum() == pytest.approx(expected.sum(), rel=0.025)
    assert (zone != expected).sum() <= 0.07 * expected.sum()  # The drawing has voxels, too.
    if outward == 10:  # Thinner shells are finer than some of these voxels.
        shell = 4 / 3 * np.pi * ((radius + outward) ** 3 - (radius - inward) ** 3)
        assert zone.sum() * grid.voxel_mm3 == pytest.approx(shell, rel=0.02)


@pytest.mark.parametrize(
    "aside", [(18.0, 0.0, 0.0), (0.0, -20.0, 0.0), (14.0, 13.0, 12.0), (0, 0, 26)]
)
@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (1.0, 1.0, 3.0)])
def test_a_tumor_that_sticks_out_of_the_field_has_the_zone_that_it_has_in_a_large_one(
    aside, spacing
):
    center = (40.0, 40.0, 40.0)
    tumor, image = drawn_ball(15, center)
    small = Grid.around(tuple(np.add(center, aside)), field_mm=(30.0,) * 3, spacing_mm=spacing)
    x, y, z = (20, 20, 20) if spacing[2] == 1 else (20, 20, 8)
    large = small.grown((x, y, z))
    zones = []
    for grid in (small, large):
        depth = 15 - distance_to(grid, center)
        liver = np.ones(grid.shape, dtype=np.bool_)
        zone = Zone(inward_mm=2, outward_mm=10)
        zones.append(zone_around(tumor, image, grid, zone, tumor=depth >= 0, liver=liver))
    inner = zones[1][z:-z, y:-y, x:-x]
    assert inner.sum() > 500
    assert (zones[0] != inner).sum() <= 0.01 * inner.sum()


@pytest.mark.parametrize("target", [(1, 1, 1), (1, 2, 3), (0.8, 0.8, 5)])
def test_the_shell_of_an_ellipsoid_is_that_of_a_distance_transform_on_a_fine_grid(target):
    z, y, x = np.ogrid[:60, :60, :60]
    tumor = ((z - 30) / 18) ** 2 + ((y - 29) / 10) ** 2 + ((x - 31) / 14) ** 2 <= 1
    image = to_image(tumor.astype(np.uint8))
    grid = Grid.around((30.3, 28.8, 30.6), field_mm=(57.0,) * 3, spacing_mm=target)
    filled = sample_mask(tumor, image, grid)
    anywhere = np.ones(grid.shape, dtype=np.bool_)
    zone = zone_around(tumor, image, grid, Zone(outward_mm=8), tumor=filled, liver=anywhere)
    z, y, x = (axis / 4 - 0.375 for axis in np.ogrid[:240, :240, :240])
    fine = ((z - 30) / 18) ** 2 + ((y - 29) / 10) ** 2 + ((x - 31) / 14) ** 2 <= 1
    distance = distance_transform_edt(~fine, sampling=0.25) - 0.125
    volume = ((distance <= 8) & (distance > 0)).sum() / 64
    assert zone.sum() * grid.voxel_mm3 == pytest.approx(volume, rel=0.03)


def test_a_shell_is_cut_at_the_liver():
    tumor, image = drawn_ball(10, (40.0, 40.0, 40.0))
    grid = cube((40.0, 40.0, 40.0), field_mm=60, spacing_mm=1)
    depth = 10 - distance_to(grid, (40.0, 40.0, 40.0))
    liver = np.ones(grid.shape, dtype=np.bool_)
    liver[:, :, 30:] = False
    zone = Zone(outward_mm=10, cut_at_liver=True)
    found = zone_around(tumor, image, grid, zone, tumor=depth >= 0, liver=liver)
    assert not found[:, :, 30:].any()
    assert found.sum() == pytest.approx(2 / 3 * np.pi * (20**3 - 10**3), rel=0.02)
