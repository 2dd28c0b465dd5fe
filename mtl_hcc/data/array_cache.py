"""Patients' arrays kept in memory, as many as its share of the free memory holds."""

from typing import TYPE_CHECKING

from mtl_hcc.store.memory import available_bytes

if TYPE_CHECKING:
    from mtl_hcc.data.dataset import ViewSample

_SHARE = 0.5
"""Of the free memory: the rest is for the training, and for the system's cache of files."""


class ArrayCache:
    """Keeps what was read until it is full; what came first stays.

    Others are read from the store again, which gives the same arrays. In training everybody is
    visited equally often, so it does not matter who stays.

    Args:
        most_bytes: Size; None takes half of the memory that is free now.
    """

    def __init__(self, most_bytes: float | None = None) -> None:
        if most_bytes is None:
            free = available_bytes()
            most_bytes = float("inf") if free is None else _SHARE * free
        self.most_bytes, self.used_bytes = most_bytes, 0
        self._arrays: dict[str, dict[str, ViewSample]] = {}

    def get(self, patient_id: str) -> "dict[str, ViewSample] | None":
        """Return a patient's arrays, None where they are not kept."""
        return self._arrays.get(patient_id)

    def keep(self, patient_id: str, arrays: "dict[str, ViewSample]") -> None:
        """Keep a patient's arrays if there is room."""
        size = sum(view.nbytes for view in arrays.values())
        if patient_id not in self._arrays and self.used_bytes + size <= self.most_bytes:
            self._arrays[patient_id] = arrays
            self.used_bytes += size
