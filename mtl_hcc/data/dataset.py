"""PatientDataset: one prepared patient at a time, and how patients become a batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor
from torch.nn.functional import pad
from torch.utils.data import Dataset

from mtl_hcc.batch import PatientBatch, ViewBatch
from mtl_hcc.data.array_cache import ArrayCache
from mtl_hcc.data.draws import Draw, TrainingBatch
from mtl_hcc.errors import StoreError
from mtl_hcc.imaging.prepared_patient import PreparedPatient, PreparedView


class ImageStore(Protocol):
    """What is asked of a store (``store.prepared_store.PreparedStore``)."""

    def load(self, patient_id: str, /) -> PreparedPatient:
        """Return one patient's arrays, memory-mapped."""


@dataclass(frozen=True)
class ViewSample:
    """One patient in one view, before batching.

    Attributes:
        images: (phase, depth, height, width) float16.
        regions: Same shape, uint8.
        phase_present: (phase,) bool.
        spacing_mm: (x, y, z) distance of the voxels.
    """

    images: Tensor
    regions: Tensor
    phase_present: Tensor
    spacing_mm: tuple[float, float, float]

    @property
    def nbytes(self) -> int:
        """Memory that the arrays take."""
        return self.images.nbytes + self.regions.nbytes + self.phase_present.nbytes


@dataclass(frozen=True)
class PatientSample:
    """One patient, before batching.

    Attributes:
        patient_id: Name of the patient.
        center: Center of the patient.
        split: Split of the patient.
        index: Row in the store's table.
        views: Name of a view to its arrays; empty without images.
        covariates: (covariate,) float32, or None.
        targets: (target,) float32, NaN where missing; times in days.
        target_names: Names of ``targets``.
        visit: Epoch and round in training, None elsewhere.
    """

    patient_id: str
    center: str
    split: str
    index: int
    views: dict[str, ViewSample]
    covariates: Tensor | None
    targets: Tensor
    target_names: tuple[str, ...]
    visit: tuple[int, int] | None


class PatientDataset(Dataset[PatientSample]):
    """Patients of one or several splits.

    Args:
        table: The whole cohort's table, indexed by ``patient_id``, with ``center``; a patient's
            row in it is the patient's ``index``.
        patient_ids: Patients of this dataset, in order.
        splits: Split of each patient, by ``patient_id``.
        target_names: Columns to give as targets; a column that the table lacks is all missing.
        covariates: (row of the table, covariate) float32, NaN where missing; or None.
        store: Where the images are read; None when only the table is used.
        cache: Keeps arrays in memory once read; other datasets of the same store may share it.
    """

    def __init__(
        self,
        *,
        table: pd.DataFrame,
        patient_ids: Sequence[str],
        splits: pd.Series,
        target_names: Sequence[str],
        covariates: npt.NDArray[np.float32] | None = None,
        store: ImageStore | None = None,
        cache: ArrayCache | None = None,
    ) -> None:
        self.patient_ids = list(patient_ids)
        self.target_names = tuple(target_names)
        self.rows = table.index.get_indexer(pd.Index(self.patient_ids))
        self.centers = table["center"].astype(str).reindex(self.patient_ids).tolist()
        self.split_names = splits.reindex(self.patient_ids).astype(str).tolist()
        targets = table.reindex(index=self.patient_ids, columns=list(target_names))
        self.targets = torch.from_numpy(targets.to_numpy(dtype=np.float32, na_value=np.nan).copy())
        self.covariates = None if covariates is None else torch.from_numpy(covariates[self.rows])
        self.store = store
        self._cache = cache

    def __len__(self) -> int:
        """Return the number of patients."""
        return len(self.patient_ids)

    def __getitem__(self, key: int | Draw) -> PatientSample:
        """Return the patient at a position, or at the position of a training draw."""
        position, visit = (key[0], key[1:]) if isinstance(key, tuple) else (key, None)
        return PatientSample(
            patient_id=self.patient_ids[position],
            center=self.centers[position],
            split=self.split_names[position],
            index=int(self.rows[position]),
            views=self._views(position),
            covariates=None if self.covariates is None else self.covariates[position],
            targets=self.targets[position],
            target_names=self.target_names,
            visit=visit,
        )

    def _views(self, position: int) -> dict[str, ViewSample]:
        """Return the arrays of all views, from the cache or the store."""
        if self.store is None:
            return {}
        patient_id = self.patient_ids[position]
        known = None if self._cache is None else self._cache.get(patient_id)
        if known is not None:
            return known
        views = {
            name: _sample(patient_id, view)
            for name, view in self.store.load(patient_id).views.items()
        }
        if self._cache is not None:
            self._cache.keep(patient_id, views)
        return views


