"""Predicted against observed event probability in groups of similar predictions, for print."""

import pandas as pd

from mtl_hcc.metrics.calibration import calibration_curve as groups
from mtl_hcc.metrics.task_panels import task_panels, why_no_panel
from mtl_hcc.tables.printed_numbers import value_text

PRINTED = ["Task", "Split", "Group", "Patients", "Events", "Predicted", "Observed (95% CI)"]
CAPTION = (
    "Mean predicted and observed event probability of {model} by fifths of the prediction (fewer "
    "groups below 50 patients, or where predictions tie). Observed: Kaplan-Meier at the horizon "
    "with Greenwood's interval on the log-log scale (survival tasks; a dash where follow-up of the "
    "group ends before), share of positives with Wilson's interval (two classes). Events are those "
    "by the horizon. No interval where patients repeat over folds."
)


def calibration_groups(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return a row per task, split and group of the first model.

    Args:
        predictions: Table of predictions.

    Returns:
        Columns for print (capitals), then ``task, split, horizon_days`` and the columns of
        :func:`mtl_hcc.metrics.calibration.calibration_curve.calibration_groups`.
    """
    panels = task_panels(predictions)
    parts = []
    for task in panels.tasks:
        days = panels.horizons[task]
        for split in panels.splits:
            sample = panels.sample(task, split)
            if sample is None or why_no_panel(sample, days):
                continue
            found = groups.calibration_groups(sample.rows, horizon_days=days)
            found.insert(0, "horizon_days", days)
            found.insert(0, "split", split)
            found.insert(0, "task", task)
            found.insert(0, "Task", panels.task_name(task))
            parts.append(found)
    numbers = ["task", "split", "horizon_days", *groups.GROUP_COLUMNS]
    table = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=numbers)
    table = _printed(table)[[*PRINTED, *numbers]]
    table.attrs["caption"] = CAPTION.format(model=panels.models[0]) + panels.left_out_in_words()
    return table


def _printed(table: pd.DataFrame) -> pd.DataFrame:
    """Add the columns for print."""
    if table.empty:
        return table.reindex(columns=[*PRINTED, *table.columns])
    observed = [
        value_text(row["observed"], row["ci_low"], row["ci_high"]) or "-"
        for row in table.to_dict("records")
    ]
    printed = pd.DataFrame(
        {
            "Split": table["split"],
            "Group": table["group"].astype(str),
            "Patients": table["n"].astype(str),
            "Events": table["events"].map("{:.0f}".format),
            "Predicted": table["predicted"].map("{:.2f}".format),
            "Observed (95% CI)": observed,
        }
    )
    return pd.concat([printed, table], axis=1)
