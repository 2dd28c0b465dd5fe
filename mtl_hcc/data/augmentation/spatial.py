"""Spatial transforms: one affine matrix for a patient, in millimeters, for all views and phases."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import replace

import torch
from torch import Tensor

from mtl_hcc.batch import PatientBatch, ViewBatch, to_device
from mtl_hcc.data.augmentation.affine import resample
from mtl_hcc.data.augmentation.transform import Generators, Transform
from mtl_hcc.imaging.view import View


class SpatialTransform(Transform):
    """Moves tissue about the center of each view: images linearly, labels to the nearest voxel."""

    @abstractmethod
    def sources(self, generators: Generators) -> Tensor:
        """Draw where the tissue comes from.

        Returns:
            (patient, 3, 3) float32: what is shown at offset p (mm; x, y, z) from the center lay at
            ``matrix @ p``, so this is the inverse of the movement.
        """

    def __call__(
        self, batch: PatientBatch, generators: Generators, views: Mapping[str, View]
    ) -> PatientBatch:
        """Return the batch with moved images and regions."""
        matrices = self.sources(generators)
        rows = self.chosen(generators).nonzero()[:, 0]
        if not len(rows):
            return batch
        moved = {
            name: _with_rows(seen, move(_rows(seen, rows), matrices[rows]), rows)
            for name, seen in batch.views.items()
        }
        return replace(batch, views=moved)


def move(seen: ViewBatch, matrices: Tensor) -> ViewBatch:
    """Return a view with moved tissue; a stack of slices turns about its own center.

    Args:
        seen: Some patients in one view.
        matrices: (patient, 3, 3) as :meth:`SpatialTransform.sources` gives them.
    """
    spacing = seen.on_cpu("spacing_mm")
    # From mm to voxels; exactly the same matrix where voxels are cubes.
    in_voxels = matrices * (spacing[:, None, :] / spacing[:, :, None])
    depths = seen.on_cpu("slice_present").sum(1)
    images, regions = torch.zeros_like(seen.images), torch.zeros_like(seen.regions)
    for depth in depths.unique().tolist():
        rows = (depths == depth).nonzero()[:, 0]
        if len(rows) == len(depths) and depth == images.shape[2]:
            moved, labels = resample(seen.images, seen.regions, in_voxels)
            return replace(seen, images=moved, regions=labels)
        on = to_device(rows, images.device, non_blocking=True)
        images[on, :, :depth], regions[on, :, :depth] = resample(
            seen.images[on, :, :depth], seen.regions[on, :, :depth], in_voxels[rows]
        )
    return replace(seen, images=images, regions=regions)


def _rows(seen: ViewBatch, rows: Tensor) -> ViewBatch:
    """Return some patients."""
    return seen if len(rows) == len(seen.images) else seen.only(rows)


def _with_rows(seen: ViewBatch, part: ViewBatch, rows: Tensor) -> ViewBatch:
    """Return all patients, some of them as in ``part``."""
    if len(rows) == len(seen.images):
        return part
    on = to_device(rows, seen.images.device, non_blocking=True)
    images = seen.images.index_copy(0, on, part.images)
    return replace(seen, images=images, regions=seen.regions.index_copy(0, on, part.regions))
