"""From a table of readings to a table of agreement: ICC of measurements, kappa of categories."""

from collections.abc import Sequence
from itertools import combinations
from typing import Literal

import numpy as np
import pandas as pd

from mtl_hcc.metrics.agreement.intraclass import FORMS, intraclass_correlations
from mtl_hcc.metrics.agreement.kappa import KappaWeights, cohen_kappa, fleiss_kappa_statistic
from mtl_hcc.metrics.agreement.rating_table import (
    MEASURE,
    categories_of,
    numbers_of,
    plain_category,
    readers_of,
)
from mtl_hcc.metrics.bootstrap import (
    NotComputableError,
    percentile_interval,
    point_value,
    resample_counts,
)

Scale = Literal["measure", "category"]
AGREEMENT_COLUMNS = [
    "measure",
    "statistic",
    "readers",
    "value",
    "ci_low",
    "ci_high",
    "p",
    "n",
    "method",
]
Record = dict[str, object]


def rating_agreement(
    table: pd.DataFrame,
    *,
    scale: Scale = "measure",
    order: Sequence[str] | None = None,
    bootstraps: int = 1000,
    seed: int = 0,
    where: str = "ratings",
) -> pd.DataFrame:
    """Compute the agreement of the readers for each measure.

    Args:
        table: As from :func:`read_ratings`.
        scale: ``"measure"``: numbers, six intraclass correlations of the patients that all readers
            measured. ``"category"``: Cohen's kappa of every two readers on the patients that both
            read; with more readers also Fleiss' kappa of those that all read.
        order: The categories from low to high, for linear and quadratic weights; not needed where
            all are numbers.
        bootstraps: Resamples for the interval of Fleiss' kappa.
        seed: Of the resamples.
        where: Name of the table for messages.

    Returns:
        One row per measure and statistic; a value that cannot be computed is empty with its reason
        in ``method``.

    Raises:
        TableError: A text among numbers, or a category that ``order`` does not hold.
    """
    readers = readers_of(table)
    if scale == "measure":
        table = table.assign(**{reader: numbers_of(table, reader, where) for reader in readers})
        ordered = None
    else:
        table = table.assign(**{reader: table[reader].map(plain_category) for reader in readers})
        ordered = categories_of(table, readers, order, where)
    records: list[Record] = []
    for measure, rows in table.groupby(MEASURE, sort=False):
        if ordered is None:
            found = _intraclass(rows, readers)
        else:
            found = _kappas(rows, readers, ordered, bootstraps, seed)
        records += [{MEASURE: measure, **record} for record in found]
    return pd.DataFrame(records, columns=AGREEMENT_COLUMNS)


def _intraclass(rows: pd.DataFrame, readers: list[str]) -> list[Record]:
    complete = rows[readers].dropna()
    record: Record = {"readers": ", ".join(readers), "n": len(complete)}
    try:
        found = intraclass_correlations(complete.to_numpy(dtype=float))
    except NotComputableError as error:
        return [{**record, "statistic": name, "method": str(error)} for name in FORMS]
    left_out = _left_out(rows, complete)
    return [
        {
            **record,
            "statistic": name,
            "value": found[name].value,
            "ci_low": found[name].ci_low,
            "ci_high": found[name].ci_high,
            "p": found[name].p,
            "method": f"{FORMS[name]}; F interval{left_out}",
        }
        for name in FORMS
    ]


def _kappas(
    rows: pd.DataFrame,
    readers: list[str],
    categories: tuple[list[str], bool],
    bootstraps: int,
    seed: int,
) -> list[Record]:
    names, ordered = categories
    code = {name: place for place, name in enumerate(names)}
    weights: Sequence[KappaWeights] = ("none", "linear", "quadratic") if ordered else ("none",)
    records: list[Record] = []
    for first, second in combinations(readers, 2):
        both = rows[[first, second]].dropna()
        coded = both.apply(lambda cells: cells.map(code))
        for kind in weights:
            name = "cohen_kappa" if kind == "none" else f"cohen_kappa_{kind}"
            record: Record = {
                "statistic": name, "readers": f"{first}, {second}", "n": len(both),
            }  # fmt: skip
            try:
                found = cohen_kappa(coded[first], coded[second], classes=len(names), weights=kind)
            except NotComputableError as error:
                records.append({**record, "method": str(error)})
                continue
            ends = {"value": found.value, "ci_low": found.ci_low, "ci_high": found.ci_high}
            said = f"large-sample interval{_left_out(rows, both)}"
            records.append({**record, **ends, "method": said})
    return records + ([_fleiss(rows, readers, code, bootstraps, seed)] if len(readers) > 2 else [])


def _fleiss(
    rows: pd.DataFrame, readers: list[str], code: dict[str, int], bootstraps: int, seed: int
) -> Record:
    complete = rows.dropna(subset=readers)
    named = complete[readers].apply(lambda cells: cells.map(code)).to_numpy(dtype=np.int64)
    record: Record = {"statistic": "fleiss_kappa", "readers": ", ".join(readers), "n": len(named)}
    statistic = fleiss_kappa_statistic(named, classes=max(1, len(code)))
    value = point_value(statistic, len(named))
    if not np.isfinite(value):
        return {**record, "method": "all readings name one class" if len(named) else "no patient"}
    counts = resample_counts(complete["patient_id"], bootstraps=bootstraps, seed=seed)
    low, high = percentile_interval(statistic(counts))
    said = f"percentile bootstrap of {bootstraps} patient resamples, seed {seed}"
    said += _left_out(rows, complete)
    return {**record, "value": value, "ci_low": low, "ci_high": high, "method": said}


def _left_out(rows: pd.DataFrame, complete: pd.DataFrame) -> str:
    number = len(rows) - len(complete)
    return f"; {number} patients without all readings left out" if number else ""
