"""How far apart are the risk groups of every model? Hazard ratios, log-rank tests, days lost."""

from typing import Any

import numpy as np
import pandas as pd

from mtl_hcc.covariates.column_names import readable_name
from mtl_hcc.metrics.evaluate_predictions import ALL_CENTERS
from mtl_hcc.tables.printed_numbers import p_text, value_text

RATIO, LOST = "Hazard ratio (95% CI)", "RMST difference, days (95% CI)"
PRINTED = ["Task", "Split", "Model", "Patients", "Events", RATIO, "Log-rank P-value"]
PRINTED += [LOST, "RMST up to day", "Note"]
NUMBERS = ["hazard_ratio", "ci_low", "ci_high", "logrank_p"]
NUMBERS += ["rmst_difference", "rmst_low", "rmst_high"]


def hazard_ratios(metrics: pd.DataFrame) -> pd.DataFrame:
    """Return hazard ratio, log-rank p and RMST difference of every survival task, split and model.

    Args:
        metrics: As ``metrics.csv``.

    Returns:
        A row per task, split and model: columns for print (capitals), and the numbers behind them.
        The RMST difference is that at the latest horizon at which there is one.
    """
    pooled = metrics[metrics["center"] == ALL_CENTERS]
    with_ratio = pooled.loc[pooled["metric"] == "hazard_ratio", "task"].unique()
    pooled = pooled[pooled["task"].isin(with_ratio)]
    records = [
        {"Task": readable_name(str(task)), "Split": split, "Model": model, **_record(rows)}
        for (task, split, model), rows in pooled.groupby(["task", "split", "model"], sort=False)
    ]
    table = pd.DataFrame(records, columns=[*PRINTED, *NUMBERS])
    table = table.sort_values(["Task", "Split"], key=_first_seen, kind="stable", ignore_index=True)
    table.attrs["caption"] = _caption() if len(table) else "No survival task among the metrics."
    return table


def _caption() -> str:
    return (
        "High against low risk by model, cut at the median risk of the train rows of the same fold "
        "(of the rows themselves where a model has no train rows; high risk is at the median where "
        "nobody is above it, as the metrics' method says). "
        "Hazard ratio: Cox (Efron's ties) with its Wald interval, bootstrapped where patients "
        "repeat over folds, which leaves no log-rank test. RMST: restricted mean survival time, "
        "high minus low risk; negative: days lost by the high-risk group."
    )


def _first_seen(cells: "pd.Series[str]") -> "pd.Series[int]":
    return pd.Series(pd.factorize(cells)[0], index=cells.index)


def _record(rows: pd.DataFrame) -> dict[str, Any]:
    """Return one row of the table from the metrics of one task, split and model."""
    ratio = _row(rows, "hazard_ratio")
    p = _row(rows, "logrank_p")
    means = rows[(rows["metric"] == "rmst_difference") & rows["value"].notna()]
    lost = means.sort_values("horizon_days").iloc[-1] if len(means) else None
    ends = (np.nan, np.nan, np.nan) if lost is None else _interval(lost)
    found = _interval(ratio)
    return {
        "Patients": ratio["n"],
        "Events": ratio["events"],
        RATIO: value_text(*found),
        "Log-rank P-value": p_text(float(p["value"])),
        LOST: value_text(*(float(np.round(end)) + 0.0 for end in ends), digits=0),  # no minus zero
        "RMST up to day": "" if lost is None else f"{lost['horizon_days']:g}",
        "Note": str(ratio["method"]) if np.isnan(found[0]) else "",
        "hazard_ratio": found[0],
        "ci_low": found[1],
        "ci_high": found[2],
        "logrank_p": float(p["value"]),
        "rmst_difference": ends[0],
        "rmst_low": ends[1],
        "rmst_high": ends[2],
    }


def _row(rows: pd.DataFrame, metric: str) -> "pd.Series[Any]":
    found = rows[rows["metric"] == metric]
    return found.iloc[0] if len(found) else pd.Series({"value": np.nan, "n": 0, "events": 0})


def _interval(row: "pd.Series[Any]") -> tuple[float, float, float]:
    return float(row["value"]), float(row["ci_low"]), float(row["ci_high"])
