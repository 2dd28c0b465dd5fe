"""Whether times are in days: months and years betray themselves by a follow-up of no length."""

import pandas as pd

LONGEST_IN_MONTHS = 250
"""A study whose longest follow-up is shorter than this many days is rarer than one in months."""
LONGEST_IN_YEARS = 25
FEWEST = 20
"""Fewer times say nothing about the follow-up of a study..."""
FEWEST_BROKEN = 5
"""... unless most of them are no whole days."""
BROKEN = 0.5
SHORTER = 8
"""A center's times are this much shorter than those of the others: 30 if they are months."""
REMEDY = "if so, multiply months by 30.4375, years by 365.25"


def unit_doubt(times: "pd.Series[float]") -> str:
    """Return why times can hardly be days, with the remedy; empty when they can.

    A remark, not a fault: nobody but the user knows the unit.

    Args:
        times: Of one endpoint, meant to be days; missing ones are passed over.

    Example:
        >>> unit_doubt(pd.Series([12.5, 60.0, 31.2, 7.9, 44.4, 118.0]))[:58]
        'the longest of 6 times is 118 days, most are no whole days'
        >>> unit_doubt(pd.Series(range(30, 3000, 30)))
        ''
    """
    known = times.dropna()
    broken = len(known) > 0 and float((known % 1 != 0).mean()) >= BROKEN
    if len(known) < (FEWEST_BROKEN if broken else FEWEST):
        return ""
    longest = float(known.max())
    if longest > LONGEST_IN_MONTHS:
        return ""
    unit = "months" if longest > LONGEST_IN_YEARS else "months or years"
    parts = f"the longest of {len(known)} times is {longest:g} days"
    if broken:
        parts += ", most are no whole days"
    return f"{parts}; are these {unit}? {REMEDY}"


def unit_doubts(times: "pd.Series[float]", center: "pd.Series[str]") -> list[str]:
    """Return the doubt about all times, else those about single centers.

    Args:
        times: Of one endpoint, once per patient.
        center: Of the same patients.
    """
    doubt = unit_doubt(times)
    if doubt or center.nunique() < 2:
        return [doubt] if doubt else []
    doubts = []
    times = times.dropna()
    for name, inside in times.groupby(center.loc[times.index]):
        others = times.drop(inside.index)
        short = len(others) > 0 and inside.median() * SHORTER < others.median()
        if short and (doubt := unit_doubt(inside)):
            doubts.append(f"center {name}: {doubt}")
    return doubts
