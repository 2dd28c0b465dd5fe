"""What a network reads beside images: columns of the table, and measurements of the images."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pandas as pd

from mtl_hcc.covariates.reader import CovariateKind, Scale, read_covariates
from mtl_hcc.errors import ConfigError, StoreError

MEASURED = "measured "
"""Begins the name of what `prepare` measured: the table may have a column of the same name."""
_WHERE = "manifest.csv"
_RECORDS = ("file", "fingerprint", "sha256")


def covariate_names(
    covariates: Mapping[str, CovariateKind] | None, measured: Mapping[str, Scale] | None = None
) -> list[str]:
    """Return the names of the encoded covariates: one for each level of a category.

    Args:
        covariates: Column of the table to how it is read.
        measured: Measurement of the images to how it is read.
    """
    names = []
    for column, kind in (covariates or {}).items():
        names += [f"{column}={level}" for level in kind] if isinstance(kind, list) else [column]
    return names + [f"{MEASURED}{name}" for name in measured or {}]


def encode_covariates(
    table: pd.DataFrame,
    covariates: Mapping[str, CovariateKind],
    quality: pd.DataFrame | None = None,
    measured: Mapping[str, Scale] | None = None,
) -> tuple[npt.NDArray[np.float32], list[str]]:
    """Return covariates in the precision that networks compute with, and their names.

    Args:
        table: The cohort's table, indexed by ``patient_id``.
        covariates: Column of the table to how it is read.
        quality: What was measured in the prepared images, by ``patient_id``; None without images.
        measured: Column of ``quality`` to how it is read.

    Returns:
        (patient, covariate) float32 with NaN where missing, the measurements last, and the name of
        each column of it.

    Raises:
        TableError: A column or a value of it cannot be read.
        StoreError: A measurement is not in the store.
    """
    read = read_covariates(table, covariates)
    if measured and quality is not None:
        found = _measurements(quality.loc[table.index], list(measured))
        numbers = read_covariates(found, measured, setting="data.measured", where=_WHERE)
        read = read.join(numbers.add_prefix(MEASURED))
    return read.to_numpy(np.float32), [str(name) for name in read]


def check_measured(measured: Mapping[str, Scale], *, images: bool) -> None:
    """Raise for measurements of images where no images are prepared.

    Args:
        measured: Measurement to how it is read.
        images: Whether images are prepared.

    Raises:
        ConfigError: There is nothing that could be measured.
    """
    if measured and not images:
        raise ConfigError(
            f"{', '.join(measured)} would be measured in images, and no images are prepared",
            where="data.measured, data.preparation",
            expected="images, in data.preparation",
            remedy="Set data.preparation, or name columns of patients.csv in data.covariates.",
        )


def _measurements(quality: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """Return the named columns; those of a phase that nobody has are missing, not unknown."""
    numbers = quality.select_dtypes("number")
    known = [str(name) for name in numbers if name not in _RECORDS]
    phases = _phases_of_nobody(quality)
    unknown = [
        name
        for name in names
        if name not in known and (name in quality or not any(phase in name for phase in phases))
    ]
    if unknown:
        raise StoreError(
            f"no measurement {', '.join(unknown)}",
            where=f"data.measured, {_WHERE} of the prepared store",
            expected=f"some of {', '.join(name for name in known if numbers[name].notna().any())}",
            remedy="Correct data.measured; or prepare with the phases, views and zones that it "
            "names.",
        )
    return numbers.reindex(columns=list(names))


def _phases_of_nobody(quality: pd.DataFrame) -> set[str]:
    """Return the phases that every patient lacks: nothing could be measured there."""
    if "missing_phases" not in quality or quality.empty:
        return set()
    lacking = quality["missing_phases"].fillna("").astype(str)
    return set.intersection(*(set(phases.split()) for phases in lacking))
