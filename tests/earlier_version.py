"""The two designs of an earlier version under its settings, small: how they run, what is compared.

``tests/oracles/earlier_version/make_values.py`` runs this with the earlier package, and
``test_earlier_version.py`` with the present one.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from tiny_runs import call

from mtl_hcc import fit
from mtl_hcc.regions import Region
from mtl_hcc.store.prepared_store import PreparedStore

FOLDER = Path(__file__).parent / "oracles" / "earlier_version"
PREDICTED = (
    "risk",
    "survival_365",
    "survival_730",
    "survival_1095",
    "survival_1825",
    "probability",
)
"""Columns of ``predictions.csv`` that hold numbers of the network."""
KEYS = {
    "predictions": ["fold", "task", "patient_id", "split"],
    "losses": ["fold", "epoch"],
    "prepared": ["patient_id", "phase"],
}
"""What tells the rows of each table apart."""
AXES = ("depth", "height", "width")


@dataclass(frozen=True)
class DesignRun:
    """A finished run of one design.

    Attributes:
        run: The run folder.
        store: The store.
    """

    run: Path
    store: Path


def old_settings(design: str, folder: Path) -> list[str]:
    """Return flags that give a design the settings of the earlier version.

    All that depends on the layout of a config stands in ``<design>.yaml``, but for the places.

    Args:
        design: ``ct_mtl`` or ``clinical_mtl``.
        folder: Gets run and store.
    """
    places = ["--run", str(folder / "run"), "--data.store", str(folder / "store")]
    cohort = ["--data.cohort", str(FOLDER / "clinical.csv")] if design == "clinical_mtl" else []
    return ["--config", str(FOLDER / f"{design}.yaml"), *places, *cohort]


def run_design(design: str, folder: Path, *flags: str) -> DesignRun:
    """Run ``fit`` on a design under the earlier settings.

    Args:
        design: ``ct_mtl`` or ``clinical_mtl``.
        folder: Gets run and store.
        flags: More flags of ``fit``.
    """
    done = call(fit.main, *old_settings(design, folder), *flags)
    assert done.code == 0, done.err
    return DesignRun(folder / "run", folder / "store")


def predictions(done: DesignRun) -> pd.DataFrame:
    """Return what the best epoch predicts for each patient and task, of all folds."""
    table = pd.read_csv(done.run / "predictions.csv", dtype={"patient_id": str})
    return _in_order(table, "predictions", list(PREDICTED))


def losses(done: DesignRun) -> pd.DataFrame:
    """Return the losses of all tasks, and their weights, after each epoch of each fold."""
    folds = sorted(done.run.glob("fold_*")) or [done.run]
    histories = [pd.read_csv(fold / "history.csv").assign(fold=k) for k, fold in enumerate(folds)]
    table = pd.concat(histories)
    kept = [name for name in table if "/loss" in name or name.startswith("weights/")]
    return _in_order(table, "losses", sorted(kept))


def prepared(done: DesignRun) -> pd.DataFrame:
    """Return measurements of each prepared image: mean, place of the intensity, region sizes.

    The place is the mean of the voxels' indices, weighted by intensity: it tells shifted and
    mirrored images, which have the same mean.
    """
    store = PreparedStore(done.store)
    rows = []
    for name in store.manifest["patient_id"]:
        patient = store.load(name).views["tumor"]
        for phase, image, regions in zip(
            patient.phases, patient.images.astype(np.float64), patient.regions, strict=True
        ):
            row: dict[str, object] = {"patient_id": name, "phase": phase, "mean": image.mean()}
            for axis, indices in zip(AXES, np.indices(image.shape), strict=True):
                row[axis] = (indices * image).sum() / image.sum()
            for region in Region:
                row[str(region.name).lower()] = np.count_nonzero(regions & region)
            rows.append(row)
    table = pd.DataFrame(rows)
    return _in_order(table, "prepared", list(table))


def _in_order(table: pd.DataFrame, kind: str, columns: list[str]) -> pd.DataFrame:
    """Return keys and columns, sorted by the keys."""
    keys = KEYS[kind]
    chosen = keys + [name for name in columns if name not in keys]
    return table[chosen].sort_values(keys, ignore_index=True)
