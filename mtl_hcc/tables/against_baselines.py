"""Is the network better than what the clinic has? Its main metrics beside every other model's."""

from collections.abc import Hashable
from typing import Any

import numpy as np
import pandas as pd

from mtl_hcc.covariates.column_names import readable_name
from mtl_hcc.estimators.fitted_rows import fitted_in_words
from mtl_hcc.metrics.evaluate_predictions import ALL_CENTERS
from mtl_hcc.tables.key_results_table import MAIN_METRICS, main_rows
from mtl_hcc.tables.printed_numbers import p_text, value_text

PRINTED = [
    "Split",
    "Task",
    "Metric",
    "Model",
    "Patients",
    "Events",
    "Value (95% CI)",
    "Difference (95% CI)",
    "P-value",
    "P-value (Holm)",
]
NUMBERS = [
    "value",
    "ci_low",
    "ci_high",
    "difference",
    "difference_low",
    "difference_high",
    "p",
    "p_holm",
]


def against_baselines(
    metrics: pd.DataFrame,
    comparisons: pd.DataFrame | None = None,
    models: pd.DataFrame | None = None,
) -> pd.DataFrame:
    """Return C-index or AUC of every model, and by how much the first model is above it.

    Args:
        metrics: As ``metrics.csv``; the first model is the network.
        comparisons: As ``comparisons.csv``, for differences and p-values.
        models: Where each was fitted, if that is known.

    Returns:
        A row per split, task and model: columns for print (capitals), and the numbers behind them.
    """
    pooled = main_rows(metrics)
    pooled = pooled[pooled["center"] == ALL_CENTERS]
    if pooled.empty:
        table = pd.DataFrame(columns=[*PRINTED, *NUMBERS])
        table.attrs["caption"] = "No task has a C-index or an AUC."
        return table
    first = str(pooled["model"].iloc[0])
    tasks = list(pooled["task"].unique())
    order = pooled["task"].map(tasks.index).sort_values(kind="stable").index
    place = pooled.loc[order, "split"].map(list(pooled["split"].unique()).index)
    pooled = pooled.loc[place.sort_values(kind="stable").index]
    found = {} if comparisons is None else _differences(comparisons, first)
    records = [
        {**_record(row), **found.get((row["split"], row["task"], row["metric"], row["model"]), {})}
        for row in pooled.to_dict("records")
    ]
    table = pd.DataFrame(records).reindex(columns=[*PRINTED, *NUMBERS])
    table[PRINTED] = table[PRINTED].fillna("")
    table.attrs["caption"] = _caption(first, fitted_in_words(models), compared=bool(found))
    return table


def _record(row: dict[Hashable, Any]) -> dict[str, Any]:
    printed = value_text(row["value"], row["ci_low"], row["ci_high"])
    return {
        "Split": row["split"],
        "Task": readable_name(row["task"]),
        "Metric": row["name"],
        "Model": row["model"],
        "Patients": f"{row['n']:.0f}",
        "Events": "" if np.isnan(row["events"]) else f"{row['events']:.0f}",
        "Value (95% CI)": printed or f"- ({row['method']})",
        **{name: row[name] for name in ("value", "ci_low", "ci_high")},
    }


def _differences(comparisons: pd.DataFrame, first: str) -> dict[tuple[str, ...], dict[str, Any]]:
    """Return (split, task, metric, other model) to the columns of the comparison with the first."""
    found: dict[tuple[str, ...], dict[str, Any]] = {}
    rows = comparisons[comparisons["metric"].isin(list(MAIN_METRICS))]
    for row in rows.to_dict("records"):
        if first not in (row["model_a"], row["model_b"]):
            continue
        sign, other = (1, row["model_b"]) if row["model_a"] == first else (-1, row["model_a"])
        ends = sorted([sign * float(row["ci_low"]), sign * float(row["ci_high"])])
        difference, p = sign * float(row["difference"]), float(row["p"])
        holm = float(row.get("p_holm", np.nan))
        printed = value_text(difference, *ends, digits=3)
        found[row["split"], row["task"], row["metric"], other] = {
            "Difference (95% CI)": printed or f"- ({row['method']})",
            "P-value": p_text(p),
            "P-value (Holm)": p_text(holm),
            "difference": difference,
            "difference_low": ends[0],
            "difference_high": ends[1],
            "p": p,
            "p_holm": holm,
        }
    return found


def _caption(first: str, fitted: str, *, compared: bool) -> str:
    parts = [
        "C-index (survival) and AUC (classes) of every model by split, 95% intervals as in "
        f"metrics.csv. {fitted}"
    ]
    if compared:
        parts.append(
            f"Difference: {first} less the model of the row on their common patients, AUC by "
            "DeLong's test, C-index by the paired bootstrap. Holm: corrected over the pairs of the "
            "models under study with each other and with their comparators; not over pairs of "
            "comparators, nor with the oracle or the visible ceiling."
        )
    return " ".join(parts)
