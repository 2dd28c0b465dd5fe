"""Somebody's predictions and clinical table, without a run folder, as what a report is about.

Table 1 and the flow come from the clinical table, curves and metrics from the predictions. Where
they tell different outcomes of a patient, only the user can say which is right.
"""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mtl_hcc.errors import TableError
from mtl_hcc.metrics.prediction_checks import OUTCOMES, SINGLE
from mtl_hcc.metrics.prediction_remarks import prediction_remarks
from mtl_hcc.metrics.predictions import read_prediction_files, task_kind
from mtl_hcc.reporting.reported_study import ReportedStudy
from mtl_hcc.reporting.run_folder import check_names, read_csv

NO_RUN = "Only predictions were given, not the run folder that fit writes (--run)"


def read_files(
    files: Sequence[Path], patients: Path | None, *, names: Sequence[str] | None = None
) -> ReportedStudy:
    """Read predictions; the first model of the first file is the one that the report is about.

    Args:
        files: Tables as ``predictions.csv``.
        patients: The clinical table, if there is one.
        names: Name of each file's model; default: of its folder.

    Raises:
        ConfigError: Not one name per file, or two files hold models of one name.
        TableError: The clinical table holds none of the patients, one of them twice, or other
            outcomes.
    """
    predictions = read_prediction_files(files, names)
    remarks = [remark.text for remark in prediction_remarks(predictions)]
    missing = {
        "history": f"{NO_RUN}, so there are no learning curves.",
        "quarantine": f"{NO_RUN}, so nobody knows who was left out. Say so in the paper.",
    }
    tables = {"predictions": predictions}
    if patients is None:
        missing["patients"] = "No clinical table was given: add --patients patients.csv."
    else:
        table = read_csv(patients)
        check_names(table, patients)
        tables["patients"], found = check_patients(table, predictions, patients)
        remarks += found
    main = str(predictions["model"].iloc[0])
    return ReportedStudy(
        name=main if main != "model" else files[0].stem,
        tables=tables,
        missing=missing,
        networks=(main,),
        remarks=tuple(remarks),
    )


def check_patients(
    patients: pd.DataFrame, predictions: pd.DataFrame, path: Path
) -> tuple[pd.DataFrame, list[str]]:
    """Return the table with numbers for outcomes, and remarks on who is in one of the two only.

    Args:
        patients: As read, with ``patient_id``.
        predictions: Checked.
        path: Of the clinical table, for messages.

    Raises:
        TableError: A patient twice, none that is predicted, or an outcome that is no number or
            contradicts the predictions.
    """
    names = patients["patient_id"].fillna("").astype(str).str.strip()
    patients = patients.assign(patient_id=names)
    _refuse_empty_and_twice(names, path)
    if not names.isin(predictions["patient_id"]).any():
        raise TableError(
            f"none of its {len(patients)} patients has a prediction",
            where=f"{path}, column patient_id",
            expected=f"names such as {predictions['patient_id'].iloc[0]}",
            remedy="Name the table of the cohort that was predicted.",
        )
    for task, rows in predictions.groupby("task", sort=False):
        for column, outcome in _columns(str(task), rows).items():
            if column in patients:
                patients[column] = _numbers(patients, column, path)
                _refuse_contradiction(patients, column, rows, outcome, path)
    return patients, _remarks(patients, predictions, path)


def _refuse_empty_and_twice(names: "pd.Series[str]", path: Path) -> None:
    if (names == "").any():
        raise TableError(
            "an empty cell",
            where=f"{path}, line {_line(names[names == ''].index[0])}, column patient_id",
            remedy="Fill in the patient's name, or delete the line.",
        )
    twice = names[names.duplicated(keep=False)]
    if len(twice):
        of_first = twice[twice == twice.iloc[0]]
        lines = ", ".join(str(_line(place)) for place in of_first.index)
        others = twice.nunique() - 1
        raise TableError(
            f"patient {twice.iloc[0]} {len(of_first)} times"
            + (f" (and {others} more patients)" if others else ""),
            where=f"{path}, lines {lines}, column patient_id",
            expected="one row per patient",
            remedy="Keep one row of each patient.",
        )


def _columns(task: str, rows: pd.DataFrame) -> dict[str, str]:
    """Return the clinical table's columns of a task, each with its column in the predictions."""
    if task_kind(rows) == "survival":
        return {f"{task}_days": "time_days", f"{task}_event": "event"}
    return {task: "label"}


def _numbers(patients: pd.DataFrame, column: str, path: Path) -> "pd.Series[float]":
    cells = patients[column]
    numbers = pd.to_numeric(cells, errors="coerce").astype(float)
    text = numbers.isna() & cells.notna()
    if text.any():
        first = patients[text].iloc[0]
        raise TableError(
            repr(str(first[column])),
            where=f"{path}, line {_line(first.name)}, patient {first['patient_id']}, "
            f"column {column}",
            expected="a number",
            remedy="Mend the cell, or leave it empty if it is not known.",
        )
    return numbers


def _refuse_contradiction(
    patients: pd.DataFrame, column: str, rows: pd.DataFrame, outcome: str, path: Path
) -> None:
    """Refuse an outcome that the predictions tell otherwise; an empty cell contradicts nothing."""
    told = patients.set_index("patient_id")[column]
    predicted = rows.dropna(subset=[outcome])
    here = predicted["patient_id"].map(told)
    apart = (predicted[outcome] - here).abs() > OUTCOMES[outcome] + SINGLE * here.abs()
    if not apart.any():
        return
    wrong = predicted[apart]
    first, number = wrong.iloc[0], wrong["patient_id"].nunique()
    others = f" (and {number - 1} more patients)" if number > 1 else ""
    raise TableError(
        f"{told[first['patient_id']]:g}, but the predictions of {first['model']} say "
        f"{outcome} {first[outcome]:g}{others}",
        where=f"{path}, patient {first['patient_id']}, column {column}",
        expected="the outcomes that the predictions were made with",
        remedy="Find out which is right and mend the other file: Table 1 would tell one outcome, "
        "the curves another.",
    )


def _remarks(patients: pd.DataFrame, predictions: pd.DataFrame, path: Path) -> list[str]:
    analyzed = predictions["patient_id"].drop_duplicates()
    absent = analyzed[~analyzed.isin(patients["patient_id"])]
    remarks = []
    if len(absent):
        remarks.append(
            f"{len(absent)} of {len(analyzed)} patients with predictions are not in {path.name} "
            f"(first {absent.iloc[0]}): Table 1 and the cohort flow are about the other "
            f"{len(analyzed) - len(absent)}, curves and metrics about all"
        )
    if "center" in patients:
        centers = predictions.drop_duplicates("patient_id").set_index("patient_id")["center"]
        told = patients.set_index("patient_id")["center"].dropna().astype(str).str.strip()
        both = pd.DataFrame({"table": told, "predictions": centers}).dropna()
        apart = both[(both["table"] != both["predictions"]) & (both["predictions"] != "")]
        if len(apart):
            first = apart.iloc[0]
            remarks.append(
                f"{len(apart)} patients have another center in {path.name} than in the predictions "
                f"(first {apart.index[0]}: {first['table']!r}, {first['predictions']!r}): Table 1 "
                "is by the one, the results by center by the other"
            )
    return remarks


def _line(place: object) -> int:
    """Line of a row in the CSV file: the header is line 1."""
    return int(str(place)) + 2
