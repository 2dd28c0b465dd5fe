import errno
import json
import shutil

import highdicom as hd
import numpy as np
import pandas as pd
import pydicom
import pytest
import SimpleITK as sitk  # noqa: N813
from dicom_writer import write_dicom_cohort
from read_tree import read, reason

from mtl_hcc.cohorts.dicom import convert
from mtl_hcc.errors import CohortError, ConfigError
from mtl_hcc.patient import CT_PHASES


def assert_same_image(path, expected):
    image, original = sitk.ReadImage(str(path)), sitk.ReadImage(str(expected))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), sitk.GetArrayFromImage(original))
    for name in ("GetOrigin", "GetSpacing", "GetDirection"):
        np.testing.assert_allclose(getattr(image, name)(), getattr(original, name)(), atol=1e-5)


@pytest.mark.parametrize(
    "way",
    [
        {},
        {"told_by": "bolus"},
        {"series": "one", "told_by": "bolus"},
        {"series": "one", "told_by": "bolus", "compression": "jpeg2000"},
    ],
    ids=["descriptions", "bolus", "one series", "one series, JPEG 2000"],
)
def test_nifti_to_dicom_and_back_is_the_same_cohort(nifti_cohort, tmp_path, way):
    tree = write_dicom_cohort(nifti_cohort, tmp_path / "tree", progress=False, **way)
    cohort = read(tree)
    assert cohort.quarantine.empty
    assert list(cohort.table.index) == ["P1", "P2"]
    assert cohort.table["os_days"].tolist() == [10.0, 20.0]
    for patient_id, patient in cohort.patients.items():
        folder = nifti_cohort / "images" / patient_id
        assert list(patient.images) == list(CT_PHASES)
        for phase in CT_PHASES:
            assert_same_image(patient.images[phase], folder / f"{phase}.nii.gz")
            assert_same_image(patient.regions[phase], folder / f"{phase}_regions.nii.gz")


def test_one_bad_patient_does_not_stop_the_others(dicom_cohort):
    (dicom_cohort / "P1" / "series_3" / "00010003.dcm").unlink(missing_ok=True)
    next(dicom_cohort.glob("P1/series_3/*3.dcm")).unlink()
    cohort = read(dicom_cohort)
    assert list(cohort.patients) == ["P2"]
    assert cohort.quarantine["step"].tolist() == ["dicom"]
    assert "patient P1, portal_venous, series 3 in P1/series_3: 1 of 6 slices" in reason(cohort)


@pytest.mark.parametrize("keep", [150, 700, -300])
def test_a_truncated_slice_is_named(dicom_cohort, keep):
    path = sorted(dicom_cohort.glob("P1/series_2/*.dcm"))[2]
    path.write_bytes(path.read_bytes()[:keep])
    cohort = read(dicom_cohort)
    assert list(cohort.patients) == ["P2"]
    assert "P1" in reason(cohort)
    assert "00003.dcm" in reason(cohort) or "slices are missing" in reason(cohort)


def test_a_tilted_gantry_is_refused(dicom_cohort, spoil):
    def shear(data, k):
        position = [float(v) for v in data.ImagePositionPatient]
        data.ImagePositionPatient = [
            f"{v:.6f}" for v in (position[0], position[1] + k, position[2])
        ]

    spoil(sorted(dicom_cohort.glob("P1/series_2/*.dcm")), shear)
    assert "gantry tilt" in reason(read(dicom_cohort))


def test_a_segmentation_of_another_patient_space_is_refused(dicom_cohort, spoil):
    spoil(
        sorted(dicom_cohort.glob("P1/series_300/*.dcm")),
        lambda data, k: setattr(data, "FrameOfReferenceUID", "1.2.3"),
    )
    assert "another frame of reference" in reason(read(dicom_cohort))


def test_a_patient_without_masks_is_told_what_to_add(dicom_cohort, spoil):
    for folder in dicom_cohort.glob("P1/series_30*"):
        shutil.rmtree(folder)
    assert "no segmentation of liver and tumor" in reason(read(dicom_cohort))
    path = sorted(dicom_cohort.glob("P1/series_2/*.dcm"))[0]
    contours = path.with_name("contours.dcm")
    shutil.copy(path, contours)
    spoil([contours], lambda data, k: data.update({"Modality": "RTSTRUCT"}))
    text = reason(read(dicom_cohort))
    assert "contours.dcm is an RT structure set" in text
    assert "plastimatch" in text


