"""What an estimator on tables looks at: clinical columns, or measurements of the regions."""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Literal

import pandas as pd

from mtl_hcc.covariates.all_columns import all_columns, grouped
from mtl_hcc.covariates.reader import CovariateKind, level_text, read_covariates
from mtl_hcc.errors import ConfigError, StoreError

MISSING = " missing"
"""Ends the name of the flag of a column's missing cells."""
MEAN = {"liver": "parenchyma"}
"""Region to the end of its column's name, where that is not ``<region>_mean``."""


@dataclass(frozen=True)
class PatientTables:
    """What is known of patients before their outcome, in tables.

    Attributes:
        clinical: The cohort's table, indexed by ``patient_id``.
        measured: What was measured in the prepared images, likewise; None without images.
        phases: Phases that were prepared.
    """

    clinical: pd.DataFrame
    measured: pd.DataFrame | None = None
    phases: tuple[str, ...] = ()

    def of(self, patients: pd.Index) -> "PatientTables":
        """Return the tables of some patients."""
        measured = None if self.measured is None else self.measured.loc[patients]
        return PatientTables(self.clinical.loc[patients], measured, self.phases)


@dataclass(frozen=True)
class Columns:
    """Which columns an estimator reads, and how: plain values, which travel with a model.

    Attributes:
        clinical: Column of the cohort's table to its kind.
        measured: Column of the measurements to its kind.
        grouped: Whether levels that are not listed are read as one, *other*; else they are refused.
        left_out: Column to the reason why it is not read, where all were looked at.
    """

    clinical: dict[str, CovariateKind] = field(default_factory=dict)
    measured: dict[str, CovariateKind] = field(default_factory=dict)
    grouped: bool = False
    left_out: dict[str, str] = field(default_factory=dict)

    @property
    def all(self) -> dict[str, CovariateKind]:
        """All columns with their kinds."""
        return self.clinical | self.measured

    def read(self, tables: PatientTables, *, setting: str) -> pd.DataFrame:
        """Return (patient, feature) numbers; nothing is fitted, a missing number stays NaN.

        A number is followed by the flag of its missing cells; a category has a column for each
        level but the first, all 0 where the cell is missing, and the flag.

        Args:
            tables: Of any patients.
            setting: Name of the setting that lists the columns, for messages.

        Raises:
            TableError: A column or level is not as listed.
        """
        clinical = tables.clinical
        if self.grouped:
            levels = {name: kind for name, kind in self.clinical.items() if isinstance(kind, list)}
            here = {name: kind for name, kind in levels.items() if name in clinical}
            clinical = clinical.assign(
                **{name: grouped(clinical[name], kind) for name, kind in here.items()}
            )
        read = read_covariates(clinical, self.clinical, setting=setting)
        if self.measured:
            measured = self._measured_of(tables)
            numbers = read_covariates(measured, self.measured, setting=setting, where="quality.csv")
            read = pd.concat([read, numbers], axis=1)
        features: dict[str, pd.Series[float]] = {}
        for name, kind in self.all.items():
            if isinstance(kind, str):
                features[name] = read[name]
                features[name + MISSING] = read[name].isna().astype(float)
            else:
                first, *others = [f"{name}={level_text(level)}" for level in kind]
                features |= {column: read[column].fillna(0.0) for column in others}
                features[name + MISSING] = read[first].isna().astype(float)
        return pd.DataFrame(features, index=tables.clinical.index)

    def _measured_of(self, tables: PatientTables) -> pd.DataFrame:
        """Return the measurements, refusing a store that lacks one."""
        if tables.measured is None:
            raise ConfigError(
                "region statistics are measured in images, and no images are prepared",
                where="estimator.features, data.preparation",
                remedy="Set data.preparation, or take ClinicalColumns.",
            )
        absent = [name for name in self.measured if name not in tables.measured]
        if absent:
            raise StoreError(
                f"no column {', '.join(absent)}",
                where="manifest.csv",
                expected="measurements of every region that estimator.features names, by phase",
                remedy="Correct its phases and regions, or prepare the store anew.",
            )
        return tables.measured


class TableFeatures(ABC):
    """Chooses what an estimator reads."""

    @abstractmethod
    def choose(self, train: PatientTables, task: str) -> Columns:
        """Return the columns that are read for a task.

        Args:
            train: The training patients; nobody else is looked at.
            task: ``os``, ``rfs``, ``mvi`` or ``mvi_grade``.
        """


class ClinicalColumns(TableFeatures):
    """Columns of the cohort's table.

    Args:
        columns: Column to ``linear``, ``log`` (log10(x + 1)), or the list of levels of a category,
            whose first is the reference. Left out, all columns that may predict are taken
            (:mod:`mtl_hcc.covariates.all_columns`).
    """

    def __init__(self, columns: dict[str, CovariateKind] | None = None) -> None:
        self.columns = columns

    def choose(self, train: PatientTables, task: str) -> Columns:
        """Return the listed columns, or all that may predict the task."""
        if self.columns is not None:
            return Columns(clinical=dict(self.columns))
        kinds, left_out = all_columns(train.clinical, task)
        return Columns(clinical=kinds, grouped=True, left_out=left_out)


class RegionStatistics(TableFeatures):
    """Mean and spread of regions in each phase, in the image's unit, and the log tumor volume.

    With three phases and nothing else said these are thirteen numbers. They are measured when a
    patient is prepared, before intensities are clipped or scaled. CT is in HU; MR images have no
    unit, so values of two scanners cannot be compared there.

    Args:
        phases: Phases that are measured; all that are prepared when left out.
        means: Regions whose mean is taken: ``tumor``, ``margin`` (2 mm to both sides of the tumor
            surface), ``liver`` (without the tumor; its median).
        spreads: Regions whose standard deviation is taken: ``tumor``, ``margin``.
        volume: Whether the logarithm of the tumor's volume is taken, too.
    """

    def __init__(
        self,
        *,
        phases: list[str] | None = None,
        means: list[Literal["tumor", "margin", "liver"]] | None = None,
        spreads: list[Literal["tumor", "margin"]] | None = None,
        volume: bool = True,
    ) -> None:
        self.phases, self.volume = phases, volume
        self.means = ["tumor", "margin", "liver"] if means is None else list(means)
        self.spreads = ["tumor"] if spreads is None else list(spreads)
        if not (self.means or self.spreads or volume):
            raise ValueError("estimator.features names no region and no volume")

    def choose(self, train: PatientTables, task: str) -> Columns:
        """Return the measurements; the same for every task."""
        endings = [MEAN.get(region, f"{region}_mean") for region in self.means]
        endings += [f"{region}_sd" for region in self.spreads]
        phases = train.phases if self.phases is None else self.phases
        kinds: dict[str, CovariateKind] = {
            f"{phase}_{ending}": "linear" for phase in phases for ending in endings
        }
        return Columns(measured=kinds | ({"tumor_volume_mm3": "log"} if self.volume else {}))
