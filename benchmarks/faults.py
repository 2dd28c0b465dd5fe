"""Question: what do a confused user, a broken disk or an attacker get: a message, or nonsense?

Kills ``prepare`` and ``fit`` at random moments, and hands in thousands of damaged tables,
predictions, configs, scans, and hostile model folders. Each must end well or be refused with a
message. Makers and judges of the damage are those of the tests, which try a few of each.

Command: ``python benchmarks/faults.py`` (about an hour on two cores), or parts of it:
``python benchmarks/faults.py --only tables models --share 0.1``.
"""

import argparse
import json
import multiprocessing
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
ROWS = RESULTS / "faults.json"
sys.path[:0] = [str(ROOT / "tests" / part) for part in ("", "store", "imaging")]
os.environ.setdefault("WANDB_MODE", "disabled")
os.environ.setdefault("OMP_NUM_THREADS", "1")

Row = dict[str, object]
MEMORY_GIB = 16


def kills_in_prepare(number: int, folder: Path) -> Row:
    """Kill the making of a store."""
    from fault_kills import Places, kills_while_preparing

    return kills_while_preparing(number, Places(folder))


def kills_in_fit(number: int, folder: Path) -> Row:
    """Kill trainings."""
    from fault_kills import Places, kills_while_training

    return kills_while_training(number, Places(folder))


def tables(number: int, folder: Path) -> Row:
    """Read damaged clinical tables."""
    from fuzz_tables import fuzz

    return _judged(
        (one.code == 2, f"seed {one.seed}: {one.fault}" if one.fault else "")
        for one in fuzz(range(number), folder)
    )


def predictions(number: int, folder: Path) -> Row:
    """Evaluate damaged predictions."""
    from fuzz_predictions import fuzz

    return _judged(
        (one.code == 2, f"seed {one.seed}: {one.fault}" if one.fault else "")
        for one in fuzz(range(number), folder)
    )


def configs(number: int, folder: Path) -> Row:
    """Train with damaged configs."""
    from fuzz_configs import fuzz

    return _judged(
        (one.code == 2, f"seed {one.seed}, {one.changed}: {one.fault}" if one.fault else "")
        for one in fuzz(range(number), folder)
    )


def scans(number: int, folder: Path) -> Row:
    """Read scans with damaged headers."""
    import numpy as np
    import SimpleITK as sitk  # noqa: N813
    from damaged_headers import write_damaged

    from mtl_hcc.errors import MtlHccError
    from mtl_hcc.imaging.read_image import Place, read_image

    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    rng = np.random.default_rng(0)
    image = sitk.GetImageFromArray(rng.integers(-900, 900, (20, 40, 40)).astype(np.int16))
    sitk.WriteImage(image, str(folder / "sound.nii"))
    sound = (folder / "sound.nii").read_bytes()

    def one(seed: int) -> tuple[bool, str]:
        path = folder / "damaged.nii.gz"
        write_damaged(path, sound, seed)
        try:
            read_image(Place("P1", "arterial", path))
        except MtlHccError:
            return True, ""
        except Exception as error:  # what is looked for
            return False, f"seed {seed}: {type(error).__name__}: {error}"
        return False, ""

    return _judged(map(one, range(number)))


