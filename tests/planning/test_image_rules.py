"""Phases, voxels, fields, windows and batches by value, from measurements made up here."""

import math

import numpy as np
import pytest
from planned_cohort import images

from mtl_hcc.errors import CohortError
from mtl_hcc.planning.image_rules import (
    Field,
    choose_field,
    choose_liver_field,
    choose_phases,
    choose_spacing,
    choose_window,
)
from mtl_hcc.planning.measured import Machine
from mtl_hcc.planning.training_rules import (
    Task,
    choose_bank,
    choose_batch,
    choose_epochs,
    choose_loading,
    choose_precision,
    choose_sizes,
    choose_stored,
    stored_bytes,
)

CPU = Machine(2, free_bytes=16 * 10**9)
GPU = Machine(16, free_bytes=100 * 10**9, gpu="H200", gpu_bytes=140 * 10**9, gpu_bf16=True)
CUBE = Field((2.0, 2.0, 2.0), (96.0, 96.0, 96.0))
TASK = Task(patients=272, train=144, folds=1, phases=3)


def test_phases_that_nearly_all_have_are_taken_in_the_order_of_acquisition():
    having = {"delayed": 95, "arterial": 100, "portal_venous": 94}
    chosen = choose_phases(having, 100)
    assert chosen.value == ["arterial", "delayed"]
    assert "portal_venous 94" in chosen.why
    assert "portal_venous would leave out too many" in chosen.why


def test_without_a_phase_of_nearly_all_the_most_frequent_one_stands_alone():
    assert choose_phases({"arterial": 50, "delayed": 60}, 100).value == ["delayed"]
    with pytest.raises(CohortError, match="known phase"):
        choose_phases({}, 3)


@pytest.mark.parametrize(
    ("acquired", "finest", "voxels"),
    [
        ((0.8, 5.0), 2.0, (2.0, 2.0, 2.0)),
        ((0.8, 5.0), 1.0, (1.0, 1.0, 5.0)),
        ((0.8, 2.5), 1.0, (1.0, 1.0, 1.0)),
        ((0.8, 1.0), 1.0, (1.0, 1.0, 1.0)),
        ((1.3, 3.0), 1.0, (1.5, 1.5, 1.5)),
        ((1.2, 6.0), 1.0, (1.5, 1.5, 6.0)),  # anisotropic MR
    ],
)
def test_voxels_follow_pixels_slices_and_machine(acquired, finest, voxels):
    spacing = {"arterial": np.tile(acquired, (5, 1))}
    assert choose_spacing(spacing, finest=finest).value == voxels


def test_the_field_holds_the_95th_percentile_of_the_tumors_and_10_mm_around_them():
    tumors = np.arange(20, 101, dtype=float)[:, None] * np.ones(3)  # 20 to 100 mm, 95%: 96 mm
    chosen = choose_field(images(tumor_mm=tumors, largest_mm=tumors), (2.0, 2.0, 2.0))
    assert chosen.value.edges == (128.0, 128.0, 128.0)  # 116 mm, in multiples of 16 mm
    assert "extend to 96 mm" in chosen.why
    assert choose_field(images(20.0), (2.0, 2.0, 2.0)).value.edges == (64.0,) * 3


def test_a_tumor_of_15_cm_gets_the_largest_field_and_a_view_of_the_whole_liver():
    measured = images(150.0, liver=210.0)
    fine = choose_field(measured, (2.0, 2.0, 2.0))
    assert fine.value.edges == (128.0,) * 3
    assert "170 mm are cut to 128 mm" in fine.why
    assert "0% of the patients have all lesions in it" in fine.why
    liver = choose_liver_field(measured, fine.value)
    assert liver.value == Field((4.0, 4.0, 4.0), (224.0, 224.0, 224.0))


def test_lesions_far_apart_get_a_fine_view_of_the_largest_and_a_coarse_one_of_the_liver():
    measured = images(160.0, largest=40.0, lesions=2.0)
    fine = choose_field(measured, (2.0, 2.0, 2.0))
    assert fine.value.edges == (64.0,) * 3
    assert choose_liver_field(measured, fine.value).value is not None
    undrawn = images(160.0, largest=40.0, lesions=2.0, liver=np.nan)
    without = choose_liver_field(undrawn, fine.value)
    assert without.value is None
    assert "no liver is drawn in 20 patients" in without.why


def test_tumors_that_fit_get_no_second_view():
    assert choose_liver_field(images(60.0), CUBE).value is None


def test_the_window_is_the_wider_of_foreground_and_tumor_rounded_outward():
    chosen = choose_window(images())
    assert chosen.value["init_args"] == {"low": -50.0, "high": 210.0}
    assert "-41 and 181 HU" in chosen.why
    on_mri = choose_window(images(is_ct=False)).value
    assert on_mri == {"class_path": "Percentiles", "init_args": {"low": 0.5, "high": 99.5}}


