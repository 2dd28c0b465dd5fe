"""A recipe and a batch of one view, for tests that need no more."""

from dataclasses import replace
from types import SimpleNamespace

import torch
from torch import Tensor

from mtl_hcc.batch import ViewBatch
from mtl_hcc.imaging.intensity import Percentiles
from mtl_hcc.imaging.preparation import Preparation
from mtl_hcc.imaging.prepared_patient import PreparedPatient
from mtl_hcc.imaging.view import View, Zone
from mtl_hcc.patient import Patient
from mtl_hcc.regions import region_bits

OF_VIEW = ("phases", "center_on", "spacing_mm", "field_of_view_mm", "stored_field_mm", "keep")


def one_view(*, clip_percentiles=(2.5, 97.5), margin_mm=2.0, **settings) -> Preparation:
    """Return a recipe whose only view is called ``tumor``.

    Args:
        clip_percentiles: Of the intensities.
        margin_mm: Reach of the margin to both sides.
        **settings: Of the view, or of the recipe.
    """
    low, high = clip_percentiles
    view = {name: settings.pop(name) for name in OF_VIEW if name in settings}
    return Preparation(
        views={"tumor": View(**view, intensity=Percentiles(low=low, high=high))},
        zones={"margin": Zone(inward_mm=margin_mm, outward_mm=margin_mm)},
        **settings,
    )


def view_batch(
    images: Tensor,
    regions: Tensor,
    present: Tensor | None = None,
    *,
    zones: tuple[str, ...] = ("margin",),
    spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> ViewBatch:
    """Return a view of cubes (patient, phase, depth, height, width), every phase present."""
    patients, phases, depth = images.shape[:3]
    everything = torch.ones(patients, phases, dtype=torch.bool)
    return ViewBatch(
        images=images,
        regions=regions,
        region_bits=region_bits(zones),
        phase_present=everything if present is None else present,
        slice_present=torch.ones(patients, depth, dtype=torch.bool),
        spacing_mm=torch.tensor(spacing_mm).expand(patients, 3),
    )


def with_view(recipe: Preparation, **settings) -> Preparation:
    """Return a recipe of one view with other settings of the view."""
    ((name, view),) = recipe.views.items()
    return replace(recipe, views={name: replace(view, **settings)})


def only_view(prepared: PreparedPatient) -> SimpleNamespace:
    """Return what was prepared of a patient in the only view, and the measurements."""
    (view,) = prepared.views.values()
    return SimpleNamespace(**vars(view), patient_id=prepared.patient_id, quality=prepared.quality)


def prepare_only_view(patient: Patient, recipe: Preparation) -> SimpleNamespace:
    """Prepare a patient by a recipe of one view."""
    from mtl_hcc.imaging.prepare_patient import prepare_patient  # it loads SimpleITK

    return only_view(prepare_patient(patient, recipe))
