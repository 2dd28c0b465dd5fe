"""Bad input, one by one, through the real commands: exit code, message, and what goes on.

======================================  ==========================================================
what is wrong                           where else it is tested, in detail
======================================  ==========================================================
missing phase                           imaging/test_read_image.py, cohorts/test_nifti_folder.py
empty or one-voxel tumor mask           imaging/test_read_image.py
mask outside the image                  imaging/test_read_image.py
different geometry                      imaging/test_read_image.py, dicom/test_dicom_segmentation.py
NaN or constant image                   imaging/test_read_image.py
4D or RGB image                         imaging/test_read_image.py, dicom/test_dicom_pixels.py
truncated .nii.gz                       imaging/test_read_image.py
gantry-tilted or gapped DICOM           test_prepare.py, dicom/test_dicom_geometry.py
duplicate patient                       cohorts/test_patient_table.py
patient without images, or reverse      cohorts/test_nifti_folder.py
negative or zero time                   cohorts/test_patient_table.py
RFS longer than OS                      cohorts/test_patient_table.py
event not 0/1                           cohorts/test_patient_table.py
a text in a numeric column              cohorts/test_patient_table.py
every patient censored                  cohorts/test_patient_table.py, data/test_split_checks.py
one class only in MVI                   cohorts/test_patient_table.py, data/test_split_checks.py
a split without events                  data/test_split_checks.py, data/test_datamodule.py
one patient in two splits               data/test_kept_splits.py, metrics/test_predictions.py
unknown column in the config            cohorts/test_patient_table.py, data/test_covariates.py
misspelt key or flag                    test_config.py, test_evaluate.py
batch larger than the cohort            data/test_patient_sampler.py, data/test_datamodule.py
checkpoint of another config            test_checkpoint.py, test_resume.py
checkpoint with pickled code            test_checkpoint.py
full disk and kill while preparing      data/test_prepare_store.py, imaging/test_store.py
missing column in predictions.csv       test_bad_predictions.py, metrics/test_predictions.py
text for a number, NaN risks            test_bad_predictions.py, metrics/test_predictions.py
patients duplicated in predictions.csv  test_bad_predictions.py, metrics/test_predictions.py
predictions without events              test_bad_predictions.py
predictions with one class              test_bad_predictions.py, metrics/classification
horizon past the follow-up              test_bad_predictions.py
two files with different patients       test_bad_predictions.py, metrics/test_comparisons.py
unknown task in predictions.csv         test_bad_predictions.py, metrics/test_predictions.py
predictions of ten rows or fewer        test_bad_predictions.py
masks or ratings of readers             test_agreement.py, metrics/agreement
======================================  ==========================================================
"""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk  # noqa: N813
import torch
from tiny_runs import BRIEF, CONFIGS, PHANTOM, QUIET, Finished, call, copy_cohort, ct_flags
from tiny_training import cohort_table, tiny_config

from mtl_hcc import atomic, fit, predict, prepare
from mtl_hcc.store.prepared_store import PreparedStore

pytestmark = pytest.mark.xdist_group("phantom run")


def assert_refused(done: Finished, *parts: str) -> None:
    """Assert that a command ended with one message that holds all the parts."""
    assert done.code == 2, done.out
    for part in parts:
        assert part in done.err
    assert "Traceback" not in done.err


# Images: the bad patient is left out with a reason, the others go on -------------------------


def rewrite(path: Path, image: sitk.Image) -> None:
    path.unlink()  # it may be a link to the phantom's own file
    sitk.WriteImage(image, str(path))


