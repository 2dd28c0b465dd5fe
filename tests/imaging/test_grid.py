import pytest
from drawing import cube

from mtl_hcc.imaging.grid import Grid


def test_the_center_of_the_field_is_the_center_asked_for():
    grid = cube((10.0, -20.0, 30.5), field_mm=64, spacing_mm=2)
    assert grid.size == (32, 32, 32)
    for (low, high), center in zip(grid.box_mm, (10.0, -20.0, 30.5), strict=True):
        assert (low + high) / 2 == pytest.approx(center)
        assert high - low == pytest.approx(64)


def test_a_finer_grid_has_the_same_field_of_view():
    grid = Grid((1.0, 2.0, 3.0), (1.0, 1.0, 1.5), (4, 5, 6))
    finer = grid.finer((3, 1, 2))
    assert finer.size == (12, 5, 12)
    for coarse, fine in zip(grid.box_mm, finer.box_mm, strict=True):
        assert fine == pytest.approx(coarse)


def test_a_part_begins_where_its_first_voxel_lies():
    part = Grid((1.0, 2.0, 3.0), (1.0, 1.0, 2.0), (9, 9, 9)).part((1, 2, 3), (4, 5, 6))
    assert part.origin == (2.0, 4.0, 9.0)
    assert part.shape == (6, 5, 4)
