"""The loop over patients: each is explained once, whoever fails is set aside, then the tables."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from hashlib import sha256

import pandas as pd
import torch
import yaml
from rich.progress import track

from mtl_hcc.atomic import write_bytes
from mtl_hcc.batch import PatientBatch
from mtl_hcc.errors import MtlHccError, StoreError
from mtl_hcc.explanation.explain_patient import explain_patient
from mtl_hcc.explanation.explanation_plan import ExplanationPlan
from mtl_hcc.explanation.occlusion_tables import (
    attention_table,
    occlusion_table,
    pooled_occlusion,
)
from mtl_hcc.explanation.patient_files import (
    LeftOut,
    expected_files,
    write_overlays,
    write_own_maps,
)
from mtl_hcc.explanation.record import VERSION, Record, folder_name, read_record, write_record
from mtl_hcc.explanation.region_tables import (
    pooled_regions,
    pooled_sanity,
    region_table,
    sanity_table,
)
from mtl_hcc.training.module import MultiTaskModule


def explain_cohort(plan: ExplanationPlan) -> tuple[list[Record], LeftOut]:
    """Explain every patient of a plan and write maps and overlays.

    A patient who was explained before with the same weights, settings and image is not explained
    again. One who cannot be explained is set aside with the reason; a full disk stops the run.

    Args:
        plan: Who, what, how and where.

    Returns:
        The records of all explained patients, and who was left out.
    """
    left_out, records = LeftOut([]), []
    weights = weights_hash(plan.module)
    patients = plan.dataset.patient_ids
    for place in track(range(len(patients)), description="Explaining", transient=True):
        try:
            records.append(_explain_one(plan, place, weights, left_out))
        except (MtlHccError, RuntimeError, ValueError, MemoryError, OSError) as error:
            if isinstance(error, StoreError) and "the disk is full" in error.found:
                raise
            left_out.add(patients[place], "explain", error)
    return records, left_out


def write_tables(
    plan: ExplanationPlan, records: list[Record], left_out: LeftOut, *, bootstraps: int
) -> dict[str, pd.DataFrame]:
    """Write all tables of an explanation, and return them by file name.

    Args:
        plan: As in :func:`explain_cohort`.
        records: Of all explained patients.
        left_out: Of the others.
        bootstraps: Resamples behind the intervals.
    """
    module, seed = plan.module.to("cpu"), plan.settings.seed
    regions = region_table(records)
    occlusion = occlusion_table(module, plan.view, records, plan.phases)
    tables = {
        "regions": regions,
        "regions_pooled": pooled_regions(
            regions, records, plan.phases, bootstraps=bootstraps, seed=seed
        ),
        "occlusion": occlusion,
        "occlusion_pooled": pooled_occlusion(
            occlusion, records, module, bootstraps=bootstraps, seed=seed
        ),
        "quarantine": _quarantine(plan, left_out),
    }
    attention = attention_table(module, plan.view, records, plan.phases)
    if attention is not None:
        tables["attention"] = attention
    if plan.settings.sanity:
        tables["sanity"] = sanity_table(records)
        tables["sanity_pooled"] = pooled_sanity(tables["sanity"], bootstraps=bootstraps, seed=seed)
    for name in ("attention", "sanity", "sanity_pooled"):  # of other settings, in the same folder
        if name not in tables:
            (plan.output / f"{name}.csv").unlink(missing_ok=True)
    for name, table in tables.items():
        write_bytes(plan.output / f"{name}.csv", table.to_csv(index=False).encode())
    return tables


def _quarantine(plan: ExplanationPlan, left_out: LeftOut) -> pd.DataFrame:
    """Return who could not be prepared, and who could not be explained."""
    unprepared = plan.store.quarantine
    unprepared = unprepared[~unprepared["patient_id"].isin(plan.store.manifest["patient_id"])]
    rows = unprepared.to_dict("records") + left_out.rows
    return pd.DataFrame(rows, columns=["patient_id", "step", "reason"])


def settings_text(plan: ExplanationPlan, extra: Mapping[str, object]) -> str:
    """Return ``explain.yaml``: settings, and the resolution of the maps.

    Args:
        plan: As in :func:`explain_cohort`.
        extra: What else should be kept.
    """
    values = {
        **extra,
        "weights_sha256": weights_hash(plan.module),
        "settings": plan.settings.as_dict(),
        "layer": {
            "name": plan.layer.name,
            "cells": list(plan.layer.cells),
            "cell_mm": list(plan.layer.cell_mm(plan.grid)),
            "image_voxels": list(plan.grid.shape),
            "image_spacing_mm": list(reversed(plan.grid.spacing)),
        },
        "layers": [layer.describe(plan.grid) for layer in plan.layers],
        "phases": list(plan.phases),
        "torch": str(torch.__version__),
    }
    return yaml.safe_dump(values, sort_keys=False)


def weights_hash(module: MultiTaskModule) -> str:
    """Return a hash of the network's weights and buffers."""
    total = sha256()
    for name, tensor in sorted(module.network.state_dict().items()):
        total.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return total.hexdigest()


def _explain_one(plan: ExplanationPlan, place: int, weights: str, left_out: LeftOut) -> Record:
    """Return the record of one patient, explained now or before."""
    patient_id = plan.dataset.patient_ids[place]
    folder = plan.output / "maps" / folder_name(patient_id)
    batch, grid = plan.seen(place)
    fingerprint = _fingerprint(plan, patient_id, batch, weights)
    done = read_record(folder, fingerprint=fingerprint)
    if done is not None and all(path.is_file() for path in expected_files(plan, done)):
        return done
    record, maps = explain_patient(
        plan.trained,
        batch.to(plan.device),
        phases=plan.phases,
        grid=grid,
        settings=plan.settings,
        random=plan.random,
    )
    write_own_maps(plan, record, maps, grid, left_out)
    if plan.overlays:
        write_overlays(plan, record, maps, batch.views[plan.view], grid)
    write_record(folder, record, maps, geometry=asdict(grid), fingerprint=fingerprint)
    return record


def _fingerprint(plan: ExplanationPlan, patient_id: str, batch: PatientBatch, weights: str) -> str:
    """Return a hash of all that a patient's results depend on."""
    manifest = plan.store.manifest
    image = manifest.loc[manifest["patient_id"] == patient_id, "fingerprint"]
    parts = {
        "version": VERSION,
        "weights": weights,
        "layer": plan.layer.name,
        "settings": plan.settings.as_dict(),
        "image": [str(value) for value in image],
        "split": batch.split,
        "center": batch.center,
        "targets": {name: str(float(value[0])) for name, value in batch.targets.items()},
        "covariates": None if batch.covariates is None else str(batch.covariates.tolist()),
    }
    return sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
