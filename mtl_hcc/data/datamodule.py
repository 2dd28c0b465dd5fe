"""CohortDataModule: from a cohort, or the phantom, to batches; one fold of one split."""

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader

from mtl_hcc.batch import PatientBatch
from mtl_hcc.cohorts.phantom.settings import PhantomSettings
from mtl_hcc.cohorts.source import CohortSource
from mtl_hcc.covariates.reader import CovariateKind, Scale
from mtl_hcc.data.array_cache import ArrayCache
from mtl_hcc.data.augmentation import Transform
from mtl_hcc.data.augmentation.augment import Augmentation
from mtl_hcc.data.dataset import ImageStore, PatientDataset, PatientSample, collate
from mtl_hcc.data.draws import TrainingBatch
from mtl_hcc.data.endpoints import event_flags, target_columns
from mtl_hcc.data.field_of_view import as_seen
from mtl_hcc.data.network_covariates import check_measured, encode_covariates
from mtl_hcc.data.patient_sampler import OrderedBatchSampler, PatientBatchSampler
from mtl_hcc.data.phase_selection import chosen_phases, select_phases, views_of
from mtl_hcc.data.prediction_rotations import prediction_rotations as chosen_rotations
from mtl_hcc.data.prepared_cohort import PreparedCohort
from mtl_hcc.data.ranks import rank_of
from mtl_hcc.data.resources import Loading, Preparing, check_least
from mtl_hcc.data.splits import Split
from mtl_hcc.data.splits.split_checks import check_splits
from mtl_hcc.data.splits.splits_csv import of_fold
from mtl_hcc.imaging.preparation import Preparation
from mtl_hcc.store.prepared_store import PreparedStore

_Part = TypeVar("_Part")
_PREPARING, _LOADING = Preparing(), Loading()


