"""Damaged clinical tables, seeded, and what the readers may do with them.

A reader gives a checked cohort, or one of our errors; never a traceback, never a value that cannot
be true, and nobody is lost without a line in the quarantine. The suite tries some tables, a
benchmark may call :func:`fuzz` with thousands.
"""

import traceback
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
from fuzzing import Tried

from mtl_hcc.cohorts import ClinicalTable, NiftiFolder, read_patient_table
from mtl_hcc.errors import MtlHccError
from mtl_hcc.patient import CLASS_COLUMNS, SURVIVAL_ENDPOINTS

CELLS = [
    "", "NA", "nan", "inf", "-inf", "1e400", "0", "1", "2", "3", "-5", "0.5", "365", "1,5",
    "1.234,5", "alive", "?", " 7 ", "0x10", "\u0661", "\u00bd", "=1+1", "=cmd|x", "+", "-", "@x",
    "TRUE", "12/03/2019", "a\nb", 'quote " x', "\u00fcml\u00e4ut", "all", "unknown", "..", "a/b",
    "x" * 300, "'=1", "[/]",
]  # fmt: skip
COLUMNS = [
    "patient_id", "PatientID", "os_days", "os_event", "rfs_days", "rfs_event", "mvi", "mvi_grade",
    "center", "split", "age_years", "", "Unnamed: 0", "=x", "os_months", "n", "group", "all",
]  # fmt: skip
ENCODINGS = ["utf-8"] * 12 + ["utf-8-sig", "utf-16", "latin-1", "cp1252"]


def fuzz(seeds: range, folder: Path) -> Iterator[Tried]:
    """Read a damaged table for each seed.

    Args:
        seeds: One table each.
        folder: For the files.
    """
    for seed in seeds:
        yield try_table(seed, folder / str(seed))


def try_table(seed: int, folder: Path) -> Tried:
    """Damage a table, read it with one of the readers, and judge what came of it."""
    rng = np.random.default_rng(seed)
    (folder / "images").mkdir(parents=True)
    path = folder / "patients.csv"
    names = [f"P{place:02d}" for place in range(int(rng.choice([1, 2, 5, 30])))]
    path.write_bytes(damaged(rng, names))
    bad_labels = "blank" if rng.random() < 0.5 else "quarantine"
    reader = str(rng.choice(["table", "clinical", "nifti"], p=[0.4, 0.4, 0.2]))
    if reader == "nifti":
        for name in names:
            (folder / "images" / name).mkdir()
            for file in ("arterial.nii.gz", "regions.nii.gz"):
                (folder / "images" / name / file).touch()
    read: dict[str, Callable[[], tuple[pd.DataFrame, pd.DataFrame]]] = {
        "table": lambda: read_patient_table(path, bad_labels=bad_labels),
        "clinical": lambda: _parts(ClinicalTable(bad_labels=bad_labels).read(path)),
        "nifti": lambda: _parts(NiftiFolder(bad_labels=bad_labels).read(folder)),
    }
    try:
        table, quarantine = read[reader]()
    except MtlHccError as error:
        said = str(error)
        named = path.name in said or str(folder) in said
        return Tried(seed, 2, said, "" if named and len(said) > 40 else "no place named")
    except Exception:  # what is looked for
        return Tried(seed, None, traceback.format_exc(), "a traceback")
    return Tried(seed, 0, "", _fault(table, quarantine, names, path))


def _parts(cohort: object) -> tuple[pd.DataFrame, pd.DataFrame]:
    return cohort.table, cohort.quarantine  # type: ignore[attr-defined]


def _fault(table: pd.DataFrame, quarantine: pd.DataFrame, names: list[str], path: Path) -> str:
    """Return what cannot be true of a table that was read."""
    if table.empty or table.index.duplicated().any() or (table.index == "").any():
        return "nobody, somebody twice, or nobody's row"
    if table["center"].isna().any() or not table["center"].map(lambda c: isinstance(c, str)).all():
        return "a center that is no text"
    if table["center"].str.match(r"[=@\t\r]").any():
        return "a center that a spreadsheet runs"
    text = path.read_bytes().decode("utf-8", "replace")
    known = {*table.index, *quarantine["patient_id"]}
    lost = [name for name in names if f"\n{name}," in text and name not in known]
    if lost:
        return f"{lost[0]} is lost without a word"
    if len(quarantine) and not (quarantine["reason"].astype(str).str.len() > 20).all():
        return "a quarantine without a reason"
    return _wrong_label(table)


