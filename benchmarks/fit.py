"""Question: what does a design reach, with which intervals, beside the clinical baselines?

Runs ``mtl_hcc.fit`` with the flags given and writes its table, the command, the time and the
machine to ``benchmarks/results/<name>.md``.

Commands: see ``benchmarks/README.md``, e.g.
``python benchmarks/fit.py ct_mtl --config configs/ct_mtl.yaml``.
"""

import os
import platform
import resource
import shlex
import sys
import time
from importlib.metadata import version
from pathlib import Path

import torch

from mtl_hcc.command_line.config import build_parser, read_config
from mtl_hcc.fit import fit
from mtl_hcc.metrics.results_table import results_markdown

RESULTS = Path(__file__).parent / "results"


def main(name: str, flags: list[str]) -> None:
    """Train, and write the table.

    Args:
        name: Of the file in ``benchmarks/results``.
        flags: Of ``python -m mtl_hcc.fit``.
    """
    parser = build_parser("")
    began = time.perf_counter()
    metrics = fit(parser, read_config(parser, flags))
    if metrics is None:  # another rank than the first
        return
    minutes = (time.perf_counter() - began) / 60
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    peak = max(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, children) / 2**20
    text = [
        f"# {name}: results of `python -m mtl_hcc.fit`\n",
        f"Command: `python benchmarks/fit.py {name} {shlex.join(flags)}`\n",
        "C-index, AUC and F1 with 95% intervals; n and events; then the clinical baselines fitted",
        "on the same training patients and, on the phantom, the oracle (the truth itself).\n",
        results_markdown(metrics),
        f"Time: {minutes:.1f} minutes, all included (a cohort prepared before is not prepared",
        f"again). Largest process: {peak:.1f} GiB.",
        f"Machine: {_machine()}.\n",
    ]
    (RESULTS / f"{name}.md").write_text("\n".join(text))


def _machine() -> str:
    """Return the processors and versions, without naming the machine."""
    gpus = [torch.cuda.get_device_name(k) for k in range(torch.cuda.device_count())]
    processors = ", ".join(gpus) or "no GPU"
    return (
        f"{os.cpu_count()} CPU cores, {platform.machine()}, {processors}, "
        f"Python {platform.python_version()}, torch {torch.__version__}, "
        f"mtl_hcc {version('mtl_hcc')}"
    )


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
