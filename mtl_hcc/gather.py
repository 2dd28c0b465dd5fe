"""Gathering patients over the ranks of a distributed job, with gradients."""

import torch
from torch import Tensor, distributed
from torch.distributed.nn.functional import all_gather


def world_size() -> int:
    """Return the number of ranks; 1 outside a distributed job."""
    return distributed.get_world_size() if distributed.is_initialized() else 1


def gather_patients(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return every rank's rows, in rank order, on every rank.

    Gradients flow back to the rank that a row came from. Every rank then computes the same loss,
    its backward adds the ranks' (equal) gradients, and DistributedDataParallel averages them:
    together this is the gradient of one rank holding all rows, without a factor for the world size.

    Every rank must call this at every step, also with no labeled patient.

    Args:
        tensors: Name to (patient, ...) tensor; all with the same number of rows on this rank, which
            may differ between ranks. Names and trailing shapes are the same on all ranks.

    Returns:
        Name to (all patients, ...) tensor.
    """
    if world_size() == 1:
        return tensors
    some = next(iter(tensors.values()))
    rows = torch.tensor([len(some)], device=some.device)
    counts = [int(count) for count in torch.stack(list(all_gather(rows))).flatten()]
    longest = max(counts)
    gathered = {}
    for name, tensor in tensors.items():
        padding = tensor.new_zeros((longest - len(tensor), *tensor.shape[1:]))
        parts = _all_gather(torch.cat([tensor, padding]).contiguous())
        gathered[name] = torch.cat([part[:n] for part, n in zip(parts, counts, strict=True)])
    return gathered


def _all_gather(tensor: Tensor) -> list[Tensor]:
    if tensor.requires_grad:
        return list(all_gather(tensor))
    parts = [torch.empty_like(tensor) for _ in range(world_size())]
    distributed.all_gather(parts, tensor)
    return parts
