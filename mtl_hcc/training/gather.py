"""Gathering patients over the ranks of a distributed job, with gradients."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, distributed

from mtl_hcc.batch import PatientBatch


@dataclass
class Step:
    """One global batch: the same on every rank."""

    index: Tensor
    outputs: dict[str, Tensor]
    targets: dict[str, Tensor]


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
    counts = _all_gather(torch.tensor(len(some), device=some.device)).tolist()
    longest = max(counts)
    gathered = {}
    for name, tensor in tensors.items():
        padding = tensor.new_zeros((longest - len(tensor), *tensor.shape[1:]))
        padded: Tensor = _GatherWithGradient.apply(  # type: ignore[no-untyped-call]
            torch.cat([tensor, padding])
        )
        gathered[name] = torch.cat([part[:n] for part, n in zip(padded, counts, strict=True)])
    return gathered


def gather_step(batch: PatientBatch, outputs: dict[str, Tensor], columns: Iterable[str]) -> Step:
    """Return what all ranks know of their patients.

    Args:
        batch: This rank's.
        outputs: Task name to (patient, outputs) of this rank.
        columns: Names of the targets that are needed.
    """
    gathered = gather_patients(
        {"index": batch.index}
        | {f"output {name}": output for name, output in outputs.items()}
        | {f"target {name}": batch.targets[name] for name in columns}
    )
    return Step(
        gathered["index"],
        {name: gathered[f"output {name}"] for name in outputs},
        {name: gathered[f"target {name}"] for name in columns},
    )


def gather_texts(texts: list[str]) -> list[str]:
    """Return every rank's texts, in rank order, on every rank; each rank must call this.

    Args:
        texts: This rank's, e.g. names of patients for a message.
    """
    if world_size() == 1:
        return texts
    parts: list[list[str]] = [[] for _ in range(world_size())]
    distributed.all_gather_object(parts, texts)
    return [text for part in parts for text in part]


def _all_gather(tensor: Tensor) -> Tensor:
    """Return (rank, ...)."""
    parts = [torch.empty_like(tensor) for _ in range(world_size())]
    distributed.all_gather(parts, tensor.contiguous())
    return torch.stack(parts)


class _GatherWithGradient(torch.autograd.Function):
    """``all_gather``, whose backward sums what the ranks send back to each other's rows.

    Written out because ``torch.distributed.nn.functional.all_gather`` is deprecated since torch
    2.13 and its replacement is not in all versions that we support.
    """

    @staticmethod
    def forward(ctx: Any, tensor: Tensor) -> Tensor:
        """Return (rank, ...)."""
        return _all_gather(tensor)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """Return the sum over ranks of the gradient of this rank's rows."""
        gradient = gradient.contiguous().clone()
        distributed.all_reduce(gradient)
        return gradient[distributed.get_rank()]
