"""The net benefit of each model at a few thresholds, beside treating all."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from mtl_hcc.metrics.net_benefit import TREAT_ALL, DecisionCurve, decision_curves
from mtl_hcc.metrics.task_panels import TaskPanels, task_panels, why_no_panel
from mtl_hcc.tables.printed_numbers import value_text

THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5)
PRINTED = ["Task", "Split", "Patients", "Events", "Threshold"]
CAPTION = (
    "Net benefit per 100 patients with 95% interval ({bootstraps} resamples of patients) when "
    "those with a predicted event probability of at least the threshold are treated; survival "
    "tasks at the horizon named, with Kaplan-Meier's event probability among those treated. "
    "Treating nobody gives 0. A dash: the horizon is not predicted, or unknown among those treated."
)


def net_benefit(
    predictions: pd.DataFrame,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    bootstraps: int = 1000,
) -> pd.DataFrame:
    """Return a row per task, split and threshold, and a column per model.

    Args:
        predictions: Table of predictions of one or more models.
        thresholds: Event probabilities from which a patient is treated.
        bootstraps: Resamples of the patients for the intervals.

    Returns:
        Columns for print (capitals; one per model is ``Net benefit: <model>``), then ``task``,
        ``split``, ``horizon_days``, ``threshold`` and, for each model, ``net_benefit <model>``,
        ``ci_low <model>`` and ``ci_high <model>``.
    """
    panels = task_panels(predictions)
    names = [*panels.models, TREAT_ALL]
    records: list[dict[str, object]] = []
    for task in panels.tasks:
        for split in panels.splits:
            curves = _curves(panels, task, split, thresholds, bootstraps)
            if curves:
                records += _records(panels, task, split, thresholds, curves)
    numbers = [f"{what} {name}" for name in names for what in ("net_benefit", "ci_low", "ci_high")]
    place = ["task", "split", "horizon_days", "threshold"]
    columns = [*PRINTED, *(f"Net benefit: {name}" for name in names), *place, *numbers]
    table = pd.DataFrame(records, columns=columns)
    table.attrs["caption"] = CAPTION.format(bootstraps=bootstraps) + panels.left_out_in_words()
    return table


def _curves(
    panels: TaskPanels, task: str, split: str, thresholds: Sequence[float], bootstraps: int
) -> dict[str, DecisionCurve]:
    """Return the curves of the models that predict the horizon, empty without the first."""
    days = panels.horizons[task]
    samples = {name: panels.sample(task, split, name) for name in panels.models}
    models = {
        name: sample.rows
        for name, sample in samples.items()
        if sample is not None and not why_no_panel(sample, days)
    }
    if panels.models[0] not in models:
        return {}
    return decision_curves(models, thresholds, horizon_days=days, bootstraps=bootstraps)


def _records(
    panels: TaskPanels,
    task: str,
    split: str,
    thresholds: Sequence[float],
    curves: dict[str, DecisionCurve],
) -> list[dict[str, object]]:
    patients, events = panels.size(task, split)
    records = []
    for place, threshold in enumerate(thresholds):
        record: dict[str, object] = {
            "Task": panels.task_name(task),
            "Split": split,
            "Patients": str(patients),
            "Events": str(events),
            "Threshold": f"{100 * threshold:.3g}%",
            "task": task,
            "split": split,
            "horizon_days": panels.horizons[task],
            "threshold": threshold,
        }
        for name in (*panels.models, TREAT_ALL):
            value, low, high = (np.nan,) * 3
            if name in curves:
                curve = curves[name]
                value, low, high = curve.value[place], curve.ci_low[place], curve.ci_high[place]
            text = value_text(float(value), float(low), float(high), digits=1)
            record |= {
                f"Net benefit: {name}": text or "-",
                f"net_benefit {name}": value,
                f"ci_low {name}": low,
                f"ci_high {name}": high,
            }
        records.append(record)
    return records
