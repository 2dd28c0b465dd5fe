"""What changed in a cohort after it was prepared is what training reads, wherever it lies."""

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk  # noqa: N813
from dicom_writer import write_dicom_cohort
from one_view import one_view, with_view
from safetensors.numpy import save_file

from mtl_hcc.cohorts import ClinicalTable, DicomTree, HccTaceSeg, NiftiFolder
from mtl_hcc.data.datamodule import CohortDataModule
from mtl_hcc.data.resources import Preparing
from mtl_hcc.data.splits import RandomSplit, SingleSplit
from mtl_hcc.errors import CohortError, StoreError, TableError
from mtl_hcc.regions import Region
from mtl_hcc.store.prepared_store import PreparedStore

SMALL = one_view(spacing_mm=8.0, field_of_view_mm=64.0, plausibility="remark")
"""Its images are cubes of liver without fat and air."""
FIRST = "P000"


def read(cohort: Path, store: Path, **settings) -> CohortDataModule:
    """Return what ``fit`` reads of a cohort."""
    defaults = {"preparation": SMALL, "preparing": Preparing(workers=1), "split": SingleSplit()}
    datamodule = CohortDataModule(
        cohort=str(cohort), store=str(store), endpoints=["mvi"], **{**defaults, **settings}
    )
    datamodule.prepare_data()
    datamodule.setup("predict")
    return datamodule


def batch(datamodule: CohortDataModule):
    return next(iter(datamodule.predict_dataloader()))


def label(datamodule: CohortDataModule, patient: str = FIRST) -> float:
    found = batch(datamodule)
    return float(found.targets["mvi"][found.patient_id.index(patient)])


def tumor_voxels(datamodule: CohortDataModule, patient: str = FIRST) -> int:
    found = batch(datamodule)
    regions = found.views["tumor"].regions[found.patient_id.index(patient)].numpy()
    return int(np.count_nonzero(regions & Region.TUMOR))


def set_label(table: Path, value: int, column: str = "mvi") -> None:
    cells = pd.read_csv(table, dtype=str).set_index("patient_id")
    cells.loc[FIRST, column] = str(value)
    cells.to_csv(table)


def shrink_tumor(mask: Path) -> None:
    """Draw a smaller tumor into a label map, under the date that the file had."""
    found = mask.stat()
    image = sitk.ReadImage(str(mask))
    labels = sitk.GetArrayFromImage(image)
    plane = int(np.argwhere(labels == 2)[:, 0].mean())
    labels[plane:][labels[plane:] == 2] = 1
    smaller = sitk.GetImageFromArray(labels)
    smaller.CopyInformation(image)
    sitk.WriteImage(smaller, str(mask))
    os.utime(mask, ns=(found.st_atime_ns, found.st_mtime_ns))


@pytest.fixture
def cohort(cohort_folder: Path, tmp_path: Path) -> Path:
    """Three patients of the tiny cohort, the table beside the folder."""
    root, table = tmp_path / "cohort", pd.read_csv(cohort_folder / "patients.csv", dtype=str)
    for name in table["patient_id"][:3]:
        shutil.copytree(cohort_folder / "images" / name, root / "images" / name)
    table[:3].to_csv(tmp_path / "clinic.csv", index=False)
    return root


def test_a_table_outside_the_cohort_folder_gives_its_new_labels(cohort, tmp_path):
    outside = NiftiFolder(table="../clinic.csv")
    assert label(read(cohort, tmp_path / "store", source=outside)) == 0
    set_label(tmp_path / "clinic.csv", 1)
    assert label(read(cohort, tmp_path / "store", source=outside)) == 1


def test_a_table_by_its_whole_path_gives_its_new_labels(cohort, tmp_path):
    source = ClinicalTable(table=str(tmp_path / "clinic.csv"))
    settings = {"source": source, "preparation": None, "split": RandomSplit()}
    assert label(read(cohort, tmp_path / "store", **settings)) == 0
    set_label(tmp_path / "clinic.csv", 1)
    assert label(read(cohort, tmp_path / "store", **settings)) == 1


def test_a_table_of_the_same_size_and_date_gives_its_new_labels(cohort, tmp_path):
    for ending in (".csv", ".txt"):
        table = cohort / f"patients{ending}"
        shutil.copy(tmp_path / "clinic.csv", table)
        source, store = NiftiFolder(table=table.name), tmp_path / f"store{ending}"
        assert label(read(cohort, store, source=source)) == 0
        found = table.stat()
        content = table.read_text().replace(",0.0,", ",1.0,")
        table.write_text(content)
        os.utime(table, ns=(found.st_atime_ns, found.st_mtime_ns))
        assert table.stat().st_size == found.st_size
        assert label(read(cohort, store, source=source)) == 1


