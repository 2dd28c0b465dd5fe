"""Two ranks (gloo, CPU) against one: the same gradients, metrics, bank and training."""

import functools
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from jsonargparse import ArgumentParser, Namespace
from tiny_training import (
    IMAGE_SETTINGS,
    rows_of,
    tiny_batch,
    tiny_config,
    tiny_module,
    with_images,
    write_image_store,
)
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from mtl_hcc.batch import PatientBatch
from mtl_hcc.data.datamodule import CohortDataModule
from mtl_hcc.losses import RiskBank, UncertaintyWeights
from mtl_hcc.nn import (
    AxialSlices,
    Concatenate,
    DenseNet,
    EncoderParts,
    GatedAttention,
    GatedFusion,
    Mean,
    Nested,
    RegionStem,
)
from mtl_hcc.runs.train_fold import train_fold
from mtl_hcc.training.module import MultiTaskModule

PATIENTS = 11
SHARES = ([0, 1, 2, 3, 4, 5, 6], [7, 8, 9, 10])  # uneven
VIEWS = ("liver", "tumor")
CASES = ["all labels", "no events", "no labels", "no phases", "no liver view", "nobody labeled"]
DROPOUT = '{"class_path": "PhaseDropout", "init_args": {"probability": 0.3}}'
AVERAGE = ["--model.weight_average.decay", "0.9"]
FLAGS = ["--trainer.max_epochs", "2", "--data.augmentation+", DROPOUT, *AVERAGE]


def batch_of(case: str) -> PatientBatch:
    """Return the global batch; what a case lacks, the second rank's patients lack."""
    batch = with_images(tiny_batch(PATIENTS), views=VIEWS)
    second = slice(SHARES[1][0], None)
    if case == "no events":
        batch.targets["os_event"][second] = 0
        batch.targets["mvi"][second] = 0
    if case in ("no labels", "nobody labeled"):
        for values in batch.targets.values():
            values[second if case == "no labels" else slice(None)] = torch.nan
    if case in ("no phases", "no liver view"):
        batch.views["liver"].phase_present[second] = False
        batch.views["tumor"].phase_present[second] = case == "no liver view"
    return batch


def module_with_bank() -> MultiTaskModule:
    torch.manual_seed(0)
    flat = {"dimensions": "2d"}
    liver = EncoderParts(  # a bag of slices, sent in chunks
        instances=AxialSlices(),
        stem=lambda channels: RegionStem(channels, out_channels=4, **flat),
        backbone=lambda c: DenseNet(c, growth_rate=4, layers=(1, 1), norm="instance", **flat),
        aggregator=lambda width: Nested(width, within=GatedAttention, over=Mean),
        instances_per_chunk=100,
    )
    tumor = EncoderParts(
        stem=lambda channels: RegionStem(channels, out_channels=4),
        backbone=lambda c: DenseNet(c, growth_rate=4, layers=(1, 1), norm="instance"),
        aggregator=Concatenate,
    )
    return tiny_module(
        encoders={"liver": liver, "tumor": tumor},
        fusion=lambda parts: GatedFusion(parts, width=8, dropout=0.0),
        weighting=UncertaintyWeights(),  # a weight that every rank learns after gathering
        risk_bank=RiskBank(endpoints=["os"], capacity=32),
        target_decay=0.9,
    )


class Step(nn.Module):
    """Lets the training step go through DistributedDataParallel, as Lightning does."""

    def __init__(self, module: MultiTaskModule) -> None:
        super().__init__()
        self.module = module

    def forward(self, batch: PatientBatch) -> dict[str, Any]:
        return self.module.training_step(batch, 0)


def two_steps(case: str, *, rank: int | None) -> dict[str, Any]:
    """Return what a rank (``None``: the only one) finds; the second step meets a filled bank."""
    module = module_with_bank()
    step = Step(module) if rank is None else DistributedDataParallel(Step(module))
    batch = batch_of(case)
    if rank is not None:
        batch = rows_of(batch, SHARES[rank])
    found: dict[str, Any] = {}
    for number in range(2):
        module.zero_grad()
        outputs = step(batch)
        outputs["loss"].backward()
        module.on_train_batch_end(outputs, batch, number)
        found[f"loss {number}"] = outputs["loss"].detach()
    gradients = {name: p.grad for name, p in module.named_parameters() if p.requires_grad}
    epoch = module.epochs["train"]
    found["gradient"] = torch.cat([gradient.flatten() for gradient in gradients.values()])
    found["numbers"] = epoch.monitor(epoch.mean_losses())
    found["bank"] = dict(module.risk_bank.state_dict())
    return found


