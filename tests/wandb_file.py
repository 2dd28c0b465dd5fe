"""Reads what an offline W&B run would send: the records of its ``run-<id>.wandb`` file."""

import json
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from wandb.proto import wandb_internal_pb2

BLOCK, HEADER, FILE_HEADER = 32768, 7, 7


def records(path: Path) -> Iterator[Any]:
    """Yield the records; the file is a LevelDB log: (checksum, length, kind) before each part."""
    content, place, message = path.read_bytes(), FILE_HEADER, b""
    while place + HEADER <= len(content):
        left = BLOCK - place % BLOCK
        if left < HEADER:  # padding at the end of a block
            place += left
            continue
        _, length, kind = struct.unpack("<IHB", content[place : place + HEADER])
        message += content[place + HEADER : place + HEADER + length]
        place += HEADER + length
        if kind in (1, 4):  # whole, or last part
            record = wandb_internal_pb2.Record()
            record.ParseFromString(message)
            yield record
            message = b""


def _whole(path: Path, seconds: float = 30) -> list[Any]:
    """Return the records; W&B's own process may still be writing when the run has ended."""
    for _ in range(round(seconds / 0.1)):
        found = list(records(path))
        if any(record.WhichOneof("record_type") == "exit" for record in found):
            return found
        time.sleep(0.1)
    raise TimeoutError(f"{path} has no end after {seconds:g} s")


class OfflineRun:
    """What one offline run holds.

    Attributes:
        defined: Name to (x-axis, kinds of summary).
        summary: Name to final value.
        history: Names logged at all.
        artifacts: Type to the names of the files in it.
        run: The run's own record (group, name, job type).
    """

    def __init__(self, folder: Path) -> None:
        self.defined: dict[str, tuple[str, set[str]]] = {}
        self.summary: dict[str, Any] = {}
        self.history: set[str] = set()
        self.artifacts: dict[str, list[str]] = {}
        (path,) = folder.glob("run-*.wandb")
        for record in _whole(path):
            kind = record.WhichOneof("record_type")
            if kind == "run":
                self.run = record.run
            elif kind == "metric" and record.metric.name:
                kinds = {field.name for field, _ in record.metric.summary.ListFields()}
                self.defined[record.metric.name] = (record.metric.step_metric, kinds)
            elif kind == "summary":
                for item in record.summary.update:
                    name = item.key or ".".join(item.nested_key)
                    self.summary[name] = json.loads(item.value_json)
            elif kind == "history":
                self.history |= {item.key or item.nested_key[0] for item in record.history.item}
            elif kind == "artifact":
                names = [entry.path for entry in record.artifact.manifest.contents]
                self.artifacts[record.artifact.type] = names
