"""How numbers are written in tables and figures: as many digits as a paper gives."""

import math


def value_text(value: float, low: float, high: float, *, digits: int = 2) -> str:
    """Return a value with its interval, e.g. ``0.71 (0.60-0.82)``; empty without a value.

    Numbers of 100 and more lose their digits: odds ratios have long upper ends.
    """
    if math.isnan(value):
        return ""
    if math.isnan(low) or math.isnan(high):
        return _number(value, digits)
    dash = " to " if low < 0 else "-"
    return f"{_number(value, digits)} ({_number(low, digits)}{dash}{_number(high, digits)})"


def p_text(p: float) -> str:
    """Return a p-value, e.g. ``0.034`` or ``<0.001``; empty without a value."""
    if math.isnan(p):
        return ""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def _number(value: float, digits: int) -> str:
    if abs(value) >= 1e5:
        return f"{value:.0e}".replace("e+0", "e").replace("e+", "e")
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.{digits}f}"