def test_a_linked_table_and_linked_images_are_followed(cohort, tmp_path):
    elsewhere = tmp_path / "archive"
    (cohort / "images").rename(elsewhere)
    (cohort / "images").mkdir()
    (cohort / "patients.csv").symlink_to(tmp_path / "clinic.csv")
    names = sorted(folder.name for folder in elsewhere.iterdir())
    (cohort / "images" / names[0]).symlink_to(elsewhere / names[0])  # a linked folder
    for name in names[1:]:  # linked files
        (cohort / "images" / name).mkdir()
        for file in (elsewhere / name).iterdir():
            (cohort / "images" / name / file.name).symlink_to(file)

    def seen() -> tuple[float, list[int]]:
        datamodule = read(cohort, tmp_path / "store")
        return label(datamodule), [tumor_voxels(datamodule, name) for name in names]

    (before, drawn) = seen()
    for name in names[:2]:
        for mask in (elsewhere / name).glob("*_regions.nii.gz"):
            shrink_tumor(mask)
    set_label(tmp_path / "clinic.csv", 1)
    (after, left) = seen()
    assert (before, after) == (0, 1)
    assert 0 < left[0] < 0.7 * drawn[0]
    assert 0 < left[1] < 0.7 * drawn[1]
    assert left[2] == drawn[2]


@pytest.fixture
def dicom(cohort: Path, tmp_path: Path) -> Path:
    shutil.copy(tmp_path / "clinic.csv", cohort / "patients.csv")
    tree = write_dicom_cohort(cohort, tmp_path / "dicom", progress=False)
    (tree / "patients.csv").unlink()
    return tree


def test_table_and_masks_of_a_dicom_tree_lie_elsewhere(cohort, dicom, tmp_path, monkeypatch):
    masks = tmp_path / "masks"
    for name in (folder.name for folder in (cohort / "images").iterdir()):
        for mask in (cohort / "images" / name).glob("*_regions.nii.gz"):
            (masks / name).mkdir(parents=True, exist_ok=True)
            shutil.copy(mask, masks / name / mask.name)
    monkeypatch.chdir(tmp_path)

    def seen() -> tuple[float, int]:
        source = DicomTree(table=str(tmp_path / "clinic.csv"), masks="masks", progress=False)
        datamodule = read(dicom, tmp_path / "store", source=source)
        return label(datamodule), tumor_voxels(datamodule)

    (before, drawn) = seen()
    stamp = (tmp_path / "store" / "manifest.csv").stat().st_mtime_ns
    assert seen() == (before, drawn)
    assert (tmp_path / "store" / "manifest.csv").stat().st_mtime_ns == stamp, "nothing changed"
    set_label(tmp_path / "clinic.csv", 1)
    for mask in (masks / FIRST).iterdir():
        shrink_tumor(mask)
        os.utime(mask)
    (after, left) = seen()
    assert (before, after) == (0, 1)
    assert 0 < left < 0.7 * drawn


def test_what_a_source_converted_to_is_watched_as_well(dicom, tmp_path):
    source = DicomTree(table=str(tmp_path / "clinic.csv"), progress=False)
    drawn = tumor_voxels(read(dicom, tmp_path / "store", source=source))
    for mask in (tmp_path / "dicom_nifti" / "images" / FIRST).glob("*_regions.nii.gz"):
        shrink_tumor(mask)
    left = tumor_voxels(read(dicom, tmp_path / "store", source=source))
    assert 0 < left < 0.7 * drawn


def test_the_sheet_of_hcc_tace_seg_may_lie_elsewhere(clinical_tables, tmp_path):
    sheet = tmp_path / "sheets" / "clinical.csv"
    sheet.parent.mkdir()
    shutil.copy(clinical_tables / "hcc_tace_seg" / "clinical.csv", sheet)
    (tmp_path / "hcc").mkdir()
    settings = {"preparation": None, "split": RandomSplit()}

    def weeks(value: str | None = None) -> float:
        if value is not None:
            cells = pd.read_csv(sheet, dtype=str, keep_default_na=False)
            cells.loc[cells["TCIA_ID"] == "HCC_001", "OS"] = value
            cells.to_csv(sheet, index=False)
        source = HccTaceSeg(table=str(sheet))
        datamodule = read(tmp_path / "hcc", tmp_path / "store", source=source, **settings)
        return datamodule.table.loc["HCC_001", "os_days"] / 7

    first = weeks()
    assert weeks(str(int(first) + 100)) == int(first) + 100


def test_a_table_of_the_store_changed_by_hand_is_made_anew_and_said(cohort, tmp_path, capsys):
    source, store = NiftiFolder(table="../clinic.csv"), tmp_path / "store"
    read(cohort, store, source=source)
    set_label(store / "patients.csv", 1)
    assert label(read(cohort, store, source=source)) == 0
    assert f"{store} is renewed: patients.csv was changed." in capsys.readouterr().out


def test_a_deleted_file_of_a_patient_is_made_again(cohort, tmp_path):
    source, store = NiftiFolder(table="../clinic.csv"), tmp_path / "store"
    file = read(cohort, store, source=source)._store.path(FIRST)
    file.unlink()
    assert tumor_voxels(read(cohort, store, source=source)) > 0
    assert file.is_file()


