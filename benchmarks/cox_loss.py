"""Question: how long does the Cox loss take, how much memory, and what does exactness cost?

Compares, forward and backward on one thread, a plain loss (``logcumsumexp`` over the sorted
patients; wrong wherever two of them share a time), ``mtl_hcc.losses.neg_partial_log_likelihood``
and TorchSurv's; with distinct times (where all are right) and with whole-day times (events tied
with events and with censorings, where only ours is). Processor time, and the three take turns, so
that a busy machine is no matter. Memory is the most that a fresh process held beyond the batch.
About a minute.

Command: ``python benchmarks/cox_loss.py``. Result: ``benchmarks/results/cox_loss.md``.
"""

import importlib.metadata
import os
import platform
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
import torchsurv.loss.cox as torchsurv_cox
from rich.progress import track
from torch import Tensor

from mtl_hcc.losses import neg_partial_log_likelihood

SIZES = (8, 80, 400, 10_000, 100_000, 1_000_000)
LARGEST = SIZES[-1]
RESULT = Path(__file__).parent / "results" / "cox_loss.md"


def plain(h: Tensor, days: Tensor, event: Tensor) -> Tensor:
    """Return the textbook's loss without ties, in four operations."""
    order = days.argsort(descending=True)
    h, event = h[order], event[order]
    return (h.logcumsumexp(0) - h)[event].mean()


def torchsurv(h: Tensor, days: Tensor, event: Tensor) -> Tensor:
    """Return TorchSurv's loss."""
    return torchsurv_cox.neg_partial_log_likelihood(h, event, days)


LOSSES: dict[str, Callable[[Tensor, Tensor, Tensor], Tensor]] = {
    "plain": plain,
    "ours": neg_partial_log_likelihood,
    "TorchSurv": torchsurv,
}


def cohort(n: int, *, whole_days: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Return log hazards, times in days (a year at most) and events (40%)."""
    draw = torch.Generator().manual_seed(n)
    time_days = torch.randperm(n, generator=draw).double() * 365 / n
    event = torch.rand(n, generator=draw) < 0.4
    event[0] = True
    return torch.randn(n, generator=draw), time_days.ceil() if whole_days else time_days, event


def milliseconds(h: Tensor, *labels: Tensor) -> dict[str, float]:
    """Return the median processor time of forward and backward of each loss."""
    times: dict[str, list[float]] = {name: [] for name in LOSSES}
    rounds, began = 0, time.process_time()
    while rounds < 5 or (time.process_time() - began < 1.5 and rounds < 200):
        rounds += 1
        for name, loss in LOSSES.items():
            leaf = h.clone().requires_grad_()
            start = time.process_time()
            loss(leaf, *labels).backward()
            times[name].append(time.process_time() - start)
    return {name: 1000 * statistics.median(values) for name, values in times.items()}


def held_mb(kind: str) -> float:
    """Return the memory of this process (Linux), ``VmRSS`` now or ``VmHWM`` at most, in MB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(kind)) / 1024


def print_memory(name: str, whole_days: bool) -> None:
    """Print the most that one loss held beyond its batch."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    few = cohort(SIZES[2], whole_days=whole_days)
    LOSSES[name](few[0].requires_grad_(), *few[1:]).backward()
    h, days, event = cohort(LARGEST, whole_days=whole_days)
    h.requires_grad_()
    Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts here
    before = held_mb("VmRSS")
    LOSSES[name](h, days, event).backward()
    print(round(held_mb("VmHWM") - before))


def megabytes(name: str, *, whole_days: bool) -> str:
    """Return what :func:`print_memory` prints in a process of its own."""
    answer = subprocess.run(
        [sys.executable, __file__, name, *(["whole days"] if whole_days else [])],
        env=os.environ | {"MALLOC_MMAP_THRESHOLD_": "65536"},  # freed arrays are given back
        capture_output=True,
        text=True,
        check=True,
    )
    return answer.stdout.strip()


def main() -> None:
    """Time all sizes and write the table."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # TorchSurv warns about every tied batch
    rows = []
    for n in track(SIZES, "timing the Cox loss"):
        cells = [f"{n:,}"]
        for whole_days in (False, True):
            found = milliseconds(*cohort(n, whole_days=whole_days))
            cells += [
                f"{value:,.2f}" if value < 10 else f"{value:,.0f}" for value in found.values()
            ]
        rows.append(cells)
    memory = [
        megabytes(name, whole_days=whole_days) for whole_days in (False, True) for name in LOSSES
    ]
    rows.append([f"memory at {LARGEST:,}, MB", *memory])
    names = [f"{name}, {times}" for times in ("distinct", "whole days") for name in LOSSES]
    RESULT.write_text(
        "# How long does the Cox loss take?\n\n"
        "Median milliseconds of processor time for forward and backward, Efron's ties, float32,\n"
        "40% events. With whole-day times only ours is right: the plain loss puts tied patients\n"
        "into an order, and TorchSurv's value depends on the row order.\n\n"
        "Command: `python benchmarks/cox_loss.py`\n\n"
        f"| patients | {' | '.join(names)} |\n"
        f"|---:|{'---:|' * len(names)}\n"
        + "\n".join(f"| {' | '.join(cells)} |" for cells in rows)
        + f"\n\nMachine: {os.cpu_count()} CPU cores (one thread used), {platform.machine()}, "
        f"torch {torch.__version__}, "
        f"TorchSurv {importlib.metadata.version('torchsurv')}.\n"
    )
    print(RESULT.read_text())


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print_memory(sys.argv[1], len(sys.argv) > 2)
    else:
        main()
