"""Damaged configs, seeded, and what ``fit`` may do with them.

``fit`` ends with exit code 0 and finite predictions, or with exit code 2, one message, and nothing
that looks like a run; never with a traceback, never without an end. The suite tries a few configs,
a benchmark may call :func:`fuzz` with a thousand.
"""

import contextlib
import io
import shutil
import signal
import traceback
from collections.abc import Iterator
from copy import deepcopy
from functools import reduce
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml
from fuzzing import Tried, fault_of_refusal
from tiny_training import tiny_config, write_clinical_cohort

from mtl_hcc.command_line.config import plain_config

LONGEST_SECONDS = 120
NUMBERS = [0, -1, 1, 2, 3, 7.5, 1e-12, 1e12, 2**31, float("nan"), float("inf"), -0.5, 0.999]
TEXTS = ["", "nonsense", "last", "os", "../x", "[1, 2", "null", "=1+1", "x" * 500, "1e3", "ü"]
OTHERS: list[Any] = [None, True, False, [], {}, [None], ["os", "os"], {"a": 1}, [[1]], {"": ""}]
# Settings that say where to write, or that start more processes than the one that is watched.
_LEFT_ALONE = {"run", "store", "cohort", "devices", "num_nodes", "strategy", "workers"}


def fuzz(seeds: range, folder: Path) -> Iterator[Tried]:
    """Train with a damaged config for each seed.

    Args:
        seeds: One config each.
        folder: For the files.
    """
    write_clinical_cohort(folder, patients=30)
    parser, config = tiny_config(folder, "--trainer.max_epochs", "1", "--bootstraps", "5")
    sound = plain_config(parser, config)
    for seed in seeds:
        yield try_config(seed, sound, folder / str(seed))


def try_config(seed: int, sound: dict[str, Any], folder: Path) -> Tried:
    """Damage a config, train with it, and judge the end."""
    from mtl_hcc.fit import main

    values, changed = damaged(np.random.default_rng(seed), sound)
    folder.mkdir(parents=True)
    values |= {"run": str(folder / "run")}
    (folder / "config.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    out, err = io.StringIO(), io.StringIO()
    signal.signal(signal.SIGALRM, _too_long)
    signal.alarm(LONGEST_SECONDS)
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = main(["--config", str(folder / "config.yaml")])
    except BaseException:  # what is looked for; SystemExit as well
        return Tried(seed, None, traceback.format_exc(), "a traceback", changed)
    finally:
        signal.alarm(0)
    fault = _fault(code, err.getvalue(), folder / "run")
    shutil.rmtree(folder)
    return Tried(seed, code, err.getvalue(), fault, changed)


def _too_long(*_: object) -> None:
    raise TimeoutError(f"not ended after {LONGEST_SECONDS} s")


def _fault(code: int, err: str, run: Path) -> str:
    if code == 2:
        return fault_of_refusal(err, (run / "metrics.csv").exists())
    if code:
        return f"exit code {code}"
    rows = pd.read_csv(run / "predictions.csv")
    for task, of_task in rows.groupby("task"):
        shown = of_task["risk"].fillna(of_task["probability"])
        if not np.isfinite(shown).all():
            return f"{task}: a prediction that is no number"
    return "" if (run / "metrics.csv").is_file() else "no metrics"


def damaged(rng: np.random.Generator, sound: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return a config with one or two damages, and what they are."""
    values, told = deepcopy(sound), []
    for _ in range(int(rng.choice([1, 1, 2]))):
        places = [place for place in _places(values) if not _LEFT_ALONE & set(map(str, place))]
        *parents, last = places[int(rng.integers(0, len(places)))]
        part = reduce(lambda inside, key: inside[key], parents, values)
        where = ".".join(map(str, [*parents, last]))
        kind = rng.random()
        if kind < 0.08:
            del part[last]
            told.append(f"{where} deleted")
        elif kind < 0.16 and isinstance(part, dict):
            part[f"{last}x"] = part.pop(last)
            told.append(f"{where} misspelt")
        else:
            choices = [NUMBERS, NUMBERS, TEXTS, OTHERS][int(rng.integers(0, 4))]
            part[last] = deepcopy(choices[int(rng.integers(0, len(choices)))])
            told.append(f"{where} = {str(part[last])[:40]}")
    return values, "; ".join(told)


def _places(values: Any, above: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value below the top."""
    items = values.items() if isinstance(values, dict) else ()
    found = []
    for key, value in items:
        found += [(*above, key), *_places(value, (*above, key))]
    return found
