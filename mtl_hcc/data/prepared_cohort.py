"""A cohort, or the phantom, with the store and the splits that are made from it when need be."""

from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from mtl_hcc.cohorts.phantom.settings import PhantomSettings
from mtl_hcc.cohorts.source import CohortSource
from mtl_hcc.data.splits import Split
from mtl_hcc.data.splits.kept_splits import begin_run, current_splits, keep_splits, run_splits
from mtl_hcc.errors import ConfigError, StoreError
from mtl_hcc.imaging.preparation import Preparation
from mtl_hcc.store.prepared_store import PreparedStore
from mtl_hcc.store.renew import default_source, read_table, renew_store, why_stale
from mtl_hcc.store.store_folder import check_store_place, store_lock

SPLITS = "splits.csv"


@dataclass(frozen=True, kw_only=True)
class PreparedCohort:
    """Where a cohort comes from, and the store that is made of it.

    Attributes:
        store: Folder of the prepared store.
        cohort: Folder or file of the cohort; of the phantom when ``phantom`` is given.
        phantom: Which phantom stands in for a cohort; None for a cohort.
        source: How the cohort is read; None for the contract's layout.
        preparation: How images are prepared; None uses the clinical table only.
        split: How patients are split.
        workers: Processes that prepare patients; -1 for all cores.
        backend: joblib backend; None for local processes.
    """

    store: Path
    cohort: Path
    phantom: PhantomSettings | None
    source: CohortSource | None
    preparation: Preparation | None
    split: Split
    workers: int
    backend: str | None

    def make_ready(self) -> None:
        """Make or renew phantom, store and splits; nothing is written where all is current.

        Of several processes one makes, and the others wait for it.

        Raises:
            ConfigError: There is neither a cohort nor images, for which a phantom could stand in.
            StoreError: The store would lie where its files replace somebody else's.
        """
        if self.phantom is not None and self.preparation is None:
            raise ConfigError(
                "no cohort given, and without data.preparation no images are used",
                where="data.cohort",
                expected="the clinical table: the phantom stands in for a cohort with images only",
                remedy="Set --data.cohort PATH.",
            )
        check_store_place(self.cohort, self.store)
        if not self.is_ready():
            with store_lock(self.store):
                self._make()

    def read(self) -> tuple[pd.DataFrame, PreparedStore | None]:
        """Return the table, of the patients with images if any are used, and the store.

        Raises:
            StoreError: The store is of another recipe.
        """
        if self.preparation is None:
            return read_table(self.store / "patients.csv"), None
        store = PreparedStore(self.store)
        if store.recipe.get("fingerprint") != self.preparation.fingerprint():
            raise StoreError(
                "the store was prepared by another recipe",
                where=str(self.store),
                expected="the settings of data.preparation",
                remedy="Another process renewed it: give each recipe a data.store of its own.",
            )
        prepared = set(store.manifest["patient_id"])
        return store.table[store.table.index.isin(prepared)], store

    def splits(self, of_run: Path | None = None) -> pd.DataFrame:
        """Return ``patient_id, fold, split`` of the cohort as it is, or those of a run.

        Args:
            of_run: ``splits.csv`` of a run; passed over where there is none.

        Raises:
            SplitError: The cohort and the settings give other splits than the run's.
        """
        table = self.read()[0]
        if of_run is not None and of_run.is_file():
            return run_splits(self.split, table, of_run)
        return current_splits(self.split, table, self.store / SPLITS)[0]

    def begin_run(self, run: Path, *, goes_on: bool) -> None:
        """Write the splits of all folds into a run's folder, or check them against those there.

        Args:
            run: Gets ``splits.csv``, which is used from now on.
            goes_on: Whether the run was begun before.

        Raises:
            SplitError: A run that goes on would have other splits.
        """
        begin_run(self.split, self.read()[0], self.splits(), run / SPLITS, goes_on=goes_on)

    def _source(self) -> CohortSource:
        return self.source or default_source(self.preparation)

    def _has_phantom(self) -> bool:
        """Return whether no phantom is needed, or it is there."""
        if self.phantom is None:
            return True
        from mtl_hcc.cohorts.phantom.phantom_cohort import is_complete

        return is_complete(self.cohort, self.phantom)

    def is_ready(self) -> bool:
        """Return whether phantom, store and splits are as they should be."""
        if not self._has_phantom():
            return False
        if why_stale(self.cohort, self._source(), self.preparation, self.store):
            return False
        return not current_splits(self.split, self.read()[0], self.store / SPLITS)[1]

    def _make(self) -> None:
        """Make or renew what is not there or not current."""
        if self.phantom is not None and not self._has_phantom():
            from mtl_hcc.cohorts.phantom.phantom_cohort import write_phantom

            if not self.cohort.exists():
                print(f"No data.cohort given: making a phantom in {self.cohort}", flush=True)
            write_phantom(self.cohort, self.phantom, workers=self.workers, progress=True)
        renew_store(
            self.cohort,
            self._source(),
            self.preparation,
            self.store,
            workers=self.workers,
            backend=self.backend,
        )
        keep_splits(self.split, self.read()[0], self.store / SPLITS)
