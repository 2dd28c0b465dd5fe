"""How results and comparisons are shown at the end of a run: models in columns."""

from collections.abc import Hashable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtl_hcc.metrics.evaluate_predictions import ALL_CENTERS
from mtl_hcc.metrics.prediction_columns import TRUTHS
from mtl_hcc.split_names import in_split_order, split_place

if TYPE_CHECKING:
    from rich.table import Table

SHOWN = {"concordance_harrell": "C-index", "auc": "AUC", "f1": "F1"}
NO_VALUE = "-"
Row = dict[Hashable, Any]
"""One row of ``metrics.csv``: column to cell."""


def results_table(metrics: pd.DataFrame, *, models: Sequence[str] | None = None) -> "Table":
    """Return the table that is printed at the end of ``fit`` and ``evaluate``.

    Args:
        metrics: Table as from ``evaluate_predictions``.
        models: Order of the columns; the first is shown with its interval, n and events, the others
            (clinical baselines, oracle) with their value. Default: order of appearance.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    header, rows = _cells(metrics, models)
    # Few lines and narrow headings: a number must not be cut in a terminal of 80 columns.
    table = Table(title="Results (95% interval)", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for number, name in enumerate(header):
        heading = name if number < 4 else name.replace(" ", "\n")
        table.add_column(heading, justify="left" if number < 2 else "right", no_wrap=True)
    for previous, row in zip([None, *rows], rows, strict=False):
        if previous is not None and previous[0] != row[0]:
            table.add_section()
        table.add_row(*row)
    return table


def print_results(table: "Table") -> None:
    """Print a table as wide as it needs: no number is ever cut, whatever the terminal.

    Args:
        table: From :func:`results_table`.
    """
    from rich.console import Console
    from rich.measure import Measurement

    # Names of models, splits and tasks are shown as they are, brackets and colons included.
    plain = partial(Console, markup=False, emoji=False)
    console, endless = plain(), plain(width=1000)
    needed = Measurement.get(endless, endless.options, table).maximum
    plain(width=max(console.width, needed)).print(table)


def results_markdown(metrics: pd.DataFrame, *, models: Sequence[str] | None = None) -> str:
    """Return the same table as Markdown, e.g. for ``benchmarks/results``."""
    header, rows = _cells(metrics, models)
    rule = ["---", "---", *["---:"] * (len(header) - 2)]
    lines = ["| " + " | ".join(cells) + " |" for cells in (header, rule, *rows)]
    return "\n".join(lines) + "\n"


def _cells(
    metrics: pd.DataFrame, models: Sequence[str] | None
) -> tuple[list[str], list[list[str]]]:
    """Return the header and the rows as text."""
    names = list(models) if models is not None else list(metrics["model"].drop_duplicates())
    pooled = metrics[(metrics["center"] == ALL_CENTERS) & metrics["metric"].isin(list(SHOWN))]
    index = pooled[["model", "split", "task", "metric"]].itertuples(index=False, name=None)
    values = dict(zip(index, pooled.to_dict("records"), strict=True))
    keys = pooled[["split", "task", "metric"]].drop_duplicates()
    splits = in_split_order(sorted(keys["split"].unique()))
    main, *others = names
    rows = []
    for split in splits:
        inside = keys[keys["split"] == split]
        for task, metric in zip(inside["task"], inside["metric"], strict=True):
            found = {
                name: values[name, split, task, metric]
                for name in names
                if (name, split, task, metric) in values
            }
            sized = found.get(main, next(iter(found.values())))
            cells = [split, f"{task.upper().replace('_', ' ')} {SHOWN[metric]}"]
            cells += [_with_interval(found.get(main)), _size(sized)]
            rows.append(cells + [_value(found.get(name)) for name in others])
    return ["Split", "Metric", main, "n / events", *others], rows


def _value(row: Row | None) -> str:
    if row is None or not np.isfinite(float(row["value"])):
        return NO_VALUE
    return f"{float(row['value']):.3f}"


def _with_interval(row: Row | None) -> str:
    text = _value(row)
    if row is None or text == NO_VALUE or not np.isfinite(float(row["ci_low"])):
        return text
    return f"{text} ({float(row['ci_low']):.3f}-{float(row['ci_high']):.3f})"


def _size(row: Row) -> str:
    return f"{int(row['n'])} / {NO_VALUE if pd.isna(row['events']) else int(row['events'])}"


def comparisons_table(comparisons: pd.DataFrame) -> "Table":
    """Return the table printed at the end of ``evaluate``: difference and p, train left out.

    Args:
        comparisons: Table as from ``compare_models``, the first model under study. The p shown is
            Holm's, which is p itself where there is one comparator; none for the oracle.
    """
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    main = comparisons["model_a"].iloc[0]
    rows = comparisons[(comparisons["model_a"] == main) & comparisons["metric"].isin(list(SHOWN))]
    if (rows["split"] != "train").any():
        rows = rows[rows["split"] != "train"]
    others = list(rows["model_b"].drop_duplicates())
    comparators = [other for other in others if other not in TRUTHS]
    title = f"{main} minus ... (p{' after Holm' if len(comparators) > 1 else ''})"
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for number, name in enumerate(
        ["Split", "Metric", *(other.replace(" ", "\n") for other in others)]
    ):
        table.add_column(name, justify="left" if number < 2 else "right", no_wrap=True)
    keys = rows[["split", "task", "metric"]].drop_duplicates()
    keys = keys.sort_values("split", key=lambda splits: splits.map(split_place), kind="stable")
    cells = {
        (row["split"], row["task"], row["metric"], row["model_b"]): _cell(
            row["difference"], row["p_holm"]
        )
        for row in rows.to_dict("records")
    }
    for split, task, metric in keys.itertuples(index=False, name=None):
        found = [cells.get((split, task, metric, other), "-") for other in others]
        table.add_row(split, f"{task.upper().replace('_', ' ')} {SHOWN[metric]}", *found)
    return table


def dropped_patients(comparisons: pd.DataFrame) -> list[str]:
    """Return a sentence for each pair of models that do not predict the same patients."""
    fewer = comparisons[comparisons["dropped"].fillna(0) > 0]
    most = fewer.groupby(["model_a", "model_b", "split"], sort=False)[["n", "dropped"]].max()
    return [
        f"{a} and {b}, {split}: compared on {n} common patients, {dropped} dropped"
        for (a, b, split), n, dropped in zip(most.index, most["n"], most["dropped"], strict=True)
    ]


def not_compared(predictions: pd.DataFrame) -> list[str]:
    """Return a sentence for each model that shares no task in one split with the first.

    Args:
        predictions: Table of predictions of several models.
    """
    first, *others = predictions["model"].unique()
    places = {
        model: list(dict.fromkeys(zip(rows["task"], rows["split"], strict=True)))
        for model, rows in predictions.groupby("model", sort=False)
    }
    return [
        f"{first} and {other} are not compared: {first} predicts {_in_words(places[first])}, "
        f"{other} {_in_words(places[other])}"
        for other in others
        if not set(places[first]) & set(places[other])
    ]


def _in_words(places: list[tuple[str, str]]) -> str:
    return ", ".join(f"{task} in {split}" for task, split in places)


def _cell(difference: float, p: float) -> str:
    if not np.isfinite(difference):
        return "-"
    if not np.isfinite(p):
        return f"{difference:+.3f}"
    return f"{difference:+.3f} ({'<0.001' if p < 0.001 else f'{p:.3f}'})"
