"""At which horizons a survival task is judged, and at which one it is shown."""

from collections.abc import Sequence

import pandas as pd

from mtl_hcc.metrics.predictions import HORIZON_PATTERN
from mtl_hcc.metrics.task_metric import TaskRows

DEFAULT_HORIZONS_DAYS = (365, 730, 1095, 1825)
"""Where a table holds risks only."""
FOLLOWED = 0.25
"""Share of the patients of every split who are still followed at the horizon."""


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


def shown_horizon(samples: Sequence[TaskRows]) -> int | None:
    """Return the latest horizon at which a quarter of each sample is still followed.

    Args:
        samples: One survival task of one model, a sample per split.

    Returns:
        Days; where no horizon is that early, the one followed best; ``None`` where no horizon with
        predicted survival lies inside the follow-up of any sample.
    """
    filled = [sample for sample in samples if len(sample.rows)]
    shares: dict[int, float] = {}
    for sample in filled:
        reasons = task_horizons(sample)
        for days in predicted_horizons(sample.rows):
            inside = not reasons[days]
            share = followed_share(sample.rows, days) if inside else 0.0
            shares[days] = min(shares.get(days, 1.0), share)
    enough = [days for days, share in shares.items() if share >= FOLLOWED]
    if enough:
        return max(enough)
    best = max(shares, key=lambda days: shares[days], default=None)
    return best if best is not None and shares[best] > 0 else _any_inside(filled)


def followed_share(rows: pd.DataFrame, days: float) -> float:
    """Return the share of the rows followed beyond a horizon."""
    return float((rows["time_days"] > days).mean())


def _any_inside(samples: Sequence[TaskRows]) -> int | None:
    """Return the first horizon inside the follow-up of some sample."""
    for sample in samples:
        reasons = task_horizons(sample)
        for days in predicted_horizons(sample.rows):
            if not reasons[days]:
                return days
    return None
