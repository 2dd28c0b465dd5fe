"""Which columns of the table an endpoint needs, and what counts as its event."""

from collections.abc import Sequence

import pandas as pd

from mtl_hcc.errors import ConfigError, TableError
from mtl_hcc.patient import CLASS_COLUMNS, SURVIVAL_ENDPOINTS


def target_columns(endpoints: Sequence[str]) -> list[str]:
    """Return the columns that the endpoints need, e.g. ``os`` -> ``os_days, os_event``.

    Args:
        endpoints: Names among ``os``, ``rfs``, ``mvi``, ``mvi_grade``.
    """
    columns: list[str] = []
    for endpoint in endpoints:
        if endpoint in SURVIVAL_ENDPOINTS:
            columns += [f"{endpoint}_days", f"{endpoint}_event"]
        elif endpoint in CLASS_COLUMNS:
            columns.append(endpoint)
        else:
            known = ", ".join([*SURVIVAL_ENDPOINTS, *CLASS_COLUMNS])
            raise ConfigError(
                f"unknown endpoint {endpoint!r}",
                where="data.endpoints",
                expected=f"one of {known}",
                remedy="Correct the spelling.",
            )
    return columns


def check_columns(table: pd.DataFrame, endpoints: Sequence[str]) -> None:
    """Raise :class:`TableError` when the table lacks a column that an endpoint needs."""
    for endpoint in endpoints:
        lacking = [name for name in target_columns([endpoint]) if name not in table]
        if lacking:
            raise TableError(
                f"no column {', '.join(lacking)}, which endpoint {endpoint!r} needs",
                where="patients.csv",
                remedy=f"Map your columns with data.source, or take {endpoint!r} out of "
                "data.endpoints and the heads.",
            )


def event_flags(table: pd.DataFrame, endpoint: str) -> pd.Series:
    """Return who has the event: survival event 1, or a class above 0; missing labels are False.

    Args:
        table: The cohort's table.
        endpoint: Name of the endpoint. Without its columns nobody has the event.
    """
    columns = target_columns([endpoint])
    if any(name not in table for name in columns):
        return pd.Series(False, index=table.index)
    labelled = table[columns].notna().all(axis=1)
    flags: pd.Series = labelled & (table[columns[-1]].astype(float) > 0)
    return flags
