"""How uncertain a proportion is: Wilson's score interval."""

from statistics import NormalDist

from mtl_hcc.metrics.bootstrap import LEVEL


def wilson_interval(hits: float, number: float, *, level: float = LEVEL) -> tuple[float, float]:
    """Return Wilson's score interval of ``hits / number``, without continuity correction.

    Equal to R's ``prop.test(..., correct = FALSE)``. Wilson, JASA 1927;22:209-212.

    Example:
        >>> low, high = wilson_interval(8, 10)
        >>> round(low, 4), round(high, 4)
        (0.4902, 0.9433)
    """
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = hits / number
    center = (share + z**2 / (2 * number)) / (1 + z**2 / number)
    half = (z / (1 + z**2 / number)) * (
        share * (1 - share) / number + z**2 / (4 * number**2)
    ) ** 0.5
    return max(0.0, center - half), min(1.0, center + half)