def _wrong_label(table: pd.DataFrame) -> str:
    """Return which label of a table that was read cannot be true."""
    for endpoint in SURVIVAL_ENDPOINTS:
        if f"{endpoint}_days" in table:
            days, event = table[f"{endpoint}_days"], table[f"{endpoint}_event"]
            if not (days.dropna() > 0).all() or np.isinf(days).any():
                return f"{endpoint}_days not above 0"
            if not event.dropna().isin([0, 1]).all() or (days.isna() != event.isna()).any():
                return f"{endpoint}_event is no event, or one without the other"
    for column, classes in CLASS_COLUMNS.items():
        if column in table and not table[column].dropna().isin(range(classes)).all():
            return f"{column} is no class"
    if {"os_days", "rfs_days"} <= set(table) and (table["rfs_days"] > table["os_days"]).any():
        return "recurrence after death"
    return ""


def damaged(rng: np.random.Generator, names: list[str]) -> bytes:
    """Return the file of a table with up to four damages."""
    table = _sound(rng, names)
    for _ in range(int(rng.choice([0, 1, 1, 2, 3, 4]))):
        table = _damage(table, rng)
    delimiter = str(rng.choice([",", ",", ",", ";", "\t"]))
    text = table.to_csv(index=False, sep=delimiter)
    if rng.random() < 0.05:
        text = "\n".join([text, delimiter * int(rng.integers(0, 9)), "", "total"])
    content = text.encode(str(rng.choice(ENCODINGS)), "replace")
    if rng.random() < 0.05:
        content = content[: int(rng.integers(0, len(content) + 1))]
    if rng.random() < 0.03:
        place = int(rng.integers(0, len(content) + 1))
        content = content[:place] + bytes(rng.integers(0, 256, 3, dtype=np.uint8)) + content[place:]
    return content


def _sound(rng: np.random.Generator, names: list[str]) -> pd.DataFrame:
    number = len(names)
    os_days = np.ceil(rng.exponential(900, number)) + 30
    table = pd.DataFrame(
        {
            "patient_id": names,
            "center": rng.choice(["I", "II"], number),
            "split": rng.choice(["train", "validation", "external"], number),
            "os_days": os_days,
            "os_event": rng.integers(0, 2, number),
            "rfs_days": np.ceil(os_days * 0.7),
            "rfs_event": 1,
            "mvi": rng.integers(0, 2, number),
            "age_years": rng.integers(30, 80, number),
            "stage": rng.choice(["A", "B", "C"], number),
        }
    )
    return table.astype(object)


def _damage(table: pd.DataFrame, rng: np.random.Generator) -> pd.DataFrame:
    """Do one of the things that happen to tables."""
    table, kind = table.reset_index(drop=True), int(rng.integers(0, 9))
    place = int(rng.integers(0, table.shape[1]))
    column = str(table.columns[place])
    rows = rng.random(len(table)) < rng.choice([0.05, 0.3, 1.0])
    if kind == 0 and table.shape[1] > 1:
        return table.drop(columns=column)
    if kind == 1:
        return table.rename(columns={column: str(rng.choice(COLUMNS))})
    if kind == 2 and len(table):
        return pd.concat([table, table.sample(1, random_state=1)])
    if kind == 3 and table.columns.is_unique:
        numbers = pd.to_numeric(table[column], errors="coerce")
        factor = float(rng.choice([1 / 30.4375, -1, 0, 1e9]))
        return table.assign(**{column: (numbers * factor).where(numbers.notna(), table[column])})
    if kind == 4:
        extra = rng.choice(CELLS, len(table))
        return pd.concat(
            [table, pd.Series(extra, name=str(rng.choice(COLUMNS)), dtype=object)], axis=1
        )
    cells = table.iloc[:, place].astype(object).where(~rows, str(rng.choice(CELLS)))
    if kind >= 7:
        cells = cells.where(~rows, pd.Series(rng.choice(CELLS, len(table)), dtype=object))
    changed = table.copy()
    changed.isetitem(place, cells)
    return changed
