"""Question: how fast is a training step, what does each choice give, beside a plain reference?

The design of version 0.1 (``benchmarks/reference/ct_mtl.yaml``) and ``benchmarks/reference``, which
is the same network written straightforwardly, train on the same drawn patients: loading, rotation,
forward, losses, backward, clipping, optimizer. Contenders take turns, so that other jobs on the
machine disturb all alike; ratios are medians over the turns. On a CPU one thread works and
processor time counts; on a GPU the clock, with processes that load.

Command: ``python benchmarks/train_step.py`` (``--compile`` adds inductor, whose first step takes
minutes; ``--edge 64`` another size). Result: ``benchmarks/results/train_step.md``.
"""

import argparse
import contextlib
import itertools
import os
import platform
import statistics
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from reference.contender import Contender
from reference.drawn_patients import MM, PATIENTS, PHASES, DrawnPatients, TurnedPatients
from reference.straightforward import ReferenceStep
from torch import Tensor
from torch.utils.data import DataLoader

from mtl_hcc.batch import PatientBatch, RegionMaps, ViewBatch
from mtl_hcc.command_line.config import build_parser, instantiate, read_config
from mtl_hcc.data.dataset import PatientDataset
from mtl_hcc.data.draws import Draw
from mtl_hcc.nn import ImageEncoder

ROOT = Path(__file__).parents[1]
CONFIG = ROOT / "benchmarks" / "reference" / "ct_mtl.yaml"
BUILT_IN = ROOT / "configs" / "ct_mtl.yaml"
RESULT = Path(__file__).parent / "results" / "train_step.md"
Variant = dict[str, Any]
SHIPPED: Variant = {}
BLOCKS = "--model.encoders.tumor.backbone.init_args.mask_pooling=adaptive"
BEFORE: Variant = {"channels_last": False, "look_up": False, "flags": [BLOCKS]}
RELU = "--model.encoders.tumor.backbone.init_args.activation=relu"
VARIANTS: dict[str, Variant] = {
    "ours before: torch's layout, each mask compared, masks pooled in blocks": BEFORE,
    "and channels last": {"look_up": False, "flags": [BLOCKS]},
    "and masks looked up": {"flags": [BLOCKS]},
    "and masks pooled by strides: as shipped": SHIPPED,
    "the built-in job: coarser stem, moments, turns by right angles": {"config": BUILT_IN},
    "as shipped, ReLU for ELU": {"flags": [RELU]},
}
ON_GPU: dict[str, Variant] = {
    "as shipped, bfloat16 autocast": {"bf16": True},
    "as shipped, bfloat16 autocast, ReLU for ELU": {"bf16": True, "flags": [RELU]},
}
"""On a processor convolutions stay in float32: torch's are wrong in bfloat16 (nn/encoder.py)."""


HALF = "network alone, bfloat16, on random tensors"


def endless(size: int) -> list[list[Draw]]:
    """Return batches of draws, more than are ever asked for."""
    rounds = itertools.product(range(1000), range(0, PATIENTS, size))
    return [[Draw(first + k, epoch, 0) for k in range(size)] for epoch, first in rounds]


def our_parts(edge: int, variant: Variant) -> Any:
    """Return model and data of the shipped config, with a variant's settings."""
    parser = build_parser("training step")
    field = f"--data.preparation.views.tumor.field_of_view_mm={float(edge * MM)}"
    config = variant.get("config", CONFIG)
    flags = ["--config", str(config), field, *variant.get("flags", [])]
    torch.manual_seed(0)
    return instantiate(parser, read_config(parser, flags))


def plain_layout(network: torch.nn.Module) -> None:
    """Lay kernels and maps out as torch does by itself."""
    for part in network.modules():
        if isinstance(part, ImageEncoder):
            part.channels_last = False
    for weight in network.parameters():
        weight.data = weight.data.contiguous()


@contextlib.contextmanager
def masks_compared(instead: bool) -> Iterator[None]:
    """Compare the bits for each mask, as before, instead of looking them up."""
    look_up = RegionMaps.masks

    def compared(self: RegionMaps, regions: Any, *, dtype: torch.dtype = torch.float32) -> Tensor:
        return torch.stack([self.mask(name) for name in regions], dim=-1).to(dtype)

    RegionMaps.masks = compared if instead else look_up  # type: ignore[method-assign]
    try:
        yield
    finally:
        RegionMaps.masks = look_up  # type: ignore[method-assign]


