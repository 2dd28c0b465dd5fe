"""Question: how much of a training step do loading and augmentation take on a CPU?

Two tables. (a) The shipped job ``configs/ct_mtl.yaml`` trains two epochs; the time between the
steps (loading, batching, rotation, time jitter, and Lightning's own work) is set beside the time
of the steps (forward, losses, backward, optimizer). (b) The on-device rotation and TorchIO's
``RandomAffine(scales=0, degrees=180)`` turn the same prepared patients, three phases and their
region maps, and the same patients enlarged; likewise noise and bias field.

Command: ``python benchmarks/input_pipeline.py`` (more flags go to the config, e.g.
``--data.store PATH``). Result: ``benchmarks/results/input_pipeline.md``. Without a store the
phantom cohort is made and prepared first, which takes some minutes.
"""

import os
import platform
import sys
import time
import warnings
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytorch_lightning as lightning
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own abbreviation)
from torch import Tensor

from mtl_hcc.command_line.config import build_parser, instantiate, read_config
from mtl_hcc.data.augmentation import BiasField, Noise
from mtl_hcc.data.augmentation.affine import resample
from mtl_hcc.data.augmentation.rotation_3d import draw_rotations

CONFIG = Path(__file__).parents[1] / "configs" / "ct_mtl.yaml"
RESULT = Path(__file__).parent / "results" / "input_pipeline.md"
PATIENTS = 16
EDGES = (48, 64, 96)
REPEATS = 7


def now() -> np.ndarray:
    """Return the clock and the processor time of this process, in seconds."""
    return np.array([time.perf_counter(), time.process_time()])


class StepTimes(lightning.Callback):
    """Times inside the training steps, and between them, epoch by epoch.

    Each entry is (seconds on the clock, processor seconds): the second is not disturbed by other
    jobs on the machine, but does not see waiting for the disk.
    """

    def __init__(self) -> None:
        self.steps: list[list[np.ndarray]] = []
        self.gaps: list[list[np.ndarray]] = []
        self._began = self._ended = now()

    def on_train_epoch_start(self, *_: Any) -> None:
        """Begin a new epoch."""
        self.steps.append([])
        self.gaps.append([])
        self._ended = now()

    def on_train_batch_start(self, *_: Any) -> None:
        """The batch is there, augmented."""
        self._began = now()
        self.gaps[-1].append(self._began - self._ended)

    def on_train_batch_end(self, *_: Any) -> None:
        """The optimizer has made its step."""
        self._ended = now()
        self.steps[-1].append(self._ended - self._began)


def time_training(flags: list[str]) -> tuple[list[str], tuple[Tensor, Tensor]]:
    """Return the rows of table (a), and prepared images and regions for table (b)."""
    parser = build_parser("input pipeline")
    config = read_config(parser, ["--config", str(CONFIG), "--trainer.max_epochs", "2", *flags])
    parts = instantiate(parser, config)
    settings = {
        **dict(config.trainer),
        "enable_progress_bar": False,
        "enable_checkpointing": False,
        "limit_val_batches": 0,
    }
    times = StepTimes()
    trainer = lightning.Trainer(
        **settings,
        logger=False,
        callbacks=[times],
        use_distributed_sampler=False,
    )
    trainer.fit(parts.model, parts.data)
    rows = []
    for name, steps, gaps in zip(
        ("first (arrays read from disk)", "second"), times.steps, times.gaps, strict=True
    ):
        step, gap = 1000 * np.mean(steps, axis=0), 1000 * np.mean(gaps, axis=0)
        clock, processor = gap / (gap + step)
        rows.append(
            f"| {name} | {len(steps)} | {step[0]:.0f} | {gap[0]:.0f} "
            f"| {clock:.1%} | {processor:.1%} |"
        )
    dataset = parts.data.train_dataloader().dataset
    samples = [dataset[place].views["tumor"] for place in range(min(PATIENTS, len(dataset)))]
    volumes = (torch.stack([s.images for s in samples]), torch.stack([s.regions for s in samples]))
    return rows, volumes