def _sample(patient_id: str, view: PreparedView) -> ViewSample:
    """Return a patient's arrays of one view as tensors of their own."""
    # A copy: torch refuses read-only memory, and the file may be replaced while we train.
    images = torch.from_numpy(np.array(view.images, dtype=np.float16))
    bad = int((~images.isfinite()).sum())
    if bad:
        raise StoreError(
            f"{bad} voxel{'s are' if bad > 1 else ' is'} not finite",
            where=f"prepared images of patient {patient_id}",
            expected="values from 0 to 1",
            remedy="The file was changed or damaged: delete it and run prepare again.",
        )
    return ViewSample(
        images=images,
        regions=torch.from_numpy(np.array(view.regions, dtype=np.uint8)),
        phase_present=torch.from_numpy(np.array(view.phase_present, dtype=np.bool_)),
        spacing_mm=view.geometry.spacing,
    )


def collate(samples: Sequence[PatientSample], *, region_bits: dict[str, int]) -> PatientBatch:
    """Put patients together: a :class:`TrainingBatch` when they are training visits.

    Args:
        samples: Patients of one dataset. Images stay float16, half the memory to move; they
            become float32 on the device (``CohortDataModule.on_after_batch_transfer``).
        region_bits: Region to its bit in the region maps.
    """
    targets = torch.stack([sample.targets for sample in samples])
    covariates = [sample.covariates for sample in samples if sample.covariates is not None]
    parts: dict[str, Any] = {
        "patient_id": [sample.patient_id for sample in samples],
        "center": [sample.center for sample in samples],
        "split": [sample.split for sample in samples],
        "index": torch.tensor([sample.index for sample in samples]),
        "views": {
            name: _stacked([sample.views[name] for sample in samples], region_bits)
            for name in samples[0].views
        },
        "covariates": torch.stack(covariates) if covariates else None,
        "targets": dict(zip(samples[0].target_names, targets.unbind(1), strict=True)),
    }
    visits = [sample.visit for sample in samples if sample.visit is not None]
    if visits:
        return TrainingBatch(**parts, draw=torch.tensor(visits))
    return PatientBatch(**parts)


def _stacked(samples: Sequence[ViewSample], region_bits: dict[str, int]) -> ViewBatch:
    """Return the patients side by side; shorter stacks of slices are padded at their end."""
    depths = [sample.images.shape[1] for sample in samples]
    longest = max(depths)

    def padded(arrays: list[Tensor]) -> Tensor:
        if min(depths) == longest:
            return torch.stack(arrays)
        return torch.stack(
            [pad(array, (0, 0, 0, 0, 0, longest - array.shape[1])) for array in arrays]
        )

    return ViewBatch(
        images=padded([sample.images for sample in samples]),
        regions=padded([sample.regions for sample in samples]),
        region_bits=region_bits,
        phase_present=torch.stack([sample.phase_present for sample in samples]),
        slice_present=torch.arange(longest) < torch.tensor(depths)[:, None],
        spacing_mm=torch.tensor([sample.spacing_mm for sample in samples]),
    )
