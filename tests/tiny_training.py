"""Tiny cohorts, configs and modules that train in a second: what the tests of training share."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
import yaml
from jsonargparse import ArgumentParser, Namespace
from one_view import one_view, view_batch

from mtl_hcc.batch import PatientBatch
from mtl_hcc.command_line.config import build_parser, read_config
from mtl_hcc.imaging.grid import Grid
from mtl_hcc.imaging.prepared_patient import PreparedPatient, PreparedView
from mtl_hcc.nn import ClassHead, ClinicalEncoder, CoxHead, FullyConnected
from mtl_hcc.store.prepared_file import content_hash, file_name, write_prepared
from mtl_hcc.training.module import MultiTaskModule

PHASES, EDGE = 3, 16
CLINICAL_CONFIG = """
wandb: disabled
patience: 20
model:
  clinical: {class_path: ClinicalEncoder, init_args: {hidden: 8, dropout: 0.3}}
  fusion: {class_path: FullyConnected, init_args: {widths: [8], dropout: 0.3}}
  heads:
    os: {class_path: CoxHead, init_args: {endpoint: os}}
    rfs: {class_path: CoxHead, init_args: {endpoint: rfs}}
    mvi: {class_path: ClassHead, init_args: {column: mvi}}
  weighting: DynamicWeightAverage
  risk_bank: {endpoints: [os, rfs], capacity: 16}
  target_decay: 0.9
  learning_rate: 1.0e-2
  schedule: cosine
data:
  split: SplitByColumn
  endpoints: [os, rfs, mvi]
  covariates: {age_years: linear, afp_ng_ml: log}
  batch_size: 8
  rounds: 2
  augmentation: [{class_path: Rotation3D}, {class_path: TimeJitter}]
  preparing: {workers: 1}
trainer:
  max_epochs: 5
  accelerator: cpu
  log_every_n_steps: 1
  num_sanity_val_steps: 0
  enable_model_summary: false
  enable_progress_bar: false
