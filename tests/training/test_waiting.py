"""A training step does not wait for the device: nothing of it asks the device for a number.

Without a GPU, tensors that stand for those on a device say who asked them, and count it by file.
With one (marked ``gpu``) torch itself says it.
"""

import traceback
import warnings
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
import torch
from lightning_fabric.utilities.apply_func import move_data_to_device
from one_view import view_batch
from tiny_training import tiny_batch, tiny_module
from torch import Tensor

import mtl_hcc.batch
from mtl_hcc.data.augmentation import PhaseDropout, Rotation3D, TimeJitter
from mtl_hcc.data.augmentation.affine import resample_by_grid
from mtl_hcc.data.augmentation.augment import Augmentation
from mtl_hcc.data.draws import TrainingBatch
from mtl_hcc.data.field_of_view import as_seen
from mtl_hcc.imaging.view import View
from mtl_hcc.losses import RiskBank
from mtl_hcc.nn import Concatenate, DenseNet, EncoderParts, RegionStem
from mtl_hcc.training.module import MultiTaskModule

PACKAGE = Path(__file__).parents[2] / "mtl_hcc"
PATIENTS, STORED, SEEN = 6, 20, 16
VIEWS = {
    "tumor": View(
        phases=["arterial", "portal_venous", "delayed"],
        spacing_mm=1.0,
        field_of_view_mm=float(SEEN),
        stored_field_mm=float(STORED),
    )
}
ASKING = {
    Tensor.cpu,
    Tensor.tolist,
    Tensor.item,
    Tensor.numpy,
    Tensor.__bool__,
    Tensor.__int__,
    Tensor.__float__,
    Tensor.__index__,
    Tensor.nonzero,
    Tensor.unique,
    Tensor.masked_select,
    torch.nonzero,
    torch.unique,
    torch.masked_select,
}
"""What makes the host wait; an index of bools does, too."""
ALLOWED = {
    # A NaN stops the training before it is in the weights: once for losses, once for gradients.
    "training/finite.py": 2,
}
"""File to how often it may ask in a step. The files of ``losses`` are not counted here."""


def training_batch() -> TrainingBatch:
    """Six patients as they are loaded, a phase of one missing."""
    plain = tiny_batch(PATIENTS)
    generator = torch.Generator().manual_seed(0)
    shape = (PATIENTS, 3, STORED, STORED, STORED)
    present = torch.ones(PATIENTS, 3, dtype=torch.bool)
    present[1, 1] = False
    images = torch.rand(shape, generator=generator)
    regions = torch.randint(0, 8, shape, generator=generator, dtype=torch.uint8)
    parts = vars(plain) | {"views": {"tumor": view_batch(images, regions, present)}}
    return TrainingBatch(**parts, draw=torch.zeros(PATIENTS, 2, dtype=torch.int64))


def module() -> MultiTaskModule:
    torch.manual_seed(0)
    tumor = EncoderParts(
        stem=lambda channels: RegionStem(channels, out_channels=4),
        backbone=lambda c: DenseNet(c, growth_rate=4, layers=(1, 1), pooled_regions=("tumor",)),
        aggregator=Concatenate,
    )
    bank = RiskBank(endpoints=["os"], capacity=32)
    return tiny_module(encoders={"tumor": tumor}, risk_bank=bank)


def step(trained: MultiTaskModule, batch: TrainingBatch) -> None:
    """Do what a training step does once the batch was moved."""
    transforms = [Rotation3D(), PhaseDropout(probability=0.5), TimeJitter()]
    augmentation = Augmentation(transforms, seed=0, views=VIEWS)
    seen = as_seen(augmentation(batch), VIEWS)
    result = trained.training_step(seen, 0)
    result["loss"].backward()
    trained.on_before_optimizer_step(torch.optim.SGD(trained.parameters(), lr=0.1))
    trained.on_train_batch_end(result, seen, 0)


