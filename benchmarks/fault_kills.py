"""Kills at random moments of ``prepare`` and ``fit``: parts of ``benchmarks/faults.py``."""

import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pandas as pd
import store_processes
from tiny_training import tiny_config

from mtl_hcc import fit

EPOCHS = "6"


def kills_while_preparing(kills: int, places: "Places") -> dict[str, object]:
    """Kill the making of phantom, store and splits, until so many kills are done.

    Args:
        kills: How many.
        places: Where to write.
    """
    whole = places.store / "whole"
    began = time.perf_counter()
    assert _forked(lambda: store_processes.make(whole), None) == 0
    seconds = time.perf_counter() - began
    expected = store_processes.content(whole)
    return _until_killed(
        kills,
        places,
        lambda number: store_processes.make(places.store / str(number)),
        lambda number: store_processes.content(places.store / str(number)) == expected,
        longest=seconds,
    )


def kills_while_training(kills: int, places: "Places") -> dict[str, object]:
    """Kill the training of a clinical network, going on with ``--ckpt_path last``.

    Args:
        kills: How many.
        places: Where to write.
    """
    tiny_config(places.run)  # writes config.yaml and the cohort

    def train(number: object) -> None:
        run = places.run / f"run{number}"
        flags = ["--config", places.run / "config.yaml", "--run", run, "--bootstraps", "5"]
        flags += ["--data.store", places.store / f"store{number}", "--trainer.max_epochs", EPOCHS]
        checkpoints = (run / "checkpoints").glob("*.ckpt")
        flags += ["--ckpt_path", "last"] if any(checkpoints) else []
        code = fit.main([str(flag) for flag in flags])
        if code:
            raise SystemExit(code)

    began = time.perf_counter()
    assert _forked(lambda: train("whole"), None) == 0
    seconds = time.perf_counter() - began
    expected = _results(places.run / "runwhole")
    return _until_killed(
        kills,
        places,
        train,
        lambda number: _results(places.run / f"run{number}") == expected,
        longest=seconds,
    )


class Places:
    """Folders for run, store and temporary files, on different file systems where there are any.

    Args:
        root: Folder of this benchmark.
    """

    def __init__(self, root: Path) -> None:
        memory = Path("/dev/shm")
        self.run = Path(tempfile.mkdtemp(prefix="run", dir=root))
        self.store = Path(tempfile.mkdtemp(prefix="mtl_hcc_store", dir=_or(memory, root)))
        other = [path for path in (Path("/run/lock"), memory) if os.access(path, os.W_OK)]
        self.temporary = Path(tempfile.mkdtemp(prefix="mtl_hcc_tmp", dir=(other or [root])[0]))
        os.environ["TMPDIR"] = str(self.temporary)
        tempfile.tempdir = None  # asked again

    @property
    def disks(self) -> int:
        """How many file systems they lie on."""
        return len({path.stat().st_dev for path in (self.run, self.store, self.temporary)})

    def left_in_temporary(self) -> list[str]:
        """Return the files that something left where temporary files go."""
        return [str(path) for path in self.temporary.rglob("*") if path.is_file()]


def _until_killed(
    kills: int,
    places: Places,
    begin: Callable[[int], None],
    same: Callable[[int], bool],
    *,
    longest: float,
) -> dict[str, object]:
    """Kill and go on; whatever is finished must be what an undisturbed process makes."""
    draw = random.Random(0)
    done, number, same_as_whole, wrong = 0, 0, 0, []
    while done < kills:
        # Early kills are as likely as late ones; the last start of each is left alone.
        for _ in range(min(5, kills - done)):
            code = _forked(partial(begin, number), draw.uniform(0, longest))
            done += code == -signal.SIGKILL
            if code not in (0, -signal.SIGKILL):
                wrong.append(f"{number}: exit code {code} when going on")
        code = _forked(partial(begin, number), None)
        if code or not same(number):
            wrong.append(f"{number}: exit code {code}, or another result")
        else:
            same_as_whole += 1
        number += 1
    left = places.left_in_temporary()
    return {
        "tried": f"{done} kills of {number}",
        "well": same_as_whole,
        "refused": "",
        "wrong": wrong + [f"left behind: {path}" for path in left[:3]],
    }


def _forked(work: Callable[[], None], seconds: float | None) -> int:
    """Do work in a process of its own; kill its group after some seconds.

    Forking saves the imports, so that kills fall on the work.
    """
    child = os.fork()
    if child == 0:
        os.setsid()
        with Path(os.devnull).open("w") as nowhere:
            os.dup2(nowhere.fileno(), 1)
            if not os.environ.get("FAULTS_SHOW"):
                os.dup2(nowhere.fileno(), 2)
        code = 1
        try:
            work()
            code = 0
        except SystemExit as ended:
            code = int(ended.code or 0)
        finally:
            os._exit(code)
    if seconds is not None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                return os.waitstatus_to_exitcode(status)
            time.sleep(0.005)
        with contextlib.suppress(ProcessLookupError):  # it has no group of its own yet
            os.killpg(child, signal.SIGKILL)
        os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status)


def _results(run: Path) -> dict[str, str]:
    """Return the tables of a run, without what is a time."""
    history = pd.read_csv(run / "history.csv")
    history = history[[name for name in history if "seconds" not in name]]
    tables = {"history": history, "predictions": pd.read_csv(run / "predictions.csv")}
    return {name: table.round(5).to_csv(index=False) for name, table in tables.items()}


def _or(wanted: Path, otherwise: Path) -> Path:
    return wanted if os.access(wanted, os.W_OK) else otherwise


if __name__ == "__main__":
    raise SystemExit(f"python benchmarks/faults.py; this is a part of it ({sys.argv[0]})")
