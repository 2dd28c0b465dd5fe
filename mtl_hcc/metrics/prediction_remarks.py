"""What looks odd in a table of predictions though it can be read: said to the user, never mended.

Each remark is printed by ``evaluate`` and ``report``, stands in the report, and where it concerns
numbers also in their ``method`` in ``metrics.csv``.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pandas as pd

from mtl_hcc.metrics.prediction_checks import OUTCOMES, differing, rise_of, rising_survival
from mtl_hcc.metrics.prediction_columns import class_columns, unread_columns
from mtl_hcc.metrics.time_units import unit_doubts
from mtl_hcc.split_names import TRAIN, meant_split

MOST_NAMED = 5
"""Columns that are named one by one."""


@dataclass(frozen=True)
class Remark:
    """One thing that the user should look at.

    Attributes:
        text: What was found where, what it means, and what to do.
        brief: The same in a few words, for the ``method`` of the metrics; may be empty.
        model, split, task: Whose metrics it concerns; empty for all.
    """

    text: str
    brief: str = ""
    model: str = ""
    split: str = ""
    task: str = ""

    def rows(self, metrics: pd.DataFrame) -> "pd.Series[bool]":
        """Return which rows of a table of metrics it concerns."""
        found = pd.Series(True, index=metrics.index)
        for column in ("model", "split", "task"):
            name = getattr(self, column)
            if name:
                found &= metrics[column] == name
        return found


def prediction_remarks(predictions: pd.DataFrame) -> list[Remark]:
    """Return what looks odd.

    Args:
        predictions: A checked table.
    """
    remarks = [*_columns(predictions), *_outcomes(predictions)]
    for model, rows in predictions.groupby("model", sort=False):
        remarks += _splits(str(model), rows)
        for task, of_task in rows.groupby("task", sort=False):
            remarks += _times(str(model), str(task), of_task)
            remarks += _survival(str(model), str(task), of_task)
            remarks += _constant(str(model), str(task), of_task)
    return remarks


def with_remarks(metrics: pd.DataFrame, remarks: Sequence[Remark]) -> pd.DataFrame:
    """Return the metrics with the remarks that concern them in ``method``.

    Args:
        metrics: As from ``evaluate_predictions``.
        remarks: From :func:`prediction_remarks`.
    """
    metrics = metrics.copy()
    for remark in remarks:
        if remark.brief:
            rows = remark.rows(metrics)
            method = metrics.loc[rows, "method"].fillna("").astype(str)
            metrics.loc[rows, "method"] = method.where(method == "", method + "; ") + remark.brief
    return metrics


def _columns(predictions: pd.DataFrame) -> Iterator[Remark]:
    """Columns that nothing reads, with the name that was perhaps meant."""
    unread = unread_columns(predictions)
    meant = {name: other for name, other in unread.items() if other}
    for name, other in meant.items():
        yield Remark(f"column {name!r} is not read; is it {other}? Rename it.")
    others = [name for name in unread if name not in meant]
    if others:
        named = ", ".join(map(repr, others[:MOST_NAMED]))
        more = f" and {len(others) - MOST_NAMED} more" if len(others) > MOST_NAMED else ""
        one = len(others) == 1
        yield Remark(
            f"{'column' if one else 'columns'} {named}{more} {'is' if one else 'are'} not read"
        )


def _outcomes(predictions: pd.DataFrame) -> Iterator[Remark]:
    """Patients of whom two models' rows tell two outcomes: such models cannot be compared."""
    for column in OUTCOMES:
        differs = differing(predictions, column, ["task", "patient_id"])
        for task, rows in predictions[differs].groupby("task", sort=False):
            first = rows["patient_id"].iloc[0]
            yield Remark(
                f"task {task}, column {column}: the models' rows tell two outcomes of "
                f"{rows['patient_id'].nunique()} patients, first of {first}; mend one of the "
                "files, or the comparison stays empty"
            )


def _splits(model: str, rows: pd.DataFrame) -> Iterator[Remark]:
    """Splits that are called almost like one with a meaning."""
    splits = list(map(str, rows["split"].unique()))
    for split in splits:
        meant = meant_split(split)
        if meant is None:
            continue
        number = rows.loc[rows["split"] == split, "patient_id"].nunique()
        effect = ""
        if meant == TRAIN:
            effect = ", its patients count as new to the model"
            if TRAIN not in splits:
                effect += " and no cut-off is taken from it"
        yield Remark(
            f"{model}: split {split!r} ({number} patients) is not {meant}{effect}; "
            f"rename it if {meant} is meant",
            f"the split is called {split!r}, not {meant}",
            model,
            split,
        )


def _times(model: str, task: str, rows: pd.DataFrame) -> Iterator[Remark]:
    """Times that can hardly be days."""
    once = rows.drop_duplicates("patient_id")
    for doubt in unit_doubts(once["time_days"], once["center"]):
        yield Remark(
            f"{model}, task {task}, column time_days: {doubt}",
            "the times can hardly be days",
            model,
            "",
            task,
        )


def _survival(model: str, task: str, rows: pd.DataFrame) -> Iterator[Remark]:
    """Single rows whose survival rises; where most do, the table is refused."""
    rising = rising_survival(rows)
    if rising.any():
        earlier, later = rise_of(rows[rising].iloc[0])
        first = rows.loc[rising, "patient_id"].iloc[0]
        yield Remark(
            f"{model}, task {task}: predicted survival rises over time in {rising.sum()} of "
            f"{len(rows)} rows, first of patient {first} from {earlier} to {later}",
            f"predicted survival rises over time in {rising.sum()} rows",
            model,
            "",
            task,
        )


def _constant(model: str, task: str, rows: pd.DataFrame) -> Iterator[Remark]:
    """One prediction for everybody, which ranks nobody."""
    columns = [name for name in ("risk", "probability") if rows[name].notna().any()]
    columns = columns or class_columns(rows)
    same = (rows.groupby("fold")[columns].nunique() <= 1).all(axis=None)
    if len(rows) > rows["fold"].nunique() and same:
        yield Remark(
            f"{model}, task {task}: {' and '.join(columns)} is the same for all {len(rows)} rows, "
            "so nobody is ranked above another",
            "the prediction is the same for everybody",
            model,
            "",
            task,
        )