def ours(store: DrawnPatients, variant: Variant, options: argparse.Namespace) -> Contender:
    """Return the shipped step with a variant's settings."""
    parts, device = our_parts(options.edge, variant), options.device
    module = parts.model.to(device).train()
    if not variant.get("channels_last", True):
        plain_layout(module.network)
    if variant.get("compile"):
        module.network.compile()
    dataset = PatientDataset(
        table=store.table,
        patient_ids=list(store.prepared),
        splits=pd.Series("train", index=store.table.index),
        target_names=parts.data.target_names,
        store=store,
        cache=parts.data.loading.array_cache(),
    )
    loader = DataLoader(
        dataset,
        batch_sampler=endless(options.batch),
        num_workers=options.workers,
        collate_fn=parts.data.collate,
        pin_memory=device != "cpu",
    )
    optimizer = torch.optim.AdamW(
        [part for part in module.parameters() if part.requires_grad], lr=1e-3, weight_decay=5e-2
    )

    def step(batch: PatientBatch) -> None:
        batch = parts.data.on_after_batch_transfer(batch.to(device, non_blocking=True), 0)
        optimizer.zero_grad()
        with (
            masks_compared(not variant.get("look_up", True)),
            torch.autocast(device, torch.bfloat16, enabled=variant.get("bf16", False)),
        ):
            result = module.training_step(batch, 0)
        result["loss"].backward()
        module.finite.gradients(module.parameters())
        torch.nn.utils.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        module.on_train_batch_end(result, batch, 0)

    return Contender(loader, step, device=device)


def network_alone(variant: Variant, options: argparse.Namespace) -> Contender:
    """Return steps of the shipped network on random tensors that lie on the device already."""
    device, edge, size = options.device, options.edge, options.batch
    network = our_parts(edge, variant).model.network.to(device).train()
    shape = (size, len(PHASES), edge, edge, edge)
    view = ViewBatch(
        images=torch.rand(shape, device=device),
        regions=torch.randint(0, 8, shape, dtype=torch.uint8, device=device),
        region_bits={"liver": 1, "tumor": 2, "loat": 8, "margin": 4},
        phase_present=torch.ones(shape[:2], dtype=torch.bool, device=device),
        slice_present=torch.ones(size, edge, dtype=torch.bool, device=device),
        spacing_mm=torch.full((size, 3), float(MM), device=device),
    )
    names = [""] * size
    batch = PatientBatch(names, names, names, torch.arange(size), {"tumor": view}, None, {})
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3, weight_decay=5e-2)

    def step(batch: PatientBatch) -> None:
        optimizer.zero_grad()
        with torch.autocast(device, torch.bfloat16, enabled=variant.get("bf16", False)):
            outputs = network(batch)
        torch.stack([output.square().mean() for output in outputs.values()]).sum().backward()
        optimizer.step()

    return Contender(itertools.repeat(batch), step, device=device)  # type: ignore[arg-type]


def reference(store: DrawnPatients, options: argparse.Namespace, *, momentum: bool) -> Contender:
    """Return the straightforward step, from the weights of ours."""
    weights = our_parts(options.edge, SHIPPED).model.network.state_dict()
    train = ReferenceStep(
        weights, batch_size=options.batch, device=options.device, momentum=momentum
    )
    loader = DataLoader(
        TurnedPatients(store),
        batch_sampler=[[draw.position for draw in batch] for batch in endless(options.batch)],
        num_workers=options.workers,
        collate_fn=lambda samples: samples,
    )

    def step(samples: list[Any]) -> None:
        labels, days = (torch.stack([sample[k] for sample in samples]) for k in (1, 2))
        train([sample[0] for sample in samples], labels, days)

    return Contender(loader, step, device=options.device)


def agreement(store: DrawnPatients, options: argparse.Namespace) -> float:
    """Return how far the reference's outputs are from ours, the same weights in evaluation mode."""
    parts = our_parts(options.edge, {"flags": [BLOCKS]})  # as the reference pools them
    train = ReferenceStep(
        parts.model.network.state_dict(), batch_size=2, device="cpu", momentum=False
    )
    arrays = [store.load(name).views["tumor"] for name in ("P00", "P01")]
    images = torch.stack([torch.tensor(a.images).float() for a in arrays])
    regions = torch.stack([torch.tensor(a.regions) for a in arrays])
    there = torch.ones(2, 3, dtype=torch.bool)
    view = ViewBatch(
        images, regions, parts.data.preparation.region_bits, there, there, torch.ones(2, 3)
    )
    batch = PatientBatch([""] * 2, [""] * 2, [""] * 2, torch.arange(2), {"tumor": view}, None, {})
    with torch.no_grad():
        found = parts.model.network.eval()(batch)
        expected = train.network.eval()((images, regions))
    together = torch.cat([found[name] for name in ("os", "rfs", "mvi")], dim=1)
    return float((together - expected).abs().max())


