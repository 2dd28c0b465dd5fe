"""Damaged tables of predictions, seeded, and what ``evaluate`` may do with them.

``evaluate`` ends with exit code 0 and metrics that have a value or a reason, or with exit code 2
and one message; never with a traceback, and no number comes without meaning. The suite tries a few
tables, a benchmark may call :func:`fuzz` with thousands.
"""

import contextlib
import io
import traceback
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
from fuzzing import Tried, fault_of_refusal

CELLS = [
    "", "nan", "NaN", "inf", "-inf", "1e400", "0", "1", "2", "-1", "0.5", "1.5", "1e-9", "1e12",
    "NA", "TRUE", "None", "1,5", " 1 ", "0x10", "\u0661", "\u00bd", "two", "=1+1", "@x", "-", "+",
    "--", "[/] old", "[bold]", ":x:", "a\nb", 'quote " inside', "\u00fcml\u00e4ut", "P01",
    "x" * 300,
]  # fmt: skip
"""Cells as tables from elsewhere have them."""
NAMES = [
    "Training", "TRAIN", "test set", "all", "ALL", "=cmd|x", "external", "train", "[/]", "hold-out",
    "val", "", " ", "2", "-1",
]  # fmt: skip
COLUMNS = [
    "survival_1y", "surv_365", "Survival_365", "survival-365", "survival_0", "survival_0365",
    "survival_99999999999999999999", "survival_\u0663", "probability_0", "probability_1",
    "probability_2", "probability_9", "Risk", "risk.1", "Unnamed: 0", "threshold", "model", "=x",
]  # fmt: skip

ROUNDING = 1e-9
Rows = npt.NDArray[np.bool_]
"""(row,) Which rows are damaged."""


def fuzz(seeds: range, folder: Path) -> Iterator[Tried]:
    """Evaluate a damaged table for each seed.

    Args:
        seeds: One table each.
        folder: For the files.
    """
    for seed in seeds:
        yield try_table(seed, folder / str(seed))


def try_table(seed: int, folder: Path) -> Tried:
    """Damage one or two tables, evaluate them, and judge the end."""
    from mtl_hcc.evaluate import main

    rng = np.random.default_rng(seed)
    files = []
    for name in ("a", "b")[: int(rng.integers(1, 3))]:
        files.append(folder / name / "predictions.csv")
        files[-1].parent.mkdir(parents=True)
        files[-1].write_bytes(damaged(rng))
    flags = ["--bootstraps", str(rng.integers(0, 6)), "--threshold", rng.choice(["0.5", "youden"])]
    if rng.random() < 0.3:
        flags += ["--between", rng.choice(["split", "center"])]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code = main(
                [
                    "--predictions",
                    *map(str, files),
                    "--output",
                    str(folder / "out"),
                    *map(str, flags),
                ]
            )
        except Exception:  # what is looked for
            return Tried(seed, None, traceback.format_exc(), "a traceback")
    return Tried(seed, code, err.getvalue(), _fault(code, out.getvalue(), err.getvalue(), folder))


def _fault(code: int, out: str, err: str, folder: Path) -> str:
    if code == 2:
        return fault_of_refusal(err, (folder / "out").exists())
    if code:
        return f"exit code {code}"
    for name, numbers in {
        "metrics": ["value"],
        "comparisons": ["difference"],
        "group_comparisons": ["difference"],
    }.items():
        path = folder / "out" / f"{name}.csv"
        if path.is_file():
            table = pd.read_csv(path, keep_default_na=False, na_values=[""])
            if wrong := _wrong_numbers(table, numbers):
                return f"{path.name}: {wrong}"
    return "" if out else "nothing was printed"


def _wrong_numbers(table: pd.DataFrame, numbers: list[str]) -> str:
    """Return what is wrong with the numbers of a table of results."""
    reason = table["method"].fillna("").astype(str).str.len()
    for column in numbers:
        values = pd.to_numeric(table[column])
        if (values.isna() & (reason < 5)).any():
            return f"an empty {column} without a reason"
        if np.isinf(values).any():
            return f"an infinite {column}"
    if "value" in table:
        shares = table["metric"].str.fullmatch("auc.*|concordance.*|accuracy|sensitivity")
        values = table.loc[shares, "value"].dropna()
        if not values.between(-ROUNDING, 1 + ROUNDING).all():
            return "a share outside 0 to 1"
        known = table.dropna(subset=["ci_low", "ci_high"])
        if (known["ci_low"] > known["ci_high"]).any():
            return "an interval upside down"
    return ""


