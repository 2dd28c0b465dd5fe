"""The Cox loss under data-parallel training: two ranks that gather are one rank."""

from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn
from torch.distributed.nn.functional import all_gather
from torch.nn.parallel import DistributedDataParallel

from mtl_hcc.losses import neg_partial_log_likelihood

ROWS = {0: slice(0, 5), 1: slice(5, 8)}  # uneven; the second rank has no event
PADDED = 5


def network() -> nn.Linear:
    linear = nn.Linear(3, 1)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[0.4, -1.1, 0.7]]))
        linear.bias.zero_()
    return linear


def cohort() -> tuple[Tensor, Tensor, Tensor]:
    x = torch.randn(8, 3, generator=torch.Generator().manual_seed(3))
    time = torch.tensor([4.0, 7.0, 7.0, 2.0, 9.0, 7.0, 3.0, 12.0])  # ties across the ranks
    return x, time, torch.tensor([1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0])


def pad(values: Tensor, filling: float) -> Tensor:
    return torch.cat([values, values.new_full((PADDED - len(values),), filling)])


def one_of_two_ranks(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    model = DistributedDataParallel(network())
    x, time, event = (part[ROWS[rank]] for part in cohort())
    h = pad(model(x).reshape(-1), 0.0)
    time, event = pad(time, torch.nan), pad(event, torch.nan)
    loss = neg_partial_log_likelihood(*(torch.cat(all_gather(part)) for part in (h, time, event)))
    loss.backward()
    torch.save((loss.detach(), model.module.weight.grad), f"{folder}/rank{rank}.pt")
    # While the model holds the process group, freeing the model frees the group without letting go
    # of the interpreter's lock, and its thread may wait for that lock for ever (pytorch#56297).
    del model, h, loss
    dist.destroy_process_group()


@pytest.mark.slow
def test_two_ranks_give_the_loss_and_gradient_of_one(tmp_path: Path) -> None:
    mp.spawn(one_of_two_ranks, (str(tmp_path),), nprocs=2)
    model = network()
    x, time, event = cohort()
    loss = neg_partial_log_likelihood(model(x), time, event)
    loss.backward()
    for rank in (0, 1):
        rank_loss, rank_gradient = torch.load(tmp_path / f"rank{rank}.pt", weights_only=True)
        torch.testing.assert_close(rank_loss, loss.detach())
        torch.testing.assert_close(rank_gradient, model.weight.grad)
