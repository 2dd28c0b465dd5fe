"""Recurrence and death without recurrence as competing first events, beside RFS: for print."""

from typing import Any

import numpy as np
import pandas as pd

from mtl_hcc.metrics.bootstrap import NotComputableError
from mtl_hcc.metrics.predictions import check_predictions
from mtl_hcc.metrics.survival.first_events import CAUSES, competing_rows
from mtl_hcc.metrics.survival.hazard_ratio import hazard_ratio, logrank
from mtl_hcc.metrics.survival.incidence import cumulative_incidence, gray_test
from mtl_hcc.tables.printed_numbers import p_text, value_text
from mtl_hcc.tables.survival_summary import YEARS

EITHER = "either (RFS)"
INCIDENCE = {name: f"{name} incidence, % (95% CI)" for name in YEARS}
RATIO = "Hazard ratio, high against low (95% CI)"
PRINTED = ["Split", "First event", "Group", "Patients", "Events", *INCIDENCE.values()]
PRINTED += [RATIO, "P-value"]
NUMBERS = [f"incidence_{days}{end}" for days in YEARS.values() for end in ("", "_low", "_high")]
NUMBERS += ["hazard_ratio", "ci_low", "ci_high", "p"]


def competing_risks(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return incidences by risk group, cause-specific hazard ratios and Gray's test by split.

    Args:
        predictions: Table of predictions with the tasks ``os`` and ``rfs``; the first model counts.

    Returns:
        A row per split, first event (recurrence, death without recurrence, either) and risk group:
        columns for print (capitals), and the numbers behind them; hazard ratio and p stand in the
        row of the high-risk group.
    """
    table = check_predictions(predictions)
    model = table["model"].iloc[0]
    try:
        known = competing_rows(table[table["model"] == model])
    except NotComputableError as error:
        empty = pd.DataFrame(columns=[*PRINTED, *NUMBERS])
        empty.attrs["caption"] = f"No competing risks: {error}."
        return empty
    records = [
        {"Split": split, "First event": name, **record}
        for split, rows in known.groupby("split", sort=False)
        for cause, name in {**CAUSES, 0: EITHER}.items()
        for record in _records(rows, cause)
    ]
    found = pd.DataFrame(records, columns=[*PRINTED, *NUMBERS])
    found[PRINTED] = found[PRINTED].fillna("")
    dropped = known.attrs["dropped"]
    found.attrs["caption"] = _caption(str(model), known.attrs["rule"], dropped)
    return found


def _caption(model: str, rule: str, dropped: int) -> str:
    left = f" Rows left out because OS is unknown or contradicts RFS: {dropped}." if dropped else ""
    return (
        f"Recurrence and death without recurrence as competing first events of the patients that "
        f"{model} calls high and low risk of either (task rfs, {rule}). A death on the day on "
        "which recurrence-free survival ends counts as death without recurrence. Incidence: "
        "Aalen-Johansen with log-log intervals; either event: one minus Kaplan-Meier. Hazard "
        "ratios: Cox (Efron, Wald interval), cause-specific for one event (the other censored). "
        "P-values: Gray's test of the incidences, for either event the log-rank test. A cause-"
        "specific ratio says how the rate among those still event-free differs; Gray's test how "
        "many have had the event." + left
    )


def _records(rows: pd.DataFrame, cause: int) -> list[dict[str, Any]]:
    """Return the rows of the low- and high-risk group; cause 0 stands for either."""
    causes = rows["cause"] if cause else (rows["cause"] > 0).astype(int)
    once = not rows["patient_id"].duplicated().any()
    difference = _difference(rows, causes, cause or 1, gray=cause > 0) if once else {}
    records = []
    for name, is_high in (("low risk", False), ("high risk", True)):
        inside = rows["high"] == is_high
        if not inside.any():
            continue
        had = rows[inside & (causes == (cause or 1))]
        record: dict[str, Any] = {
            "Group": name,
            "Patients": rows.loc[inside, "patient_id"].nunique(),
            "Events": had["patient_id"].nunique(),
        }
        curve = cumulative_incidence(rows.loc[inside, "time_days"], causes[inside], cause or 1)
        for year, days in YEARS.items():
            value, low, high = curve.at(days)
            if not once:
                low = high = np.nan
            record |= {
                INCIDENCE[year]: value_text(100 * value, 100 * low, 100 * high, digits=0),
                f"incidence_{days}": value,
                f"incidence_{days}_low": low,
                f"incidence_{days}_high": high,
            }
        records.append({**record, **(difference if is_high else {})})
    return records


def _difference(
    rows: pd.DataFrame, causes: "pd.Series[int]", cause: int, *, gray: bool
) -> dict[str, Any]:
    """Return hazard ratio and p of the high- against the low-risk group, or why there is none."""
    found: dict[str, Any] = {}
    time, group = rows["time_days"], rows["high"]
    try:
        ratio, low, high, _ = hazard_ratio(time, causes == cause, group)
        found |= {RATIO: value_text(ratio, low, high)}
        found |= {"hazard_ratio": ratio, "ci_low": low, "ci_high": high}
    except NotComputableError as error:
        found[RATIO] = str(error)
    try:
        p = (
            gray_test(time, causes, group, cause)[2]
            if gray
            else logrank(time, causes > 0, group)[2]
        )
        found |= {"P-value": p_text(p), "p": p}
    except NotComputableError:
        found["P-value"] = ""
    return found