def measure(options: argparse.Namespace) -> list[str]:
    """Return the rows of one device's table."""
    store = DrawnPatients(options.edge)
    on_gpu = options.device != "cpu"
    variants = VARIANTS | (ON_GPU if on_gpu else {})
    if options.compile:
        variants["as shipped, inductor"] = {"compile": True}
    if options.compile and on_gpu:
        variants["as shipped, inductor, bfloat16 autocast"] = {"compile": True, "bf16": True}
    contenders = {
        "reference, Momentum": reference(store, options, momentum=True),
        "reference, plain Cox loss": reference(store, options, momentum=False),
        **{name: ours(store, variant, options) for name, variant in variants.items()},
        "network alone, as shipped, on random tensors": network_alone(SHIPPED, options),
    }
    if on_gpu:
        contenders[HALF] = network_alone({"bf16": True}, options)
    for turn in range(options.repeats + 1):
        for contender in contenders.values():
            contender.turn(1 if turn == 0 else options.steps)
    first, plain = (contender.seconds[1:] for contender in list(contenders.values())[:2])
    alone = contenders["network alone, as shipped, on random tensors"].seconds[1:]
    rows = []
    for name, contender in contenders.items():
        seconds = contender.seconds[1:]
        same = contenders[HALF].seconds[1:] if "bfloat16" in name else alone
        rows.append(
            f"| {name} | {1000 * statistics.median(seconds):.0f} "
            f"| {options.batch / statistics.median(seconds):.1f} "
            f"| {ratio(first, seconds):.2f} | {ratio(plain, seconds):.2f} "
            f"| {statistics.median(contender.waiting[1:]):.1%} | {ratio(same, seconds):.0%} |"
        )
    return rows


def ratio(one: list[float], other: list[float]) -> float:
    """Return the median over the turns of how many times longer the one took."""
    return statistics.median(a / b for a, b in zip(one, other, strict=True))


HEAD = (
    "| step | ms | patients a second | times the reference | times the plain reference "
    "| waits for data | of the network alone |\n|---|---:|---:|---:|---:|---:|---:|"
)


def table(options: argparse.Namespace, **settings: Any) -> str:
    """Return one device's table."""
    chosen = argparse.Namespace(**{**vars(options), **settings})
    rows = "\n".join(measure(chosen))
    return (
        f"{chosen.edge} cubed, batch {chosen.batch}, {len(PHASES)} phases, {chosen.workers} "
        f"processes that load, {chosen.repeats} turns of {chosen.steps} steps:\n\n{HEAD}\n{rows}"
    )


def main() -> None:
    """Measure on each device that is there, and write the tables."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--edge", type=int, default=48)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--compile", action="store_true")
    parser.add_argument("--result", type=Path, default=RESULT)
    options = parser.parse_args()
    torch.set_num_threads(1)
    apart = agreement(DrawnPatients(options.edge), options)
    cpu = table(options, device="cpu", workers=0, steps=1)
    gpu = "not measured yet: no GPU was at hand"
    if torch.cuda.is_available():
        workers = min(8, os.cpu_count() or 1)
        gpu = f"{torch.cuda.get_device_name()}, " + table(
            options, device="cuda", workers=workers, steps=20
        )
    flags = " --compile" if options.compile else ""
    options.result.write_text(
        "# How fast is a training step, and what does each choice give?\n\n"
        f"Command: `python benchmarks/train_step.py --edge {options.edge} --batch {options.batch} "
        f"--repeats {options.repeats}{flags}`\n\n"
        "The reference is the same network: in evaluation mode, with the same weights, its outputs "
        f"are within {apart:.0e} of ours.\nThe last column is the time of the network alone "
        "(of the same precision) on random tensors, over that of the step.\n\n"
        f"## CPU, one thread, processor time\n\n{cpu}\n\n## GPU\n\n{gpu}\n\n"
        f"Machine: {os.cpu_count()} CPU cores ({torch.backends.cpu.get_cpu_capability()}), "
        f"{platform.machine()}, torch {torch.__version__}, MONAI {version('monai')}, TorchIO "
        f"{version('torchio')}, TorchSurv {version('torchsurv')}. Other jobs may have run on it at "
        "the same time: compare within a table.\n"
    )
    print(options.result.read_text())


if __name__ == "__main__":
    main()
