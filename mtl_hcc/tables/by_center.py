"""How well the network does center by center, with a pooled value: for print."""

import pandas as pd

from mtl_hcc.covariates.column_names import readable_name
from mtl_hcc.estimators.fitted_rows import fitted_on_train
from mtl_hcc.tables.center_values import FEWEST_EVENTS, CenterValues, center_values
from mtl_hcc.tables.printed_numbers import p_text, value_text

PRINTED = ["Task", "Metric", "Center", "Patients", "Events", "Value (95% CI)", "Weight", "Note"]
NUMBERS = ["value", "ci_low", "ci_high"]


def by_center(
    metrics: pd.DataFrame, predictions: pd.DataFrame, models: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Return C-index or AUC of the first model in every unseen center, pooled by random effects.

    Args:
        metrics: As ``metrics.csv``.
        predictions: Table of predictions.
        models: Where each was fitted, if that is known.

    Returns:
        A row per task and center, and one of the pooled value with its prediction interval, I2 and
        tau2, or of the reason why there is none: columns for print (capitals), and the numbers
        behind them.
    """
    tasks = center_values(metrics, predictions)
    records = [record for task in tasks for record in _records(task)]
    table = pd.DataFrame(records, columns=[*PRINTED, *NUMBERS])
    table.attrs["caption"] = pooling_caption(tasks, models)
    return table


def pooling_caption(tasks: list[CenterValues], models: pd.DataFrame | None = None) -> str:
    """Return how centers are pooled, for the caption of the table and of the figure."""
    if not tasks:
        return "No unseen center has a C-index or an AUC."
    seen = (
        ", which the network was not trained on"
        if fitted_on_train(models)
        else "; it is not known whether the model was trained on them"
    )
    return (
        f"C-index (survival) and AUC (classes) by center, of the {' and '.join(tasks[0].splits)} "
        f"rows{seen}. Pooled: random effects (restricted maximum likelihood, "
        "Hartung and Knapp's modified interval) on the logit scale, with standard "
        "errors from the 95% intervals of the centers. A center with fewer than "
        f"{FEWEST_EVENTS} events, or fewer than {FEWEST_EVENTS} patients without, is not "
        "estimable; fewer than three centers with an estimate are not pooled. With few centers the "
        "interval is wide. PI: prediction interval, where the "
        "value of another center is expected."
    )


def pooled_name(values: CenterValues) -> str:
    """Return how the last row is called: pooled, or not."""
    if values.pooled is None:
        return "Not pooled"
    return f"Pooled ({(values.centers['reason'] == '').sum()} centers)"


def heterogeneity(values: CenterValues) -> str:
    """Return the prediction interval, I2, tau2 and the p of no difference between centers."""
    pooled = values.pooled
    if pooled is None:
        return values.reason
    return (
        f"PI {pooled.prediction_low:.2f}-{pooled.prediction_high:.2f}; I2 {pooled.i2:.0f}%, "
        f"tau2 {pooled.tau2:.2f}, p of equal centers {p_text(pooled.q_p)}"
    )


def _records(values: CenterValues) -> list[dict[str, object]]:
    same = {"Task": readable_name(values.task), "Metric": values.metric}
    records: list[dict[str, object]] = []
    for row in values.shown().to_dict("records"):
        estimable = not row["reason"]
        interval = value_text(row["value"], row["ci_low"], row["ci_high"])
        records.append(
            {
                **same,
                "Center": row["center"],
                "Patients": f"{row['n']:.0f}",
                "Events": f"{row['events']:.0f}",
                "Value (95% CI)": interval if estimable else "not estimable",
                "Weight": "" if pd.isna(row["weight"]) else f"{100 * row['weight']:.0f}%",
                "Note": row["reason"],
                **({name: row[name] for name in NUMBERS} if estimable else {}),
            }
        )
    pooled = {"Center": pooled_name(values), "Note": heterogeneity(values)}
    found = values.pooled
    if found is None:
        empty = dict.fromkeys(("Patients", "Events", "Weight"), "")
        return [*records, {**same, **pooled, **empty, "Value (95% CI)": "-"}]
    used = values.centers[values.centers["reason"] == ""]
    pooled |= {"Patients": f"{used['n'].sum():.0f}", "Events": f"{used['events'].sum():.0f}"}
    interval = value_text(found.value, found.ci_low, found.ci_high)
    numbers = {"value": found.value, "ci_low": found.ci_low, "ci_high": found.ci_high}
    return [*records, {**same, **pooled, "Value (95% CI)": interval, "Weight": "", **numbers}]
