"""How far a run got with which settings and data: what lets `fit` see that nothing is left to do.

The record lies in the run folder. It is written when the run begins and when it has ended.
"""

import hashlib
import json
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from mtl_hcc import __version__
from mtl_hcc.atomic import write_bytes
from mtl_hcc.reporting.run_folder import member_folders
from mtl_hcc.runs.run_claim import is_locked

State = Literal["finished", "running", "half-finished", "to do", "settings changed"]
RECORD = "run_record.json"
OF_RESULTS = ("baselines", "strong_baselines", "bootstraps")
"""Settings of what is computed from the predictions: nothing is trained again for them."""
NOT_IN_RESULTS = (
    *("run", "ckpt_path", "repeat", "wandb", "wandb_project", "wandb_group"),
    *("data.loading", "data.preparing"),
    *("trainer.enable_progress_bar", "trainer.enable_model_summary", "trainer.log_every_n_steps"),
)
"""Settings of a config that say where and how fast, not what."""
_RESULTS = ("config.yaml", "predictions.csv", "metrics.csv")


def run_state(folder: Path, values: dict[str, Any]) -> State:
    """Return how far a run got with these settings and these data.

    Args:
        folder: The run folder.
        values: The complete config, as plain values; its store is brought up to date before.
    """
    state = state_of(folder, values)
    return "running" if state != "finished" and is_locked(folder) else state


def state_of(folder: Path, values: dict[str, Any]) -> State:
    """Return the same without a look at who is training there.

    Args: see :func:`run_state`.
    """
    record = _read_record(folder)
    if not record:
        return "to do"
    if record["fingerprint"] != fingerprint(values):
        return "settings changed"
    whole = all((folder / name).is_file() for name in _RESULTS)
    if whole and record["finished"] == {name: values[name] for name in OF_RESULTS}:
        return "finished"
    return "half-finished" if last_checkpoints(folder) else "to do"


def last_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints that a stopped run can go on from, one for each network begun.

    Args:
        folder: The run folder.
    """
    found = [one / "checkpoints" / "last.ckpt" for one in (folder, *member_folders(folder))]
    return [path for path in found if path.is_file()]


def record_beginning(folder: Path, values: dict[str, Any]) -> None:
    """Write down that a run begins, or goes on.

    A run that goes on with other settings or data, or from a checkpoint that is not its last one,
    is what no settings alone would give: it is never taken for a run of these settings.

    Args:
        folder: The run folder.
        values: The complete config, as plain values.
    """
    known = fingerprint(values)
    same = values["ckpt_path"] == "last" and _read_record(folder).get("fingerprint") == known
    begun_here = values["ckpt_path"] is None or same
    _write_record(folder, known if begun_here else "", finished=None)


def record_end(folder: Path, values: dict[str, Any]) -> None:
    """Write down that a run has ended, and which settings its results were computed with.

    Args:
        folder: The run folder.
        values: The complete config, as plain values.
    """
    known = _read_record(folder).get("fingerprint", "")
    _write_record(folder, known, finished={name: values[name] for name in OF_RESULTS})


def fingerprint(values: dict[str, Any]) -> str:
    """Return the hash of everything that the training of a run depends on.

    The complete config but for where and how fast it is computed, the version of this package, and
    what the store holds: patients, labels, prepared images and splits.

    Args:
        values: The complete config, as plain values.
    """
    kept = deepcopy(values)
    for key in (*NOT_IN_RESULTS, *OF_RESULTS):
        *sections, name = key.split(".")
        inner = kept
        for section in sections:
            inner = inner.get(section, {})  # an estimator on tables has no trainer
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


def _read_record(folder: Path) -> dict[str, Any]:
    """Return ``fingerprint`` and ``finished``; nothing where there is no whole record."""
    try:
        record: Any = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    known = isinstance(record, dict) and {"fingerprint", "finished"} <= {*record}
    return record if known else {}


def _write_record(folder: Path, known: str, *, finished: dict[str, Any] | None) -> None:
    content = {"fingerprint": known, "finished": finished}
    write_bytes(folder / RECORD, json.dumps(content, indent=1).encode())
