"""Who recurs, and who dies without recurrence first? Derived from the outcomes of OS and RFS."""

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_hcc.metrics.bootstrap import FloatArray, NotComputableError
from mtl_hcc.metrics.predictions import with_outcome
from mtl_hcc.metrics.survival.risk_groups import with_risk_groups

CENSORED, RECURRENCE, DEATH = 0, 1, 2
CAUSES = {RECURRENCE: "recurrence", DEATH: "death without recurrence"}
OS, RFS = "os", "rfs"


def first_event(
    rfs_days: npt.ArrayLike,
    rfs_event: npt.ArrayLike,
    os_days: npt.ArrayLike,
    os_event: npt.ArrayLike,
) -> FloatArray:
    """Return which event ended the recurrence-free survival of each patient.

    An RFS event is a recurrence, unless the patient died on the same day: then it is a death
    without recurrence. (A recurrence found at death is thus counted as a death.)

    Args:
        rfs_days: (patient,) Days to recurrence, death or last contact.
        rfs_event: (patient,) 1 = recurrence or death.
        os_days: (patient,) Days to death or last contact.
        os_event: (patient,) 1 = death.

    Returns:
        (patient,) 0 = neither, 1 = recurrence, 2 = death without recurrence; NaN where one of the
        four is unknown, or where they contradict each other: RFS longer than OS, or a death on the
        last day of RFS that is no RFS event.

    Example:
        >>> first_event([90, 200, 300], [1, 1, 0], [400, 200, 300], [1, 1, 0]).tolist()
        [1.0, 2.0, 0.0]
    """
    times = [np.asarray(days, dtype=np.float64) for days in (rfs_days, os_days)]
    ended, died = (np.asarray(event, dtype=np.float64) for event in (rfs_event, os_event))
    together = (died == 1) & (times[0] == times[1])
    cause = np.where(ended == 1, np.where(together, DEATH, RECURRENCE), float(CENSORED))
    known = np.isfinite(times[0] + times[1] + ended + died)
    contradicted = (times[0] > times[1]) | (together & (ended == 0))
    return np.where(known & ~contradicted, cause, np.nan)


def competing_rows(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the patients of one model with the event that came first and their risk group.

    Args:
        predictions: Checked table of predictions of one model, tasks ``os`` and ``rfs``.

    Returns:
        ``patient_id, center, split, fold, time_days, cause, high``: high risk of recurrence or
        death, cut at the median RFS risk of train. ``attrs``: ``rule``, the cut-off in words, and
        ``dropped``, the number of rows with a known RFS whose first event is not known.

    Raises:
        NotComputableError: One of the tasks is absent, or no patient has both outcomes.
    """
    both = {task: predictions[predictions["task"] == task] for task in (OS, RFS)}
    absent = [task for task, rows in both.items() if rows.empty]
    if absent:
        raise NotComputableError(
            f"no task {' or '.join(absent)} among the predictions: recurrence and death need both"
        )
    rfs, rule = with_risk_groups(with_outcome(both[RFS], "survival"))
    key = ["patient_id", "fold"]
    deaths = both[OS][[*key, "time_days", "event"]]
    merged = rfs.merge(deaths, on=key, how="left", suffixes=("", "_os"))
    cause = first_event(
        merged["time_days"], merged["event"], merged["time_days_os"], merged["event_os"]
    )
    columns = ["patient_id", "center", "split", "fold", "time_days", "cause", "high"]
    found = merged.assign(cause=cause).dropna(subset=["cause"])[columns]
    if found.empty:
        raise NotComputableError("no patient with known outcomes of both os and rfs")
    found = found.astype({"cause": int}).reset_index(drop=True)
    found.attrs = {"rule": rule, "dropped": len(merged) - len(found)}
    return found
