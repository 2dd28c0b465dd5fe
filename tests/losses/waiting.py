"""Counts on a CPU what would make a step wait for a GPU."""

from torch.utils._python_dispatch import TorchDispatchMode

WAITING = (
    "_local_scalar_dense",
    "nonzero",
    "_unique2",
    "_unique",
    "is_nonzero",
    "masked_select",
    "unique_dim",
)
"""What asks the device for a number, or makes a shape of one."""


class Calls(TorchDispatchMode):
    """Notes the name of every operation."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.names.append(func.overloadpacket.__name__)
        return func(*args, **kwargs or {})