def models(number: int, folder: Path) -> Row:
    """Give hostile model folders to ``predict``, each in a process of its own."""
    from hostile_models import HOSTILE_MODELS, PROOF, lay_out

    def one(item: tuple[int, str]) -> tuple[bool, str]:
        place, name = item
        home = folder / str(place)
        home.mkdir()
        case = HOSTILE_MODELS[name]
        path = lay_out(case, home)
        command = [sys.executable, "-m", "mtl_hcc.predict", "--checkpoint", str(path)]
        try:
            ended = subprocess.run(
                [*command, "--cohort", "absent"],
                cwd=home, env={**os.environ, "PYTHONPATH": str(ROOT)}, text=True,
                capture_output=True, timeout=180, check=False, preexec_fn=_bounded,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return False, f"{name}: no end"
        if any(home.rglob(PROOF)):
            return False, f"{name}: its code ran"
        expected = case.message or "absent: no such file or folder"
        if ended.returncode != 2 or expected not in ended.stderr:
            return False, f"{name}: exit code {ended.returncode}, {ended.stderr[-200:]}"
        return bool(case.message), ""

    chosen = list(HOSTILE_MODELS)[:number]
    return _judged(map(one, enumerate(chosen)))


PARTS: dict[str, tuple[Callable[[int, Path], Row], int, str]] = {
    "models": (models, 99, "hostile model folders, given to predict"),
    "tables": (tables, 3000, "damaged clinical tables"),
    "scans": (scans, 1000, "NIfTI files with damaged headers"),
    "configs": (configs, 1000, "damaged configs, trained with"),
    "kills_in_fit": (kills_in_fit, 50, "kills while a network is trained"),
    "kills_in_prepare": (kills_in_prepare, 50, "kills while a store is made"),
    "predictions": (predictions, 2000, "damaged tables of predictions"),
}


def _judged(ends: Iterable[tuple[bool, str]]) -> Row:
    """Count (whether it was refused, what is wrong)."""
    found = list(ends)
    refused = sum(is_refused and not fault for is_refused, fault in found)
    wrong = [fault for _, fault in found if fault]
    well = len(found) - refused - len(wrong)
    return {"tried": len(found), "well": well, "refused": refused, "wrong": wrong}


def _bounded() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_GIB << 30, MEMORY_GIB << 30))


def _in_own_process(name: str, share: float, pipe: "multiprocessing.connection.Connection") -> None:
    """Do one part with bounded memory, and send its row."""
    _bounded()
    warnings.simplefilter("ignore")
    work, number, _ = PARTS[name]
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="faults") as folder:
        row = work(max(1, round(number * share)), Path(folder))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    pipe.send({**row, "minutes": (time.perf_counter() - began) / 60, "peak": peak})


def main() -> None:
    """Do the parts one after the other, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", choices=list(PARTS), default=list(PARTS))
    parser.add_argument("--share", type=float, default=1.0, help="Of the numbers of the table.")
    settings = parser.parse_args()
    for name in settings.only:
        row = _row(name, settings.share)
        print(PARTS[name][2], row, flush=True)
        known = json.loads(ROWS.read_text()) if ROWS.is_file() else {}
        ROWS.write_text(json.dumps({**known, name: row}, indent=1) + "\n")
        (RESULTS / "faults.md").write_text(_text(json.loads(ROWS.read_text())))


def _row(name: str, share: float) -> Row:
    """Do one part in a process of its own."""
    here, there = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(
        target=_in_own_process, args=(name, share, there)
    )
    process.start()
    there.close()
    try:
        row: Row = here.recv()
    except EOFError:
        row = {"tried": "?", "well": "", "refused": "", "wrong": ["the process died"]}
    process.join()
    return row


def _text(found: dict[str, Row]) -> str:
    head = ["fault", "tried", "ended well", "refused with a message", "wrong", "minutes", "GiB"]
    lines = ["| " + " | ".join(head) + " |", "| --- |" + " ---: |" * (len(head) - 1)]
    faults = []
    for name, (_, _, what) in PARTS.items():
        if row := found.get(name):
            wrong = row["wrong"]
            cells = [what, row["tried"], row["well"], row["refused"], len(wrong)]
            cells += [f"{row.get('minutes', 0):.1f}", f"{row.get('peak', 0):.1f}"]
            lines.append("| " + " | ".join(map(str, cells)) + " |")
            faults += [f"- {what}: {fault}" for fault in wrong]
    return "\n".join(
        [
            "# faults: kills, damaged input, hostile models\n",
            "Command: `python benchmarks/faults.py`, or parts of it with `--only`; the last result",
            "of each part stands here.\n",
            "*Ended well*: what came out is complete and equals, or is as sound as, that of an",
            "undisturbed process. *Wrong*: a traceback, no end, a lost or changed result, foreign",
            "code that ran. *GiB*: peak of the process that judges.\n",
            *lines,
            "",
            *(faults or ["Nothing was wrong."]),
            "",
            f"Machine: {os.cpu_count()} processor cores, Python {platform.python_version()}, torch "
            f"{version('torch')}.\n",
        ]
    )


if __name__ == "__main__":
    main()