class OnDevice(Tensor):
    """Stands for a tensor on a device; what is computed of it is there, too."""

    asked: ClassVar[Counter[str]] = Counter()

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        picks = func is Tensor.__getitem__ and any(
            isinstance(part, OnDevice) and part.dtype is torch.bool
            for part in (args[1] if isinstance(args[1], tuple) else (args[1],))
        )
        if (func in ASKING or picks) and isinstance(args[0], OnDevice):
            files = [Path(frame.filename) for frame in traceback.extract_stack()]
            ours = [path for path in files if path.is_relative_to(PACKAGE)]
            cls.asked[str(ours[-1].relative_to(PACKAGE)) if ours else "elsewhere"] += 1
            with torch._C.DisableTorchFunctionSubclass():
                found = func(*args, **kwargs or {})
            return found.as_subclass(Tensor) if func is Tensor.cpu else found
        return super().__torch_function__(func, types, args, kwargs or {})


def test_a_step_asks_the_device_for_nothing_but_whether_all_is_finite(monkeypatch):
    monkeypatch.setattr(
        mtl_hcc.batch, "to_device", lambda tensor, *_, **__: tensor.clone().as_subclass(OnDevice)
    )
    monkeypatch.setattr("mtl_hcc.data.augmentation.affine.resample_on_cpu", resample_by_grid)
    trained = module()
    for part in trained.modules():
        for name, buffer in part.named_buffers(recurse=False):
            setattr(part, name, buffer.as_subclass(OnDevice))
    for parameter in trained.parameters():
        parameter.register_post_accumulate_grad_hook(
            lambda part: setattr(part, "grad", part.grad.as_subclass(OnDevice))
        )
    batch = training_batch().to("cuda")
    assert isinstance(batch.views["tumor"].images, OnDevice)
    OnDevice.asked.clear()
    step(trained, batch)
    found = {
        name: count for name, count in OnDevice.asked.items() if not name.startswith("losses/")
    }
    assert found == ALLOWED


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_on_a_gpu_torch_sees_no_other_waiting():
    trained, batch = module().cuda(), training_batch().pin_memory().to("cuda")
    step(trained, training_batch().to("cuda"))  # what is made once
    torch.cuda.synchronize()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        torch.cuda.set_sync_debug_mode("warn")
        try:
            step(trained, batch)
        finally:
            torch.cuda.set_sync_debug_mode("default")
    found = Counter(
        str(Path(one.filename).relative_to(PACKAGE))
        for one in said
        if Path(one.filename).is_relative_to(PACKAGE)
    )
    assert {n: c for n, c in found.items() if not n.startswith("losses/")} == ALLOWED


@pytest.mark.parametrize("pinned", [True, False])
def test_copies_from_pinned_memory_are_not_waited_for(monkeypatch, pinned: bool):
    asked: list[bool] = []
    really = Tensor.to

    def moved(tensor: Tensor, *args: Any, non_blocking: bool = False, **kwargs: Any) -> Tensor:
        asked.append(non_blocking)
        return really(tensor, *args, **kwargs)

    monkeypatch.setattr(Tensor, "is_pinned", lambda tensor: pinned)
    batch = training_batch()
    monkeypatch.setattr(Tensor, "to", moved)
    move_data_to_device(batch, torch.device("meta"))  # as Lightning moves it
    tensors = 1 + len(batch.targets) + (batch.covariates is not None) + 5
    assert asked[:tensors] == [pinned] * tensors


def test_what_was_replaced_is_asked_for_again():
    seen = training_batch().to("cpu").views["tumor"]
    assert seen.phase_rows.tolist() == [k for k in range(18) if k != 4]
    other = replace(seen, phase_present=torch.zeros_like(seen.phase_present))
    assert other.phase_rows is None
    assert not other.on_cpu("phase_present").any()
    assert other.knowing(phase_present=seen.phase_present).phase_rows.equal(seen.phase_rows)
    assert seen.map(lambda tensor: tensor[1:]).phase_rows is None
    assert seen.only(torch.tensor([1])).phase_rows.tolist() == [0, 2]
    assert seen.only(torch.tensor([1])).spacing_mm.equal(seen.spacing_mm[[1]])


@pytest.mark.parametrize("missing", [False, True])
def test_the_network_is_compiled_in_one_piece(missing: bool):
    seen = training_batch()
    seen.views["tumor"].phase_present[1, 1] = not missing
    batch = as_seen(seen.plain().to("cpu"), VIEWS)
    torch._dynamo.reset()
    explained = torch._dynamo.explain(module().network)(batch)
    assert explained.graph_break_count == 0, explained.break_reasons
    torch._dynamo.reset()
