"""Phase selection: a network that sees some of the prepared phases, in the store that has all."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtl_hcc.data.dataset import ImageStore
from mtl_hcc.errors import ConfigError


@dataclass(frozen=True)
class PhaseSubset:
    """One patient's arrays of the chosen phases (a ``data.dataset.PreparedImages``)."""

    images: npt.NDArray[np.float16]
    regions: npt.NDArray[np.uint8]
    phase_present: npt.NDArray[np.bool_]


class SelectedPhases:
    """A store of which some phases are read; the others stay on the disk.

    Args:
        store: The prepared store.
        axis: Places of the chosen phases along the first axis of the store's arrays.
    """

    def __init__(self, store: ImageStore, axis: Sequence[int]) -> None:
        self.store, self.axis = store, list(axis)

    def load(self, patient_id: str, /) -> PhaseSubset:
        """Return one patient's arrays of the chosen phases."""
        found = self.store.load(patient_id)
        return PhaseSubset(
            found.images[self.axis], found.regions[self.axis], found.phase_present[self.axis]
        )


def select_phases(store: ImageStore, phases: Sequence[str], prepared: Sequence[str]) -> ImageStore:
    """Return a store that gives some phases; the store itself where these are all.

    Args:
        store: The prepared store.
        phases: To be given, in the order of the store.
        prepared: Phases of the store.
    """
    if len(phases) == len(prepared):
        return store
    return SelectedPhases(store, [list(prepared).index(phase) for phase in phases])


def chosen_phases(wanted: Sequence[str] | None, prepared: Sequence[str]) -> tuple[str, ...]:
    """Return the phases to use, in their order in the store.

    Args:
        wanted: ``data.phases``; None for all.
        prepared: The phases of the recipe.

    Raises:
        ConfigError: a phase is not prepared, or none is left.
    """
    if wanted is None:
        return tuple(prepared)
    for phase in wanted:
        if phase not in prepared:
            raise ConfigError(
                f"phase {phase!r}",
                where="data.phases",
                expected=f"some of the prepared ones: {', '.join(prepared) or 'none, no images'}",
                remedy="Add it to data.preparation.phases, or take it out of data.phases.",
            )
    if not wanted:
        raise ConfigError(
            "no phase",
            where="data.phases",
            expected=f"one or more of {', '.join(prepared)}",
            remedy="Leave data.phases out to use all.",
        )
    return tuple(phase for phase in prepared if phase in wanted)
