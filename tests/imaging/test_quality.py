import tracemalloc

import numpy as np
import pytest
from drawing import ball, to_image

from mtl_hcc.imaging import quality


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (0.7, 0.7, 5.0), (1.5, 1.5, 3.0)])
def test_the_diameter_of_a_ball_is_twice_its_radius(spacing):
    size = tuple(int(60 / s) for s in spacing)
    lesion = ball(size, spacing, (30, 30, spacing[2] * (size[2] // 2)), 20)
    on = to_image(lesion.astype(np.uint8), spacing)
    assert quality.axial_diameter_mm(lesion, on) == pytest.approx(40, abs=1.5 * spacing[0])


def test_a_diagonal_line_of_voxels_has_a_diameter():
    lesion = np.zeros((3, 20, 20), dtype=bool)
    lesion[1, np.arange(3, 14), np.arange(3, 14)] = True
    on = to_image(lesion.astype(np.uint8))
    assert quality.axial_diameter_mm(lesion, on) == pytest.approx(10 * np.sqrt(2) + 1)


def test_lesions_are_told_apart_and_specks_do_not_count():
    tumor = ball((60, 60, 60), (1, 1, 1), (15, 15, 15), 6)
    tumor |= ball((60, 60, 60), (1, 1, 1), (40, 40, 40), 10)
    tumor[55, 5, 5] = True
    found = quality.lesions(tumor, to_image(tumor.astype(np.uint8)), min_mm3=30)
    assert len(found) == 2
    assert found[0][40, 40, 40]
    assert found[1].sum() == ball((60, 60, 60), (1, 1, 1), (15, 15, 15), 6).sum()


def test_many_lesions_take_no_more_memory_than_a_few_volumes():
    tumor = np.zeros((120, 120, 120), dtype=bool)
    for place in np.ndindex(5, 4, 4):
        z, y, x = (20 * i + 10 for i in place)
        tumor[z : z + 4, y : y + 4, x : x + 4] = True
    tumor[10:16, 10:14, 10:14] = True  # the largest
    on = to_image(tumor.astype(np.uint8))
    tracemalloc.start()
    found = quality.lesions(tumor, on, min_mm3=30)
    together = found.together()
    largest = found[0]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 80
    assert largest.sum() == 96
    np.testing.assert_array_equal(together, tumor)
    assert [mask.sum() for mask in found[1:3]] == [64, 64]
    assert peak < 16 * tumor.nbytes


def test_masks_overlap_by_dice_and_empty_ones_do_not():
    first, second = np.zeros((2, 4, 4, 4), dtype=np.bool_)
    assert np.isnan(quality.overlap(first, second))
    first[:2], second[1:3] = True, True
    assert quality.overlap(first, second) == pytest.approx(0.5)


@pytest.mark.parametrize("box", [np.s_[0:1, 2:5, 3:4], np.s_[0:4, 0:5, 0:6], np.s_[3:4, 4:5, 5:6]])
def test_a_bounding_box_is_that_of_the_mask(box):
    mask = np.zeros((4, 5, 6), dtype=np.bool_)
    mask[box] = True
    assert quality.bounding_box(mask) == box
    assert quality.bounding_box(mask.transpose(2, 0, 1)) == (box[2], box[0], box[1])
