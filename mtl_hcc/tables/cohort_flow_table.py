"""Who was screened, who was left out and why, who was analyzed where: the numbers add up."""

import re

import pandas as pd

from mtl_hcc.covariates.clinical_columns import SURVIVAL
from mtl_hcc.estimators.fitted_rows import fitted_on_train
from mtl_hcc.split_names import in_split_order

KEPT = "kept: "
"""Begins the reason of a patient who stayed, and of whom only a label or a value was emptied."""
SCREENED, LEFT_OUT, ANALYZED, EMPTIED = "Screened", "Left out", "Analyzed", "Value emptied"
OWN_NUMBER = re.compile(r"(?<![\w.-])-?(?![01](?![\d.]))\d+(?:\.\d+)?(?![\w.])")
"""A patient's own number, which would keep two equal reasons apart; flags (0, 1) stay."""
PLACE = re.compile(r"^[^:]*?(?=column \w+: )|^[^:]*(?:patient|line \d|images|\.\w{3}\b|/)[^:]*: ")
"""Where a reason was found; the name of a column is kept."""
STEPS = {
    "table": "reading the clinical table",
    "images": "reading the images",
    "dicom": "reading the DICOM files",
    "prepare": "preparing the images",
    "predict": "predicting",
}


def cohort_flow(
    patients: pd.DataFrame,
    quarantine: pd.DataFrame | None = None,
    models: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return the flow of patients, a row per box and reason.

    Args:
        patients: The analyzed patients.
        quarantine: ``patient_id, step, reason``; without it nobody knows who was left out.
        models: Where each was fitted, if that is known.

    Returns:
        ``Step, Group, Patients, Detail``: ``Screened``, ``Left out`` by step and reason,
        ``Analyzed``, the analyzed by split and (where there are several) by center, and patients
        who stayed with an emptied value. Screened = left out + analyzed. No patient is named.
    """
    rows: list[tuple[str, str, int, str]] = []
    gone = left_out(patients, quarantine)
    if quarantine is not None:
        rows.append((SCREENED, "all", len(patients) + gone["patient_id"].nunique(), ""))
    rows += [(LEFT_OUT, *row) for row in _reasons(gone, first_only=True)]
    rows.append((ANALYZED, "all", len(patients), outcomes(patients)))
    if "split" in patients:
        for split in in_split_order(patients["split"].dropna().unique()):
            inside = patients[patients["split"] == split]
            rows.append((ANALYZED, split, len(inside), outcomes(inside)))
            rows += _centers(inside, split)
    if quarantine is not None:
        rows += [
            (EMPTIED, *row) for row in _reasons(emptied(patients, quarantine), first_only=False)
        ]
    table = pd.DataFrame(rows, columns=["Step", "Group", "Patients", "Detail"])
    table.attrs["caption"] = _caption(patients, quarantine, gone, models)
    return table


def left_out(patients: pd.DataFrame, quarantine: pd.DataFrame | None) -> pd.DataFrame:
    """Return the first row of the quarantine of each patient who was not analyzed."""
    if quarantine is None:
        return pd.DataFrame(columns=["patient_id", "step", "reason"], dtype=str)
    inside = quarantine["patient_id"].astype(str).isin(patients["patient_id"].astype(str))
    stays = quarantine["reason"].astype(str).str.startswith(KEPT)
    return quarantine[~(inside | stays).to_numpy()].drop_duplicates("patient_id")


def emptied(patients: pd.DataFrame, quarantine: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of patients who were analyzed although something of theirs was emptied."""
    inside = quarantine["patient_id"].astype(str).isin(patients["patient_id"].astype(str))
    remarks = quarantine["step"] == "dicom"  # on segments left out: nothing was emptied
    return quarantine[inside & ~remarks & quarantine["reason"].astype(str).str.startswith(KEPT)]


def outcomes(patients: pd.DataFrame) -> str:
    """Return events among those with a known outcome: ``OS events 32 of 80, MVI 37 of 80``."""
    parts = []
    for endpoint, name in SURVIVAL:
        if {f"{endpoint}_event", f"{endpoint}_days"} <= set(patients):
            known = patients.dropna(subset=[f"{endpoint}_event", f"{endpoint}_days"])
            parts.append(f"{name} events {known[f'{endpoint}_event'].sum():.0f} of {len(known)}")
    if "mvi" in patients:
        graded = patients["mvi"].dropna()
        parts.append(f"MVI {graded.sum():.0f} of {len(graded)}")
    return ", ".join(parts)


def plain_reasons(reason: str, patient_id: str = "") -> list[str]:
    """Return what was found, without the patient, the file, the line and the remedy.

    Example:
        >>> plain_reasons("patient P012, images/P012: no delayed phase. Add the file.", "P012")
        ['no delayed phase']
        >>> plain_reasons("kept: a.csv, line 7, column rfs_days: 102 is longer than os_days 90; x")
        ['column rfs_days: ... is longer than os_days ...']
        >>> plain_reasons("kept: a.csv, line 2, column inr: 9 is outside 0.5 to 6, column b: -1")
        ['column inr: ... is outside 0.5 to 6', 'column b: ...']
    """
    text = reason.removeprefix(KEPT).replace("\n", " ")
    if patient_id:
        text = text.replace(patient_id, "the patient")
    found = re.split(r"(?:, |; |; also )(?=column \w+: )", PLACE.sub("", text))
    return [_without_numbers(re.split(r"; |\. (?=[A-Z])", part)[0].rstrip(". ")) for part in found]


def _without_numbers(text: str) -> str:
    head, limits, tail = text.partition(" is outside ")
    return OWN_NUMBER.sub("...", head) + limits + tail


def _reasons(rows: pd.DataFrame, *, first_only: bool) -> list[tuple[str, int, str]]:
    """Return step, number of patients and reason, the most frequent first.

    Args:
        rows: Of the quarantine.
        first_only: Count a patient once, by the first reason, so that the numbers add up.
    """
    if rows.empty:
        return []
    plain = [
        plain_reasons(str(reason), str(patient))[: 1 if first_only else None]
        for reason, patient in zip(rows["reason"], rows["patient_id"], strict=True)
    ]
    each = rows.assign(plain=pd.Series(plain, index=rows.index, dtype=object)).explode("plain")
    counted = each.groupby(["step", "plain"])["patient_id"].nunique()
    counted = counted.sort_values(ascending=False, kind="stable")
    steps = [STEPS.get(str(step), str(step)) for step, _ in counted.index]
    reasons = [str(reason) for _, reason in counted.index]
    return list(zip(steps, counted.astype(int).tolist(), reasons, strict=True))


def _centers(inside: pd.DataFrame, split: str) -> list[tuple[str, str, int, str]]:
    centers = inside["center"].fillna("unknown").astype(str) if "center" in inside else None
    if centers is None or centers.nunique() < 2:
        return []
    return [
        (ANALYZED, f"{split}, center {center}", len(rows), outcomes(rows))
        for center, rows in inside.groupby(centers, sort=True)
    ]


def _caption(
    patients: pd.DataFrame,
    quarantine: pd.DataFrame | None,
    gone: pd.DataFrame,
    models: pd.DataFrame | None,
) -> str:
    analyzed = f"{len(patients)} analyzed"
    if quarantine is None:
        said = f"{analyzed}; who was screened and left out is not known."
    else:
        number = gone["patient_id"].nunique()
        said = f"{len(patients) + number} screened, {number} left out, {analyzed}."
    folds = patients["fold"].nunique() if "fold" in patients else 1
    if folds > 1 and not fitted_on_train(models):
        said += f" {folds} folds; whether each model was fitted without its test rows is not known."
    elif folds > 1:
        said += (
            f" {folds} folds: each patient is tested in one of them by a network that was trained "
            "without the patient."
        )
    return (
        f"Cohort flow: {said} Detail: patients with the event (with MVI) among those with a known "
        "outcome; a patient with several emptied values counts for each of them."
    )