def test_without_its_cohort_a_store_is_used_only_as_it_was_made(cohort, tmp_path):
    source, store = NiftiFolder(table="../clinic.csv"), tmp_path / "store"
    read(cohort, store, source=source)
    shutil.rmtree(cohort)
    assert label(read(cohort, store, source=source)) == 0
    set_label(store / "patients.csv", 1)
    with pytest.raises(StoreError, match=r"patients\.csv was changed, and the cohort .*is not the"):
        read(cohort, store, source=source)


def test_a_store_of_another_recipe_is_not_read(cohort, tmp_path):
    source, store = NiftiFolder(table="../clinic.csv"), tmp_path / "store"
    late = CohortDataModule(
        cohort=str(cohort),
        store=str(store),
        source=source,
        endpoints=["mvi"],
        split=SingleSplit(),
        preparation=SMALL,
        preparing=Preparing(workers=1),
    )
    late.prepare_data()
    other = with_view(SMALL, spacing_mm=16.0)
    read(cohort, store, source=source, preparation=other)  # meanwhile, by another process
    with pytest.raises(StoreError, match="prepared by another recipe"):
        late.setup("predict")


@pytest.mark.parametrize(
    ("make", "found"),
    [
        (os.mkfifo, r"patients\.csv is no regular file \(a pipe\)"),
        (lambda path: path.symlink_to("/nowhere"), r"patients\.csv is a link to /nowhere, which "),
    ],
)
def test_a_table_that_is_no_file_is_named_for_what_it_is(cohort, tmp_path, make, found):
    make(cohort / "patients.csv")
    with pytest.raises(CohortError, match=found):
        read(cohort, tmp_path / "store")
    with pytest.raises((CohortError, TableError), match=found):
        read(cohort / "patients.csv", tmp_path / "store", preparation=None)


def test_pipes_and_locks_beside_the_table_neither_hang_nor_crash(cohort, dicom, tmp_path):
    for root in (cohort, dicom):
        os.mkfifo(root / "pipe.csv")
        os.mkfifo(root / "pipe.dcm")
        (root / ".#patients.csv").symlink_to("surgeon@ward.1234:1700000000")
    assert label(read(cohort, tmp_path / "store")) == 0
    source = DicomTree(table=str(tmp_path / "clinic.csv"), progress=False)
    assert label(read(dicom, tmp_path / "from_dicom", source=source)) == 0


def test_a_store_of_the_earlier_version_is_made_anew_and_it_is_said_why(cohort, tmp_path, capsys):
    source, store = NiftiFolder(table="../clinic.csv"), tmp_path / "store"
    expected = batch(read(cohort, store, source=source)).views["tumor"].images.numpy()
    made = json.loads((store / "source.json").read_text())
    del made["settings"]["version"]  # as version 0.1 wrote it
    made["settings"]["preparation"] = "0" * 64
    (store / "source.json").write_text(json.dumps(made))
    for file in (store / "patients").iterdir():  # one image and no views in them
        save_file({"images": np.zeros(1)}, file, metadata={"patient_id": FIRST, "sha256": "0"})
    capsys.readouterr()
    again = batch(read(cohort, store, source=source)).views["tumor"].images.numpy()
    said = capsys.readouterr().out
    assert "is renewed: it was prepared by version 2 or earlier of the recipe, now it is 3" in said
    assert "Prepared 3 patients, kept 0 from before" in said
    np.testing.assert_array_equal(again, expected)


def test_another_recipe_is_said_and_without_the_cohort_refused(cohort, tmp_path, capsys):
    source, store = NiftiFolder(table="../clinic.csv"), tmp_path / "store"
    read(cohort, store, source=source)
    other = with_view(SMALL, spacing_mm=16.0)
    read(cohort, store, source=source, preparation=other)
    assert "is renewed: another recipe (data.preparation)." in capsys.readouterr().out
    cohort.rename(tmp_path / "away")
    read(cohort, store, source=source, preparation=other)
    with pytest.raises(StoreError, match=r"another recipe .*, and the cohort .* is not there"):
        read(cohort, store, source=source)


def test_a_store_that_was_killed_while_it_was_renewed_is_never_read_as_a_mixture(cohort, tmp_path):
    source, store = NiftiFolder(table="../clinic.csv"), tmp_path / "store"
    other = with_view(SMALL, spacing_mm=16.0)
    read(cohort, store, source=source)
    shutil.copytree(store, tmp_path / "other")
    read(cohort, tmp_path / "other", source=source, preparation=other)
    name = PreparedStore(store).path(FIRST).name
    shutil.copy(tmp_path / "other" / "patients" / name, store / "patients" / name)
    with pytest.raises(StoreError, match="not the one that was prepared"):
        PreparedStore(store).load(FIRST)
    views = {
        tuple(view.images.shape[2:])
        for view in batch(read(cohort, store, source=source, preparation=other)).views.values()
    }
    assert views == {(4, 4, 4)}