def test_room_for_rotation_is_the_diagonal_or_the_plane_of_a_stack():
    assert CUBE.turned().edges == (168.0, 168.0, 168.0)  # 96 * sqrt(3) = 166.3, whole voxels
    stack = Field((2.0, 2.0, 6.0), (96.0, 96.0, 96.0))
    assert stack.turned().edges == (136.0, 136.0, 96.0)  # 96 * sqrt(2) = 135.8
    assert CUBE.turned(0.0) == CUBE


def test_room_for_rotation_is_cut_where_memory_does_not_hold_it():
    full = choose_stored([CUBE], TASK, CPU)
    assert full.value == 1.0
    assert stored_bytes([CUBE], 1.0, TASK) == 272 * 3 * 84**3 * 3
    little = choose_stored([CUBE], TASK, Machine(2, free_bytes=10**9))
    assert little.value == 0.25
    assert "114 mm only" in little.why
    assert "are empty" in little.why
    assert choose_stored([CUBE], TASK, Machine(2, free_bytes=10)).value == 0.0


def test_the_batch_fits_into_memory_and_leaves_several_batches_in_a_round():
    assert choose_batch([CUBE], 1.0, TASK, CPU).value == 8
    assert choose_batch([CUBE], 1.0, TASK, GPU).value == 16
    few = Task(patients=40, train=24, folds=5, phases=3)
    assert choose_batch([CUBE], 1.0, few, GPU).value == 4
    assert choose_batch([CUBE], 1.0, TASK, Machine(2, free_bytes=10**9)).value == 4
    assert choose_batch([CUBE], 1.0, TASK, Machine(2)).value == 8


def test_the_bank_holds_eight_batches_and_no_more_than_there_are_patients():
    assert choose_bank(8, 144).value == 64
    assert choose_bank(16, 100).value == 100


@pytest.mark.parametrize(("train", "epochs"), [(144, 16), (40, 58), (20, 60), (1000, 10)])
def test_epochs_give_the_visits_of_the_shipped_config(train, epochs):
    assert choose_epochs(train).value == epochs


def test_precision_follows_the_gpu():
    assert choose_precision(GPU).value == "bf16-mixed"
    assert choose_precision(CPU).value == "32-true"
    assert choose_precision(Machine(4, gpu="old", gpu_bytes=8 * 10**9)).value == "32-true"


def test_processes_load_what_does_not_stay_in_memory():
    assert choose_loading([CUBE], 1.0, TASK, CPU).value == 0
    assert choose_loading([CUBE], 1.0, TASK, Machine(16, free_bytes=10**9)).value == 8
    assert choose_loading([CUBE], 1.0, TASK, Machine(1, free_bytes=10**9)).value == 0


def test_voxels_grow_until_the_training_fits_into_the_hours_and_it_is_said():
    quick = choose_sizes(images(60.0), TASK, CPU, hours=12.0)
    assert quick.fine.value.spacing == (2.0, 2.0, 2.0)
    slow = choose_sizes(images(60.0), TASK, CPU, hours=quick.hours * 0.8)
    assert slow.fine.value.spacing[0] > 2.0
    assert slow.hours <= quick.hours * 0.8
    assert "coarser than 2 mm, which would take about" in slow.spacing_why
    never = choose_sizes(images(60.0), TASK, CPU, hours=1e-9)
    assert never.fine.value.spacing == (4.0, 4.0, 4.0)
    assert "and still about" in never.spacing_why


def test_few_patients_do_not_make_voxels_coarse():
    few = Task(patients=24, train=15, folds=5, phases=1)
    sizes = choose_sizes(images(40.0), few, CPU, hours=12.0)
    assert sizes.fine.value.spacing == (2.0, 2.0, 2.0)
    assert sizes.batch.value == 4


def test_voxels_grow_where_memory_does_not_hold_four_patients():
    small = Machine(2, free_bytes=400 * 10**6)
    sizes = choose_sizes(images(60.0), TASK, small, hours=1e9)
    assert sizes.fine.value.spacing[0] > 2.0
    assert sizes.batch.value >= 4
    assert "a batch of only 2" in sizes.spacing_why


def test_a_gpu_gets_finer_voxels_and_no_promise_of_hours():
    sizes = choose_sizes(images(60.0, spacing=(0.8, 1.25)), TASK, GPU, hours=12.0)
    assert sizes.fine.value.spacing == (1.0, 1.0, 1.0)
    assert sizes.hours is None


def test_hours_on_the_cpu_are_visits_times_voxels():
    sizes = choose_sizes(images(60.0), TASK, CPU, hours=12.0)
    field = sizes.fine.value
    voxels = math.prod(edge / step for edge, step in zip(field.edges, field.spacing, strict=True))
    turned = field.turned().voxels
    expected = 16 * 3 * 144 * 3 * (voxels * 0.3e-6 + turned * 0.03e-6) / 2 / 3600
    assert sizes.hours == pytest.approx(expected)
