"""PatientDataset: one prepared patient at a time, and how patients become a batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import Tensor
from torch.utils.data import Dataset

from mtl_hcc.batch import PatientBatch
from mtl_hcc.data.array_cache import ArrayCache
from mtl_hcc.data.draws import Draw, TrainingBatch
from mtl_hcc.errors import StoreError


class PreparedImages(Protocol):
    """What is read of one prepared patient (``imaging.store.PreparedPatient``)."""

    @property
    def images(self) -> npt.NDArray[np.float16]:
        """(phase, depth, height, width) in [0, 1]."""

    @property
    def regions(self) -> npt.NDArray[np.uint8]:
        """(phase, depth, height, width) bits of ``patient.Region``."""

    @property
    def phase_present(self) -> npt.NDArray[np.bool_]:
        """(phase,)."""


class ImageStore(Protocol):
    """What is asked of a store (``imaging.store.PreparedStore``)."""

    def load(self, patient_id: str, /) -> PreparedImages:
        """Return one patient's arrays, memory-mapped."""


@dataclass(frozen=True)
class PatientSample:
    """One patient, before batching.

    Attributes:
        patient_id: Name of the patient.
        center: Center of the patient.
        split: Split of the patient.
        index: Row in the store's table.
        images: (phase, depth, height, width) float16, or None without images.
        regions: Same shape, uint8, or None.
        phase_present: (phase,) bool, or None.
        covariates: (covariate,) float32, or None.
        targets: (target,) float32, NaN where missing; times in days.
        target_names: Names of ``targets``.
        visit: Epoch and round in training, None elsewhere.
    """

    patient_id: str
    center: str
    split: str
    index: int
    images: Tensor | None
    regions: Tensor | None
    phase_present: Tensor | None
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
        cache: Keep arrays in memory once read: where to keep them, shared with other datasets of
            the same store, or True for a cache of its own.
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
        cache: ArrayCache | bool = False,
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
        self._cache = ArrayCache() if cache is True else cache if cache is not False else None

    def __len__(self) -> int:
        """Return the number of patients."""
        return len(self.patient_ids)

    def __getitem__(self, key: int | Draw) -> PatientSample:
        """Return the patient at a position, or at the position of a training draw."""
        position, visit = (key[0], key[1:]) if isinstance(key, tuple) else (key, None)
        images, regions, present = self._arrays(position)
        return PatientSample(
            patient_id=self.patient_ids[position],
            center=self.centers[position],
            split=self.split_names[position],
            index=int(self.rows[position]),
            images=images,
            regions=regions,
            phase_present=present,
            covariates=None if self.covariates is None else self.covariates[position],
            targets=self.targets[position],
            target_names=self.target_names,
            visit=visit,
        )

    def _arrays(self, position: int) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """Return images, regions and present phases, from the cache or the store."""
        if self.store is None:
            return None, None, None
        patient_id = self.patient_ids[position]
        known = None if self._cache is None else self._cache.get(patient_id)
        if known is not None:
            return known
        prepared = self.store.load(patient_id)
        # A copy: torch refuses read-only memory, and the file may be replaced while we train.
        arrays = (
            torch.from_numpy(np.array(prepared.images, dtype=np.float16)),
            torch.from_numpy(np.array(prepared.regions, dtype=np.uint8)),
            torch.from_numpy(np.array(prepared.phase_present, dtype=np.bool_)),
        )
        bad = int((~arrays[0].isfinite()).sum())
        if bad:
            raise StoreError(
                f"{bad} voxel{'s are' if bad > 1 else ' is'} not finite",
                where=f"prepared images of patient {patient_id}",
                expected="values from 0 to 1",
                remedy="The file was changed or damaged: delete it and run prepare again.",
            )
        if self._cache is not None:
            self._cache.keep(patient_id, arrays)
        return arrays


def _stack(tensors: Sequence[Tensor | None]) -> Tensor | None:
    """Stack along a new patient axis; None when the patients have none."""
    present = [tensor for tensor in tensors if tensor is not None]
    return torch.stack(present) if present else None


def collate(samples: Sequence[PatientSample]) -> PatientBatch:
    """Put patients together: a :class:`TrainingBatch` when they are training visits.

    Args:
        samples: Patients of one dataset. Images stay float16, half the memory to move; they
            become float32 on the device (``CohortDataModule.on_after_batch_transfer``).
    """
    targets = torch.stack([sample.targets for sample in samples])
    parts: dict[str, Any] = {
        "patient_id": [sample.patient_id for sample in samples],
        "center": [sample.center for sample in samples],
        "split": [sample.split for sample in samples],
        "index": torch.tensor([sample.index for sample in samples]),
        "images": _stack([sample.images for sample in samples]),
        "regions": _stack([sample.regions for sample in samples]),
        "phase_present": _stack([sample.phase_present for sample in samples]),
        "covariates": _stack([sample.covariates for sample in samples]),
        "targets": dict(zip(samples[0].target_names, targets.unbind(1), strict=True)),
    }
    visits = [sample.visit for sample in samples if sample.visit is not None]
    if visits:
        return TrainingBatch(**parts, draw=torch.tensor(visits))
    return PatientBatch(**parts)
