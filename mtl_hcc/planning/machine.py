"""What this machine has: cores, free memory, and the first GPU."""

import os

from mtl_hcc.planning.measured import Machine
from mtl_hcc.store.memory import available_bytes


def this_machine() -> Machine:
    """Measure the machine that the config is written on."""
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if not torch.cuda.is_available():
        return Machine(cores=cores or 1, free_bytes=available_bytes())
    first = torch.cuda.get_device_properties(0)
    return Machine(
        cores=cores or 1,
        free_bytes=available_bytes(),
        gpu=first.name,
        gpu_bytes=int(first.total_memory),
        gpu_bf16=torch.cuda.is_bf16_supported(),
    )
