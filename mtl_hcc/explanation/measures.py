"""Rows of the tables for one patient: where the maps lie, and how random weights change them."""

from collections.abc import Mapping, Sequence
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from mtl_hcc.explanation.activation_map import FloatMap
from mtl_hcc.explanation.randomization import rank_correlation
from mtl_hcc.explanation.record import Row
from mtl_hcc.explanation.region_shares import (
    MOVED,
    PARTS,
    Null,
    Zones,
    null_distribution,
    one_sided_p,
    shares_and_hits,
)

Maps = Mapping[tuple[str, str], FloatMap]
"""(task, phase) to the map on the prepared grid, (depth, height, width)."""


def region_rows(
    maps: Maps,
    zones: Mapping[str, Zones],
    *,
    tasks: Sequence[str],
    voxel_mm3: float,
    draws: int,
    seed: int,
    patient_id: str,
) -> tuple[list[Row], dict[str, Null | None]]:
    """Return a patient's rows of ``regions.csv``, and the null of every phase.

    Random places depend on seed, patient and phase only: other patients do not change them.

    Args:
        maps: Of one patient.
        zones: By phase.
        tasks: In the order of the null's first axis.
        voxel_mm3: Volume of a voxel.
        draws: Random places of the tumor.
        seed: Of the places.
        patient_id: Name of the patient.
    """
    rows: list[Row] = []
    nulls: dict[str, Null | None] = {}
    energy = {task: sum(float(maps[task, phase].sum()) for phase in zones) for task in tasks}
    for phase, zone in zones.items():
        parts = zone.parts()
        stacked = np.stack([maps[task, phase] for task in tasks]).astype(np.float64)
        share, hit = shares_and_hits(stacked, parts)
        rng = np.random.default_rng([seed, crc32(patient_id.encode()), crc32(phase.encode())])
        nulls[phase] = null = null_distribution(stacked, zone, draws=draws, rng=rng)
        for number, task in enumerate(tasks):
            whole = energy[task]
            for part, mask in parts.items():
                column = PARTS.index(part)
                row: Row = {
                    "task": task,
                    "phase": phase,
                    "phase_share": float(stacked[number].sum()) / whole if whole > 0 else None,
                    "region": part,
                    "volume_mm3": round(float(mask.sum()) * voxel_mm3, 1),
                    "share": _known(share[number, column]),
                    "hit": _known(hit[number, column]),
                }
                rows.append(row | _against_null(row["share"], null, number, part))
    return rows, nulls


def sanity_rows(maps: Maps, random: Maps, zones: Mapping[str, Zones], *, stage: str) -> list[Row]:
    """Return a patient's rows of ``sanity.csv``: the maps beside those of random weights.

    Args:
        maps: Of the trained network.
        random: Of a network whose weights are random, same keys.
        zones: By phase; the liver is where maps are compared.
        stage: Up to which part the weights are random.
    """
    rows: list[Row] = []
    near = {phase: zone.parts()["tumor"] | zone.parts()["ring"] for phase, zone in zones.items()}
    for (task, phase), trained in maps.items():
        other, liver = random[task, phase], zones[phase].liver
        rows.append(
            {
                "task": task,
                "phase": phase,
                "randomized": stage,
                "rank_correlation": rank_correlation(trained[liver], other[liver]),
                "share_tumor_ring": _share(trained, near[phase]),
                "share_tumor_ring_random": _share(other, near[phase]),
            }
        )
    return rows


def _against_null(share: float | None, null: Null | None, number: int, part: str) -> Row:
    """Return the null's columns of a row; empty for parts that do not move with the tumor."""
    if part not in MOVED:
        return {}
    if null is None:
        return {"note": "the tumor has no other place in the field of view"}
    if share is None:
        return {"places": null.places, "note": "the map is zero everywhere"}
    drawn = null.share[number, MOVED.index(part)]
    return {
        "share_null": float(drawn.mean()),
        "share_null_high": float(np.quantile(drawn, 0.95)),
        "hit_null": float(null.hit[number, MOVED.index(part)].mean()),
        "p": one_sided_p(share, drawn),
        "places": null.places,
        "inside_liver": null.inside,
    }


def _share(values: FloatMap, mask: NDArray[np.bool_]) -> float | None:
    total = float(values.sum(dtype=np.float64))
    return float(values[mask].sum(dtype=np.float64)) / total if total > 0 else None


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
