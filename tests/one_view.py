"""A recipe and a batch of one view, for tests that need no more."""

import torch
from torch import Tensor

from mtl_hcc.batch import ViewBatch
from mtl_hcc.imaging.intensity import Percentiles
from mtl_hcc.imaging.preparation import Preparation
from mtl_hcc.imaging.view import View, Zone
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
