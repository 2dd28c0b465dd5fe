"""How far the calibration curve is from the diagonal: ICI, E50, E90 of all resamples at once."""

import numpy as np

from mtl_hcc.metrics.statistic import Counts, FloatArray

DISTANCES = ("ici", "e50", "e90")


def curve_distances(
    observed: FloatArray, predicted: FloatArray, counts: Counts
) -> dict[str, FloatArray]:
    r"""Return the mean, median and 90th percentile of :math:`|\hat c(p_i) - p_i|` [1]_.

    Args:
        observed: (resample, patient) The smoothed curve at each prediction.
        predicted: (patient,) Predicted probabilities.
        counts: (resample, patient)

    Returns:
        ``ici``, ``e50``, ``e90``, each (resample,), NaN where the curve has no value. Quantiles
        interpolate as NumPy and R do by default (type 7).

    References:
        .. [1] Austin, Steyerberg, Statistics in Medicine 2019;38:4051-4065.
    """
    distance = np.abs(observed - predicted)
    weights = counts.astype(np.float64)
    number = weights.sum(axis=1)
    ici = (distance * weights).sum(axis=1) / number
    order = np.argsort(distance, axis=1)
    ordered = np.take_along_axis(distance, order, axis=1)
    drawn = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    e50, e90 = (_quantile(ordered, drawn, number, share) for share in (0.5, 0.9))
    undefined = np.isnan(distance).any(axis=1)
    return {
        name: np.where(undefined, np.nan, values)
        for name, values in zip(DISTANCES, (ici, e50, e90), strict=True)
    }


def _quantile(
    ordered: FloatArray, drawn: FloatArray, number: FloatArray, share: float
) -> FloatArray:
    """Quantile of repeated values: ``drawn`` (resample, patient) counts them up in order."""
    place = (number - 1) * share
    low = np.floor(place)
    last = ordered.shape[1] - 1
    at = [np.minimum((drawn < rank[:, None]).sum(axis=1), last) for rank in (low + 1, low + 2)]
    below, above = (np.take_along_axis(ordered, k[:, None], axis=1)[:, 0] for k in at)
    above = np.where(low + 2 > number, below, above)
    quantile: FloatArray = below + (place - low) * (above - below)
    return quantile
