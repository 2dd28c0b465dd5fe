"""Question: what does a long bag of slices cost, whole and sent in chunks?

One patient of 200 slices of 96 x 96 voxels with a neighbor on each side goes through region stem
and DenseNet (group norm), forward and backward, on one thread; peak memory above that of the loaded
program, each in a process of its own. Under a minute.

Command: ``python benchmarks/long_bags.py``. Result: ``benchmarks/results/long_bags.md``.
"""

import platform
import resource
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import torch

from mtl_hcc.batch import ViewBatch
from mtl_hcc.nn import AxialSlices, DenseNet, EncoderParts, GatedAttention, RegionStem
from mtl_hcc.regions import region_bits

SLICES, EDGE = 200, 96
CHUNKS = (None, 50, 10)
RESULT = Path(__file__).parent / "results" / "long_bags.md"


def peak_mb() -> float:
    """Return the most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure(chunk: int | None) -> str:
    """Return one row of the table."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    shape = (1, 1, SLICES, EDGE, EDGE)
    view = ViewBatch(
        images=torch.rand(shape),
        regions=torch.ones(shape, dtype=torch.uint8),
        region_bits=region_bits(),
        phase_present=torch.ones(1, 1, dtype=torch.bool),
        slice_present=torch.ones(1, SLICES, dtype=torch.bool),
        spacing_mm=torch.ones(1, 3),
    )
    encoder = EncoderParts(
        instances=AxialSlices(neighbors=1),
        stem=partial(RegionStem, dimensions="2d"),
        backbone=partial(DenseNet, norm="group", dimensions="2d"),
        aggregator=GatedAttention,
        instances_per_chunk=chunk,
    ).build("view")
    before, start = peak_mb(), time.process_time()
    encoder(view).square().sum().backward()
    seconds = time.process_time() - start
    return f"| {chunk or 'all'} | {peak_mb() - before:.0f} | {seconds:.1f} |"


def main() -> None:
    """Measure each size in a process of its own and write the table."""
    if len(sys.argv) > 1:
        print(measure(int(sys.argv[1]) or None))
        return
    rows = [
        subprocess.run(
            [sys.executable, __file__, str(chunk or 0)], capture_output=True, text=True, check=True
        ).stdout.strip()
        for chunk in CHUNKS
    ]
    lines = [
        "# Long bags of slices",
        "",
        f"One patient, {SLICES} slices of {EDGE} x {EDGE}, forward and backward, one thread. "
        "Outputs and gradients are the same (tests/nn/test_encoder.py).",
        "",
        "| instances_per_chunk | peak memory above the program's, MB | CPU seconds |",
        "|---|---|---|",
        *rows,
        "",
        f"`python benchmarks/long_bags.py`; torch {torch.__version__}, {platform.machine()}, CPU.",
    ]
    RESULT.write_text("\n".join(lines) + "\n")
    print("\n".join(lines))


if __name__ == "__main__":
    main()
