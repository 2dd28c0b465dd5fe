"""Processes that make phantom, store and splits: what tests start, kill and compare."""

import os
import subprocess
import sys
import time
from pathlib import Path

from one_view import one_view

from mtl_hcc.cohorts.phantom.settings import PhantomSettings
from mtl_hcc.data.prepared_cohort import PreparedCohort
from mtl_hcc.data.splits import RandomSplit
from mtl_hcc.store.prepared_file import content_hash
from mtl_hcc.store.prepared_store import PreparedStore

PATIENTS = {"I": 3, "VI": 2}
TABLES = ("patients.csv", "quarantine.csv", "quality.csv", "manifest.csv", "splits.csv")
_START = (
    "import sys; from pathlib import Path; sys.path[:0] = sys.argv[2:]; "
    "from store_processes import make; make(Path(sys.argv[1]))"
)


def make(store: Path) -> None:
    """Make a coarse store of a tiny phantom, as the data module does."""
    phantom = PhantomSettings(patients=PATIENTS)
    PreparedCohort(
        store=store,
        cohort=store / f"phantom-{phantom.fingerprint}",
        phantom=phantom,
        source=None,
        preparation=one_view(spacing_mm=8.0, field_of_view_mm=96.0),
        split=RandomSplit(),
        workers=1,
        backend=None,
    ).make_ready()


def start(store: Path) -> "subprocess.Popen[str]":
    """Start a process that makes the store."""
    return subprocess.Popen(
        [sys.executable, "-c", _START, str(store), *map(str, Path(__file__).parents[:2])],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def kill_at(store: Path, *, files: int) -> bool:
    """Start a process, and kill it once there are so many files; False when it ended before."""
    process = start(store)
    while process.poll() is None:
        # Not rglob: it raises where a temporary folder is renamed while it looks.
        if sum(len(names) for _, _, names in os.walk(store)) >= files:
            process.kill()
            break
        time.sleep(0.002)
    process.communicate()
    return process.returncode != 0


def content(store: Path) -> dict[str, object]:
    """Return what a store holds, but for when and from which paths it was made."""
    read = PreparedStore(store)
    manifest = read.manifest.set_index("patient_id")
    for patient in manifest.index:
        assert content_hash(read.load(patient)) == manifest.loc[patient, "sha256"]
    files = sorted(str(path.relative_to(store)) for path in store.rglob("*") if path.is_file())
    tables = [*(store / name for name in TABLES), *store.glob("phantom-*/*.csv")]
    return {"files": files, **{path.name: path.read_bytes() for path in tables}}
