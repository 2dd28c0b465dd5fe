"""Everything that is computed of one patient: maps, shares, occlusion of regions, sanity."""

from dataclasses import asdict, dataclass
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray

from mtl_hcc.batch import PatientBatch
from mtl_hcc.explanation.activation_map import FloatMap, Method, activation_maps, on_image_grid
from mtl_hcc.explanation.layers import MapLayer, map_layers
from mtl_hcc.explanation.occlusion import phase_vectors, stem_regions, without_region
from mtl_hcc.explanation.randomization import randomized, rank_correlation
from mtl_hcc.explanation.record import Record, Row
from mtl_hcc.explanation.regions import (
    MOVED,
    PARTS,
    Null,
    Zones,
    null_distribution,
    one_sided_p,
    shares_and_hits,
)
from mtl_hcc.explanation.score import task_score
from mtl_hcc.imaging.grid import Grid
from mtl_hcc.module import MultiTaskModule


@dataclass(frozen=True, kw_only=True)
class ExplainSettings:
    """What changes the result for a patient.

    Attributes:
        method: How the feature map is weighed.
        ring_mm: Reach of the ring outside the tumor, in mm.
        draws: Random places of the tumor.
        seed: Of the draws and of random weights.
        sanity: Whether maps of random weights are compared as well.
    """

    method: Method = "gradcam"
    ring_mm: float = 10.0
    draws: int = 200
    seed: int = 0
    sanity: bool = False

    def as_dict(self) -> dict[str, object]:
        """Return plain values."""
        return asdict(self)


def explain_patient(
    module: MultiTaskModule,
    batch: PatientBatch,
    *,
    phases: tuple[str, ...],
    grid: Grid,
    layer: MapLayer,
    settings: ExplainSettings,
) -> tuple[Record, dict[str, FloatMap]]:
    """Explain one patient.

    Args:
        module: Trained, in evaluation mode.
        batch: The patient alone, on the module's device.
        phases: Names along the image axis.
        grid: Of the prepared images.
        layer: Whose maps are taken.
        settings: How.

    Returns:
        The record, and ``<task>/<phase>`` to the map on the prepared grid.
    """
    network = module.network
    if network.image is None or batch.regions is None or batch.phase_present is None:
        raise ValueError("only patients with images can be explained")
    with phase_vectors(network.image.aggregator) as vectors:
        coarse, outputs = activation_maps(network, batch, layer.module, method=settings.method)
    present = [int(i) for i in batch.phase_present[0].nonzero()[:, 0]]
    maps = {
        f"{task}/{phases[phase]}": on_image_grid(volumes[row], layer, grid.shape)
        for task, volumes in coarse.items()
        for row, phase in enumerate(present)
    }
    record = Record(batch.patient_id[0], batch.split[0], batch.center[0])
    record.present = [phases[phase] for phase in present]
    record.arrays = {
        "vectors": vectors[0][0].float().cpu().numpy(),
        "phase_present": batch.phase_present[0].cpu().numpy(),
    }
    if batch.covariates is not None:
        record.arrays["covariates"] = batch.covariates[0].cpu().numpy()
    record.scores = _scores(module, outputs)
    for region in stem_regions(network.image.stem):
        record.occluded[region] = _scores(module, without_region(network, batch, region))
    record.outcomes = {
        column: _number(float(values[0])) for column, values in batch.targets.items()
    }
    for name, head in module.heads.items():
        columns = head.to_table(
            outputs[name].float().cpu(), {k: v.cpu() for k, v in batch.targets.items()}
        )
        record.predictions[name] = {
            column: _number(float(values[0])) for column, values in columns.items()
        }
    bits = batch.regions[0].cpu().numpy()
    _measure(record, maps, bits, phases, grid, settings)
    if settings.sanity:
        record.sanity = _sanity(module, batch, maps, bits, phases, grid, layer, settings)
    return record, maps


def _scores(module: MultiTaskModule, outputs: dict[str, torch.Tensor]) -> dict[str, float]:
    return {name: float(task_score(head, outputs[name])[0]) for name, head in module.heads.items()}


def _number(value: float) -> float | None:
    return None if np.isnan(value) else value


