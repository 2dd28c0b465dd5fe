"""Tables of how much of the maps lies where: per patient, and pooled over a split's patients."""

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from mtl_hcc.explanation.record import Record, who
from mtl_hcc.explanation.region_shares import MOVED, one_sided_p
from mtl_hcc.metrics.bootstrap import percentile_interval, resample_counts

REGION_COLUMNS = [
    *("patient_id", "center", "split", "task", "phase", "phase_share", "region"),
    *("volume_mm3", "share", "hit"),
    *("share_null", "share_null_high", "hit_null", "p", "places", "inside_liver", "note"),
]


def region_table(records: Iterable[Record]) -> pd.DataFrame:
    """Return ``regions.csv``: one row per patient, task, phase and region."""
    rows = [who(record) | row for record in records for row in record.regions]
    return pd.DataFrame(rows, columns=REGION_COLUMNS)


def sanity_table(records: Iterable[Record]) -> pd.DataFrame:
    """Return ``sanity.csv``: maps of random weights beside those of the trained ones."""
    return pd.DataFrame([who(record) | row for record in records for row in record.sanity])


def pooled_sanity(table: pd.DataFrame, *, bootstraps: int, seed: int) -> pd.DataFrame:
    """Return ``sanity_pooled.csv``: means over the patients of each split.

    ``difference`` is how much more of the trained network's map lies in tumor and ring than of the
    random one's, with a percentile bootstrap over patients. Where it is not above zero, the map
    lies at the tumor because of how the network is built (region stems, pooling by region), not
    because of what it has learned.

    Args:
        table: From :func:`sanity_table`.
        bootstraps: Resamples.
        seed: Of the resamples.
    """
    place = ["split", "task", "phase", "randomized"]
    rows = []
    for key, part in table.groupby(place, sort=False):
        both = part[["share_tumor_ring", "share_tumor_ring_random"]].astype(float)
        known = part[both.notna().all(axis=1)]
        row = dict(zip(place, key, strict=True)) | {
            "n": len(known),
            "rank_correlation": part["rank_correlation"].mean(),
            "method": "mean over patients, bootstrap interval; one draw of the weights",
        }
        if known.empty:
            rows.append(row | {"method": "every map is zero everywhere"})
            continue
        trained, random = both.loc[known.index].to_numpy().T
        counts = resample_counts(known["patient_id"], bootstraps=bootstraps, seed=seed)
        low, high = percentile_interval(counts @ (trained - random) / counts.sum(axis=1))
        row |= {"share_tumor_ring": trained.mean(), "share_tumor_ring_random": random.mean()}
        rows.append(row | {"difference": (trained - random).mean(), "ci_low": low, "ci_high": high})
    columns = [
        *(*place, "n", "rank_correlation", "share_tumor_ring", "share_tumor_ring_random"),
        *("difference", "ci_low", "ci_high", "method"),
    ]
    return pd.DataFrame(rows, columns=columns)


def pooled_regions(
    table: pd.DataFrame,
    records: Sequence[Record],
    phases: Sequence[str],
    *,
    bootstraps: int,
    seed: int,
) -> pd.DataFrame:
    """Return ``regions_pooled.csv``: means over the patients of each split.

    Interval: percentile bootstrap over patients. p: the mean share against the means of the same
    draws over the patients, i.e. all tumors moved at once; one-sided.

    Args:
        table: From :func:`region_table`.
        records: Of the same patients.
        phases: Names along the phase axis of the records' arrays.
        bootstraps: Resamples.
        seed: Of the resamples.
    """
    by_patient = {record.patient_id: record for record in records}
    rows = []
    for (split, task, phase, region), part in table.groupby(
        ["split", "task", "phase", "region"], sort=False
    ):
        known = part.dropna(subset=["share"])
        row: dict[str, object] = {
            "split": split,
            "task": task,
            "phase": phase,
            "region": region,
            "n": len(known),
        }
        if known.empty:
            rows.append(row | {"method": "every map is zero everywhere"})
            continue
        counts = resample_counts(known["patient_id"], bootstraps=bootstraps, seed=seed)
        for name in ("share", "hit"):
            values = known[name].to_numpy(dtype=float)
            low, high = percentile_interval(counts @ values / counts.sum(axis=1))
            row |= {name: values.mean(), f"{name}_ci_low": low, f"{name}_ci_high": high}
        row |= {name: known[name].mean() for name in ("volume_mm3", "phase_share")}
        row["method"] = "mean over patients, bootstrap interval"
        if region in MOVED:
            row |= _pooled_null(known, by_patient, str(task), phases.index(phase), str(region))
        rows.append(row)
    columns = [
        *("split", "task", "phase", "region", "n", "share", "share_ci_low", "share_ci_high"),
        *("share_null", "p", "hit", "hit_ci_low", "hit_ci_high", "hit_null", "hit_p"),
        *("n_null", "phase_share", "volume_mm3", "method"),
    ]
    return pd.DataFrame(rows, columns=columns)


def _pooled_null(
    known: pd.DataFrame, records: dict[str, Record], task: str, phase: int, region: str
) -> dict[str, object]:
    """Return the null's columns: patients whose tumor has another place, all moved at once."""
    part = MOVED.index(region)
    sums = {"share": np.zeros(0), "hit": np.zeros(0)}
    observed = {"share": 0.0, "hit": 0.0}
    number = 0
    for patient, share, hit in zip(known["patient_id"], known["share"], known["hit"], strict=True):
        record = records[str(patient)]
        place = (list(record.scores).index(task), phase, part)
        drawn = {name: record.arrays[f"null_{name}"][place].astype(float) for name in sums}
        if np.isnan(drawn["share"]).any():
            continue
        number += 1
        observed["share"] += share
        observed["hit"] += hit
        sums = {name: drawn[name] + (sums[name] if number > 1 else 0.0) for name in sums}
    if not number:
        return {"n_null": 0, "method": "no tumor has another place in the field of view"}
    return {
        "n_null": number,
        "share_null": float(sums["share"].mean()) / number,
        "hit_null": float(sums["hit"].mean()) / number,
        "p": one_sided_p(observed["share"], sums["share"]),
        "hit_p": one_sided_p(observed["hit"], sums["hit"]),
        "method": "mean over patients, bootstrap interval; p: tumors moved to random places of "
        "the liver",
    }
