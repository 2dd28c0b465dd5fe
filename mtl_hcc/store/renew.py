"""From a cohort to what training reads: makes or renews the prepared store when it is stale."""

import hashlib
import json
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

import pandas as pd

from mtl_hcc.atomic import write_bytes
from mtl_hcc.cohorts.source import CohortSource, describe
from mtl_hcc.cohorts.table_file import unreadable
from mtl_hcc.errors import CohortError, ConfigError, StoreError
from mtl_hcc.imaging.preparation import RECIPE_VERSION, Preparation
from mtl_hcc.spreadsheet_cells import csv_bytes, restored
from mtl_hcc.store.cohort_files import files_hash, same_elsewhere, states_elsewhere
from mtl_hcc.store.prepared_store import PreparedStore
from mtl_hcc.store.store_folder import check_store_place

SOURCE_FILE = "source.json"
STORE_TABLES = ("patients.csv", "quarantine.csv", "manifest.csv", "preparation.json")


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

    Nothing is read when the store is not stale (:func:`why_stale`); else the reason is said.

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
    why = why_stale(cohort, source, preparation, store)
    if not why:
        return False
    if _read_source_file(store):
        print(f"{store} is renewed: {why}.", flush=True)
    now: dict[str, object] = {
        "settings": _settings(cohort, source, preparation),
        "files": files_hash(cohort, source.reads(cohort), store=store),
    }
    read = source.read(cohort)
    check_store_place(read.root, store)  # a reader may have put the images elsewhere
    now["elsewhere"] = states_elsewhere(read.patients.values(), cohort)
    if preparation is None:
        if not (store / SOURCE_FILE).exists():  # after a kill it can be told for a store
            write_bytes(store / SOURCE_FILE, b"{}")
        write_table(read.table, store / "patients.csv")
        write_bytes(store / "quarantine.csv", csv_bytes(read.quarantine))
        if len(read.quarantine):
            from mtl_hcc.store.quality_report import left_out, print_quarantine

            print(f"Read {len(read.table)} patients, left out {left_out(read.quarantine)}: {store}")
            print_quarantine(read.quarantine)
    else:
        from mtl_hcc.store.prepare_store import prepare_store

        with on_backend(backend):
            prepare_store(read, preparation, store, workers=workers, progress=True)
    now["tables"] = _tables(store)
    write_bytes(store / SOURCE_FILE, json.dumps(now, indent=1).encode())
    return True


def why_stale(
    cohort: Path, source: CohortSource, preparation: Preparation | None, store: Path
) -> str:
    """Return why a store is not what reading and preparing the cohort would give; else nothing.

    It is not when the reader's settings or the recipe changed, when a file that the source reads is
    not that of last time, or when the store is not as it was written. A cohort that is no longer
    there (training on another machine) is fine as long as the store was made from it with these
    settings.

    Args:
        cohort: Folder or file of the cohort.
        source: How it is read.
        preparation: How images are prepared; None for a table without images.
        store: Folder of the prepared store.

    Raises:
        CohortError: There is no such cohort, and the store was made from another one.
        StoreError: There is no such cohort, and the store is not as it was made.
    """
    known = _read_source_file(store)
    other = _other_settings(known.get("settings") or {}, _settings(cohort, source, preparation))
    same = not other
    damage = _damage(store, known) if same else ""
    if cohort.exists():
        if not same:
            return other
        files = files_hash(cohort, source.reads(cohort), store=store)
        changed = known["files"] != files or not same_elsewhere(known["elsewhere"])
        return damage or ("files of the cohort changed" if changed else "")
    if other and "recipe" in other:
        raise StoreError(
            f"{other}, and the cohort {cohort} is not there to make it anew",
            where=str(store),
            remedy="Run prepare where the cohort is, and copy the store again.",
        )
    if not same:
        raise CohortError(
            unreadable(cohort) or "no such file or folder",
            where=str(cohort),
            expected="a cohort",
            remedy="Correct data.cohort, or leave it out to train on the phantom cohort.",
        )
    if damage:
        raise StoreError(
            f"{damage}, and the cohort {cohort} is not there to make it anew",
            where=str(store),
            remedy="Copy the store again, or run prepare where the cohort is.",
        )
    return ""


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
            where="data.preparing.backend",
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


def default_source(preparation: Preparation | None) -> CohortSource:
    """Return the reader of the contract's layout.

    Args:
        preparation: None for a table without images.
    """
    if preparation is None:
        from mtl_hcc.cohorts.clinical_table import ClinicalTable

        return ClinicalTable()
    from mtl_hcc.cohorts.nifti_folder import NiftiFolder

    return NiftiFolder()


def _other_settings(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Return which of the settings that decide what a store holds is another one; else nothing."""
    if before.get("cohort") != now["cohort"]:
        return "another cohort"
    if before.get("source") != now["source"]:
        return "another reader, or other settings of it"
    return "" if before["preparation"] == now["preparation"] else _other_recipe(before, now)


def _other_recipe(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Return whether data.preparation is another one, or the code that follows it."""
    version = before.get("version", "2 or earlier")  # it was not written down then
    if before["preparation"] is None or version == now["version"]:
        return "another recipe (data.preparation)"
    return f"it was prepared by version {version} of the recipe, now it is {now['version']}"


def _settings(
    cohort: Path, source: CohortSource, preparation: Preparation | None
) -> dict[str, str | int | None]:
    """Return what decides what the store holds, besides the cohort's files."""
    return {
        "cohort": str(cohort),
        "source": describe(source),
        "preparation": None if preparation is None else preparation.fingerprint(),
        "version": None if preparation is None else RECIPE_VERSION,
    }


def _tables(store: Path) -> dict[str, str]:
    """Return the hashes of the tables that are read from a store."""
    files = [store / name for name in STORE_TABLES]
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files if path.is_file()
    }


def _damage(store: Path, known: dict[str, Any]) -> str:
    """Return what is not as it was made in a store; the patients' files are only counted."""
    tables = _tables(store)
    for name, content in known["tables"].items():
        if tables.get(name) != content:
            return f"{name} was changed" if name in tables else f"{name} is gone"
    if "manifest.csv" not in tables:
        return ""
    gone = PreparedStore(store).lost_patients()
    return f"the file of patient {gone[0]} is gone" if gone else ""


def _read_source_file(store: Path) -> dict[str, Any]:
    """Return what the store was made from; nothing when that is not known."""
    try:
        known: dict[str, Any] = json.loads((store / SOURCE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if {"settings", "files", "elsewhere", "tables"} <= {*known} else {}
