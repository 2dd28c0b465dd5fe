"""Drawn livers with a tumor: what both training steps of ``benchmarks/train_step.py`` get."""

import numpy as np
import pandas as pd
import torch
from reference.straightforward import turned
from torch import Tensor
from torch.utils.data import Dataset

from mtl_hcc.imaging.grid import Grid
from mtl_hcc.imaging.prepared_patient import PreparedPatient, PreparedView

PHASES = ("arterial", "portal_venous", "delayed")
PATIENTS, MM = 24, 2


class DrawnPatients:
    """A store of drawn livers with a tumor, in memory."""

    def __init__(self, edge: int) -> None:
        rng = np.random.default_rng(0)
        places = np.indices((edge,) * 3) - (edge - 1) / 2
        self.prepared = {}
        for number in range(PATIENTS):
            tumor = np.linalg.norm(places, axis=0) - rng.uniform(edge / 8, edge / 4)
            liver = np.linalg.norm(places * [[[[1]]], [[[0.8]]], [[[0.7]]]], axis=0) < 0.45 * edge
            regions = (liver | (tumor < 0)) * 1 + (tumor < 0) * 2 + (abs(tumor) < 1) * 4
            regions = np.stack([regions.astype(np.uint8)] * len(PHASES))
            images = rng.random(regions.shape).astype(np.float16) * (regions > 0)
            self.prepared[f"P{number:02d}"] = PreparedPatient(
                f"P{number:02d}",
                {
                    "tumor": PreparedView(
                        phases=PHASES,
                        images=images,
                        regions=regions,
                        phase_present=np.ones(len(PHASES), bool),
                        geometry=Grid(origin=(0, 0, 0), spacing=(MM,) * 3, size=(edge,) * 3),
                    )
                },
            )
        days = rng.exponential(900, (PATIENTS, 2)).round() + 30
        self.table = pd.DataFrame(
            {
                "center": "I",
                "os_days": days.max(axis=1),
                "os_event": rng.integers(0, 2, PATIENTS),
                "rfs_days": days.min(axis=1),
                "rfs_event": 1,
                "mvi": rng.integers(0, 2, PATIENTS),
            },
            index=pd.Index(list(self.prepared), name="patient_id"),
        )

    def load(self, patient_id: str, /) -> PreparedPatient:
        """Return one patient's arrays."""
        return self.prepared[patient_id]


class TurnedPatients(Dataset[tuple[tuple[Tensor, Tensor], Tensor, Tensor]]):
    """What the reference trains on, turned where it is loaded, as TorchIO is used."""

    def __init__(self, store: DrawnPatients) -> None:
        arrays = [patient.views["tumor"] for patient in store.prepared.values()]
        self.arrays = [(torch.tensor(a.images), torch.tensor(a.regions)) for a in arrays]
        self.labels = torch.tensor(store.table[["os_event", "rfs_event", "mvi"]].to_numpy(float))
        self.days = torch.tensor(store.table[["os_days", "rfs_days"]].to_numpy(float))

    def __getitem__(self, row: int) -> tuple[tuple[Tensor, Tensor], Tensor, Tensor]:
        """Return turned images and regions, labels and days."""
        images, regions = self.arrays[row]
        return turned(images.float(), regions), self.labels[row], self.days[row]
