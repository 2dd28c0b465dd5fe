"""A real scan goes prepare -> predict; skipped where the openly licensed data are absent."""

import shutil

import numpy as np
import pandas as pd
import pytest
import SimpleITK as sitk  # noqa: N813
from drawing import in_hu
from one_view import only_view
from tiny_runs import call, ct_flags

from mtl_hcc import predict, prepare
from mtl_hcc.patient import CT_PHASES
from mtl_hcc.regions import Region
from mtl_hcc.store.prepared_store import PreparedStore

pytestmark = pytest.mark.xdist_group("phantom run")

RADIUS_MM = 15.0
PERCENTILES = '{"class_path": "Percentiles", "init_args": {"low": 2.5, "high": 97.5}}'
"""In place of the built-in job's window, whatever the scan."""


@pytest.fixture(scope="module")
def real_cohort(shared_data, tmp_path_factory):
    """Return a cohort of one real CT, with all phases or with one, and the regions drawn on it.

    The tumor is a ball drawn at the deepest place of the liver.
    """
    source = shared_data / "images" / "chaos_ct3"
    drawn = sitk.ReadImage(str(source / "liver.nii.gz"))
    depth = sitk.SignedMaurerDistanceMap(drawn, insideIsPositive=True, useImageSpacing=True)
    labels, depth = sitk.GetArrayFromImage(drawn), sitk.GetArrayFromImage(depth)
    deepest = np.unravel_index(depth.argmax(), depth.shape)
    axes = np.ogrid[tuple(slice(0, size) for size in labels.shape)]
    spacing = drawn.GetSpacing()[::-1]
    squared = sum(
        ((axis - middle) * step) ** 2
        for axis, middle, step in zip(axes, deepest, spacing, strict=True)
    )
    labels[(squared <= RADIUS_MM**2) & (labels == 1)] = 2
    regions = sitk.GetImageFromArray(labels)
    regions.CopyInformation(drawn)
    root = tmp_path_factory.mktemp("real") / "cohort"
    for patient, phases in (("CT3", CT_PHASES), ("CT3-one-phase", ("portal_venous",))):
        folder = root / "images" / patient
        folder.mkdir(parents=True)
        for phase in phases:
            shutil.copyfile(source / "ct.nii.gz", folder / f"{phase}.nii.gz")
        sitk.WriteImage(regions, str(folder / "regions.nii.gz"))
    (root / "patients.csv").write_text("patient_id\nCT3\nCT3-one-phase\n")
    return root, labels


@pytest.fixture(scope="module")
def real_store(real_cohort):
    """Return the store of the real cohort at 1.5 mm with the whole liver in its field."""
    root, _ = real_cohort
    flags = [
        *("--data.preparation.views.tumor.spacing_mm", "1.5"),
        *("--data.preparation.views.tumor.field_of_view_mm", "300"),
        *("--data.preparation.views.tumor.intensity", PERCENTILES),
        *("--data.preparation.missing_phase", "keep"),
        *("--data.preparation.plausibility", "remark"),  # one image stands for all phases
        *("--data.split", "SingleSplit"),
    ]
    done = call(prepare.main, *ct_flags(root.parent), "--data.cohort", root, *flags)
    assert done.code == 0, done.err
    assert "CT3-one-phase: no image of" in done.out
    return PreparedStore(root.parent / "store")


def test_region_volumes_of_a_real_scan_survive_the_command(real_cohort, real_store):
    _, labels = real_cohort
    voxel = 0.727 * 0.727 * 2  # as the data's own description says
    for patient in ("CT3", "CT3-one-phase"):
        prepared = only_view(real_store.load(patient))
        for phase, present in enumerate(prepared.phase_present):
            if not present:
                assert not prepared.regions[phase].any()
                assert not prepared.images[phase].any()
                continue
            for region, drawn in ((Region.TUMOR, labels == 2), (Region.LIVER, labels > 0)):
                kept = np.count_nonzero(prepared.regions[phase] & region)
                assert kept * prepared.geometry.voxel_mm3 == pytest.approx(
                    drawn.sum() * voxel, rel=0.01
                )
    assert only_view(real_store.load("CT3-one-phase")).phase_present.tolist() == [
        False,
        True,
        False,
    ]
    quality = real_store.manifest.set_index("patient_id")
    ball = 4 / 3 * np.pi * RADIUS_MM**3
    assert quality["tumor_volume_mm3"].to_numpy() == pytest.approx(ball, rel=0.02)
    assert quality["tumor_diameter_mm"].to_numpy() == pytest.approx(2 * RADIUS_MM, abs=2)


def test_hu_inside_the_real_liver_match_the_source(real_cohort, real_store):
    root, labels = real_cohort
    source = sitk.ReadImage(str(root / "images" / "CT3" / "portal_venous.nii.gz"))
    hu = sitk.GetArrayFromImage(source)[labels > 0]
    quality = real_store.manifest.set_index("patient_id").loc["CT3"]
    assert quality["portal_venous_liver_mean"] == pytest.approx(hu.mean(), abs=1e-2)
    low, high = quality["portal_venous_clip_low"], quality["portal_venous_clip_high"]
    assert (low, high) == pytest.approx(np.percentile(hu, [2.5, 97.5]))
    prepared = only_view(real_store.load("CT3"))
    inside = (prepared.regions[1] & Region.LIVER) > 0
    again = in_hu(prepared.images[1][inside], low, high)
    clipped = np.clip(hu, low, high)
    assert again.mean() == pytest.approx(clipped.mean(), abs=2)
    assert np.median(again) == pytest.approx(np.median(clipped), abs=3)


def test_a_real_scan_goes_through_predict(phantom_run, real_cohort, tmp_path):
    root, _ = real_cohort
    flags = ["--checkpoint", phantom_run.run, "--cohort", root, "--output", tmp_path / "out.csv"]
    flags += ["--plausibility", "remark"]  # one image stands for all phases
    done = call(predict.main, *flags)
    assert done.code == 0, done.err
    # The model was trained on complete patients only, and its recipe leaves others out.
    assert "CT3-one-phase: no delayed phase" in done.out or "no arterial" in done.out
    predictions = pd.read_csv(tmp_path / "out.csv").set_index("task")
    assert predictions["patient_id"].unique().tolist() == ["CT3"]
    assert predictions["out_of_range"].str.contains("are the same image").all()
    assert predictions.loc["mvi", "probability"] == pytest.approx(0.5, abs=0.5)
    assert np.isfinite(predictions.loc[["os", "rfs"], "risk"]).all()
    assert predictions.loc[["os", "rfs"], "survival_365"].between(0, 1).all()
    assert predictions["label"].isna().all()
