"""What becomes of intensities, by value; TorchIO is the oracle of its own transforms."""

import numpy as np
import pytest
import torch
import torchio as tio
from batches import VIEWS, generators, training_batch

from mtl_hcc.data.augmentation import BiasField, IntensityScale, Noise
from mtl_hcc.data.augmentation.transform import may_change

IMAGES = torch.rand(3, 2, 6, 7, 8, generator=torch.Generator().manual_seed(0))


def test_intensities_are_multiplied_by_one_factor_for_all_phases_and_clipped():
    factors = torch.tensor([0.9, 1.0, 1.3])
    for images, factor in zip(
        IntensityScale().change(IMAGES, factors, place=0), factors, strict=True
    ):
        assert any(torch.allclose(images, one * factor) for one in IMAGES)
    drawn = IntensityScale(most=0.2).draw(generators(4000))
    assert 0.8 <= drawn.min() < 0.81
    assert 1.19 < drawn.max() <= 1.2
    batch = training_batch([1, 2]).plain()
    result = IntensityScale(most=0.2)(batch, generators(2), VIEWS)
    for name, view in result.views.items():
        factors = IntensityScale(most=0.2).draw(generators(2))[:, None, None, None, None]
        expected = (batch.views[name].images * factors).clamp(0, 1)
        torch.testing.assert_close(view.images, expected)


def test_noise_is_torchio_s_with_the_drawn_deviation_and_seed():
    drawn = torch.tensor([[0.1, 7.0], [0.0, 8.0], [0.2, 9.0]], dtype=torch.float64)
    noisy = Noise().change(IMAGES, drawn, place=1)
    for found, image, (deviation, seed) in zip(noisy, IMAGES, drawn.tolist(), strict=True):
        expected = tio.Noise(mean=0.0, std=deviation, seed=int(seed) + 1)(image)
        torch.testing.assert_close(found, expected)
    assert torch.equal(noisy[1], IMAGES[1])
    assert abs((noisy[2] - IMAGES[2]).std() - 0.2) < 0.02
    apart = (noisy[2] - IMAGES[2]).flatten(1)
    assert abs(torch.corrcoef(apart)[0, 1]) < 0.2, "each phase has noise of its own"


def test_deviations_are_uniform_and_seeds_differ():
    drawn = Noise(most=0.1).draw(generators(2000))
    assert drawn[:, 0].max() <= 0.1
    assert abs(drawn[:, 0].mean() - 0.05) < 0.003
    assert len(drawn[:, 1].unique()) == 2000
    assert torch.equal(drawn[:, 1], drawn[:, 1].round())


@pytest.mark.parametrize("order", [0, 1, 3])
@pytest.mark.parametrize("shape", [(6, 8, 10), (5, 7, 9), (4, 4, 4)])
def test_a_bias_field_is_torchio_s_with_the_drawn_coefficients(order, shape):
    transform = BiasField(most=0.4, order=order)
    images = torch.rand(3, 2, *shape)
    drawn = transform.draw(generators(3))
    found = transform.change(images, drawn, place=0)
    for image, field, coefficients in zip(images, found, drawn, strict=True):
        # TorchIO's axes are x, y, z; ours z, y, x.
        oracle = tio.BiasField(coefficients=coefficients.tolist(), order=order)
        expected = oracle(image.permute(0, 3, 2, 1)).permute(0, 3, 2, 1)
        torch.testing.assert_close(field, expected, rtol=1e-4, atol=1e-5)


def test_a_bias_field_of_one_slice_is_finite():
    transform = BiasField()
    images = torch.rand(1, 1, 1, 4, 4)
    assert transform.change(images, transform.draw(generators(1)), place=0).isfinite().all()


def test_what_may_change_are_the_kept_regions_of_present_phases():
    batch = training_batch([0, 1])
    tumor, slices = (may_change(batch.views[name], VIEWS[name]) for name in ("tumor", "slices"))
    assert not tumor[0, 1].any(), "a missing phase"
    assert not slices[0, :, 3:].any(), "padding"
    assert slices[1].all(), "the view keeps everything"
    assert torch.equal(tumor[1], batch.views["tumor"].regions[1] > 0)
    only_tumor = VIEWS["tumor"].__class__(keep=["tumor"])
    assert torch.equal(
        may_change(batch.views["tumor"], only_tumor)[1], (batch.views["tumor"].regions[1] & 2) > 0
    )
    assert np.isclose(tumor[1].float().mean(), 0.9, atol=0.05)
