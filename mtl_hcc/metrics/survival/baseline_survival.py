"""How likely is a patient of average risk to be event-free? Breslow's baseline survival."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.statistic import FloatArray


def baseline_survival(
    log_hazard: npt.ArrayLike,
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    at_days: Sequence[float],
) -> FloatArray:
    r"""Return :math:`S_0(t) = \exp(-\sum_{t_i \le t} d_i / \sum_{j: t_j \ge t_i} e^{\eta_j})`.

    A patient with log hazard :math:`\eta` is event-free at t with probability
    :math:`S_0(t)^{\exp \eta}` (Breslow's estimate of the cumulative hazard).

    Args:
        log_hazard: (patient,) As fitted; where it is 0, the baseline holds.
        time: (patient,) Days.
        event: (patient,) 1 = occurred, 0 = censored.
        at_days: (horizon,) Times t.

    Returns:
        (horizon,) probabilities.
    """
    order = np.argsort(np.asarray(time, dtype=np.float64), kind="stable")
    days = np.asarray(time, dtype=np.float64)[order]
    occurred = np.asarray(event, dtype=bool)[order]
    hazard = np.exp(np.asarray(log_hazard, dtype=np.float64)[order])
    at_risk = np.cumsum(hazard[::-1])[::-1]
    first = np.searchsorted(days, days[occurred], side="left")
    cumulative = np.append(0.0, np.cumsum(1 / at_risk[first]))
    passed = np.searchsorted(days[occurred], np.asarray(at_days, dtype=np.float64), side="right")
    return np.asarray(np.exp(-cumulative[passed]), dtype=np.float64)
