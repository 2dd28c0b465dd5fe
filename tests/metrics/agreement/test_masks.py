import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813 - its documentation's name
import torch
from monai.metrics import compute_average_surface_distance, compute_dice, compute_hausdorff_distance

from mtl_hcc.metrics.agreement.masks import BOTH_EMPTY, ONE_EMPTY, dice, mask_agreement

pytestmark = pytest.mark.filterwarnings(
    # MONAI 1.5 calls its own deprecated argument.
    "ignore:monai.metrics.utils get_mask_edges:FutureWarning"
)
SPACING = (2.5, 0.8, 1.1)  # of (plane, row, column), in mm


def ball(radius: float, center: tuple[float, ...], shape=(24, 70, 50)) -> np.ndarray:
    place = np.indices(shape).T * np.array(SPACING)[::1]
    return (((place - np.array(center)) ** 2).sum(axis=-1) <= radius**2).T


def blob(seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    mask = ball(14 + rng.random() * 5, tuple(np.array([29, 27, 26]) + rng.normal(0, 3, 3)))
    return mask & (rng.random(mask.shape) < 0.97)


@pytest.mark.parametrize("seed", [1, 2])
def test_values_equal_monai_on_rough_shapes(seed):
    first, second = blob(seed), blob(seed + 10)
    found = mask_agreement(first, second, SPACING)
    a, b = (torch.as_tensor(mask)[None, None].float() for mask in (first, second))
    assert found.dice == pytest.approx(float(compute_dice(a, b)))
    hausdorff = compute_hausdorff_distance(
        a, b, include_background=True, percentile=95, spacing=list(SPACING)
    )
    assert found.hausdorff_95_mm == pytest.approx(float(hausdorff), rel=1e-5)
    assd = compute_average_surface_distance(
        a, b, include_background=True, symmetric=True, spacing=list(SPACING)
    )
    assert found.assd_mm == pytest.approx(float(assd), rel=1e-5)


def test_dice_equals_simpleitk():
    images = [sitk.GetImageFromArray(blob(seed).astype(np.uint8)) for seed in (3, 4)]
    measured = sitk.LabelOverlapMeasuresImageFilter()
    measured.Execute(*images)
    assert dice(blob(3), blob(4)) == pytest.approx(measured.GetDiceCoefficient())


def test_concentric_balls_lie_apart_by_the_difference_of_their_radii():
    spacing = (0.5, 0.5, 0.5)
    place = (np.indices((90, 90, 90)) - 44.5) * 0.5
    distance = np.sqrt((place**2).sum(axis=0))
    found = mask_agreement(distance <= 20, distance <= 17, spacing)
    assert found.assd_mm == pytest.approx(3, abs=0.15)
    assert found.hausdorff_95_mm == pytest.approx(3, abs=0.4)
    assert found.dice == pytest.approx(2 * 17**3 / (17**3 + 20**3), abs=0.005)


def test_a_shifted_box_is_measured_in_millimeters_along_each_axis():
    mask = np.zeros((20, 20, 20), dtype=bool)
    mask[5:10, 5:10, 5:10] = True
    for axis, millimeters in enumerate((4.0, 1.0, 0.5)):
        moved = np.roll(mask, 1, axis=axis)
        found = mask_agreement(mask, moved, (4.0, 1.0, 0.5))
        assert found.hausdorff_95_mm == millimeters
        assert found.dice == pytest.approx(0.8)


def test_masks_that_touch_the_border_have_a_surface_there():
    first = np.ones((4, 4, 4), dtype=bool)
    second = first.copy()
    second[0] = False
    found = mask_agreement(first, second, (3.0, 1.0, 1.0))
    assert found.dice == pytest.approx(2 * 48 / 112)
    assert found.hausdorff_95_mm == 3
    a, b = (torch.as_tensor(mask)[None, None].float() for mask in (first, second))
    expected = compute_average_surface_distance(
        a, b, include_background=True, symmetric=True, spacing=[3.0, 1.0, 1.0]
    )
    assert found.assd_mm == pytest.approx(float(expected))


def test_equal_masks_agree_perfectly():
    found = mask_agreement(blob(5), blob(5), SPACING)
    assert (found.dice, found.hausdorff_95_mm, found.assd_mm, found.reason) == (1, 0, 0, "")


def test_empty_masks_have_a_reason_in_place_of_a_distance():
    full, empty = blob(6), np.zeros_like(blob(6))
    one = mask_agreement(full, empty, SPACING)
    assert one.dice == 0
    assert np.isnan([one.hausdorff_95_mm, one.assd_mm]).all()
    assert one.reason == ONE_EMPTY
    both = mask_agreement(empty, empty, SPACING)
    assert np.isnan([both.dice, both.hausdorff_95_mm, both.assd_mm]).all()
    assert both.reason == BOTH_EMPTY


def test_readers_may_be_swapped():
    found, swapped = (
        mask_agreement(*pair, SPACING) for pair in ((blob(7), blob(8)), (blob(8), blob(7)))
    )
    assert swapped.dice == found.dice
    assert swapped.hausdorff_95_mm == found.hausdorff_95_mm
    assert swapped.assd_mm == pytest.approx(found.assd_mm)
