"""The process of one run: ``fit`` from its plan, going on where an earlier process stopped."""

import time
from collections.abc import Sequence
from pathlib import Path

from filelock import Timeout
from jsonargparse import ArgumentParser, Namespace
from pytorch_lightning.utilities import rank_zero_only

from mtl_hcc.ablation.fingerprint import fingerprint
from mtl_hcc.ablation.planned_run import (
    last_checkpoints,
    read_record,
    state_of,
    write_record,
)
from mtl_hcc.command_line.config import build_parser, plain_config, read_config
from mtl_hcc.command_line.entry_point import report_errors
from mtl_hcc.errors import CheckpointError
from mtl_hcc.fit import fit
from mtl_hcc.runs.checkpoint import read_checkpoint
from mtl_hcc.runs.run_claim import keep_earlier_run, run_lock

BUSY = 75
"""Exit code when another process is training the run (sysexits.h: try again later)."""


@report_errors
def main(arguments: Sequence[str] | None = None) -> int | None:
    """Run the command line: flags as those of `fit`."""
    parser = build_parser(__doc__ or "", prog="python -m mtl_hcc.ablation.one_run")
    config = read_config(parser, arguments)
    if getattr(rank_zero_only, "rank", 0) != 0:  # another device of the same run
        config.ckpt_path = "last" if last_checkpoints(Path(config.run)) else None
        fit(parser, config)
        return None
    folder = Path(config.run)
    try:
        with run_lock(folder):
            train(parser, config)
    except Timeout:
        print(f"{folder}: another process is training this run.")
        return BUSY
    return None


def train(parser: ArgumentParser, config: Namespace) -> None:
    """Train a run unless it is finished; go on where it stopped if its settings are the same.

    Args:
        parser: That parsed the config.
        config: Of the run; ``ckpt_path`` is decided here.
    """
    folder = Path(config.run)
    values = plain_config(parser, config)
    state = state_of(folder, values)
    if state == "finished":
        print("Finished before with these settings.")
        return
    goes_on = state == "half-finished" and _readable(last_checkpoints(folder))
    if goes_on:
        config.ckpt_path = "last"
        print("Going on where it stopped.")
    else:
        keep_earlier_run(folder)
    known = {"fingerprint": fingerprint(values), "finished": False, "seconds": None}
    write_record(folder, **known)
    start = time.perf_counter()
    fit(parser, config)
    seconds = None if goes_on else time.perf_counter() - start
    write_record(folder, **read_record(folder) | {"finished": True, "seconds": seconds})


def _readable(checkpoints: list[Path]) -> bool:
    """Return whether all checkpoints can be read: a power cut may have left half of one."""
    try:
        for path in checkpoints:
            read_checkpoint(path)
    except CheckpointError as error:
        print(f"Starting anew: {error}")
        return False
    return True


if __name__ == "__main__":
    raise SystemExit(main())