def with_voxels(path: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    image = sitk.ReadImage(str(path))
    changed = sitk.GetImageFromArray(change(sitk.GetArrayFromImage(image)))
    changed.CopyInformation(image)
    rewrite(path, changed)


def each_map(folder: Path, change: Callable[[np.ndarray], np.ndarray]) -> None:
    for path in folder.glob("*_regions.nii.gz"):
        with_voxels(path, change)


def without_tumor(labels: np.ndarray) -> np.ndarray:
    return np.where(labels == 2, 1, labels)


def one_voxel(labels: np.ndarray) -> np.ndarray:
    labels = np.where(labels == 2, 1, labels)
    labels[tuple(np.argwhere(labels == 1)[0])] = 2
    return labels


def moved_map(folder: Path, *, millimeters: float, turned: bool = False) -> None:
    path = folder / "portal_venous_regions.nii.gz"
    regions = sitk.ReadImage(str(path))
    regions.SetOrigin([value + millimeters for value in regions.GetOrigin()])
    if turned:
        regions.SetDirection((0, 1, 0, 1, 0, 0, 0, 0, -1))
    rewrite(path, regions)


def four_dimensional(folder: Path) -> None:
    image = sitk.ReadImage(str(folder / "arterial.nii.gz"))
    rewrite(folder / "arterial.nii.gz", sitk.JoinSeries([image, image]))


def in_color(folder: Path) -> None:
    image = sitk.Cast(sitk.ReadImage(str(folder / "arterial.nii.gz")), sitk.sitkUInt8)
    rewrite(folder / "arterial.nii.gz", sitk.Compose(image, image, image))


def truncated(folder: Path) -> None:
    path = folder / "delayed.nii.gz"
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[: len(content) // 2])


def not_a_number(voxels: np.ndarray) -> np.ndarray:
    voxels = voxels.astype(np.float32)
    voxels[0, 0, :7] = np.nan
    return voxels


SPOILT: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "missing phase": (
        lambda folder: (folder / "delayed.nii.gz").unlink(),
        ["delayed", "missing_phase"],
    ),
    "empty tumor mask": (
        lambda folder: each_map(folder, without_tumor),
        ["arterial_regions.nii.gz", "no tumor"],
    ),
    "one-voxel tumor mask": (
        lambda folder: each_map(folder, one_voxel),
        ["arterial_regions.nii.gz", "tumor of 1 voxel"],
    ),
    "mask outside the image": (
        lambda folder: moved_map(folder, millimeters=5000),
        ["portal_venous_regions.nii.gz", "outside"],
    ),
    "different geometry": (
        lambda folder: moved_map(folder, millimeters=60, turned=True),
        ["portal_venous_regions.nii.gz", "another patient space"],
    ),
    "NaN image": (
        lambda folder: with_voxels(folder / "portal_venous.nii.gz", not_a_number),
        ["portal_venous.nii.gz", "7 voxels", "NaN"],
    ),
    "constant image": (
        lambda folder: with_voxels(folder / "portal_venous.nii.gz", np.zeros_like),
        ["portal_venous.nii.gz", "every voxel is 0"],
    ),
    "4D image": (four_dimensional, ["arterial.nii.gz", "4D image"]),
    "RGB image": (in_color, ["arterial.nii.gz", "color image"]),
    "truncated file": (truncated, ["delayed.nii.gz", "truncated"]),
}
SOUND = ["VI-001", "VI-002"]


@pytest.fixture(scope="module")
def spoilt(phantom_run, tmp_path_factory) -> tuple[Path, dict[str, str], Finished]:
    """Return a cohort where all patients but two are spoilt, who how, and how ``prepare`` ended."""
    root = tmp_path_factory.mktemp("spoilt")
    names = [f"I-{number:03d}" for number in range(1, len(SPOILT) + 1)]
    table = copy_cohort(phantom_run.cohort, root / "cohort", patients=[*names, *SOUND])
    for name, (spoil, _) in zip(names, SPOILT.values(), strict=True):
        spoil(root / "cohort" / "images" / name)
    nobody = table.iloc[[0]].assign(patient_id="nobody")
    pd.concat([table, nobody]).to_csv(root / "cohort" / "patients.csv", index=False)
    copy_cohort(phantom_run.cohort, root / "other", patients=["II-001"])
    (root / "other" / "images" / "II-001").rename(root / "cohort" / "images" / "unlisted")
    done = call(prepare.main, *ct_flags(root), "--data.cohort", root / "cohort")
    return root, dict(zip(SPOILT, names, strict=True)), done


def reason_of(root: Path, patient: str) -> str:
    quarantine = pd.read_csv(root / "store" / "quarantine.csv", dtype=str)
    (reason,) = quarantine.loc[quarantine["patient_id"] == patient, "reason"]
    return str(reason)


@pytest.mark.parametrize("kind", SPOILT)
def test_a_patient_with_a_bad_image_is_left_out_with_the_reason(spoilt, kind):
    root, names, _ = spoilt
    reason = reason_of(root, names[kind])
    for part in (names[kind], *SPOILT[kind][1]):
        assert part in reason


def test_the_other_patients_are_prepared(spoilt):
    root, names, done = spoilt
    assert done.code == 0, done.err
    assert f"Prepared 2 patients, kept 0 from before, left out {len(names) + 2}" in done.out
    assert names["missing phase"] in done.out
    assert "... and 2 more, see quality.csv and quarantine.csv" in done.out
    store = PreparedStore(root / "store")
    assert store.manifest["patient_id"].tolist() == SOUND
    assert not list((root / "store").rglob(".*")), "no half file is left"


def test_a_patient_without_images_and_images_without_a_patient_are_named(spoilt):
    root, _, _ = spoilt
    assert "no folder images/nobody" in reason_of(root, "nobody")
    assert "add the images or remove the patient" in reason_of(root, "nobody")
    assert "images/unlisted: images without a row in patients.csv" in reason_of(root, "unlisted")


def test_a_cohort_where_nobody_can_be_prepared_is_one_message(spoilt, tmp_path):
    root, names, _ = spoilt
    table = copy_cohort(root / "cohort", tmp_path / "cohort", patients=[names["truncated file"]])
    table.to_csv(tmp_path / "cohort" / "patients.csv", index=False)
    done = call(prepare.main, *ct_flags(tmp_path), "--data.cohort", tmp_path / "cohort")
    assert_refused(done, "none of the 1 patients could be prepared", "delayed.nii.gz", "truncated")


# Tables: through `fit` on a clinical config --------------------------------------------------


def fit_table(
    folder: Path, change: Callable[[pd.DataFrame], pd.DataFrame], *flags: str
) -> Finished:
    """Run ``fit`` on the table of the tiny clinical cohort after a change to it."""
    change(cohort_table(40).astype(object)).to_csv(folder / "cohort.csv")
    tiny_config(folder)  # writes config.yaml
    brief = ["--trainer.max_epochs", "1", "--bootstraps", "10", "--run", str(folder / "run")]
    return call(fit.main, "--config", folder / "config.yaml", *brief, *flags)


def cell(patient: str, **values: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[patient, list(values)] = list(values.values())
        return table

    return change


def column(**values: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    return lambda table: table.assign(**values)


def as_it_is(table: pd.DataFrame) -> pd.DataFrame:
    return table


def in_split(split: str, **values: object) -> Callable[[pd.DataFrame], pd.DataFrame]:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[table["split"] == split, list(values)] = list(values.values())
        return table

    return change


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (cell("P003", os_days=-3.0, os_event=1), ["os_days", "-3"]),
        (cell("P003", rfs_days=0), ["rfs_days", "0"]),
        (cell("P003", os_days=100, os_event=1, rfs_days=200), ["rfs_days", "200", "100"]),
        (cell("P003", os_event=2, os_days=100000), ["os_event", "2"]),
        (cell("P003", mvi=7), ["mvi", "7"]),
        (cell("P003", afp_ng_ml="high"), ["afp_ng_ml", "high"]),
        (lambda table: pd.concat([table, table.loc[["P003"]]]), ["lines 5, 42"]),
        (
            lambda table: pd.concat([table, table.loc[["P003"]].assign(split="validation")]),
            ["lines 5, 42"],
        ),
    ],
    ids=[
        "negative time",
        "zero time",
        "RFS longer than OS",
        "event 2",
        "class 7",
        "text in a numeric column",
        "duplicate patient",
        "one patient in two splits",
    ],
)
def test_a_bad_row_is_said_and_left_out_while_the_rest_trains(tmp_path, change, reason):
    done = fit_table(tmp_path, change)
    assert done.code == 0, done.err
    assert "Read 39 patients, left out 1" in done.out
    line = next(line for line in done.out.splitlines() if line.strip().startswith("P003:"))
    written = reason_of(tmp_path, "P003")
    for part in ("cohort.csv", *reason):
        assert part in line
        assert part in written
    predictions = pd.read_csv(tmp_path / "run" / "predictions.csv")
    assert predictions["patient_id"].nunique() == 39
    assert "P003" not in set(predictions["patient_id"])


@pytest.mark.parametrize(
    ("change", "flags", "parts"),
    [
        (column(os_event=0), [], ["os_event", "no event of os", "every patient is censored"]),
        (column(mvi=1), [], ["column mvi", "only class 1", "split train"]),
        (column(mvi=""), [], ["column mvi", "no label"]),
        (column(os_days="", os_event=""), [], ["os_event", "has a label of os"]),
        (in_split("train", os_event=0), [], ["os_event", "no event of os", "split train"]),
        (in_split("validation", rfs_event=0), [], ["rfs_event", "split validation"]),
        (column(split="train"), [], ["no patient in split validation", "train 40"]),
        (cell("P003", split=""), [], ["patient P003", "column split", "Fill the cells"]),
        (as_it_is, ["--data.covariates", "{height_cm: linear}"], ["height_cm", "data.covariates"]),
        (as_it_is, ["--data.batch_size", "64"], ["data.batch_size", "64", "28 or less"]),
        (as_it_is, ["--data.fold", "2"], ["data.fold: fold is 2", "leave it out"]),
        (as_it_is, ["--data.batchsize", "8"], ["batchsize", "Did you mean data.batch_size"]),
        (as_it_is, ["--data.cohort", "absent.csv"], ["absent.csv: no such file", "data.cohort"]),
        (lambda table: table.drop(columns="mvi"), [], ["no column mvi", "data.endpoints"]),
        (lambda table: table.iloc[:0], [], ["cohort.csv", "no patients"]),
        (
            as_it_is,
            ["--data.source", "ClinicalTable", "--data.source.columns", "{os_days: OS}"],
            ["no column 'OS'", "columns.os_days"],
        ),
        (
            as_it_is,
            ["--data.split", "KFold", "--data.split.folds", "50"],
            ["50 folds for 40 patients"],
        ),
    ],
    ids=[
        "every patient censored",
        "one class only",
        "no class at all",
        "no label at all",
        "training without events",
        "validation without events",
        "no validation split",
        "empty split",
        "unknown covariate",
        "batch too large",
        "one fold of many",
        "misspelt flag",
        "absent cohort",
        "missing endpoint column",
        "empty table",
        "unknown mapped column",
        "too many folds",
    ],
)
def test_a_cohort_or_setting_that_cannot_be_trained_is_one_message(tmp_path, change, flags, parts):
    done = fit_table(tmp_path, change, *flags)
    assert_refused(done, *parts)
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_one_patient_in_two_splits_of_a_file_is_named_with_both(tmp_path):
    splits = cohort_table(40)["split"].reset_index()
    twice = splits.iloc[[3]].assign(split="external")
    pd.concat([splits, twice]).to_csv(tmp_path / "mine.csv", index=False)
    flags = ["--data.split", "SplitFile", "--data.split.path", str(tmp_path / "mine.csv")]
    done = fit_table(tmp_path, as_it_is, *flags)
    assert_refused(done, "mine.csv, patient P003", "train and external", "Delete all but one")


def test_a_split_that_is_only_looked_at_may_lack_events(tmp_path):
    table = cohort_table(40)
    last = table.index[-6:]
    change = cell(last[0], split="external")

    def censored(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[last, ["split", "os_event", "mvi"]] = ["external", 0, 0]
        return change(table)

    done = fit_table(tmp_path, censored)
    assert done.code == 0, done.err
    metrics = pd.read_csv(tmp_path / "run" / "metrics.csv")
    rows = metrics[(metrics["split"] == "external") & metrics["metric"].isin(["auc"])]
    assert rows["value"].isna().all()
    assert rows["method"].str.contains("class").all()


def test_a_baseline_with_an_unknown_column_is_left_out_and_said(tmp_path):
    done = fit_table(tmp_path, as_it_is, "--baselines", "{height: {height_cm: linear}}")
    assert done.code == 0, done.err
    assert "Baseline 'height' is left out: the cohort has no column height_cm" in done.out


def test_a_misspelt_key_of_the_yaml_is_named_with_the_right_one(tmp_path):
    text = (CONFIGS / "clinical_mtl.yaml").read_text()
    (tmp_path / "mine.yaml").write_text(text.replace("weight_decay:", "weight_decoy:"))
    done = call(fit.main, "--config", tmp_path / "mine.yaml")
    assert_refused(done, "weight_decoy", "Did you mean model.weight_decay")


@pytest.mark.parametrize(
    ("flags", "parts"),
    [
        (
            ["--data.preparation.views.tumor.phases", "[arterial, portal_venous]"],
            ["made for 3 phases", "2 are used", "aggregator.init_args.phases to 2"],
        ),
        (
            ["--data.endpoints", "[os, rfs]"],
            ["head 'mvi' needs mvi", "Add the endpoint to data.endpoints"],
        ),
        (
            ["--data.preparation", "null"],
            ["view 'tumor', which is not prepared", "images, in data.preparation"],
        ),
        (["--data.covariates", "{age_years: linear}"], ["model.clinical", "data.covariates"]),
        (
            ["--data.preparation.views.tumor.spacing_mm", "-1"],
            ["spacing_mm is -1.0", "0.1 to 20 mm"],
        ),
        (
            ["--data.preparation.views.tumor.phases", "[arteriel]"],
            ["arteriel", "one of arterial, delayed"],
        ),
        (["--data.phantom.patients", "{X: 3}"], ["PhantomSettings.patients", "'X'"]),
        (["--trainer.strategy", "nothing"], ["trainer: ", "nothing"]),
        (["--trainer.precision", "64-half"], ["precision", "64-half"]),
        (["--data.store", str(Path(__file__) / "store")], ["test_bad_input.py", "folder"]),
    ],
    ids=[
        "phases of the aggregator",
        "head without endpoint",
        "backbone without images",
        "covariates without encoder",
        "spacing",
        "phase",
        "center",
        "strategy",
        "precision",
        "store inside a file",
    ],
)
def test_settings_of_images_that_do_not_fit_are_one_message(phantom_run, tmp_path, flags, parts):
    places = ct_flags(phantom_run.run.parent)
    whole = [*places, "--data.phantom.patients", PHANTOM, *BRIEF, *QUIET]
    done = call(fit.main, *whole, "--run", tmp_path / "run", *flags)
    assert_refused(done, *parts)
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_config_without_images_and_without_table_makes_no_phantom(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = call(fit.main, "--config", CONFIGS / "clinical_mtl.yaml")
    assert_refused(done, "data.cohort", "clinical table", "--data.cohort PATH")
    assert not (tmp_path / "prepared").exists()


def test_a_failed_start_is_not_kept_as_an_earlier_run(tmp_path):
    assert fit_table(tmp_path, as_it_is, "--data.batch_size", "64").code == 2
    done = fit_table(tmp_path, as_it_is)
    assert done.code == 0, done.err
    assert "moved" not in done.out
    assert not (tmp_path / "run_1").exists()


# Checkpoints ---------------------------------------------------------------------------------


def test_a_checkpoint_of_another_config_is_refused_before_training(tmp_path):
    assert fit_table(tmp_path, as_it_is).code == 0
    last = tmp_path / "run" / "checkpoints" / "last.ckpt"
    other = ["--model.fusion.init_args.widths", "[4]", "--ckpt_path", str(last)]
    done = fit_table(tmp_path, as_it_is, *other)
    assert_refused(done, "last.ckpt", "network.fusion", "(8,)", "(4,)")


def test_a_checkpoint_with_pickled_code_is_refused_and_never_run(tmp_path):
    class Code:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "it ran"),)

    path = tmp_path / "found.ckpt"
    torch.save({"config": {}, "state_dict": {"weight": Code()}}, path)
    flags = ["--checkpoint", path, "--cohort", tmp_path, "--output", tmp_path / "out.csv"]
    assert_refused(call(predict.main, *flags), "found.ckpt", "pickled code")
    done = fit_table(tmp_path, as_it_is, "--ckpt_path", str(path))
    assert_refused(done, "found.ckpt", "pickled code")
    assert not (tmp_path / "it ran").exists()


# Full disk and kill --------------------------------------------------------------------------


@pytest.fixture
def few(phantom_run, tmp_path) -> list[str]:
    """Return the flags that prepare three sound patients into ``tmp_path/store``."""
    patients = ["I-001", "I-002", "II-001"]
    table = copy_cohort(phantom_run.cohort, tmp_path / "cohort", patients=patients)
    table.to_csv(tmp_path / "cohort" / "patients.csv", index=False)
    return [*ct_flags(tmp_path), "--data.cohort", str(tmp_path / "cohort")]


def test_a_full_disk_ends_with_one_message_and_the_next_call_goes_on(few, tmp_path, monkeypatch):
    real, written = os.fsync, []

    def full(number: int) -> None:
        written.append(number)
        if len(written) == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(number)

    with monkeypatch.context() as patched:
        patched.setattr(atomic.os, "fsync", full)
        done = call(prepare.main, *few)
    assert_refused(done, "the disk is full", "run the same command again")
    done = call(prepare.main, *few)
    assert done.code == 0, done.err
    assert "Prepared 2 patients, kept 1 from before, left out 0" in done.out


KILLED = """
import os, signal, sys
from mtl_hcc.imaging import prepare_patient
real = prepare_patient.prepare_patient
calls = []
def dying(patient, preparation):
    calls.append(patient.patient_id)
    if len(calls) == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return real(patient, preparation)
prepare_patient.prepare_patient = dying
from mtl_hcc.prepare import main
main(sys.argv[1:])
"""


def test_a_killed_preparation_is_not_taken_for_a_store_and_goes_on(few, tmp_path):
    command = [sys.executable, "-c", KILLED, *few]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert not (tmp_path / "store" / "manifest.csv").exists()
    done = call(prepare.main, *few)
    assert done.code == 0, done.err
    assert "Prepared 1 patients, kept 2 from before, left out 0" in done.out
    assert len(PreparedStore(tmp_path / "store")) == 3
