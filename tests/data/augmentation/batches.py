"""Training batches of two views, whose voxels depend on the patient only."""

import numpy as np
import torch
from one_view import view_batch

from mtl_hcc.data.augmentation.transform import may_change
from mtl_hcc.data.draws import TrainingBatch
from mtl_hcc.imaging.view import View

PHASES = ["arterial", "portal_venous", "delayed"]
VIEWS = {
    "tumor": View(field_of_view_mm=8.0),
    "slices": View(
        center_on="liver",
        spacing_mm=[0.8, 0.8, "acquired"],
        field_of_view_mm=[8.0, 4.8, 30.0],
        keep="everything",
    ),
}
SLICES = (3, 5)


def generators(number, seed=0):
    """Return one generator for each of some patients."""
    return [np.random.default_rng([seed, patient]) for patient in range(number)]


def views_of(phases):
    """Return a view of some phases."""
    return View(phases=phases)


def training_batch(rows, *, epoch=0, round_=0) -> TrainingBatch:
    """Return patients by their rows: cubes of the tumor, and stacks of 3 or 5 slices.

    A third of the patients lacks a phase; a tenth of the voxels is in no region, and of a patient
    of 3 slices in a batch with one of 5, two are padding.
    """
    cubes, stacks = [], []
    for row in rows:
        present = torch.tensor([[True, row % 3 != 0, True]])
        cubes.append(_view((1, 3, 8, 8, 8), row, present, "tumor"))
        stacks.append(_view((1, 3, max(SLICES), 6, 10), row, present, "slices"))
    return TrainingBatch(
        patient_id=[f"P{row}" for row in rows],
        center=["I"] * len(rows),
        split=["train"] * len(rows),
        index=torch.tensor(rows),
        views={"tumor": _together(cubes), "slices": _together(stacks)},
        covariates=None,
        targets={
            "os_days": torch.tensor([100.0 + row for row in rows]),
            "os_event": torch.tensor([float(row % 2) for row in rows]),
        },
        draw=torch.tensor([[epoch, round_]] * len(rows)),
    )


def _view(shape, row, present, name):
    random = torch.Generator().manual_seed(row)
    images = torch.rand(shape, generator=random)
    regions = torch.randint(0, 10, shape, generator=random, dtype=torch.uint8)
    spacing = (1.0, 1.0, 1.0) if name == "tumor" else (0.8, 0.8, 2.5 + row % 2)
    view = view_batch(images, regions, present, spacing_mm=spacing)
    view.slice_present[0, SLICES[row % 2] if name == "slices" else 8 :] = False
    there = present[:, :, None, None, None] & view.slice_present[:, None, :, None, None]
    view.images, view.regions = images * there, regions * there
    view.images = view.images * may_change(view, VIEWS[name])
    return view


def _together(views):
    first, *_ = views
    names = [name for name, value in vars(first).items() if isinstance(value, torch.Tensor)]
    joined = {name: torch.cat([getattr(view, name) for view in views]) for name in names}
    return type(first)(**{**vars(first), **joined})