def test_masks_can_be_given_as_nifti(dicom_cohort, nifti_cohort, tmp_path):
    for folder in dicom_cohort.glob("P*/series_30*"):
        shutil.rmtree(folder)
    masks = tmp_path / "masks"
    for patient_id in ("P1", "P2"):
        (masks / patient_id).mkdir(parents=True)
        shutil.copy(
            nifti_cohort / "images" / patient_id / "arterial_regions.nii.gz",
            masks / patient_id / "regions.nii.gz",
        )
    cohort = read(dicom_cohort, masks=str(masks))
    assert cohort.quarantine.empty
    assert {path.name for path in cohort.patients["P1"].regions.values()} == {"regions.nii.gz"}


def test_a_segmentation_that_refers_to_no_slice_serves_all_phases(dicom_cohort, spoil):
    def forget(data, k):
        for frame in data.PerFrameFunctionalGroupsSequence:
            del frame.DerivationImageSequence
        del data.ReferencedSeriesSequence

    for folder in ("series_301", "series_302"):
        shutil.rmtree(dicom_cohort / "P1" / folder)
    spoil(sorted(dicom_cohort.glob("P1/series_300/*.dcm")), forget)
    cohort = read(dicom_cohort)
    assert {path.name for path in cohort.patients["P1"].regions.values()} == {"regions.nii.gz"}


def test_two_studies_need_a_decision(dicom_cohort, spoil):
    later = dicom_cohort / "P1" / "later"
    shutil.copytree(dicom_cohort / "P1" / "series_2", later)

    def move(data, k):
        data.StudyInstanceUID, data.SeriesInstanceUID = "1.2.9", "1.2.9.1"
        data.StudyDate, data.SOPInstanceUID = "20010101", hd.UID()

    spoil(sorted(later.glob("*.dcm")), move)
    text = reason(read(dicom_cohort))
    assert "patient P1: 2 studies (1 series in P1/later, 6 series in P1/series_2)" in text
    assert "20010101" not in text
    for study in ("earliest", "segmented"):
        assert read(dicom_cohort, study=study).quarantine.empty


def test_patients_can_be_named_by_folder(dicom_cohort, spoil):
    spoil(sorted(dicom_cohort.rglob("*.dcm")), lambda data, k: setattr(data, "PatientID", ""))
    with pytest.raises(CohortError, match=r"without PatientID.*patient_from"):
        read(dicom_cohort)
    assert list(read(dicom_cohort, patient_from="folder").patients) == ["P1", "P2"]


def test_a_patient_id_that_leaves_the_folder_is_refused(dicom_cohort, spoil):
    files = sorted(dicom_cohort.glob("P1/**/*.dcm"))
    spoil(files, lambda data, k: setattr(data, "PatientID", "../../P1"))
    cohort = read(dicom_cohort)
    assert "cannot be the name of a folder" in reason(cohort, "../../P1")
    assert list(cohort.patients) == ["P2"]


def test_only_changed_patients_are_converted_again(dicom_cohort, spoil):
    cohort = read(dicom_cohort)
    images = {name: patient.images["arterial"] for name, patient in cohort.patients.items()}
    before = {name: path.stat().st_ino for name, path in images.items()}
    read(dicom_cohort)
    assert {name: path.stat().st_ino for name, path in images.items()} == before
    brighter = sorted(dicom_cohort.glob("P1/series_2/*.dcm"))
    spoil(brighter, lambda data, k: setattr(data, "RescaleIntercept", "-1023"))
    old = sitk.GetArrayFromImage(sitk.ReadImage(str(images["P1"])))
    record = dicom_cohort.with_name("tree_nifti") / "conversion" / "P2.json"
    stamp = record.stat().st_mtime_ns
    read(dicom_cohort)
    new = sitk.GetArrayFromImage(sitk.ReadImage(str(images["P1"])))
    np.testing.assert_array_equal(new, old + 1)
    assert record.stat().st_mtime_ns == stamp


def test_other_rules_convert_again(dicom_cohort):
    read(dicom_cohort)
    cohort = read(
        dicom_cohort,
        phase_rules={"delayed": "nothing"},
        series_phases={"P1/4": "ignore", "P2/4": "ignore"},
    )
    assert list(cohort.patients["P1"].images) == ["arterial", "portal_venous"]


def test_a_patient_who_cannot_be_read_any_more_loses_the_old_files(dicom_cohort):
    assert list(read(dicom_cohort).patients) == ["P1", "P2"]
    sorted(dicom_cohort.glob("P1/series_2/*.dcm"))[2].unlink()
    assert list(read(dicom_cohort).patients) == ["P2"]
    assert not (dicom_cohort.with_name("tree_nifti") / "images" / "P1").exists()
    shutil.rmtree(dicom_cohort / "P2" / "series_2")
    shutil.rmtree(dicom_cohort / "P1")
    cohort = read(dicom_cohort)
    assert "no folder images/P1" in reason(cohort)


