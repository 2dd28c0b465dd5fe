"""Who is in another split than before: said when a store's splits change, refused within a run."""

from pathlib import Path

import pandas as pd

from mtl_hcc.errors import SplitError


def split_changes(earlier: pd.DataFrame, now: pd.DataFrame) -> str:
    """Return in words how splits differ; empty where they do not.

    Args:
        earlier: ``patient_id, fold, split``.
        now: The same, later.
    """
    parts = []
    folds = [sorted(set(splits["fold"])) for splits in (earlier, now)]
    if folds[0] != folds[1]:
        parts.append(f"{len(folds[1])} instead of {len(folds[0])} folds")
    moved = _moved(earlier, now)
    if len(moved):
        patients = list(dict.fromkeys(moved["patient_id"]))
        said = _some([_of_patient(moved, name) for name in patients])
        parts.append(f"{_counted(patients)} in another split: {said}")
    names = [list(dict.fromkeys(splits["patient_id"])) for splits in (earlier, now)]
    for others, these, word in ((names[0], names[1], "new"), (names[1], names[0], "gone")):
        known = set(others)
        found = [name for name in these if name not in known]
        if found:
            described = found if word == "gone" else [_of_patient(now, name) for name in found]
            parts.append(f"{_counted(found)} {word}: {_some(described)}")
    return "; ".join(parts)


def refuse_changes(run: pd.DataFrame, now: pd.DataFrame, path: Path) -> None:
    """Raise when patients came, went or moved since a run began.

    Args:
        run: ``patient_id, fold, split`` of the run.
        now: Of the cohort as it is now.
        path: The run's ``splits.csv``, for the message.

    Raises:
        SplitError: naming a patient, and what to do.
    """
    changes = split_changes(run, now)
    if not changes:
        return
    raise SplitError(
        f"the splits changed since the run began: {changes}",
        where=str(path),
        expected="the patients and splits that the run began with, or it would be tested on "
        "patients that it was trained on",
        remedy="Bring back the cohort and data.split of the run, or train a new run "
        "(leave out --ckpt_path).",
    )


def check_same_folds(expected: pd.DataFrame, found: pd.DataFrame, *, where: str) -> None:
    """Raise unless patients known to both are in the same split of every fold.

    Args:
        expected: ``patient_id, fold, split`` of the run that others are compared with.
        found: The same of another run.
        where: That run, for the message.

    Raises:
        SplitError: naming the first patient who is in another split.
    """
    key = ["patient_id", "fold"]
    one, other = (table[[*key, "split"]].drop_duplicates() for table in (expected, found))
    folds = [sorted(set(table["fold"])) for table in (one, other)]
    both, moved = len(one.merge(other, on=key)), _moved(one, other).sort_values(key)
    if folds[0] == folds[1] and moved.empty and both:
        return
    found_here = f"folds {folds[1]} instead of {folds[0]}"
    if len(moved) or not both:
        found_here = f"{len(moved)} of {both} patients are in another split"
    raise SplitError(
        found_here,
        where=where + (f", patient {moved['patient_id'].iloc[0]}" if len(moved) else ""),
        expected="the same folds for all that are compared",
        remedy=f"Remove the run folder of {where}, and train it again.",
    )


def _moved(earlier: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """Return ``patient_id, fold, was, split`` of who is in another split of a fold."""
    both = now.merge(earlier.rename(columns={"split": "was"}), on=["patient_id", "fold"])
    return both[both["was"] != both["split"]]


def _of_patient(rows: pd.DataFrame, patient_id: str) -> str:
    """Return a patient's first row in words, e.g. ``P012 (train -> external)``."""
    row = rows[rows["patient_id"] == patient_id].iloc[0]
    was = f"{row['was']} -> " if "was" in row else ""
    fold = f", fold {row['fold']}" if rows["fold"].nunique() > 1 else ""
    return f"{patient_id} ({was}{row['split']}{fold})"


def _counted(patients: list[str]) -> str:
    return f"{len(patients)} patient is" if len(patients) == 1 else f"{len(patients)} patients are"


def _some(texts: list[str], *, shown: int = 3) -> str:
    """Return the first few."""
    return ", ".join(texts[:shown]) + (", ..." if len(texts) > shown else "")
