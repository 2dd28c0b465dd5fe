import itertools
import json
import shutil

import numpy as np
import pytest
from drawn_body import HU, body, labels, write_cohort

from mtl_hcc.cohorts.dicom import DicomTree
from mtl_hcc.cohorts.dicom.dicom_files import find_dicom_files
from mtl_hcc.cohorts.dicom.geometry import VolumeGrid
from mtl_hcc.cohorts.dicom.lattice import make_lattice, places_of, sample
from mtl_hcc.cohorts.dicom.measure import measure
from mtl_hcc.cohorts.dicom.vessels import find_aorta, find_spine, mean_along, without_noise
from mtl_hcc.cohorts.dicom.volumes import find_volumes
from mtl_hcc.errors import CohortError
from mtl_hcc.patient import CT_PHASES

TIMES = {"native": "092900", "arterial": "093030", "portal_venous": "093110", "delayed": "093300"}


def tree_of(contents, tmp_path, spoil, *, times=None):
    """Write series without names, acquired when what they show is acquired."""
    tree = write_cohort(tmp_path / "nifti", contents, tmp_path / "dicom", told_by="order")
    for number, time in enumerate(times or [TIMES[content] for content in contents], 2):

        def stamp(data, k, time=time):
            data.AcquisitionTime = time

        spoil(sorted(tree.glob(f"P1/series_{number}/*.dcm")), stamp)
    return tree


def phases_of(tree, **settings):
    """Return phase to series, or the reason."""
    source = DicomTree(progress=False, **settings)
    try:
        output, reasons = source.convert(tree)
    except CohortError as error:
        return str(error)
    assert all(reason.startswith("kept") for _, reason in reasons)
    return json.loads((output / "conversion" / "P1.json").read_text())["volumes"]


def test_aorta_liver_and_spleen_are_measured_at_their_true_values(tmp_path):
    contents = ("arterial", "portal_venous", "delayed")
    tree = write_cohort(tmp_path / "nifti", contents, tmp_path / "dicom")
    volumes = find_volumes(
        [h for h in find_dicom_files(tree, progress=False).headers if h.modality == "CT"]
    )
    grid = VolumeGrid((116, 90, 12), (2.0, 2.0, 5.0), (0.0, 0.0, 0.0), np.eye(3))
    found = measure(volumes, {"": places_of(labels() == 1, grid)})
    for volume, content in zip(volumes, contents, strict=True):
        measured = found[volume.name]
        assert (measured.aorta, measured.liver, measured.spleen) == pytest.approx(
            HU[content], abs=8
        )
        assert measured.covered == 1.0


def test_three_series_without_names_are_told_by_enhancement_and_times(tmp_path, spoil):
    tree = tree_of(("arterial", "portal_venous", "delayed"), tmp_path, spoil)
    assert phases_of(tree) == {"arterial": "2", "portal_venous": "3", "delayed": "4"}


def test_native_arterial_and_portal_do_not_become_arterial_portal_and_delayed(tmp_path, spoil):
    tree = tree_of(("native", "arterial", "portal_venous"), tmp_path, spoil)
    assert phases_of(tree) == {"arterial": "3", "portal_venous": "4"}


@pytest.mark.parametrize("order", list(itertools.permutations(CT_PHASES))[1:])
def test_series_without_names_whose_times_contradict_enhancement_are_refused(
    tmp_path, spoil, order
):
    times = [TIMES[phase] for phase in order]
    reason = phases_of(tree_of(CT_PHASES, tmp_path, spoil, times=times))
    assert "nothing tells the phase of series 2, 3, 4" in reason
    assert 'P1/2" (Liver, 12 slices every 5 mm, +' in reason
    assert "aorta 2" in reason
    assert "liver 6" in reason
    assert "0929" not in reason


@pytest.mark.parametrize("content", ["native", "arterial", "portal_venous"])
def test_a_lone_scan_without_a_name_is_not_guessed(tmp_path, spoil, content):
    reason = phases_of(tree_of((content,), tmp_path, spoil))
    assert "nothing tells the phase of series 2" in reason