def damaged(rng: np.random.Generator) -> bytes:
    """Return the file of a table with up to four damages."""
    table = _sound(rng)
    for _ in range(int(rng.choice([0, 0, 0, 1, 1, 2]))):
        table = _damage(table, rng)
    content = table.to_csv(index=False, sep=str(rng.choice([","] * 30 + [";", "\t"]))).encode()
    if rng.random() < 0.06:
        content = content[: int(rng.integers(0, len(content)))]
    if rng.random() < 0.04:
        place = int(rng.integers(0, len(content) + 1))
        content = content[:place] + bytes(rng.integers(0, 256, 3, dtype=np.uint8)) + content[place:]
    return content


def _sound(rng: np.random.Generator) -> pd.DataFrame:
    """Return a sound table of one to three tasks of a few patients, as texts."""
    number = int(rng.choice([1, 2, 3, 8, 24, 40]))
    who = pd.DataFrame(
        {
            "patient_id": [f"P{place:02d}" for place in range(number)],
            "center": rng.choice(["I", "II", "III"], number),
            "split": rng.choice(["train", "validation", "external"], number),
            "fold": 0,
        }
    )
    risk = rng.normal(size=number)
    survival = {f"survival_{days}": np.exp(-days / 900 * np.exp(risk)) for days in (365, 730)}
    classes = rng.dirichlet([1, 1, 1], number)
    tasks = {
        "os": who.assign(
            task="os", risk=risk, time_days=np.ceil(rng.exponential(900, number)),
            event=rng.integers(0, 2, number), **survival,
        ),
        "mvi": who.assign(
            task="mvi", label=rng.integers(0, 2, number), probability=rng.random(number)
        ),
        "mvi_grade": who.assign(
            task="mvi_grade", label=rng.integers(0, 3, number),
            **{f"probability_{k}": classes[:, k] for k in range(3)},
        ),
    }  # fmt: skip
    chosen = rng.choice(list(tasks), size=int(rng.integers(1, 4)), replace=False)
    table = pd.concat([tasks[name] for name in chosen], ignore_index=True)
    return table.astype(object).where(table.notna(), "")


def _damage(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Do one of the things that happen to tables: to its rows, its columns, or its cells."""
    table = table.reset_index(drop=True)
    column = str(rng.choice([str(name) for name in table]))
    rows = rng.random(len(table)) < rng.choice([0.02, 0.3, 1.0])
    damage = rng.choice([_rows, _columns, _cells])
    return damage(table, column, rows, rng)


def _rows(table: pd.DataFrame, column: str, rows: Rows, rng: np.random.Generator) -> pd.DataFrame:
    """Repeat rows, drop some, or shuffle them."""
    kind = int(rng.integers(0, 3))
    if kind == 0 and len(table):
        twice = table.sample(int(rng.integers(1, 4)), replace=True, random_state=1)
        return pd.concat([table, twice])
    if kind == 1:
        return table[~rows]
    return table.sample(frac=1, random_state=int(rng.integers(0, 99)))


def _columns(
    table: pd.DataFrame, column: str, rows: Rows, rng: np.random.Generator
) -> pd.DataFrame:
    """Drop a column, rename it, add one, or give names and folds that mean something else."""
    kind = int(rng.integers(0, 5))
    if kind == 0 and table.shape[1] > 1:
        return table.drop(columns=column)
    if kind == 1:
        return table.rename(columns={column: str(rng.choice([*COLUMNS, *table]))})
    if kind == 2:
        return table.assign(**{str(rng.choice(COLUMNS)): rng.choice([*CELLS, 0.2], len(table))})
    if kind == 3:
        return table.assign(fold=rng.choice([0, 1, 2, 0.5], len(table), p=[0.6, 0.3, 0.099, 0.001]))
    name = str(rng.choice(["split", "center", "task", "patient_id"]))
    return table.assign(**{name: np.where(rows, rng.choice(NAMES), table.get(name, ""))})


def _cells(table: pd.DataFrame, column: str, rows: Rows, rng: np.random.Generator) -> pd.DataFrame:
    """Scale a column, shuffle it, make it constant, or put one odd text into it."""
    kind, cells = int(rng.integers(0, 4)), table[column].astype(object)
    if kind == 0:
        numbers = pd.to_numeric(cells, errors="coerce")
        factor = float(rng.choice([1 / 30.4375, -1, 0, 1e9, 100]))
        cells = (numbers * factor).astype(object).where(numbers.notna(), "")
    elif kind == 1:
        cells = pd.Series(rng.permutation(cells.to_numpy()), dtype=object)
    elif kind == 2 and len(table):
        cells = pd.Series([cells.iloc[0]] * len(table), dtype=object)
    else:
        cells = cells.where(~rows, str(rng.choice(CELLS)))
    return table.assign(**{column: cells})