class CohortDataModule(LightningDataModule):
    """Patients of one cohort as batches.

    Batches come as float16 images. On the device ``on_after_batch_transfer`` makes them float32,
    augments those of training, and cuts out the field that the network sees. Ranks are told apart
    here, so the trainer needs ``use_distributed_sampler=False``. In plain Python:
    ``prepare_data()``, ``setup()``, a loader.

    Args:
        store: Folder of the prepared store; also of the phantom and of ``splits.csv``.
        split: Who trains, who validates, who is only looked at.
        endpoints: Endpoints to give as targets: ``os``, ``rfs``, ``mvi``, ``mvi_grade``.
        cohort: Folder or file of the cohort; the phantom cohort is made when it is not given.
        source: How the cohort is read. Default: the NIfTI folder, or the table without images.
        phantom: Which phantom to make when there is no cohort.
        preparation: How images are prepared; none uses the clinical table only.
        phases: Phases that the network sees, of those prepared; all when not given. The patients
            stay the same: who is left out for a missing phase is decided by ``preparation``.
        covariates: Column to ``linear``, ``log``, or the list of levels of a category.
        measured: Column of ``quality.csv``, as `prepare` measures it, to ``linear`` or ``log``:
            ``lesions`` (drawn tumors that do not touch, of ``min_tumor_mm3`` or more; at least 1),
            ``tumor_volume_mm3`` (all), ``tumor_diameter_mm`` (largest tumor, axial),
            ``liver_volume_mm3`` (with tumor), ``<phase>_tumor_mean``, ``_sd`` (HU on CT), ...
        batch_size: Patients in a batch, over all devices.
        rounds: Augmentation rounds: visits of each patient in an epoch.
        augmentation: Transforms of training patients, in their order, such as ``Rotation3D``; none
            when not given.
        prediction_rotations: Ways in which a patient is turned to be predicted, by right angles:
            log hazards and probabilities are the mean over them. 1 for patients as they are.
        loading: Processes and memory that reading prepared patients may take.
        preparing: Processes that prepare patients.
        seed: Seed of batches and augmentation, 0 or more.
        fold: Fold of the split to train.
    """

    def __init__(
        self,
        *,
        store: str,
        split: Split,
        endpoints: list[str],
        cohort: str | None = None,
        source: CohortSource | None = None,
        phantom: PhantomSettings | None = None,
        preparation: Preparation | None = None,
        phases: list[str] | None = None,
        covariates: dict[str, CovariateKind] | None = None,
        measured: dict[str, Scale] | None = None,
        batch_size: int = 16,
        rounds: int = 3,
        augmentation: list[Transform] | None = None,
        prediction_rotations: int = 1,
        loading: Loading = _LOADING,
        preparing: Preparing = _PREPARING,
        seed: int = 0,
        fold: int = 0,
    ) -> None:
        super().__init__()
        check_least("data", 1, batch_size=batch_size, rounds=rounds)
        check_least("data", 0, seed=seed)
        self.target_names = target_columns(endpoints)
        self.store_root, self.cohort = Path(store), cohort
        self.source, self.phantom = source, phantom or PhantomSettings()
        self.preparation, self.preparing, self.loading = preparation, preparing, loading
        self.phases = chosen_phases(phases, [] if preparation is None else preparation.phases)
        """Phases that are used; empty without images."""
        self.views = {} if preparation is None else views_of(preparation, self.phases)
        """What the batches' views show, with the phases along their image axis."""
        self.split, self.fold, self.endpoints = split, fold, endpoints
        self.covariates, self.measured = covariates or {}, measured or {}
        check_measured(self.measured, images=preparation is not None)
        self.batch_size, self.rounds, self.seed = batch_size, rounds, seed
        self._cache: ArrayCache | None = None
        self.augmentation = Augmentation(augmentation or [], seed=seed, views=self.views)
        self.rotations = chosen_rotations(prediction_rotations, self.views, augmentation or [])
        """How each patient is turned to be predicted, first as it is."""
        self.run_splits: Path | None = None
        """``splits.csv`` of the run, where there is one: other splits are refused."""
        self._store: PreparedStore | None = None
        self._images: ImageStore | None = None
        self._table: pd.DataFrame | None = None
        self._splits: pd.Series | None = None
        self.covariate_values: npt.NDArray[np.float32] | None = None
        """(row of the table, covariate), NaN where missing; None where the network reads none."""
        self.covariate_names: list[str] = []
        """Names of the columns of ``PatientBatch.covariates``."""

    # What the run needs to know ------------------------------------------------------------

    @property
    def cohort_root(self) -> Path:
        """Folder or file of the cohort; of the phantom when no cohort was given."""
        if self.cohort is not None:
            return Path(self.cohort)
        return self.store_root / f"phantom-{self.phantom.fingerprint}"

    @property
    def prepared(self) -> PreparedCohort:
        """The cohort with the store and the splits that are made from it."""
        return PreparedCohort(
            store=self.store_root,
            cohort=self.cohort_root,
            phantom=self.phantom if self.cohort is None else None,
            source=self.source,
            preparation=self.preparation,
            split=self.split,
            workers=self.preparing.workers,
            backend=self.preparing.backend,
        )

    @property
    def table(self) -> pd.DataFrame:
        """The cohort's table, indexed by ``patient_id``; its rows are the batches' ``index``."""
        return _ready(self._table)

    @property
    def splits(self) -> pd.Series:
        """Split of each patient in this fold, in the order of the table."""
        return _ready(self._splits)

    @property
    def train_covariates(self) -> npt.NDArray[np.float32] | None:
        """(training patient, covariate), NaN where missing: what scalers are fitted on."""
        train = (self.splits == "train").to_numpy()
        return None if self.covariate_values is None else self.covariate_values[train]

    @property
    def quality(self) -> pd.DataFrame | None:
        """Measurements and remarks about the images, by ``patient_id``; None without images."""
        return None if self._store is None else self._store.manifest.set_index("patient_id")

    # Lightning's hooks ---------------------------------------------------------------------

    def prepare_data(self) -> None:
        """Make the phantom if there is no cohort, renew the store, keep the splits (rank 0)."""
        self.prepared.make_ready()

    def setup(self, stage: str = "fit") -> None:
        """Read table and splits; to train, check that they can serve the endpoints.

        Args:
            stage: ``fit``, ``validate``, ``test`` or ``predict``.
        """
        if self._table is None:
            self._table, self._store = self.prepared.read()
            if self._store is not None and self.preparation is not None:
                self._images = select_phases(self._store, self.phases, self.preparation)
            self._cache = self.loading.array_cache()
            splits = of_fold(self.prepared.splits(self.run_splits), self.fold)
            self._splits = splits.reindex(self._table.index)
            if self.covariates or self.measured:
                self.covariate_values, self.covariate_names = encode_covariates(
                    self._table, self.covariates, self.quality, self.measured
                )
        if stage == "fit":
            check_splits(self.splits, self.table, self.endpoints, fold=self.fold)

    def train_dataloader(self) -> DataLoader[PatientSample]:
        """Return the training visits of this rank; call ``set_epoch`` on ``batch_sampler``."""
        rank, world_size = rank_of(self.trainer)
        dataset = self._dataset(["train"])
        members = self.table.loc[dataset.patient_ids]
        sampler = PatientBatchSampler(
            events={name: event_flags(members, name).to_numpy() for name in self.endpoints},
            patients=len(dataset),
            batch_size=self.batch_size,
            rounds=self.rounds,
            seed=self.seed,
            rank=rank,
            world_size=world_size,
        )
        return self._loader(dataset, batch_sampler=sampler)

    def val_dataloader(self) -> DataLoader[PatientSample]:
        """Return the validation patients of this rank, in order and as they are."""
        rank, world_size = rank_of(self.trainer)
        dataset = self._dataset(["validation"])
        sampler = OrderedBatchSampler(
            patients=len(dataset), batch_size=self.batch_size, rank=rank, world_size=world_size
        )
        return self._loader(dataset, batch_sampler=sampler)

    def predict_dataloader(self) -> DataLoader[PatientSample]:
        """Return all patients of all splits, in the table's order.

        Inside ``trainer.predict`` each rank has its own share, without repeats; elsewhere one
        process sees everybody.
        """
        if self.trainer is None or not self.trainer.predicting:
            return self.everybody()
        return self._in_order(*rank_of(self.trainer))

    def everybody(self) -> DataLoader[PatientSample]:
        """Return all patients of all splits, in the table's order, for one process.

        It asks no trainer: after a training on several devices the first rank predicts alone.
        """
        return self._in_order(0, 1)

    def _in_order(self, rank: int, world_size: int) -> DataLoader[PatientSample]:
        """Return a rank's share of all patients, in the table's order."""
        shares = np.array_split(np.arange(len(self.table)), world_size)
        # No batch sampler of our own: Lightning wraps the one of a prediction loader.
        return self._loader(
            self._dataset(None, rows=shares[rank]), batch_size=-(-self.batch_size // world_size)
        )

    def on_after_batch_transfer(self, batch: PatientBatch, dataloader_idx: int) -> PatientBatch:
        """Make images float32, augment a training batch, and cut out what is seen, on the device.

        Args:
            batch: The batch, on its device.
            dataloader_idx: Not used.
        """
        for view in batch.views.values():
            view.images = view.images.float()
        turned = self.augmentation(batch) if isinstance(batch, TrainingBatch) else batch
        return as_seen(turned, self.views)

    @property
    def collate(self) -> Callable[[Sequence[PatientSample]], PatientBatch]:
        """Return what puts samples of this cohort together."""
        bits = {} if self.preparation is None else self.preparation.region_bits
        return partial(collate, region_bits=bits)

    def _dataset(
        self, splits: Sequence[str] | None, *, rows: npt.NDArray[np.int64] | None = None
    ) -> PatientDataset:
        """Return the patients of some splits, or of some rows, in the table's order."""
        chosen = self.table.index if splits is None else self.splits.index[self.splits.isin(splits)]
        return PatientDataset(
            table=self.table,
            patient_ids=(chosen if rows is None else chosen[rows]).tolist(),
            splits=self.splits,
            target_names=self.target_names,
            covariates=self.covariate_values,
            store=self._images,
            cache=self._cache,
        )

    def _loader(self, dataset: PatientDataset, **batches: Any) -> DataLoader[PatientSample]:
        """Return a loader of the batches that a sampler or a size makes."""
        return DataLoader(
            dataset,
            num_workers=self.loading.workers,
            persistent_workers=self.loading.workers > 0 and "batch_sampler" in batches,
            collate_fn=self.collate,
            pin_memory=torch.cuda.is_available(),
            **batches,
        )


def _ready(part: _Part | None) -> _Part:
    """Return what ``setup`` reads, or say that it was not called."""
    if part is None:
        raise RuntimeError("call prepare_data() and setup() first")
    return part
