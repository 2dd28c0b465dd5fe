"""Real scans, which no drawing can replace: skipped where the openly licensed data are absent."""

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from drawing import in_hu, to_image
from one_view import one_view, prepare_only_view
from scipy.ndimage import binary_erosion

from mtl_hcc.imaging.prepare_patient import region_map
from mtl_hcc.imaging.quality import overlap
from mtl_hcc.imaging.read_image import Place, read_image
from mtl_hcc.imaging.scan import read_scans
from mtl_hcc.patient import Patient
from mtl_hcc.regions import Label, Region


@pytest.fixture(scope="module")
def chaos(shared_data, tmp_path_factory):
    """Return a portal venous CT with its liver map and a tumor of 18 mm radius drawn inside."""
    folder = shared_data / "images" / "chaos_ct3"
    liver_image = sitk.ReadImage(str(folder / "liver.nii.gz"))
    liver = sitk.GetArrayFromImage(liver_image)
    depth = sitk.GetArrayFromImage(sitk.SignedMaurerDistanceMap(liver_image, True, False, True))
    center = np.array(np.unravel_index(depth.argmax(), depth.shape))
    z, y, x = np.indices(liver.shape)
    spacing = np.array(liver_image.GetSpacing())
    inside = sum(
        ((axis - c) * s) ** 2 for axis, c, s in zip((z, y, x), center, spacing[::-1], strict=True)
    )
    liver[(inside <= 18**2) & (liver == 1)] = 2
    labels = to_image(liver, liver_image.GetSpacing(), liver_image.GetOrigin())
    path = tmp_path_factory.mktemp("chaos") / "portal_venous_regions.nii.gz"
    sitk.WriteImage(labels, str(path))
    patient = Patient("CT3", {"portal_venous": folder / "ct.nii.gz"}, {"portal_venous": path})
    return patient, liver


@pytest.mark.parametrize("center_on", ["tumor", "liver"])
def test_volumes_and_hu_of_a_real_liver_survive(chaos, center_on):
    patient, labels = chaos
    preparation = one_view(
        phases=["portal_venous"], field_of_view_mm=300, spacing_mm=1.5, center_on=center_on
    )
    prepared = prepare_only_view(patient, preparation)
    ct = sitk.ReadImage(str(patient.images["portal_venous"]))
    hu, voxel = sitk.GetArrayFromImage(ct), np.prod(ct.GetSpacing())
    for region, drawn in ((Region.TUMOR, labels == 2), (Region.LIVER, labels > 0)):
        kept = np.count_nonzero(prepared.regions & region) * prepared.geometry.voxel_mm3
        assert kept == pytest.approx(drawn.sum() * voxel, rel=0.01)
    quality = prepared.quality
    low, high = quality["portal_venous_clip_low"], quality["portal_venous_clip_high"]
    assert (low, high) == pytest.approx(np.percentile(hu[labels > 0], [2.5, 97.5]))
    # Away from the surface, where the liver's neighbors do not mix in.
    inside = binary_erosion((prepared.regions[0] & Region.LIVER) > 0, iterations=3)
    drawn = binary_erosion(np.pad(labels > 0, 1), iterations=3)[1:-1, 1:-1, 1:-1]
    recovered = in_hu(prepared.images[0][inside], low, high)
    assert recovered.mean() == pytest.approx(np.clip(hu[drawn], low, high).mean(), abs=1)
    assert quality["portal_venous_liver_mean"] == pytest.approx(hu[labels > 0].mean(), abs=1e-3)


def test_tumors_drawn_on_ct_mr_and_pet_grids_align_on_one(shared_data, tmp_path):
    folder = shared_data / "images" / "sts_sarcoma" / "STS_002"
    kinds = {"arterial": "CT", "portal_venous": "MR_T1", "delayed": "PET"}
    images, regions = {}, {}
    for phase, kind in kinds.items():
        mask = sitk.ReadImage(str(folder / f"{kind}_gtv.nii.gz")) > 0
        regions[phase] = tmp_path / f"{phase}_regions.nii.gz"
        sitk.WriteImage(mask * int(Label.TUMOR), str(regions[phase]))
        images[phase] = folder / f"{kind}_image.nii.gz"
    patient = Patient("STS_002", images, regions)
    preparation = one_view(field_of_view_mm=200, spacing_mm=2, plausibility="remark")
    prepared = prepare_only_view(patient, preparation)
    scans, _ = read_scans(patient, preparation)
    tumors = []
    for scan in scans:
        bits = region_map(scan, prepared.geometry, preparation)
        tumors.append((bits & Region.TUMOR) > 0)
        drawn = scan.drawn(Label.TUMOR).sum() * np.prod(scan.regions.GetSpacing())
        assert tumors[-1].sum() * prepared.geometry.voxel_mm3 == pytest.approx(drawn, rel=0.01)
    assert overlap(tumors[0], tumors[1]) > 0.9
    assert overlap(tumors[0], tumors[2]) > 0.8
    assert prepared.quality["mask_resampled"] == ""


def test_a_real_mr_with_organ_labels_is_read(shared_data):
    folder = shared_data / "images" / "totalseg_mr"
    image = read_image(Place("MR", "t1_precontrast", folder / "mr.nii.gz"))
    assert image.GetSize() == (117, 91, 20)
    organs = sitk.ReadImage(str(folder / "seg.nii.gz"))
    liver = sitk.GetArrayFromImage(organs) == 5
    assert liver.sum() > 1000
    assert sitk.GetArrayFromImage(image)[liver].std() > 0
