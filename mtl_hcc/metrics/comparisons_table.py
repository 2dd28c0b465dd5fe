"""How comparisons are shown at the end of a run: the first model against each other one."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from mtl_hcc.metrics.prediction_columns import ORACLE
from mtl_hcc.metrics.results_table import SHOWN, SPLIT_ORDER

if TYPE_CHECKING:
    from rich.table import Table


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
    comparators = [other for other in others if other != ORACLE]
    title = f"{main} minus ... (p{' after Holm' if len(comparators) > 1 else ''})"
    table = Table(title=title, box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for number, name in enumerate(
        ["Split", "Metric", *(other.replace(" ", "\n") for other in others)]
    ):
        table.add_column(name, justify="left" if number < 2 else "right", no_wrap=True)
    order = {split: place for place, split in enumerate(SPLIT_ORDER)}
    keys = rows[["split", "task", "metric"]].drop_duplicates()
    keys = keys.sort_values("split", key=lambda split: split.map(order).fillna(9), kind="stable")
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
