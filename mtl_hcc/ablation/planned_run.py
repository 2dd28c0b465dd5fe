"""One run of a study, where it lies, and how far it got."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from mtl_hcc.ablation.fingerprint import fingerprint
from mtl_hcc.atomic import write_bytes
from mtl_hcc.runs.run_claim import is_locked

State = Literal["finished", "running", "half-finished", "to do", "settings changed"]
RECORD = "ablation_run.json"


@dataclass(frozen=True)
class PlannedRun:
    """One variant with one seed.

    Attributes:
        variant: Name of the variant.
        seed: Its seed.
        study: Folder of the study; the run's own folder lies in it.
        values: The complete config, as plain values.
        change: What differs from the full design, in words.
    """

    variant: str
    seed: int
    study: Path
    values: dict[str, Any]
    change: str

    @property
    def name(self) -> str:
        """Name of the run and of its folder."""
        return f"{self.variant}_seed{self.seed}"

    @property
    def folder(self) -> Path:
        """The run folder."""
        return self.study / self.name

    @property
    def plan(self) -> Path:
        """The run's complete config, from which its process starts."""
        return self.study / "plans" / f"{self.name}.yaml"

    @property
    def log(self) -> Path:
        """What the run's process printed."""
        return self.study / "logs" / f"{self.name}.txt"

    @property
    def state(self) -> State:
        """How far the run got with these settings and these data."""
        state = state_of(self.folder, self.values)
        return "running" if state != "finished" and is_locked(self.folder) else state

    def write_plan(self) -> Path:
        """Write the config for the run's process, and return its path."""
        write_bytes(self.plan, yaml.safe_dump(self.values, sort_keys=False).encode())
        return self.plan


def state_of(folder: Path, values: dict[str, Any]) -> State:
    """Return how far a run got with these settings and these data.

    Args:
        folder: The run folder.
        values: The complete config.
    """
    record = read_record(folder)
    if not record:
        return "to do"
    if record.get("fingerprint") != fingerprint(values):
        return "settings changed"
    if record.get("finished"):
        return "finished"
    return "half-finished" if last_checkpoints(folder) else "to do"


def last_checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints that a stopped run can go on from, one for each fold begun."""
    found = [folder / "checkpoints" / "last.ckpt", *folder.glob("fold_*/checkpoints/last.ckpt")]
    return [path for path in found if path.is_file()]


def read_record(folder: Path) -> dict[str, Any]:
    """Return what is known of a run: fingerprint, whether it finished, its seconds."""
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record


def write_record(folder: Path, **record: Any) -> None:
    """Write what is known of a run."""
    write_bytes(folder / RECORD, json.dumps(record, indent=1).encode())
