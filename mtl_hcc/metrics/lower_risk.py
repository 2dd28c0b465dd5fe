"""How many patients have a lower risk: counted for all resamples at once, in one pass each."""

from typing import Any

import numpy as np
import numpy.typing as npt

from mtl_hcc.metrics.statistic import Counts, FloatArray


class LowerRisk:
    """For some patients, how often others of a lower risk count (half where the risks tie).

    The risks are sorted once; a resample costs one running sum over the sorted patients, hence
    :math:`O(n)`.

    Args:
        risk: (patient,) Any score.
        of: Rows of the patients that are asked about, e.g. the cases.
        among: Rows of the patients that are counted, e.g. the controls.
    """

    def __init__(
        self,
        risk: FloatArray,
        *,
        of: npt.NDArray[np.intp],
        among: npt.NDArray[np.intp],
    ) -> None:
        self.of = of
        self.among = among[np.argsort(risk[among], kind="stable")]
        ascending = risk[self.among]
        self.below = np.searchsorted(ascending, risk[of], side="left")
        self.up_to = np.searchsorted(ascending, risk[of], side="right")
        self.tied = bool((self.below != self.up_to).any())

    def __call__(self, counts: Counts) -> FloatArray:
        """Return the sums (resample, patient asked about)."""
        sums = running_sums(counts, self.among)
        lower: FloatArray = sums.take(self.below, axis=1)
        if self.tied:
            lower = (lower + sums.take(self.up_to, axis=1)) / 2
        return lower


def running_sums(
    counts: Counts,
    rows: npt.NDArray[np.intp],
    precision: type[np.float32] | type[np.float64] = np.float64,
) -> npt.NDArray[Any]:
    """Return the sums of the counts of the first 0, 1, ... of these rows: (resample, rows + 1)."""
    sums = np.empty((len(counts), len(rows) + 1), dtype=precision)
    sums[:, 0] = 0
    np.cumsum(counts.take(rows, axis=1), axis=1, dtype=precision, out=sums[:, 1:])
    return sums