def flags_of(folder: Path, *flags: str) -> tuple[ArgumentParser, Namespace]:
    """Return the config of a run without dropout and batch norm, on the store in ``folder``."""
    settings: dict[str, Any] = dict(IMAGE_SETTINGS)
    backbone = {"growth_rate": 4, "layers": [1, 1], "norm": "instance"}
    image = IMAGE_SETTINGS["model__encoders"]["tumor"]
    image = image | {"backbone": {"class_path": "DenseNet", "init_args": backbone}}
    settings["model__encoders"] = {"tumor": image}
    settings["model__clinical"] = "ClinicalEncoder"
    settings["model__fusion"] = {"class_path": "FullyConnected", "init_args": {"dropout": 0.0}}
    return tiny_config(folder, *FLAGS, *flags, **settings)


def one_of_two_ranks(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    torch.save({case: two_steps(case, rank=rank) for case in CASES}, f"{folder}/rank{rank}.pt")

    # Lightning takes processes that somebody else has started, and their process group.
    os.environ |= {"LOCAL_RANK": str(rank), "NODE_RANK": "0", "WORLD_SIZE": "2"}
    CohortDataModule.prepare_data = lambda self: None  # the store is there
    own = Path(folder) / f"rank{rank}"
    own.mkdir()
    devices = ["--trainer.devices", "2", "--trainer.strategy", "ddp"]
    parser, config = flags_of(own, *devices, "--data.store", f"{folder}/store")
    trained = train_fold(parser, config, Path(folder) / "two", fold=0)
    assert (trained is None) == (rank == 1)
    if trained is not None:
        trained.predictions.to_csv(f"{folder}/predictions.csv", index=False)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return where two ranks have left their findings."""
    folder = tmp_path_factory.mktemp("ranks")
    write_image_store(folder / "store")
    mp.spawn(one_of_two_ranks, (str(folder),), nprocs=2)
    return folder


@pytest.fixture(scope="module")
def ranks(folder: Path) -> list[dict[str, dict[str, Any]]]:
    return [torch.load(folder / f"rank{rank}.pt", weights_only=True) for rank in (0, 1)]


def cosine_and_norm_ratio(one: Tensor, other: Tensor) -> tuple[float, float]:
    one, other = one.double(), other.double()
    return float(one @ other / one.norm() / other.norm()), float(other.norm() / one.norm())


@functools.cache
def one_rank(case: str) -> dict[str, Any]:
    return two_steps(case, rank=None)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_two_ranks_have_the_gradient_of_one(case: str, ranks: list[dict[str, dict[str, Any]]]):
    expected = one_rank(case)
    for rank in ranks:
        found = rank[case]
        if case == "nobody labeled":
            assert found["gradient"].equal(torch.zeros_like(found["gradient"]))
            continue
        cosine, ratio = cosine_and_norm_ratio(expected["gradient"], found["gradient"])
        assert cosine == pytest.approx(1, abs=1e-6)
        assert ratio == pytest.approx(1, abs=1e-5)
        torch.testing.assert_close(found["gradient"], expected["gradient"], rtol=1e-3, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_two_ranks_have_the_losses_metrics_and_bank_of_one(
    case: str, ranks: list[dict[str, dict[str, Any]]]
):
    expected = one_rank(case)
    for rank in ranks:
        for number in ("loss 0", "loss 1"):
            torch.testing.assert_close(rank[case][number], expected[number])
        assert rank[case]["numbers"] == pytest.approx(expected["numbers"], rel=1e-4, nan_ok=True)
        torch.testing.assert_close(rank[case]["bank"], expected["bank"], equal_nan=True)


@pytest.mark.slow
def test_a_training_on_two_devices_is_that_on_one(folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(CohortDataModule, "prepare_data", lambda self: None)
    parser, config = flags_of(folder, "--trainer.devices", "1", "--data.store", f"{folder}/store")
    trained = train_fold(parser, config, folder / "one", fold=0)
    one, two = (pd.read_csv(folder / name / "history.csv") for name in ("one", "two"))
    assert len(one) == 2
    numbers = [name for name in one if not name.startswith("system/")]
    pd.testing.assert_frame_equal(two[numbers], one[numbers], rtol=1e-3, atol=1e-5)
    predictions = pd.read_csv(folder / "predictions.csv", dtype={"fold": int})
    risk = trained.predictions["risk"].to_numpy()
    assert predictions["risk"].to_numpy() == pytest.approx(risk, abs=1e-3, nan_ok=True)