@pytest.mark.parametrize(
    ("contents", "reason"),
    [
        (("native", "portal_venous", "delayed"), "enhancement contradicts arterial in series 2"),
        (("portal_venous", "arterial", "delayed"), "enhancement contradicts arterial in series 2"),
        (
            ("arterial", "delayed", "portal_venous"),
            "enhancement contradicts portal_venous before delayed in series 3, 4",
        ),
    ],
)
def test_names_that_contradict_enhancement_are_refused(tmp_path, contents, reason):
    tree = write_cohort(tmp_path / "nifti", contents, tmp_path / "dicom")
    assert reason in phases_of(tree)
    chosen = {f"P1/{k}": phase for k, phase in enumerate(CT_PHASES, 2)}
    told = phases_of(tree, series_phases=chosen)
    assert told == {"arterial": "2", "portal_venous": "3", "delayed": "4"}


def test_a_thorax_is_never_the_delayed_phase(tmp_path, spoil):
    tree = write_cohort(
        tmp_path / "nifti", ("arterial", "portal_venous", "thorax"), tmp_path / "dicom"
    )
    for number, text in ((2, "ART"), (3, "PV"), (4, "Thorax 1.0")):

        def name(data, k, text=text):
            data.SeriesDescription = text

        spoil(sorted(tree.glob(f"P1/series_{number}/*.dcm")), name)
    assert phases_of(tree) == {"arterial": "2", "portal_venous": "3"}
    chosen = phases_of(tree, series_phases={"P1/4": "delayed"})
    assert "the liver is not where it was drawn in series 4" in chosen
    assert "-850 HU where the liver was drawn" in chosen


def test_masks_given_as_nifti_show_where_the_liver_is(tmp_path, spoil):
    tree = tree_of(("arterial", "portal_venous", "delayed"), tmp_path, spoil)
    for folder in tree.glob("P1/series_30*"):
        shutil.rmtree(folder)
    (tmp_path / "masks" / "P1").mkdir(parents=True)
    shutil.copy(
        tmp_path / "nifti" / "images" / "P1" / "arterial_regions.nii.gz",
        tmp_path / "masks" / "P1" / "regions.nii.gz",
    )
    found = phases_of(tree, masks=str(tmp_path / "masks"))
    assert found == {"arterial": "2", "portal_venous": "3", "delayed": "4"}


def test_the_aorta_of_real_portal_venous_scans_is_found_without_a_mask(shared_data):
    import SimpleITK as sitk  # noqa: N813

    folder = shared_data / "images" / "chaos_ct3"
    image, drawn = (sitk.ReadImage(str(folder / name)) for name in ("ct.nii.gz", "liver.nii.gz"))
    grid = VolumeGrid(
        image.GetSize(),
        image.GetSpacing(),
        image.GetOrigin(),
        np.array(image.GetDirection()).reshape(3, 3),
    )
    liver = places_of(sitk.GetArrayFromImage(drawn), grid)
    lattice = make_lattice([grid], liver)
    points = lattice.points()
    seen = sample(sitk.GetArrayFromImage(image), grid, points).reshape(lattice.shape)
    smooth = without_noise(seen)
    course = find_aorta(smooth, find_spine(smooth))
    middle = len(lattice.z) // 2
    row, column = course.centers[middle]
    place = (lattice.x[int(column)], lattice.y[int(row)])
    assert place == pytest.approx((5, 118), abs=8)  # read from the image by eye
    assert mean_along(seen, course) == pytest.approx(163, abs=6)


def test_a_native_scan_alone_shows_no_aorta():
    grid = VolumeGrid((116, 90, 12), (2.0, 2.0, 5.0), (0.0, 0.0, 0.0), np.eye(3))
    lattice = make_lattice([grid], places_of(labels() == 1, grid))
    seen = sample(body("native"), grid, lattice.points()).reshape(lattice.shape)
    spine = find_spine(without_noise(seen))
    assert spine is not None
    assert find_aorta(without_noise(seen), spine) is None
