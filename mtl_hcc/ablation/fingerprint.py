"""What a run's result depends on, as one hash: settings, patients, labels, images, folds."""

import hashlib
import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pandas as pd

from mtl_hcc import __version__

NOT_IN_RESULTS = (
    *("run", "ckpt_path", "wandb", "wandb_project", "wandb_group", "baselines", "bootstraps"),
    *("data.loading", "data.preparing"),
    *("trainer.enable_progress_bar", "trainer.enable_model_summary", "trainer.log_every_n_steps"),
)
"""Settings of a config that say where and how fast, not what."""


def fingerprint(values: dict[str, Any]) -> str:
    """Return the hash of everything that a run's result depends on.

    The complete config but for where and how fast it is computed, the version of this package, and
    what the store holds: patients, labels, prepared images and splits.

    Args:
        values: The complete config, as plain values.
    """
    kept = deepcopy(values)
    for key in NOT_IN_RESULTS:
        *sections, name = key.split(".")
        inner = kept
        for section in sections:
            inner = inner[section]
        inner.pop(name, None)
    digest = hashlib.sha256(json.dumps([__version__, kept], sort_keys=True).encode())
    for part in _store_content(Path(values["data"]["store"])):
        digest.update(part)
    return digest.hexdigest()


def _store_content(store: Path) -> Iterator[bytes]:
    """Yield what a store holds: labels and splits as they stand, images by their fingerprints."""
    for name in ("patients.csv", "splits.csv"):
        path = store / name
        yield path.read_bytes() if path.is_file() else b"absent"
    if (manifest := store / "manifest.csv").is_file():
        columns = ["patient_id", "fingerprint"]
        table = pd.read_csv(manifest, dtype=str, usecols=lambda name: name in columns)
        yield table.to_csv(index=False).encode()