def test_a_kill_while_writing_leaves_no_half_patient(dicom_cohort, monkeypatch):
    written = []

    def killed(path, voxels, grid):
        written.append(path)
        path.write_bytes(b"half")
        if len(written) == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(convert, "write_nifti", killed)
        with pytest.raises(KeyboardInterrupt):
            read(dicom_cohort)
    output = dicom_cohort.with_name("tree_nifti")
    assert not list((output / "images").iterdir())
    assert list(read(dicom_cohort).patients) == ["P1", "P2"]


def test_a_full_disk_stops_with_one_message(dicom_cohort, monkeypatch):
    def full(path, voxels, grid):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(convert, "write_nifti", full)
    with pytest.raises(CohortError, match="the disk is full"):
        read(dicom_cohort)


def test_the_record_holds_no_names_or_dates(dicom_cohort):
    read(dicom_cohort)
    record = dicom_cohort.with_name("tree_nifti") / "conversion" / "P1.json"
    content = json.loads(record.read_text())
    assert content["volumes"] == {"arterial": "2", "portal_venous": "3", "delayed": "4"}
    assert set(content) == {"fingerprint", "volumes", "remarks", "files"}


@pytest.mark.parametrize(
    "settings",
    [
        {"phase_rules": {"arteriel": "x"}},
        {"segment_rules": {"mass": "x"}},
        {"series_phases": {"P1/2": "late"}},
        {"segmented_phase": "late"},
    ],
)
def test_a_misspelt_setting_is_named(dicom_cohort, settings):
    with pytest.raises(ConfigError, match=f"{next(iter(settings))} names"):
        read(dicom_cohort, **settings)


def test_a_tree_without_table_says_where_to_put_it(dicom_cohort):
    (dicom_cohort / "patients.csv").unlink()
    with pytest.raises(CohortError, match=r"no clinical table patients\.csv"):
        read(dicom_cohort)


def test_patients_of_the_table_without_images_are_in_quarantine(dicom_cohort):
    table = pd.read_csv(dicom_cohort / "patients.csv")
    more = pd.DataFrame([{"patient_id": "P9", "center": "A", "os_days": 5, "os_event": 1}])
    pd.concat([table, more]).to_csv(dicom_cohort / "patients.csv", index=False)
    assert "no folder images/P9" in reason(read(dicom_cohort), "P9")


