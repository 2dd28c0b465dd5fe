import dataclasses

import numpy as np
import pytest

from mtl_hcc.cohorts.dicom.geometry import volume_grid
from mtl_hcc.cohorts.dicom.volumes import Volume
from mtl_hcc.errors import ImageError

WHERE = "patient P1, arterial, series 3"


def grid_of(slices, **settings):
    return volume_grid(Volume("3", tuple(slices)), where=WHERE, **settings)


def test_the_grid_comes_from_positions_not_from_the_thickness_tag(stack):
    grid = grid_of(stack(5, step=1.0, thickness=1.25))
    assert grid.size == (512, 512, 5)
    assert grid.spacing == (0.7, 0.8, 1.0)  # columns are 0.7 mm apart, rows 0.8 mm
    assert grid.origin == (-10.0, -20.0, 0.0)
    np.testing.assert_array_equal(grid.direction, np.eye(3))


def test_an_oblique_stack_has_its_normal_as_third_direction(stack):
    c, s = np.cos(0.3), np.sin(0.3)
    orientation = (1.0, 0.0, 0.0, 0.0, c, s)
    slices = [
        dataclasses.replace(h, position=(5.0, -s * 2.0 * k, c * 2.0 * k), orientation=orientation)
        for k, h in enumerate(stack(4))
    ]
    grid = grid_of(slices)
    np.testing.assert_allclose(grid.direction[:, 2], [0.0, -s, c], atol=1e-12)
    assert grid.spacing[2] == pytest.approx(2.0)
    np.testing.assert_allclose(grid.affine @ [0, 0, 3, 1], [*slices[3].position, 1], atol=1e-5)


def test_a_missing_slice_is_named_by_its_position(stack):
    slices = stack(10)
    del slices[4]
    with pytest.raises(ImageError, match=r"1 of 10 slices are missing, at position 10\.00 mm") as e:
        grid_of(slices)
    assert "P1" in str(e.value)
    assert "after s3.dcm" in str(e.value)
    assert "Export the series again" in str(e.value)


def test_every_missing_slice_is_named(stack):
    slices = [s for k, s in enumerate(stack(12)) if k not in (3, 4, 9)]
    with pytest.raises(ImageError, match=r"3 of 12 .* 7\.50, 10\.00, 22\.50 mm"):
        grid_of(slices)


def test_one_missing_slice_of_four_is_named(stack):
    slices = stack(4)
    del slices[1]
    with pytest.raises(ImageError, match=r"1 of 4 .* 2\.50 mm"):
        grid_of(slices)


def test_uneven_spacing_names_the_files_between(stack):
    slices = stack(8)
    slices[5:] = [
        dataclasses.replace(s, position=(-10.0, -20.0, s.position[2] + 1.0)) for s in slices[5:]
    ]
    with pytest.raises(ImageError, match=r"3\.5 mm between s4\.dcm and s5\.dcm, 2\.5 mm"):
        grid_of(slices)


def test_positions_rounded_to_text_are_no_uneven_spacing(stack):
    slices = [
        dataclasses.replace(s, position=(-10.0, -20.0, round(k * 0.6666, 2)))
        for k, s in enumerate(stack(30))
    ]
    assert grid_of(slices).spacing[2] == pytest.approx(0.6666, abs=1e-3)


def test_a_tilted_gantry_is_refused_with_its_angle(stack):
    slices = [
        dataclasses.replace(s, position=(-10.0, -20.0 + k * 2.5 * np.tan(np.radians(12)), 2.5 * k))
        for k, s in enumerate(stack(10, tilt=12.0))
    ]
    with pytest.raises(
        ImageError, match=r"sheared by 12\.0 degrees \(GantryDetectorTilt 12\)"
    ) as e:
        grid_of(slices)
    assert "dcm2niix" in str(e.value)


def test_a_table_that_moved_sideways_is_refused(stack):
    slices = stack(10)
    slices[6:] = [dataclasses.replace(s, position=(-7.0, -20.0, s.position[2])) for s in slices[6:]]
    with pytest.raises(ImageError, match=r"shifted sideways by up to 3\.00 mm, unevenly"):
        grid_of(slices)


def test_gaps_between_thin_slices_are_refused_unless_allowed(stack):
    slices = stack(10, step=5.0, thickness=2.5)
    with pytest.raises(ImageError, match=r"5 mm apart but only 2\.5 mm thick \(gapped\)") as e:
        grid_of(slices)
    assert "largest_gap" in str(e.value)
    assert grid_of(slices, largest_gap=1.0).spacing[2] == 5.0


def test_slices_of_two_sizes_are_refused_naming_both(stack):
    slices = stack(6)
    slices[2] = dataclasses.replace(slices[2], rows=256, columns=256)
    with pytest.raises(ImageError, match=r"512 x 512 .*s0\.dcm.*256 x 256 .*s2\.dcm"):
        grid_of(slices)


def test_repeated_positions_that_nothing_tells_apart_are_refused(stack):
    slices = sorted(stack(6) + stack(1, tag="again", start=5.0), key=lambda s: s.position[2])
    with pytest.raises(ImageError, match=r"two slices at 5\.00 mm: s2\.dcm, again0\.dcm"):
        grid_of(slices)


def test_multi_frame_files_and_single_slices_are_refused(stack):
    with pytest.raises(ImageError, match="holds 40 frames"):
        grid_of(stack(1, frames=40))
    with pytest.raises(ImageError, match="a single slice"):
        grid_of(stack(1))


def test_a_slice_without_position_is_named(stack):
    slices = stack(4)
    slices[1] = dataclasses.replace(slices[1], position=None)
    with pytest.raises(ImageError, match=r"s1\.dcm has no usable position"):
        grid_of(slices)
