"""At which horizons a survival task is judged: those predicted, inside the follow-up."""

import pandas as pd

from mtl_hcc.metrics.predictions import HORIZON_PATTERN
from mtl_hcc.metrics.task_metric import TaskRows

DEFAULT_HORIZONS_DAYS = (365, 730, 1095, 1825)
"""Where a table holds risks only."""


def predicted_horizons(rows: pd.DataFrame) -> list[int]:
    """Return the days of the filled columns ``survival_<days>``, ascending."""
    days = [int(found[1]) for name in rows if (found := HORIZON_PATTERN.fullmatch(str(name)))]
    return sorted(day for day in days if rows[f"survival_{day}"].notna().any())


def last_follow_up(sample: TaskRows) -> float:
    """Return the day up to which both the rows and the train rows of each fold are followed."""
    ends = [sample.rows["time_days"].max()]
    used = sample.train[sample.train["fold"].isin(sample.rows["fold"])]
    ends += list(used.groupby("fold")["time_days"].max())
    return float(min(ends))


def task_horizons(sample: TaskRows) -> dict[int, str]:
    """Return the horizons of a task, each with the reason why it cannot be judged (empty = can).

    They are those of the columns ``survival_<days>``. A table without any is judged at 1, 2, 3 and
    5 years, as far as these lie inside the follow-up.
    """
    end = last_follow_up(sample)
    whose = "these rows" if sample.train.empty else "train and these rows"
    outside = f"beyond the follow-up of {whose}, which ends on day {end:g}"
    horizons = predicted_horizons(sample.rows)
    if horizons:
        return {days: "" if days < end else outside for days in horizons}
    return {days: "" for days in DEFAULT_HORIZONS_DAYS if days < end}