def best_ms(work: Callable[[], object], patients: int) -> float:
    """Return the best time per patient in milliseconds: what other jobs do not disturb."""
    times = []
    for _ in range(REPEATS + 1):
        began = time.perf_counter()
        work()
        times.append(time.perf_counter() - began)
    return 1000 * min(times[1:]) / patients


def time_rotation(images: Tensor, regions: Tensor) -> list[str]:
    """Return the rows of table (b)."""
    import torchio as tio

    affine = tio.RandomAffine(scales=0, degrees=180, default_pad_value=0)
    rows = []
    for edge in EDGES:
        patients = len(images) if edge <= 64 else min(4, len(images))
        size = (edge, edge, edge)
        large = F.interpolate(images[:patients].float(), size=size)
        labels = F.interpolate(regions[:patients], size=size)
        generators = [np.random.default_rng(patient) for patient in range(patients)]
        subjects = [
            tio.Subject(images=tio.ScalarImage(tensor=x), regions=tio.LabelMap(tensor=y))
            for x, y in zip(large, labels, strict=True)
        ]
        ours = best_ms(lambda: resample(large, labels, draw_rotations(generators)), patients)  # noqa: B023
        theirs = best_ms(lambda: [affine(subject) for subject in subjects], patients)  # noqa: B023
        rows.append(row("rotation", edge, patients, ours, theirs))
        rows += time_intensities(large, generators)
    return rows


def time_intensities(images: Tensor, generators: list[np.random.Generator]) -> list[str]:
    """Return the rows of table (b) for noise, which is TorchIO's, and for the bias field."""
    import torchio as tio

    patients, edge = len(images), images.shape[-1]
    rows = []
    for transform, theirs in ((Noise(), tio.RandomNoise()), (BiasField(), tio.RandomBiasField())):
        drawn = transform.draw(generators)
        one = best_ms(lambda: transform.change(images, drawn, place=0), patients)  # noqa: B023
        other = best_ms(lambda: [theirs(image) for image in images], patients)  # noqa: B023
        rows.append(row(type(transform).__name__, edge, patients, one, other))
    return rows


def row(name: str, edge: int, patients: int, ours: float, theirs: float) -> str:
    """Return a row of table (b)."""
    return (
        f"| {name} | {edge} x {edge} x {edge} | {patients} | {ours:.1f} | {theirs:.1f} "
        f"| {theirs / ours:.1f} |"
    )


def main() -> None:
    """Time both and write the tables."""
    warnings.filterwarnings("ignore", ".*does not have many workers.*")
    training, volumes = time_training(sys.argv[1:])
    rotation = time_rotation(*volumes)
    flags = " ".join(["", *sys.argv[1:]])
    names = ("OMP_NUM_THREADS", "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS")  # torch's, TorchIO's
    threads = "".join(f"{name}={os.environ[name]} " for name in names if name in os.environ)
    RESULT.parent.mkdir(exist_ok=True)
    RESULT.write_text(
        "# How much of a training step do loading and augmentation take?\n\n"
        f"Command: `{threads}python benchmarks/input_pipeline.py{flags}`\n\n"
        "`configs/ct_mtl.yaml`, all that lies between two steps against the steps:\n\n"
        "| epoch | steps | step, ms | loading + augmentation, ms | share of the time "
        "| share of the processor time |\n|---|---:|---:|---:|---:|---:|\n"
        + "\n".join(training)
        + "\n\nTransforms of three phases (rotation: and of their region maps), best of 7,\n"
        "milliseconds per patient; noise is TorchIO's own, with seeds of ours:\n\n"
        "| transform | voxels | patients in a batch | ours | TorchIO | times faster |\n"
        "|---|---|---:|---:|---:|---:|\n"
        + "\n".join(rotation)
        + f"\n\nMachine: {os.cpu_count()} CPU cores ({torch.get_num_threads()} used by torch), "
        f"{platform.machine()}, torch {torch.__version__}, TorchIO {version('torchio')}.\n"
    )
    print(RESULT.read_text())


if __name__ == "__main__":
    main()
