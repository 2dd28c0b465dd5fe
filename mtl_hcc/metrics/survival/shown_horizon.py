"""At which one horizon a survival task is shown where there is room for one."""

from collections.abc import Sequence

import pandas as pd

from mtl_hcc.metrics.survival.horizons import predicted_horizons, task_horizons
from mtl_hcc.metrics.task_metric import TaskRows

FOLLOWED = 0.25
"""Share of the patients of every split who are still followed at the horizon."""


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