"""
IMAGE_SETTINGS: dict[str, Any] = {
    "model__encoders": {
        "tumor": {
            "stem": {"class_path": "RegionStem", "init_args": {"out_channels": 4}},
            "backbone": {
                "class_path": "DenseNet",
                "init_args": {"growth_rate": 4, "layers": [1, 1]},
            },
            "aggregator": "Concatenate",
        }
    },
    "data__preparation": {
        "views": {"tumor": {"spacing_mm": 1.0, "field_of_view_mm": float(EDGE)}},
        "zones": {"margin": {"inward_mm": 2.0, "outward_mm": 2.0}},
    },
}
"""What makes the clinical config one of images and covariates, for :func:`tiny_config`."""


def cohort_table(patients: int = 40, *, seed: int = 0) -> pd.DataFrame:
    """Return a cohort's table: outcomes follow age and AFP, a fifth of the cells is missing."""
    rng = np.random.default_rng(seed)
    age, log_afp = rng.normal(60, 9, patients), rng.normal(2, 1, patients)
    risk = (age - 60) / 9 + log_afp - 2
    os_days = np.ceil(rng.exponential(900 * np.exp(-risk))) + 40
    rfs_days = np.ceil(rng.uniform(0.3, 1, patients) * os_days)
    table = pd.DataFrame(
        {
            "center": np.where(np.arange(patients) < patients // 2, "I", "II"),
            "split": np.where(np.arange(patients) < 0.7 * patients, "train", "validation"),
            "os_days": os_days,
            "os_event": (rng.random(patients) < 0.6).astype(float),
            "rfs_days": rfs_days,
            "rfs_event": 1.0,
            "mvi": (rng.random(patients) < 1 / (1 + np.exp(-2 * risk))).astype(float),
            "age_years": age.round(),
            "afp_ng_ml": (10**log_afp).round(1),
        },
        index=pd.Index([f"P{i:03d}" for i in range(patients)], name="patient_id"),
    )
    table.loc[rng.random(patients) < 0.2, ["os_days", "os_event"]] = np.nan
    for column in ("mvi", "age_years", "afp_ng_ml"):
        table.loc[rng.random(patients) < 0.2, column] = np.nan
    return table


def write_clinical_cohort(folder: Path, *, patients: int = 40) -> Path:
    """Write ``cohort.csv`` and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    cohort_table(patients).to_csv(folder / "cohort.csv")
    return folder / "cohort.csv"


def write_image_store(root: Path, *, patients: int = 20) -> None:
    """Write a prepared store of noise volumes, some phases missing."""
    table, rng = cohort_table(patients), np.random.default_rng(0)
    shape = (PHASES, EDGE, EDGE, EDGE)
    files, hashes = [], []
    for number, patient in enumerate(table.index):
        prepared = PreparedPatient(
            patient_id=patient,
            views={
                "tumor": PreparedView(
                    phases=("arterial", "portal_venous", "delayed"),
                    images=rng.random(shape).astype(np.float16),
                    regions=rng.integers(0, 8, shape, dtype=np.uint8),
                    phase_present=np.array([True, number % 5 != 0, True]),
                    geometry=Grid(origin=(0, 0, 0), spacing=(1, 1, 1), size=(EDGE, EDGE, EDGE)),
                )
            },
        )
        files.append(f"patients/{file_name(patient)}")
        write_prepared(root / files[-1], prepared)
        hashes.append(content_hash(prepared))
    table.to_csv(root / "patients.csv")
    manifest = pd.DataFrame({"patient_id": table.index, "file": files, "fingerprint": "x"})
    manifest["sha256"] = hashes
    manifest.to_csv(root / "manifest.csv", index=False)
    recipe = one_view(spacing_mm=1.0, field_of_view_mm=float(EDGE))
    text = json.dumps({"preparation": recipe.as_dict(), "fingerprint": recipe.fingerprint()})
    (root / "preparation.json").write_text(text)
    (root / "quarantine.csv").write_text("patient_id,step,reason\n")


def tiny_config(folder: Path, *flags: str, **changes: Any) -> tuple[ArgumentParser, Namespace]:
    """Return parser and config of a clinical run in ``folder``; flags and dotted keys beat it."""
    values = yaml.safe_load(CLINICAL_CONFIG)
    if not (folder / "cohort.csv").is_file():
        write_clinical_cohort(folder)
    values["data"] |= {"cohort": str(folder / "cohort.csv"), "store": str(folder / "store")}
    for key, value in changes.items():
        section, name = key.split("__")
        values[section][name] = value
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(values))
    parser = build_parser("")
    return parser, read_config(parser, ["--config", str(path), *flags])


def tiny_module(
    *, widths: tuple[int, ...] = (8,), seed: int = 0, **changes: Any
) -> MultiTaskModule:
    """Return a clinical module of two covariates; heads ``os`` and ``mvi`` unless changed."""
    torch.manual_seed(seed)
    arguments: dict[str, Any] = {
        "heads": {
            "os": lambda width: CoxHead(width, endpoint="os"),
            "mvi": lambda width: ClassHead(width, column="mvi"),
        },
        "fusion": lambda parts: FullyConnected(parts, widths=widths, dropout=0.0),
        "clinical": lambda covariates: ClinicalEncoder(covariates),
        "covariates": ["age_years", "afp_ng_ml"],
    }
    return MultiTaskModule(**arguments | changes)


def tiny_batch(patients: int = 12, *, seed: int = 0) -> PatientBatch:
    """Return standardized covariates and targets ``os_days``, ``os_event``, ``mvi``; some NaN."""
    table = cohort_table(patients, seed=seed)
    covariates = torch.randn(patients, 2, generator=torch.Generator().manual_seed(seed))
    covariates[0, 1] = torch.nan
    targets = {
        name: torch.tensor(table[name].to_numpy(), dtype=torch.float32)
        for name in ("os_days", "os_event", "rfs_days", "rfs_event", "mvi")
    }
    return PatientBatch(
        patient_id=table.index.tolist(),
        center=table["center"].tolist(),
        split=table["split"].tolist(),
        index=torch.arange(patients),
        views={},
        covariates=covariates,
        targets=targets,
    )


def with_images(
    batch: PatientBatch, *, seed: int = 0, views: tuple[str, ...] = ("tumor",)
) -> PatientBatch:
    """Return the batch with noise volumes and random regions, every phase present."""
    generator = torch.Generator().manual_seed(seed)
    shape = (len(batch), PHASES, EDGE, EDGE, EDGE)
    for name in views:
        images = torch.rand(shape, generator=generator)
        regions = torch.randint(0, 8, shape, generator=generator, dtype=torch.uint8)
        batch.views[name] = view_batch(images, regions)
    return batch


def rows_of(batch: PatientBatch, rows: list[int]) -> PatientBatch:
    """Return some patients of a batch."""
    return PatientBatch(
        patient_id=[batch.patient_id[row] for row in rows],
        center=[batch.center[row] for row in rows],
        split=[batch.split[row] for row in rows],
        index=batch.index[rows],
        views={name: view.map(lambda tensor: tensor[rows]) for name, view in batch.views.items()},
        covariates=None if batch.covariates is None else batch.covariates[rows],
        targets={name: values[rows] for name, values in batch.targets.items()},
    )
