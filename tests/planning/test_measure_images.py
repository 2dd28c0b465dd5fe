"""What is measured on images, against what was drawn."""

import numpy as np
import pytest
import SimpleITK as sitk  # noqa: N813
from drawing import ball, make_scan, to_image
from planned_cohort import MEASURED, UNREADABLE

from mtl_hcc.cohorts.nifti_folder import NiftiFolder
from mtl_hcc.errors import CohortError
from mtl_hcc.imaging.preparation import Preparation
from mtl_hcc.imaging.view import View
from mtl_hcc.patient import Patient
from mtl_hcc.plan import guessed_source
from mtl_hcc.planning.cohort_plan import PlanSettings, plan_cohort
from mtl_hcc.planning.measure_images import (
    _window,
    drawn_patients,
    measure_images,
    measure_patient,
)
from mtl_hcc.planning.measured import Machine

PORTAL = Preparation(views={"tumor": View(phases=["portal_venous"])})


def write(folder, hu, labels, spacing):
    files = {"image": folder / "image.nii.gz", "regions": folder / "regions.nii.gz"}
    sitk.WriteImage(to_image(hu, spacing), str(files["image"]))
    sitk.WriteImage(to_image(labels, spacing), str(files["regions"]))
    return Patient("P1", {"portal_venous": files["image"]}, {"portal_venous": files["regions"]})


def test_a_patient_of_two_lesions_is_measured_in_millimeters(tmp_path):
    size, spacing = (64, 50, 30), (1.5, 1.5, 3.0)
    hu, labels = make_scan()
    labels[labels == 2] = 1
    large, small = (ball(size, spacing, (x, 37.5, 45.0), r) for x, r in ((36, 9), (66, 6)))
    labels[large | small] = 2
    hu[large | small] = np.random.default_rng(1).normal(140, 12, int((large | small).sum()))
    found = measure_patient(write(tmp_path, hu, labels, spacing), PORTAL)
    assert found.reason == ""
    assert found.spacing == {"portal_venous": pytest.approx((1.5, 3.0))}
    assert found.lesions == 2
    assert found.apart_mm == pytest.approx(30, abs=0.1)
    assert found.largest_mm == pytest.approx((18, 18, 18), abs=3)
    assert found.tumor_mm == pytest.approx((30 + 9 + 6, 18, 18), abs=3)
    assert found.liver_mm == pytest.approx((68, 68, 68), abs=3)
    assert found.diameter_mm == pytest.approx(18, abs=2)
    assert np.median(found.tumor[0]) == pytest.approx(140, abs=2)
    assert 100 < np.median(found.foreground[0]) < 112


def test_a_patient_who_cannot_be_is_refused_with_the_words_of_preparation(tmp_path):
    hu, labels = make_scan()
    found = measure_patient(write(tmp_path, hu + 1000, labels, (1.5, 1.5, 3.0)), PORTAL)
    assert "CT in HU" in found.reason
    assert found.spacing == {}


def test_each_image_weighs_the_same_in_the_window():
    many, few = np.full(9000, 100.0), np.linspace(0, 1, 1000)
    low, high = _window([many, few])
    assert low == pytest.approx(0.01, abs=0.002)  # the lowest percent of the second image
    assert high == 100
    assert np.isnan(_window([])).all()


def test_patients_are_drawn_by_seed_in_the_order_of_the_table():
    names = [f"P{number}" for number in range(50)]
    drawn = drawn_patients(names, 10, seed=0)
    assert len(set(drawn)) == 10
    assert drawn == sorted(drawn, key=names.index)
    assert drawn == drawn_patients(names, 10, seed=0)
    assert drawn != drawn_patients(names, 10, seed=1)
    assert drawn_patients(names[:3], 10, seed=0) == names[:3]


def test_nobody_outside_of_train_is_measured_and_who_cannot_be_read_is_named(liver_cohort):
    cohort = guessed_source(liver_cohort).read(liver_cohort)
    plan = plan_cohort(cohort, Machine(2), PlanSettings(images=MEASURED, workers=1))
    images = plan.images
    assert images.phases.value == ["arterial", "portal_venous"]
    assert images.incomplete == 1
    assert images.measured.patients == MEASURED - 1
    assert list(images.measured.refused) == [UNREADABLE]
    assert images.measured.foreground[1] < 200, "the others are brighter by 1000 HU"
    assert images.window.value["init_args"] == {"low": 70.0, "high": 180.0}
    assert images.sizes.fine.value.edges == (64.0, 64.0, 64.0)
    assert images.task.train == 22
    assert plan.endpoints == ["os", "mvi"]
    assert plan.refused["rfs"] == "3 events in the training split, 10 are needed"


def test_where_nobody_can_be_measured_the_first_reason_is_told(liver_cohort):
    cohort = NiftiFolder().read(liver_cohort)
    with pytest.raises(CohortError, match="none of the 1 training patients could be measured"):
        measure_images(cohort, [UNREADABLE], Preparation(), workers=1)
