"""Configs of cohorts that need more than one view, or thick slices: `fit` builds their parts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from planned_cohort import images, plan_of, table_of

from mtl_hcc.command_line.config import build_parser, instantiate, read_config
from mtl_hcc.planning.cohort_plan import ImagePlan
from mtl_hcc.planning.config_text import config_text
from mtl_hcc.planning.data_lines import Places
from mtl_hcc.planning.image_rules import choose_window
from mtl_hcc.planning.measured import Chosen, Machine
from mtl_hcc.planning.training_rules import Task, choose_sizes

GPU = Machine(16, free_bytes=100 * 10**9, gpu="H200", gpu_bytes=140 * 10**9, gpu_bf16=True)


def parts_of(measured, folder, *, machine, phases):
    """Return what `fit` builds of the config of a cohort with these images."""
    plan = plan_of(table_of(200))
    task = Task(patients=200, train=plan.train, folds=plan.folds, phases=len(phases))
    sizes = choose_sizes(measured, task, machine, hours=12.0)
    shown = ImagePlan(
        measured=measured,
        phases=Chosen(phases, "those there are"),
        incomplete=0,
        sizes=sizes,
        window=choose_window(measured),
        task=task,
    )
    path = folder / "mine.yaml"
    path.write_text(
        config_text(replace(plan, images=shown, machine=machine), Places(Path("mine.yaml"), "x"))
    )
    parser = build_parser("")
    config = read_config(parser, ["--config", str(path)])
    return instantiate(parser, config), path.read_text()


def test_tumors_far_apart_give_a_second_view_with_an_encoder_of_its_own(tmp_path):
    measured = images(160.0, largest=40.0, lesions=2.0, liver=210.0)
    parts, text = parts_of(
        measured, tmp_path, machine=Machine(2, free_bytes=16 * 10**9), phases=["portal_venous"]
    )
    assert list(parts.model.network.encoders) == ["liver", "tumor"]
    views = parts.data.preparation.views
    assert views["liver"].center_on == "liver"
    assert views["liver"].seen_mm == (224.0, 224.0, 224.0)
    assert views["tumor"].seen_mm == (64.0, 64.0, 64.0)
    assert "160 mm apart" in " ".join(text.replace("#", "").split())


def test_thick_slices_of_mr_are_turned_in_plane_only(tmp_path):
    measured = images(60.0, is_ct=False, spacing=(1.2, 6.0))
    parts, text = parts_of(measured, tmp_path, machine=GPU, phases=["t2_fs", "dwi"])
    view = parts.data.preparation.views["tumor"]
    assert view.spacing == (1.5, 1.5, 6.0)
    assert view.field_mm[2] == view.seen_mm[2]
    assert view.field_mm[0] == pytest.approx(view.seen_mm[0] * np.sqrt(2), abs=1.5)
    assert "InPlaneRotation" in text
    assert "Rotation3D" not in text
    assert "precision: bf16-mixed" in text
    assert not parts.data.preparation.is_ct
