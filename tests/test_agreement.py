"""Two readers through the real command: masks on disk and tables of ratings."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk  # noqa: N813 - its documentation's name
from tiny_runs import Finished, call

from mtl_hcc.agreement import main
from mtl_hcc.metrics.agreement.intraclass import FORMS, intraclass_correlations
from mtl_hcc.metrics.agreement.masks import mask_agreement

SPACING = (0.8, 0.8, 2.5)  # x, y, z in mm


def labels(shift: int = 0, tumor: bool = True) -> np.ndarray:
    """A liver with a tumor, (plane, row, column)."""
    drawn = np.zeros((14, 40, 40), dtype=np.uint8)
    drawn[2:12, 5:35, 5:35] = 1
    if tumor:
        drawn[4:9, 10 + shift : 20 + shift, 10:20] = 2
    return drawn


def save(array: np.ndarray, path: Path, spacing: tuple[float, ...] = SPACING) -> None:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    path.parent.mkdir(parents=True, exist_ok=True)
    sitk.WriteImage(image, str(path))


def compare(folder: Path, *flags: str | Path) -> Finished:
    return call(main, *flags, "--output", folder / "out")


@pytest.fixture
def readers(tmp_path) -> list[Path]:
    """Folders of two readers: three patients, cohort layout, scans beside the masks."""
    folders = [tmp_path / "reader_1", tmp_path / "reader_2"]
    for shifts, folder in zip(((0, 0, 0), (0, 1, 3)), folders, strict=True):
        for number, shift in enumerate(shifts):
            images = folder / "images" / f"P{number}"
            save(labels(shift), images / "arterial_regions.nii.gz")
            save(np.arange(27.0).reshape(3, 3, 3), images / "arterial.nii.gz")
    return folders


def test_masks_are_compared_by_patient_and_label(readers, tmp_path):
    done = compare(tmp_path, "--masks", *readers)
    assert done.code == 0, done.err
    masks = pd.read_csv(tmp_path / "out" / "masks.csv").set_index(["patient_id", "label"])
    assert len(masks) == 6, "three patients, liver and tumor; the scans are no masks"
    for number, shift in enumerate((0, 1, 3)):
        expected = mask_agreement(labels() == 2, labels(shift) == 2, SPACING[::-1])
        row = masks.loc[(f"P{number}", "tumor")]
        assert row["dice"] == pytest.approx(expected.dice)
        assert row["hausdorff_95_mm"] == pytest.approx(expected.hausdorff_95_mm)
        assert row["assd_mm"] == pytest.approx(expected.assd_mm)
        assert row["volume_a_ml"] == pytest.approx(500 * np.prod(SPACING) / 1000)
    pooled = pd.read_csv(tmp_path / "out" / "agreement.csv").set_index(["label", "measure"])
    tumor = masks.xs("tumor", level="label")["dice"]
    assert pooled.loc[("tumor", "dice"), "median"] == pytest.approx(tumor.median())
    assert pooled.loc[("tumor", "dice"), "q1"] == pytest.approx(tumor.quantile(0.25))
    assert pooled.loc[("tumor", "dice"), "n"] == 3
    for text in ("reader_1", "tumor", "hausdorff_95_mm", "masks.csv"):
        assert text in done.out


def test_bad_masks_are_left_out_with_the_reason_and_the_rest_goes_on(readers, tmp_path):
    second = readers[1] / "images"
    save(labels(), second / "P0" / "arterial_regions.nii.gz", spacing=(1.0, 1.0, 5.0))
    path = second / "P1" / "arterial_regions.nii.gz"
    path.write_bytes(path.read_bytes()[:200])
    save(labels(), second / "P9" / "arterial_regions.nii.gz")
    done = compare(tmp_path, "--masks", *readers)
    assert done.code == 0, done.err
    assert "3 left out, see quarantine.csv; first: " in done.out
    left_out = pd.read_csv(tmp_path / "out" / "quarantine.csv").set_index("patient_id")["reason"]
    assert "40 x 40 x 14 voxels of 0.8 x 0.8 x 2.5 mm" in left_out["P0"]
    assert "different grids" in left_out["P0"]
    assert "truncated" in left_out["P1"]
    assert "reader_1 has no such file" in left_out["P9"]
    masks = pd.read_csv(tmp_path / "out" / "masks.csv")
    assert set(masks["patient_id"]) == {"P2"}


def test_a_region_that_one_reader_did_not_draw_has_no_distance_but_a_reason(readers, tmp_path):
    save(labels(tumor=False), readers[1] / "images" / "P0" / "arterial_regions.nii.gz")
    assert compare(tmp_path, "--masks", *readers).code == 0
    masks = pd.read_csv(tmp_path / "out" / "masks.csv").set_index(["patient_id", "label"])
    row = masks.loc[("P0", "tumor")]
    assert row["dice"] == 0
    assert np.isnan(row["hausdorff_95_mm"])
    assert row["reason"] == "one mask is empty: no surface to measure to"
    pooled = pd.read_csv(tmp_path / "out" / "agreement.csv").set_index(["label", "measure"])
    assert pooled.loc[("tumor", "assd_mm"), ["n", "empty"]].tolist() == [2, 1]


def test_three_readers_and_flat_folders_of_any_labels(tmp_path):
    folders = [tmp_path / name for name in "abc"]
    for shift, folder in enumerate(folders):
        save(np.where(labels(shift) == 2, 7, 0).astype(np.uint8), folder / "P5.nii.gz")
    assert compare(tmp_path, "--masks", *folders).code == 0
    masks = pd.read_csv(tmp_path / "out" / "masks.csv")
    assert list(zip(masks["reader_a"], masks["reader_b"], strict=True)) == [
        ("a", "b"), ("a", "c"), ("b", "c"),
    ]  # fmt: skip
    assert set(masks["patient_id"]) == {"P5"}
    assert set(masks["label"].astype(str)) == {"7"}


def test_masks_outside_a_cohort_keep_their_numbers(tmp_path):
    for folder in "ab":
        save((labels() == 2).astype(np.uint8), tmp_path / folder / "P5.nii.gz")
    assert compare(tmp_path, "--masks", tmp_path / "a", tmp_path / "b").code == 0
    masks = pd.read_csv(tmp_path / "out" / "masks.csv")
    assert masks["label"].tolist() == [1], "a tumor drawn as 1 is not called liver"


def test_readers_who_share_no_label_are_not_compared(tmp_path):
    tumor = (labels() == 2).astype(np.uint8)
    save(tumor, tmp_path / "a" / "P5.nii.gz")
    save(tumor * 255, tmp_path / "b" / "P5.nii.gz")
    done = compare(tmp_path, "--masks", tmp_path / "a", tmp_path / "b")
    assert done.code == 2
    assert "a uses the labels 1, b 255: no label is in both" in done.err
    assert "Renumber the masks of one reader." in done.err


def test_ratings_give_the_six_intraclass_correlations(tmp_path):
    ratings = [[9, 2, 5, 8], [6, 1, 3, 2], [8, 4, 6, 8], [7, 1, 2, 6], [10, 5, 6, 9], [6, 2, 4, 7]]
    table = pd.DataFrame(ratings, columns=list("wxyz"), index=pd.Index(range(6), name="patient_id"))
    table.loc[6] = [5, np.nan, 3, 4]
    table.to_csv(tmp_path / "ratings.csv")
    done = compare(tmp_path, "--ratings", tmp_path / "ratings.csv")
    assert done.code == 0, done.err
    found = pd.read_csv(tmp_path / "out" / "agreement.csv").set_index("statistic")
    expected = intraclass_correlations(ratings)
    for name in FORMS:
        assert found.loc[name, "value"] == pytest.approx(expected[name].value)
        assert found.loc[name, "ci_low"] == pytest.approx(expected[name].ci_low)
    assert (found["n"] == 6).all()
    assert found["method"].str.endswith("1 patients without all readings left out").all()


def test_several_measures_are_computed_apart_and_one_without_spread_says_so(tmp_path):
    rng = np.random.default_rng(0)
    truth = rng.normal(size=30)
    parts = [
        pd.DataFrame(
            {
                "patient_id": range(30),
                "measure": measure,
                "reader_1": truth + noise * rng.normal(size=30) if noise is not None else 1.0,
                "reader_2": truth + noise * rng.normal(size=30) if noise is not None else 1.0,
            }
        )
        for measure, noise in (("diameter_mm", 0.1), ("entropy", 2.0), ("constant", None))
    ]
    pd.concat(parts).to_csv(tmp_path / "ratings.csv", index=False)
    assert compare(tmp_path, "--ratings", tmp_path / "ratings.csv").code == 0
    found = pd.read_csv(tmp_path / "out" / "agreement.csv").set_index(["measure", "statistic"])
    assert found.loc[("diameter_mm", "icc_2_1"), "value"] > 0.9
    assert found.loc[("entropy", "icc_2_1"), "value"] < 0.6
    assert np.isnan(found.loc[("constant", "icc_2_1"), "value"])
    assert "do not differ" in found.loc[("constant", "icc_2_1"), "method"]


def test_categories_give_kappas_weighted_only_where_they_are_ordered(tmp_path):
    path = tmp_path / "grades.csv"
    rng = np.random.default_rng(2)
    first = rng.integers(0, 3, 40)
    second = np.where(rng.random(40) < 0.7, first, rng.integers(0, 3, 40))
    named = np.array(["M0", "M1", "M2"])
    who = {"patient_id": range(40)}
    pd.DataFrame(who | {"a": named[first], "b": named[second]}).to_csv(path, index=False)
    flags = ["--ratings", path, "--scale", "category"]
    assert compare(tmp_path, *flags).code == 0
    plain = pd.read_csv(tmp_path / "out" / "agreement.csv").set_index("statistic")
    assert list(plain.index) == ["cohen_kappa"]
    assert compare(tmp_path, *flags, "--order", "M0", "M1", "M2").code == 0
    ordered = pd.read_csv(tmp_path / "out" / "agreement.csv").set_index("statistic")
    assert list(ordered.index) == ["cohen_kappa", "cohen_kappa_linear", "cohen_kappa_quadratic"]
    numbers = pd.DataFrame(who | {"a": first, "b": second.astype(float)})  # 2 and 2.0 are one
    numbers.to_csv(path, index=False)
    assert compare(tmp_path, *flags).code == 0
    of_numbers = pd.read_csv(tmp_path / "out" / "agreement.csv").set_index("statistic")
    assert of_numbers["value"].to_dict() == pytest.approx(ordered["value"].to_dict())


@pytest.mark.parametrize(
    ("text", "flags", "parts"),
    [
        ("patient,a,b\nP1,1,2\n", [], ["no column patient_id"]),
        ("patient_id,a\nP1,1\n", [], ["1 columns of readings"]),
        ("patient_id,a,b\nP1,1,2\nP2,3,3\nP1,1,2\n", [], ["line 4, patient P1", "twice"]),
        ("patient_id,a,b\nP1,1,2\nP2,3,large\n", [], ["line 3, patient P2, column b", "'large'"]),
        (
            "patient_id,a,b\nP1,M0,M1\n",
            ["--scale", "category", "--order", "M0", "M2"],
            ["the category 'M1'", "--order"],
        ),
        ("patient_id,a,b\nP1,1,2\n", ["--order", "1", "2"], ["Say --scale category"]),
        ("patient_id,a,b\nP1,1,2\n", ["--bootstraps", "-1"], ["a negative number"]),
    ],
    ids=["no patient_id", "one reader", "twice", "text", "category", "order", "negative"],
)
def test_bad_ratings_are_one_message_with_file_line_and_remedy(tmp_path, text, flags, parts):
    path = tmp_path / "ratings.csv"
    path.write_text(text)
    done = compare(tmp_path, "--ratings", path, *flags)
    assert done.code == 2
    assert "Traceback" not in done.err
    for part in parts:
        assert part in done.err
    assert not (tmp_path / "out").exists()


def test_folders_that_cannot_be_compared_are_one_message(readers, tmp_path):
    (tmp_path / "empty").mkdir()
    save(labels(), tmp_path / "other" / "somebody.nii.gz")
    for folders, message in (
        ([readers[0]], "one folder"),
        ([readers[0], readers[0]], "one folder twice"),
        ([readers[0], tmp_path / "empty"], "no masks"),
        ([readers[0], tmp_path / "absent"], "no masks"),
        ([readers[0], tmp_path / "other"], "no file is in two folders"),
    ):
        done = compare(tmp_path, "--masks", *folders)
        assert done.code == 2
        assert message in done.err
    assert not (tmp_path / "out").exists()


def test_ten_readings_or_a_missing_file_end_well(tmp_path):
    done = compare(tmp_path, "--ratings", tmp_path / "absent.csv")
    assert done.code == 2
    assert "absent.csv: cannot be read" in done.err
    (tmp_path / "one.csv").write_text("patient_id,a,b\nP1,1,2\n")
    assert compare(tmp_path, "--ratings", tmp_path / "one.csv").code == 0
    found = pd.read_csv(tmp_path / "out" / "agreement.csv")
    assert found["value"].isna().all()
    assert found["method"].str.contains("at least 2 of each").all()


def test_scans_named_for_masks_are_refused(tmp_path):
    rng = np.random.default_rng(1)
    for name in ("reader_1", "reader_2"):
        save(rng.integers(-200, 300, (9, 9, 9)).astype(np.int16), tmp_path / name / "P1.nii.gz")
    done = compare(tmp_path, "--masks", tmp_path / "reader_1", tmp_path / "reader_2")
    assert done.code == 2
    assert "none of the 1 pairs of files could be compared" in done.err
    assert "Name the folder of the masks, not of the images" in done.err


def test_help_starts_quickly_and_masks_are_compared_without_torch(readers, tmp_path):
    start = time.perf_counter()
    command = [sys.executable, "-m", "mtl_hcc.agreement", "--help"]
    assert "--masks" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert time.perf_counter() - start < 2
    program = """
import sys
from mtl_hcc.agreement import main
assert main(sys.argv[1:]) == 0
loaded = {"torch", "pytorch_lightning", "monai", "torchio"} & set(sys.modules)
assert not loaded, loaded
"""
    flags = ["--masks", *map(str, readers), "--output", str(tmp_path / "out")]
    ended = subprocess.run(
        [sys.executable, "-c", program, *flags], capture_output=True, text=True, check=False,
        env=dict(os.environ),
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
