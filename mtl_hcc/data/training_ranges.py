"""What a model has seen: ranges of its training patients, and who lies outside of them.

They travel with the exported model as ``training_ranges.json``. Extremes are rounded outwards to
two digits, so that no value of a single patient is given away.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from mtl_hcc.atomic import write_bytes
from mtl_hcc.covariates.reader import CovariateKind, level_text
from mtl_hcc.data.network_covariates import MEASURED
from mtl_hcc.errors import CheckpointError

if TYPE_CHECKING:
    from mtl_hcc.data.datamodule import CohortDataModule

RANGES = "training_ranges.json"
BEYOND = 0.25
"""Accepted beyond the extremes of training: this share of the distance between the 2.5th and the
97.5th percentile. By the extremes alone, a chance of 2 / (n + 1) per measurement would be out."""
BEYOND_OF_INTENSITIES = 1.0
"""Likewise for intensities: another hospital's calibration and bolus timing are nothing unusual."""
LARGEST_FACTOR = 1.5
"""On a logarithmic scale (volumes, AFP) at most this factor."""
_LENGTHS = {"tumor_volume_mm3": "mm3", "tumor_diameter_mm": "mm", "liver_volume_mm3": "mm3"}
_OF_REGIONS = ("_mean", "_sd")
_INTENSITIES = ("_parenchyma", "_parenchyma_low", "_parenchyma_high", "_tumor_mean")
_WORDS = {
    "tumor_volume_mm3": "tumor volume",
    "tumor_diameter_mm": "tumor diameter",
    "liver_volume_mm3": "liver volume",
    "lesions": "number of lesions",
    "_parenchyma_low": "liver, 5th percentile",
    "_parenchyma_high": "liver, 99th percentile",
    "_parenchyma": "liver without tumor",
    "_tumor_mean": "tumor mean",
}


@dataclass(frozen=True)
class Range:
    """What training patients had in one measurement or covariate.

    Attributes:
        seen: Lowest and highest value, rounded outwards to two digits.
        accepted: Beyond these a patient is out of range.
        complete: Whether no training patient lacked the value.
        levels: Of a category, the levels that occurred; the numbers then mean nothing.
    """

    seen: tuple[float, float]
    accepted: tuple[float, float]
    complete: bool
    levels: tuple[str, ...] | None = None


def training_ranges(
    datamodule: "CohortDataModule", covariates: Mapping[str, CovariateKind] | None = None
) -> dict[str, Range]:
    """Return the ranges of the training split.

    Args:
        datamodule: After ``setup``.
        covariates: Columns of the table that the model reads; those of the network by default.
    """
    kinds = datamodule.covariates if covariates is None else covariates
    measured = measurements(datamodule, kinds)[(datamodule.splits == "train").to_numpy()]
    found = {}
    for name in map(str, measured):
        own = name.removeprefix(MEASURED)
        read = None if name in kinds else datamodule.measured.get(own)
        kind = kinds.get(name, read or ("log" if own in _LENGTHS else "linear"))
        if len(known := measured[name].dropna()):
            intensity = _is_intensity(name) or (read is not None and own.endswith(_OF_REGIONS))
            share = BEYOND_OF_INTENSITIES if intensity else BEYOND
            complete = len(known) == len(measured)
            found[name] = _range(known, kind, share=share, complete=complete)
    return found


def measurements(
    datamodule: "CohortDataModule", covariates: Mapping[str, CovariateKind]
) -> pd.DataFrame:
    """Return what is compared: measurements of the images, and the covariates; one row a patient.

    A measurement is called as in the store, and ``measured <name>`` where the model reads a column
    of the table that is called so, too.

    Args:
        datamodule: After ``setup``.
        covariates: Columns of the table that the model reads.
    """
    table = datamodule.table[list(covariates)]
    quality = datamodule.quality
    if quality is None:
        return table
    chosen = [name for name in quality if _is_compared(str(name)) or name in datamodule.measured]
    told_apart = {name: f"{MEASURED}{name}" for name in chosen if name in table}
    return quality.loc[table.index, chosen].rename(columns=told_apart).join(table)


def out_of_range(
    ranges: dict[str, Range],
    datamodule: "CohortDataModule",
    covariates: Mapping[str, CovariateKind] | None = None,
) -> dict[str, str]:
    """Return, for each patient, in what the training patients were different; empty if in nothing.

    What the preparation remarked stands there too: it may make a prediction worthless.

    Args:
        ranges: Of the model; empty for a model that carries none.
        datamodule: The patients, after ``setup``.
        covariates: Columns of the table that the model reads; those of the network by default.
    """
    measured = measurements(datamodule, datamodule.covariates if covariates is None else covariates)
    quality = datamodule.quality
    reasons = {}
    for patient, row in zip(measured.index, measured.to_dict("records"), strict=True):
        found = [_difference(name, row.get(name), seen) for name, seen in ranges.items()]
        lacking = [n for n, seen in ranges.items() if seen.complete and pd.isna(row.get(n))]
        found.append(_missing(lacking))
        if quality is not None and "implausible" in quality:
            found.append(quality["implausible"].fillna("").astype(str)[patient])
        reasons[str(patient)] = "; ".join(reason for reason in found if reason)
    return reasons


