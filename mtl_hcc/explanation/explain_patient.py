"""Everything that is computed of one patient: maps, shares, occlusion of regions, sanity."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from mtl_hcc.batch import PatientBatch, ViewBatch
from mtl_hcc.explanation.activation_map import (
    FloatMap,
    Method,
    activation_maps,
    of_phases,
    on_image_grid,
    task_score,
)
from mtl_hcc.explanation.layers import MapLayer
from mtl_hcc.explanation.measures import region_rows, sanity_rows
from mtl_hcc.explanation.occlusion import stem_regions, without_region
from mtl_hcc.explanation.record import OF_INSTANCES, Record
from mtl_hcc.explanation.region_shares import MOVED, Null, Zones
from mtl_hcc.imaging.grid import Grid
from mtl_hcc.nn import TaskHead
from mtl_hcc.nn.network import PatientNetwork


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


@dataclass(frozen=True, kw_only=True)
class Explained:
    """A network and the layer whose maps are taken.

    Attributes:
        network: In evaluation mode.
        view: Whose encoder is explained.
        layer: Of this very network.
        stage: Up to which part its weights are random; empty for the trained network.
    """

    network: PatientNetwork
    view: str
    layer: MapLayer
    stage: str = ""

    @property
    def heads(self) -> dict[str, TaskHead]:
        """Task name to head."""
        return {
            name: head for name, head in self.network.heads.items() if isinstance(head, TaskHead)
        }

    def maps(
        self, batch: PatientBatch, phases: tuple[str, ...], shape: tuple[int, ...], method: Method
    ) -> tuple[dict[tuple[str, str], FloatMap], dict[str, Tensor]]:
        """Return the map of every task and present phase on the image's grid, and the outputs."""
        coarse, outputs = activation_maps(self.network, batch, self.layer.module, method=method)
        view, instances = batch.views[self.view], self.network.encoder(self.view).instances
        present = present_phases(view, phases)
        maps = {
            (task, phase): on_image_grid(volume, self.layer, shape)
            for task, cells in coarse.items()
            for phase, volume in zip(phases, of_phases(cells, view, instances), strict=True)
            if phase in present
        }
        return maps, outputs

    def scores(self, outputs: Mapping[str, Tensor]) -> dict[str, float]:
        """Return the score of one patient by task."""
        return {
            name: float(task_score(head, outputs[name])[0]) for name, head in self.heads.items()
        }


def present_phases(view: ViewBatch, phases: tuple[str, ...]) -> list[str]:
    """Return the names of the phases that the one patient of a batch has."""
    return [phases[int(number)] for number in view.phase_present[0].nonzero()[:, 0]]


def explain_patient(
    trained: Explained,
    batch: PatientBatch,
    *,
    phases: tuple[str, ...],
    grid: Grid,
    settings: ExplainSettings,
    random: tuple[Explained, ...] = (),
) -> tuple[Record, dict[tuple[str, str], FloatMap]]:
    """Explain one patient.

    Args:
        trained: The network.
        batch: The patient alone, on the network's device.
        phases: Names along the image axis.
        grid: Of the prepared images.
        settings: How.
        random: Copies with random weights, for the sanity test.

    Returns:
        The record, and (task, phase) to the map on the prepared grid.
    """
    network = trained.network
    seen = batch.views[trained.view]
    maps, outputs = trained.maps(batch, phases, grid.shape, settings.method)
    record = Record(batch.patient_id[0], batch.split[0], batch.center[0])
    record.present = present_phases(seen, phases)
    record.scores = trained.scores(outputs)
    record.occluded = {
        region: trained.scores(without_region(network, batch, trained.view, region))
        for region in stem_regions(network.encoder(trained.view).stem)
    }
    _note_predictions(record, trained, batch, outputs)
    bits = seen.regions[0].cpu().numpy()
    z, y, x = reversed(grid.spacing)
    zones = {
        phase: Zones.of(bits[phases.index(phase)], spacing=(z, y, x), ring_mm=settings.ring_mm)
        for phase in record.present
    }
    record.regions, nulls = region_rows(
        maps,
        zones,
        tasks=list(record.scores),
        voxel_mm3=grid.voxel_mm3,
        draws=settings.draws,
        seed=settings.seed,
        patient_id=record.patient_id,
    )
    for other in random:
        others, _ = other.maps(batch, phases, grid.shape, settings.method)
        record.sanity += sanity_rows(maps, others, zones, stage=other.stage)
    record.arrays = _null_arrays(record, nulls, phases, settings.draws)
    record.arrays |= _vectors(network, batch)
    return record, maps


@torch.no_grad()
def _vectors(network: PatientNetwork, batch: PatientBatch) -> dict[str, NDArray[Any]]:
    """Return all that the outputs are made of, so that phases can be taken away later."""
    found: dict[str, NDArray[Any]] = {}
    for view, bag in network.bags(batch).items():
        for name in OF_INSTANCES:
            values: Tensor = getattr(bag, name)[0]
            values = values.float() if values.is_floating_point() else values
            found[f"{view}.{name}"] = values.cpu().contiguous().numpy()
        found[f"{view}.phases"] = np.array(bag.phases)
    if network.clinical is not None and batch.covariates is not None:
        found["covariates"] = batch.covariates[0].float().cpu().numpy()
    return found


def _null_arrays(
    record: Record,
    nulls: Mapping[str, Null | None],
    phases: tuple[str, ...],
    draws: int,
) -> dict[str, NDArray[Any]]:
    """Return the shares at random places, which the pooled tables need besides the rows."""
    shape = (len(record.scores), len(phases), len(MOVED), draws)
    arrays = {name: np.full(shape, np.nan, np.float32) for name in ("null_share", "null_hit")}
    for phase, null in nulls.items():
        if null is not None:
            arrays["null_share"][:, phases.index(phase)] = null.share
            arrays["null_hit"][:, phases.index(phase)] = null.hit
    return arrays


def _note_predictions(
    record: Record, trained: Explained, batch: PatientBatch, outputs: Mapping[str, Tensor]
) -> None:
    """Keep the known outcomes and what ``predictions.csv`` says of the patient."""
    record.outcomes = _numbers(batch.targets)
    for name, head in trained.heads.items():
        record.predictions[name] = _numbers(head.to_table(outputs[name].float(), batch.targets))


def _numbers(columns: Mapping[str, Tensor]) -> dict[str, float | None]:
    """Return one patient's values, an unknown one as ``None``."""
    values = {name: float(column[0]) for name, column in columns.items()}
    return {name: None if np.isnan(value) else value for name, value in values.items()}