def _measure(
    record: Record,
    maps: dict[str, FloatMap],
    bits: NDArray[np.uint8],
    phases: tuple[str, ...],
    grid: Grid,
    settings: ExplainSettings,
) -> None:
    """Fill the rows of ``regions.csv`` and the null distributions."""
    tasks = list(record.scores)
    shape = (len(tasks), len(phases), len(MOVED), settings.draws)
    nulls = {name: np.full(shape, np.nan, np.float32) for name in ("null_share", "null_hit")}
    z, y, x = reversed(grid.spacing)
    for name in record.present:
        phase = phases.index(name)
        zones = Zones.of(bits[phase], spacing=(z, y, x), ring_mm=settings.ring_mm)
        parts = zones.parts()
        stacked = np.stack([maps[f"{task}/{name}"] for task in tasks]).astype(np.float64)
        share, hit = shares_and_hits(stacked, parts)
        rng = np.random.default_rng(
            [settings.seed, crc32(record.patient_id.encode()), crc32(name.encode())]
        )
        null = null_distribution(stacked, zones, draws=settings.draws, rng=rng)
        if null is not None:
            nulls["null_share"][:, phase], nulls["null_hit"][:, phase] = null.share, null.hit
        for number, task in enumerate(tasks):
            for part, mask in parts.items():
                column = PARTS.index(part)
                row: Row = {
                    "task": task,
                    "phase": name,
                    "region": part,
                    "volume_mm3": round(float(mask.sum()) * grid.voxel_mm3, 1),
                    "share": _number(float(share[number, column])),
                    "hit": _number(float(hit[number, column])),
                }
                record.regions.append(row | _against_null(row, null, number, part))
    record.arrays |= nulls


def _against_null(row: Row, null: Null | None, number: int, part: str) -> Row:
    """Return the null's columns of a row; empty for parts that do not move with the tumor."""
    if part not in MOVED:
        return {}
    if null is None:
        return {"note": "the tumor has no other place in the field of view"}
    if row["share"] is None:
        return {"places": null.places, "note": "the map is zero everywhere"}
    share = null.share[number, MOVED.index(part)]
    return {
        "share_null": float(share.mean()),
        "share_null_high": float(np.quantile(share, 0.95)),
        "hit_null": float(null.hit[number, MOVED.index(part)].mean()),
        "p": one_sided_p(row["share"], share),
        "places": null.places,
        "inside_liver": null.inside,
    }


def _sanity(
    module: MultiTaskModule,
    batch: PatientBatch,
    maps: dict[str, FloatMap],
    bits: NDArray[np.uint8],
    phases: tuple[str, ...],
    grid: Grid,
    layer: MapLayer,
    settings: ExplainSettings,
) -> list[Row]:
    """Compare the maps with those of more and more random weights, inside the liver."""
    rows: list[Row] = []
    for stage, network in randomized(module.network, seed=settings.seed):
        if network.image is None:
            continue
        layers = {one.name: one for one in map_layers(network.image, grid.shape)}
        random, _ = activation_maps(
            network, batch, layers[layer.name].module, method=settings.method
        )
        names = [phase for phase in phases if f"{next(iter(random))}/{phase}" in maps]
        for task, volumes in random.items():
            for volume, phase in zip(volumes, names, strict=True):
                zones = Zones.of(
                    bits[phases.index(phase)],
                    spacing=(grid.spacing[2], grid.spacing[1], grid.spacing[0]),
                    ring_mm=settings.ring_mm,
                )
                other = on_image_grid(volume, layer, grid.shape)
                near = zones.parts()["tumor_ring"]
                rows.append(
                    {
                        "task": task,
                        "phase": phase,
                        "randomized": stage,
                        "rank_correlation": rank_correlation(
                            maps[f"{task}/{phase}"][zones.liver], other[zones.liver]
                        ),
                        "share_tumor_ring": _share(maps[f"{task}/{phase}"], near),
                        "share_tumor_ring_random": _share(other, near),
                    }
                )
    return rows


def _share(values: FloatMap, mask: NDArray[np.bool_]) -> float | None:
    total = float(values.sum(dtype=np.float64))
    return float(values[mask].sum(dtype=np.float64)) / total if total > 0 else None
