"""What is needed to repeat a run: settings, versions, seeds."""

import platform
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import PurePath
from typing import Any

import pandas as pd

from mtl_hcc.reporting.reported_study import ReportedStudy

STATISTICS = (
    *("mtl_hcc", "numpy", "pandas", "scipy", "statsmodels", "lifelines", "scikit-survival"),
    *("scikit-learn", "tableone", "matplotlib"),
)
"""Libraries behind the numbers of the report."""
PATHS = ("run", "data.store", "data.cohort", "ckpt_path")
"""Settings that are paths: only the last part is shown, the rest may name a person."""


def versions_table(study: ReportedStudy) -> pd.DataFrame:
    """Return the versions that trained, and those that made this report."""
    here = {"python": platform.python_version()}
    for name in STATISTICS:
        try:
            here[name] = version(name)
        except PackageNotFoundError:
            here[name] = ""
    names = list(dict.fromkeys([*study.versions, *here]))
    table = pd.DataFrame(
        {
            "Library": names,
            "Training": [study.versions.get(name, "") for name in names],
            "Report": [here.get(name, "") for name in names],
        }
    )
    table.attrs["caption"] = (
        "Versions of the training (from config.yaml) and of this report."
        if study.versions
        else "Versions of this report; those of the training are not known."
    )
    return table


def settings_table(study: ReportedStudy, settings: Mapping[str, Any]) -> pd.DataFrame:
    """Return every setting of the run that is not empty, and those of the statistics.

    Args:
        study: With the config.
        settings: Of the statistics.
    """
    rows = [(f"report.{name}", str(value)) for name, value in settings.items()]
    rows += list(flat(study.config))
    table = pd.DataFrame(rows, columns=["Setting", "Value"])
    table.attrs["caption"] = (
        "Settings of the run, as in its config.yaml (empty ones left out, paths shortened), and of "
        "the statistics of this report."
        if study.config
        else "Settings of the statistics of this report; those of the training are not known."
    )
    return table


def flat(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield dotted names and values.

    Example:
        >>> list(flat({"seed": 0, "model": {"stem": None, "widths": [64, 8]}}))
        [('seed', '0'), ('model.widths', '64, 8')]
    """
    for key, value in config.items():
        name = f"{prefix}{key}"
        if value is None or value == {}:
            continue
        if isinstance(value, Mapping):
            yield from flat(value, f"{name}.")
        elif name in PATHS:
            yield name, PurePath(str(value)).name
        elif isinstance(value, (list, tuple)):
            yield name, ", ".join(map(str, value))
        else:
            yield name, str(value)
