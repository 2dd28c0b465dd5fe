"""Question: how long does the Cox loss take, forward and backward, and what does exactness cost?

Compares ``mtl_hcc.losses.neg_partial_log_likelihood`` with TorchSurv's, on one thread, with
distinct times (where both are right) and with whole-day times (events tied with events and with
censorings, where TorchSurv's value depends on the row order). About half a minute.

Command: ``python benchmarks/cox_loss.py``. Result: ``benchmarks/results/cox_loss.md``.
"""

import importlib.metadata
import os
import platform
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
import torchsurv.loss.cox as torchsurv_cox
from rich.progress import track
from torch import Tensor

from mtl_hcc.losses import neg_partial_log_likelihood

SIZES = (32, 400, 10_000, 100_000, 1_000_000)
RESULT = Path(__file__).parent / "results" / "cox_loss.md"


def cohort(n: int, *, whole_days: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Return log hazards, times in days (a year at most) and events (40%)."""
    draw = torch.Generator().manual_seed(n)
    time_days = torch.randperm(n, generator=draw).double() * 365 / n
    event = torch.rand(n, generator=draw) < 0.4
    return torch.randn(n, generator=draw), time_days.ceil() if whole_days else time_days, event


def milliseconds(loss: Callable[..., Tensor], h: Tensor, *labels: Tensor) -> float:
    """Return the median time of forward and backward."""
    times: list[float] = []
    while len(times) < 3 or (sum(times) < 0.5 and len(times) < 200):
        leaf = h.clone().requires_grad_()
        began = time.perf_counter()
        loss(leaf, *labels).backward()
        times.append(time.perf_counter() - began)
    return 1000 * statistics.median(times)


def main() -> None:
    """Time all sizes and write the table."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")  # TorchSurv warns about every tied batch
    rows = []
    for n in track(SIZES, "timing the Cox loss"):
        cells = [f"{n:,}"]
        for whole_days in (False, True):
            h, days, event = cohort(n, whole_days=whole_days)
            ours = milliseconds(neg_partial_log_likelihood, h, days, event)
            theirs = milliseconds(torchsurv_cox.neg_partial_log_likelihood, h, event, days)
            cells += [f"{value:,.1f}" for value in (ours, theirs)]
        rows.append("| " + " | ".join(cells) + " |")
    RESULT.write_text(
        "# How long does the Cox loss take?\n\n"
        "Median milliseconds for forward and backward, Efron's ties, float32, 40% events. With\n"
        "whole-day times TorchSurv is timed although its value depends on the row order there.\n\n"
        "Command: `python benchmarks/cox_loss.py`\n\n"
        "| patients | ours, distinct times | TorchSurv, distinct times "
        "| ours, whole days | TorchSurv, whole days |\n"
        "|---:|---:|---:|---:|---:|\n" + "\n".join(rows) + "\n\n"
        f"Machine: {os.cpu_count()} CPU cores (one thread used), {platform.machine()}, "
        f"torch {torch.__version__}, "
        f"TorchSurv {importlib.metadata.version('torchsurv')}.\n"
    )
    print(RESULT.read_text())


if __name__ == "__main__":
    main()