def test_naming_the_class_loads_no_dicom_library():
    import subprocess
    import sys

    code = (
        "import sys, mtl_hcc.cohorts.dicom, mtl_hcc.cohorts.hcc_tace_seg\n"
        "print([m for m in ('pydicom', 'highdicom', 'SimpleITK', 'torch') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_slices_are_written_with_their_true_compression(nifti_cohort, tmp_path):
    tree = write_dicom_cohort(
        nifti_cohort, tmp_path / "tree", compression="jpeg2000", progress=False
    )
    data = pydicom.dcmread(sorted(tree.glob("P1/series_2/*.dcm"))[0])
    assert data.file_meta.TransferSyntaxUID == pydicom.uid.JPEG2000Lossless
    with pytest.raises(CohortError, match="not empty"):
        write_dicom_cohort(nifti_cohort, tree, progress=False)


@pytest.fixture
def converted(dicom_cohort):
    """The tree and its NIfTI folder after a first conversion."""
    read(dicom_cohort)
    return dicom_cohort, dicom_cohort.with_name("tree_nifti")


def other_rules():
    """Settings that make every patient be converted again."""
    return {"phase_rules": {"delayed": "delayed"}}


def test_a_mask_drawn_into_a_folder_of_a_patient_without_one_stays(dicom_cohort, nifti_cohort):
    for folder in dicom_cohort.glob("P1/series_30*"):
        shutil.rmtree(folder)
    by_hand = dicom_cohort.with_name("tree_nifti") / "images" / "P1" / "regions.nii.gz"
    by_hand.parent.mkdir(parents=True)
    shutil.copy(nifti_cohort / "images" / "P1" / "arterial_regions.nii.gz", by_hand)
    content = by_hand.read_bytes()
    for _ in range(2):
        cohort = read(dicom_cohort)
        assert by_hand.read_bytes() == content
        assert list(cohort.patients) == ["P2"]
        text = reason(cohort)
        assert (
            "patient P1, images/P1: holds regions.nii.gz that the conversion did not write; "
            "nothing there is replaced or used. Move hand-drawn masks to "
            "<folder>/P1/regions.nii.gz" in text
        )
        assert "data.source.masks" in text


def test_a_mask_drawn_beside_the_converted_ones_is_refused_and_stays(converted):
    tree, output = converted
    by_hand = output / "images" / "P1" / "regions.nii.gz"
    shutil.copy(output / "images" / "P2" / "arterial_regions.nii.gz", by_hand)
    before = {path: path.read_bytes() for path in by_hand.parent.iterdir()}
    for settings in ({}, other_rules()):
        cohort = read(tree, **settings)
        assert "holds regions.nii.gz that the conversion did not write" in reason(cohort)
        assert list(cohort.patients) == ["P2"]
        assert {path: path.read_bytes() for path in by_hand.parent.iterdir()} == before
    (tree.parent / "masks" / "P1").mkdir(parents=True)
    by_hand.rename(tree.parent / "masks" / "P1" / "regions.nii.gz")
    cohort = read(tree, masks=str(tree.parent / "masks"))
    assert {path.name for path in cohort.patients["P1"].regions.values()} == {"regions.nii.gz"}


def test_a_converted_mask_that_was_corrected_by_hand_is_used_and_never_replaced(converted):
    tree, output = converted
    corrected = output / "images" / "P1" / "arterial_regions.nii.gz"
    shutil.copy(output / "images" / "P2" / "delayed_regions.nii.gz", corrected)
    content = corrected.read_bytes()
    cohort = read(tree)
    assert list(cohort.patients) == ["P1", "P2"]
    assert reason(cohort) == (
        "kept: patient P1, images/P1: arterial_regions.nii.gz changed by hand since the "
        "conversion; used as it is"
    )
    cohort = read(tree, **other_rules())
    assert "arterial_regions.nii.gz changed by hand, while the input changed too" in reason(cohort)
    assert list(cohort.patients) == ["P2"]
    shutil.rmtree(tree / "P1")
    cohort = read(tree)
    assert "no DICOM files any more, but arterial_regions.nii.gz of another hand" in reason(cohort)
    assert list(cohort.patients) == ["P2"]
    assert corrected.read_bytes() == content


def test_files_copied_with_another_time_are_still_known(converted):
    tree, output = converted
    for path in (output / "images").rglob("*.nii.gz"):
        path.touch()
    assert read(tree, **other_rules()).quarantine.empty


def test_notes_stay_beside_the_images(converted):
    tree, output = converted
    notes = output / "images" / "P1" / "notes.txt"
    notes.write_text("seen by A")
    assert read(tree).quarantine.empty
    assert "holds notes.txt that the conversion did not write" in reason(
        read(tree, **other_rules())
    )
    assert notes.read_text() == "seen by A"


def test_a_patient_put_into_the_output_by_hand_is_used_and_named(converted):
    tree, output = converted
    shutil.copytree(output / "images" / "P1", output / "images" / "P7")
    table = pd.read_csv(tree / "patients.csv")
    more = pd.DataFrame([{"patient_id": "P7", "center": "A", "os_days": 5, "os_event": 1}])
    pd.concat([table, more]).to_csv(tree / "patients.csv", index=False)
    cohort = read(tree)
    assert list(cohort.patients) == ["P1", "P2", "P7"]
    assert reason(cohort, "P7").startswith("kept: patient P7, images/P7: was not converted")


def test_a_table_that_another_hand_wrote_is_not_overwritten(dicom_cohort):
    table = dicom_cohort.with_name("tree_nifti") / "patients.csv"
    table.parent.mkdir()
    table.write_text("patient_id,mvi\nP1,1\n")
    with pytest.raises(CohortError, match="written or edited by another hand") as error:
        read(dicom_cohort)
    assert str(table) in str(error.value)
    assert f"Make the change in {dicom_cohort / 'patients.csv'}" in str(error.value)
    assert "data.source.output" in str(error.value)
    assert table.read_text() == "patient_id,mvi\nP1,1\n"
    assert not (table.parent / "images").exists(), "told before hours of conversion"


def test_a_table_edited_since_is_not_overwritten_and_an_untouched_one_is_renewed(converted):
    tree, output = converted
    source = tree / "patients.csv"
    for days in (11, 12):
        pd.read_csv(source).assign(os_days=days).to_csv(source, index=False)
        assert read(tree).table["os_days"].tolist() == [days, days]
    edited = (output / "patients.csv").read_text() + "P3,A,5,1\n"
    (output / "patients.csv").write_text(edited)
    with pytest.raises(CohortError, match="edited by another hand"):
        read(tree)
    assert (output / "patients.csv").read_text() == edited


@pytest.mark.parametrize("step", ["write_conversion", "_remove"])
def test_a_kill_between_two_steps_leaves_nothing_that_seems_anothers(
    dicom_cohort, monkeypatch, step
):
    read(dicom_cohort)
    done = getattr(convert, step)

    def killed(*arguments):
        done(*arguments)
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(convert, step, killed)
        with pytest.raises(KeyboardInterrupt):
            read(dicom_cohort, **other_rules())
    cohort = read(dicom_cohort, **other_rules())
    assert list(cohort.patients) == ["P1", "P2"]
    assert cohort.quarantine.empty
