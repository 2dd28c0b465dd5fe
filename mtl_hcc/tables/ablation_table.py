"""What each part of the design is worth: variants, their mean over seeds, and what they lose."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mtl_hcc.metrics.seed_averages import ALL_SEEDS
from mtl_hcc.tables.key_results_table import MAIN_METRICS
from mtl_hcc.tables.printed_numbers import p_text, value_text

"""The metric of each kind of task that is printed; the file has more."""
PRINTED = ["Outcome", "Variant", "Mean (SD over seeds)", "Difference (95% CI)", "p"]
SPLITS_TO_SHOW = ("external", "test", "validation")


def ablation(ablation: pd.DataFrame, *, split: str | None = None) -> pd.DataFrame:
    """Return mean and difference from the full design of every variant, by task.

    Args:
        ablation: Table of ``ablation.csv``.
        split: Whose patients; ``external`` (else ``test``, ``validation``) when not given.

    Returns:
        ``Outcome, Variant, Mean (SD over seeds), Difference (95% CI), p``; the caption says split,
        n, events, seeds and what the interval covers.
    """
    rows = main_rows(ablation, split=split)
    printed = [
        {
            "Outcome": outcome_name(str(row["task"]), str(row["metric"])),
            "Variant": variant_name(str(row["variant"])),
            "Mean (SD over seeds)": _mean(row["value"], row["spread"]),
            "Difference (95% CI)": _difference(row["difference"], row["ci_low"], row["ci_high"]),
            "p": p_text(row["p_holm"]),
        }
        for row in rows.to_dict("records")
    ]
    table = pd.DataFrame(printed, columns=PRINTED)
    table.attrs["caption"] = caption(rows)
    return table


def main_rows(ablation: pd.DataFrame, *, split: str | None = None) -> pd.DataFrame:
    """Return the rows over all seeds of the main metrics on one split, grouped by task.

    Args:
        ablation: Table of ``ablation.csv``.
        split: As in :func:`ablation`.
    """
    rows = ablation[
        (ablation["seed"].astype(str) == ALL_SEEDS) & ablation["metric"].isin(list(MAIN_METRICS))
    ]
    rows = rows[rows["split"] == (split or shown_split(rows["split"].unique().tolist()))]
    tasks = {task: place for place, task in enumerate(rows["task"].unique())}
    return rows.sort_values("task", key=lambda task: task.map(tasks), kind="stable").reset_index(
        drop=True
    )


def shown_split(splits: Sequence[str]) -> str:
    """Return the split that says most about new patients."""
    known = [split for split in SPLITS_TO_SHOW if split in splits]
    return known[0] if known else next(iter(splits), "")


def variant_name(variant: str) -> str:
    """Return a variant's name for print: ``no_rotation`` is ``no rotation``."""
    return variant.replace("_", " ")


def outcome_name(task: str, metric: str) -> str:
    """Return e.g. ``OS C-index``."""
    return f"{task.upper().replace('_', ' ')} {MAIN_METRICS[metric]}"


def caption(rows: pd.DataFrame) -> str:
    """Return n, events, seeds and what the interval covers.

    Args:
        rows: As from :func:`main_rows`.
    """
    if rows.empty:
        return "No ablation: no variant has a C-index or an AUC."
    sizes = rows.drop_duplicates("task")
    counted = "; ".join(
        f"{task.upper()}: n = {n}" + ("" if pd.isna(events) else f", {events} events")
        for task, n, events in zip(sizes["task"], sizes["n"], sizes["events"], strict=True)
    )
    said = rows["method"].dropna().astype(str)
    seeds = next(iter(said.str.split(";").str[0]), "one seed")
    return (
        f"Variants of the design, each with one change, trained on the same folds; {seeds}. "
        f"Patients of the {rows['split'].iloc[0]} split ({counted}). Difference: variant minus "
        "full design, below zero where the part that was changed helps; 95% interval of the "
        "paired bootstrap over patients, the difference averaged over seeds in each resample; p "
        "corrected for the number of variants (Holm)."
    )


def _mean(value: float, spread: float) -> str:
    if np.isnan(value):
        return "-"
    return f"{value:.3f}" if np.isnan(spread) else f"{value:.3f} ({spread:.3f})"


def _difference(difference: float, low: float, high: float) -> str:
    if np.isnan(difference):
        return "-"
    text = value_text(difference, low, high, digits=3)
    return text if difference < 0 else f"+{text}"