def write_ranges(ranges: dict[str, Range], folder: Path) -> None:
    """Write ``training_ranges.json``.

    Args:
        ranges: From :func:`training_ranges`.
        folder: The exported model's.
    """
    content = {name: asdict(value) for name, value in ranges.items()}
    write_bytes(folder / RANGES, (json.dumps(content, indent=1) + "\n").encode())


def read_ranges(path: Path) -> dict[str, Range]:
    """Return the ranges that come with a model; none for one that carries none.

    Args:
        path: An exported folder, a run folder, or a training checkpoint (which carries none).

    Raises:
        CheckpointError: The file is damaged.
    """
    for folder in (path / "model", path):
        if (folder / RANGES).is_file():
            return _parsed(folder / RANGES)
    return {}


def _parsed(path: Path) -> dict[str, Range]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {
            str(name): Range(
                seen=_two(value["seen"]),
                accepted=_two(value["accepted"]),
                complete=bool(value["complete"]),
                levels=None if value["levels"] is None else tuple(map(str, value["levels"])),
            )
            for name, value in content.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise CheckpointError(
            f"it is damaged ({type(error).__name__}: {error})",
            where=str(path),
            expected="ranges of the training patients, as fit writes them",
            remedy="Copy it again, or remove it: nothing is then compared.",
        ) from error


def _two(values: list[float]) -> tuple[float, float]:
    low, high = (float(value) for value in values)
    return low, high


def _is_compared(name: str) -> bool:
    return name in (*_LENGTHS, "lesions") or _is_intensity(name)


def _is_intensity(name: str) -> bool:
    return name.endswith(_INTENSITIES) or name.startswith("rise_to_")


def _range(known: pd.Series, kind: str | list[str], *, share: float, complete: bool) -> Range:
    if isinstance(kind, list):
        levels = tuple(sorted({level_text(value) for value in known}))
        return Range((0.0, 0.0), (0.0, 0.0), complete, levels)
    values = known.to_numpy(dtype=np.float64)
    seen = float(values.min()), float(values.max())
    if kind == "log":
        low, high = _beyond(np.log10(values + 1), share=share, most=math.log10(LARGEST_FACTOR))
        accepted = 10**low - 1, 10**high - 1
    else:
        accepted = _beyond(values, share=share)
    return Range(
        (_rounded(seen[0], math.floor), _rounded(seen[1], math.ceil)),
        (_rounded(accepted[0], math.floor, 3), _rounded(accepted[1], math.ceil, 3)),
        complete,
    )


def _beyond(
    values: np.ndarray[Any, np.dtype[np.float64]], *, share: float, most: float = math.inf
) -> tuple[float, float]:
    low, high = np.percentile(values, [2.5, 97.5])
    margin = min(share * float(high - low), most)
    return float(values.min()) - margin, float(values.max()) + margin


def _rounded(value: float, way: Any, digits: int = 2) -> float:
    """Round outwards to a number of significant digits."""
    if value == 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - digits + 1)
    return float(f"{way(value / unit) * unit:.{digits}g}")


def _difference(name: str, value: object, seen: Range) -> str:
    """Return in words how a value differs from those of training; empty when it does not."""
    words, unit = _in_words(name)
    if pd.isna(value):  # type: ignore[call-overload]  # a cell, never a list
        return ""
    if seen.levels is not None:
        level = level_text(value)
        known = ", ".join(seen.levels)
        return "" if level in seen.levels else f"{words} {level}; in training {known}"
    number = float(str(value))
    if seen.accepted[0] <= number <= seen.accepted[1]:
        return ""
    return f"{words} {_printed(number)}{unit}; in training {_printed(seen.seen[0])} to " + (
        f"{_printed(seen.seen[1])}{unit}"
    )


def _missing(names: list[str]) -> str:
    """Return what a patient lacks and no training patient did; of a phase's liver once."""
    words = [
        f"{name.partition('_parenchyma')[0]} liver" if "_parenchyma" in name else _in_words(name)[0]
        for name in names
        if not name.startswith("rise_to_")  # It follows from the liver's intensities.
    ]
    known = ", ".join(dict.fromkeys(words))
    return f"without {known}, which no training patient lacked" if known else ""


def _in_words(name: str) -> tuple[str, str]:
    """Return a measurement's name in words, and its unit; a covariate's column as it is."""
    if name.startswith(MEASURED):
        words, unit = _in_words(name.removeprefix(MEASURED))
        return f"{MEASURED}{words}", unit
    if name in _WORDS:
        unit = _LENGTHS.get(name, "")
        return _WORDS[name], f" {unit}" if unit else ""
    if name.startswith("rise_to_"):
        return f"rise of the liver to the {name.removeprefix('rise_to_')} phase", ""
    for ending, words in _WORDS.items():
        if ending.startswith("_") and name.endswith(ending):
            return f"{name.removesuffix(ending)} {words}", ""
    return name, ""


def _printed(number: float) -> str:
    return f"{number:,.0f}" if abs(number) >= 100 else f"{number:.3g}"
