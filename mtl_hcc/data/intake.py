"""From a cohort to what training reads: makes or renews the prepared store when it is stale."""

import hashlib
import json
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import pandas as pd

from mtl_hcc.atomic import write_bytes
from mtl_hcc.cohorts.source import CohortSource
from mtl_hcc.data.store_place import check_store_place
from mtl_hcc.errors import CohortError, ConfigError
from mtl_hcc.imaging.preparation import Preparation
from mtl_hcc.spreadsheet_cells import csv_bytes, restored

SOURCE_FILE = "source.json"


def renew_store(
    cohort: Path,
    source: CohortSource,
    preparation: Preparation | None,
    store: Path,
    *,
    workers: int,
    backend: str | None = None,
) -> bool:
    """Bring the store up to date with the cohort, and return whether anything was read.

    Nothing is read when the cohort's files have the sizes and dates of last time and neither the
    reader's settings nor the recipe changed. A cohort that is no longer there (training on
    another machine) is fine as long as the store was made from it with these settings.

    Args:
        cohort: Folder or file of the cohort.
        source: How it is read.
        preparation: How images are prepared; None for a table without images.
        store: Folder of the prepared store.
        workers: Processes that prepare patients; -1 for all cores.
        backend: joblib backend; None for local processes.

    Raises:
        ConfigError: joblib knows no such backend.
        StoreError: The store would replace files of the cohort, or of another hand.
    """
    check_store_place(cohort, store)
    settings = _settings(cohort, source, preparation)
    known = _read_source_file(store)
    if not cohort.exists():
        if known.get("settings") == settings:
            return False
        raise CohortError(
            "no such file or folder",
            where=str(cohort),
            expected="a cohort",
            remedy="Correct data.cohort, or leave it out to train on the phantom cohort.",
        )
    now = {"settings": settings, "files": _files(cohort)}
    if known == now and (store / "patients.csv").is_file():
        return False
    read = source.read(cohort)
    check_store_place(read.root, store)  # a reader may have put the images elsewhere
    if preparation is None:
        if not (store / SOURCE_FILE).exists():  # after a kill it can be told for a store
            write_bytes(store / SOURCE_FILE, b"{}")
        write_table(read.table, store / "patients.csv")
        write_bytes(store / "quarantine.csv", csv_bytes(read.quarantine))
        if len(read.quarantine):
            from mtl_hcc.data.quality_report import left_out, print_quarantine

            print(f"Read {len(read.table)} patients, left out {left_out(read.quarantine)}: {store}")
            print_quarantine(read.quarantine)
    else:
        from mtl_hcc.data.prepare_store import prepare_store

        with on_backend(backend):
            prepare_store(read, preparation, store, workers=workers, progress=True)
    write_bytes(store / SOURCE_FILE, json.dumps(now, indent=1).encode())
    return True


def on_backend(backend: str | None) -> AbstractContextManager[object]:
    """Return the context in which joblib runs on a backend.

    Args:
        backend: Its name; None changes nothing.

    Raises:
        ConfigError: joblib knows no such backend.
    """
    if backend is None:
        return nullcontext()
    import joblib

    try:
        context: AbstractContextManager[object] = joblib.parallel_config(backend=backend)
    except (ValueError, ImportError) as error:
        raise ConfigError(
            f"no joblib backend {backend!r} ({error})",
            where="data.preparation_backend",
            remedy="Install and register it first (dask: pip install 'dask[distributed]'), or "
            "leave the setting out.",
        ) from error
    return context


def write_table(table: pd.DataFrame, path: Path) -> None:
    """Write a cohort's table, whole or not at all.

    Args:
        table: Indexed by ``patient_id``.
        path: The CSV file.
    """
    write_bytes(path, csv_bytes(table.rename_axis("patient_id").reset_index()))


def read_table(path: Path) -> pd.DataFrame:
    """Return a table written by :func:`write_table`.

    Args:
        path: The CSV file.
    """
    text = {"patient_id": str, "center": str, "split": str}
    table = pd.read_csv(
        path, dtype=text, keep_default_na=False, na_values=[""], float_precision="round_trip"
    )
    return restored(table).set_index("patient_id")


def _settings(
    cohort: Path, source: CohortSource, preparation: Preparation | None
) -> dict[str, str | None]:
    """Return what decides what the store holds, besides the cohort's files."""
    return {
        "cohort": str(cohort),
        "source": f"{type(source).__name__} {sorted(vars(source).items())!r}",
        "preparation": None if preparation is None else preparation.fingerprint(),
    }


def _files(cohort: Path) -> str:
    """Return a hash over the tables, and over names, sizes and dates of the other files."""
    paths = sorted(cohort.rglob("*")) if cohort.is_dir() else [cohort]
    digest = hashlib.sha256()
    for path in paths:
        if path.suffix == ".csv":  # a table may be written again with the same content
            digest.update(f"{path}\n".encode() + path.read_bytes())
        elif path.is_file():
            found = path.stat()
            digest.update(f"{path} {found.st_size} {found.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _read_source_file(store: Path) -> dict[str, object]:
    """Return what the store was made from; nothing when that is not known."""
    try:
        known: dict[str, object] = json.loads((store / SOURCE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known
