"""Question: what does a patient cost in DenseNet-121 at 128 cubed, kept and computed a second time?

The feature maps that a stem gives of three phases go through the backbone, forward and backward,
each setting in a process of its own: the peak of memory above that of the loaded program on a CPU
(one thread), of what torch allocated on a GPU. Some minutes.

Command: ``python benchmarks/checkpointing.py``. Result: ``benchmarks/results/checkpointing.md``.
"""

import os
import platform
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch

from mtl_hcc.nn import DenseNet121

RESULT = Path(__file__).parent / "results" / "checkpointing.md"
EDGE, PHASES = 128, 3
PRECISIONS = {"cpu": (False,), "cuda": (False, True)}
"""Device to whether bfloat16 is measured: not every processor computes in it."""


def peak_gb(device: str) -> float:
    """Return the most memory that was held so far."""
    if device == "cuda":
        return torch.cuda.max_memory_allocated() / 2**30
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


def measure(device: str, *, bf16: bool, checkpointing: bool) -> str:
    """Return one row of the table."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = DenseNet121(64, checkpointing=checkpointing).to(device)
    features = torch.rand(PHASES, 64, *[EDGE // 2] * 3, device=device)
    features = features.contiguous(memory_format=torch.channels_last_3d).requires_grad_()
    for weight in network.parameters():
        if weight.dim() == 5:
            weight.data = weight.data.contiguous(memory_format=torch.channels_last_3d)
    before, began = peak_gb(device), time.process_time()
    with torch.autocast(device, torch.bfloat16, enabled=bf16):
        vectors = network(features)
    vectors.float().square().mean().backward()
    if device == "cuda":
        torch.cuda.synchronize()
    took = time.process_time() - began
    return (
        f"| {device} | {'bfloat16' if bf16 else 'float32'} | {str(checkpointing).lower()} "
        f"| {peak_gb(device) - before:.1f} | {took:.0f} |"
    )


def main() -> None:
    """Measure each setting in a process of its own and write the table."""
    if len(sys.argv) > 1:
        device, bf16, checkpointing = sys.argv[1:]
        print(measure(device, bf16=bf16 == "1", checkpointing=checkpointing == "1"))
        return
    devices = ["cpu", *["cuda"] * torch.cuda.is_available()]
    rows = [
        subprocess.run(
            [sys.executable, __file__, device, str(int(bf16)), str(int(checkpointing))],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout.strip()
        for device in devices
        for bf16 in PRECISIONS[device]
        for checkpointing in (False, True)
    ]
    if "cuda" not in devices:
        rows.append("| cuda | | | not measured yet: no GPU was at hand | |")
    lines = [
        "# What a patient costs in DenseNet-121",
        "",
        f"Three phases of {EDGE} cubed, the stem's maps forward and backward. Outputs, gradients "
        "and statistics are the same (tests/nn/test_backbones.py).",
        "",
        "| device | precision | checkpointing | memory above the program's, GB "
        "| processor seconds (one thread) |",
        "|---|---|---|---:|---:|",
        *rows,
        "",
        f"`python benchmarks/checkpointing.py`; {os.cpu_count()} CPU cores, {platform.machine()}, "
        f"torch {torch.__version__}. Other jobs may have run at the same time.",
    ]
    RESULT.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
