"""Event-stratified dealing: every part gets its share of deaths, recurrences, MVI and gaps."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

STRATUM_COLUMNS = ("os_event", "rfs_event", "mvi")


def joint_strata(table: pd.DataFrame) -> pd.Series:
    """Return one text for each patient, its OS event, RFS event and MVI, ``-`` where missing.

    Columns that the table lacks play no part, and endpoints that a config does not train do, so
    that all designs get the same folds.
    """
    columns = [table[name] for name in STRATUM_COLUMNS if name in table]
    written = [column.map(lambda value: f"{value:g}", na_action="ignore") for column in columns]
    strata = pd.Series("", index=table.index)
    for column in written:
        strata = strata + column.fillna("-")
    return strata


def deal(
    table: pd.DataFrame,
    fractions: Mapping[str, float],
    *,
    seed: int,
    given: Mapping[str, int] | pd.Series | None = None,
) -> pd.Series:
    """Deal patients into parts, each stratum in proportion.

    The patients are shuffled, sorted by stratum, and given one by one to the part that is
    furthest behind its quota. Part sizes are exact to one patient, and so is each stratum; strata
    too small to share out join their neighbors, which differ in the least important label.

    Args:
        table: Patients to deal, indexed by ``patient_id``.
        fractions: Part to its share; shares sum to 1.
        seed: Seed of the shuffle.
        given: Part to how many patients it has already, when more are dealt.

    Returns:
        Part of each patient, in the order of the table.
    """
    order = np.random.default_rng(seed).permutation(len(table))
    strata = joint_strata(table).iloc[order].sort_values(kind="stable")
    names, shares = list(fractions), np.array(list(fractions.values()))
    has = np.array([0.0 if given is None else given.get(name, 0) for name in names])
    parts = []
    for _ in range(len(strata)):
        part = int(np.argmax(shares * (has.sum() + 1) - has))
        has[part] += 1
        parts.append(names[part])
    return pd.Series(parts, index=strata.index, dtype=object).reindex(table.index)
