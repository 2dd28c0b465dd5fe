"""A NIfTI header holds two geometries; nibabel writes the headers, and ITK reads one of them."""

import nibabel
import numpy as np
import pytest

from mtl_hcc.errors import ImageError
from mtl_hcc.imaging.read_image import Place, read_image, read_regions

AFFINE = np.array([[-0.8, 0, 0, 80], [0, -0.8, 0, 90], [0, 0, 2, -50], [0, 0, 0, 1.0]])
MIRRORED = AFFINE * [[-1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1], [1, 1, 1, 1]]
LOWER = AFFINE - 20 * np.eye(4)[2][:, None] * np.eye(4)[3]
FINER = AFFINE @ np.diag([0.5, 0.5, 1, 1])
ANGLE = np.array([[0.98, -0.199, 0, 0], [0.199, 0.98, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


def written(path, sform, qform, codes=(1, 1)):
    voxels = np.random.default_rng(0).integers(0, 3, (20, 22, 24)).astype(np.uint8)
    image = nibabel.Nifti1Image(voxels, qform)
    image.set_qform(qform, int(codes[1]))
    image.set_sform(sform, int(codes[0]))
    nibabel.save(image, path)
    return Place("P007", "arterial", path)


@pytest.mark.parametrize("read", [read_image, read_regions])
@pytest.mark.parametrize(
    ("sform", "codes", "message"),
    [
        (MIRRORED, (1, 1), "up to 30 mm from where it was read, mirrored."),
        (LOWER, (1, 1), "by its qform the image lies up to 20 mm from where it was read."),
        (LOWER, (2, 1), "by its sform the image lies up to 20 mm"),
        (FINER, (1, 1), "the header contradicts itself: by its sform"),
        (FINER, (1, 0), "the header contradicts itself: by its sform"),
    ],
    ids=["mirrored", "20 mm lower", "aligned to something", "other voxel size", "no qform"],
)
def test_two_geometries_that_differ_are_refused(tmp_path, read, sform, codes, message):
    place = written(tmp_path / "arterial.nii.gz", sform, AFFINE, codes)
    with pytest.raises(ImageError) as caught:
        read(place)
    assert message in str(caught.value)
    assert "patient P007, arterial" in str(caught.value)
    assert "names left and right" in caught.value.remedy


@pytest.mark.parametrize("codes", [(1, 1), (1, 0), (0, 1), (0, 0), (4, 1)])
@pytest.mark.parametrize("name", ["a.nii", "a.nii.gz"])
def test_equal_or_single_geometries_are_read(tmp_path, codes, name):
    oblique = ANGLE @ AFFINE
    oblique[:3, :3] = np.linalg.qr(oblique[:3, :3])[0] * [0.8, 0.8, 2.0]
    for affine in (AFFINE, MIRRORED, oblique):
        assert read_image(written(tmp_path / name, affine, affine, codes)).GetSize() == (20, 22, 24)
