"""Some of the prepared phases are used: the store still holds all."""

from collections.abc import Sequence
from dataclasses import replace

from mtl_hcc.data.dataset import ImageStore
from mtl_hcc.errors import ConfigError
from mtl_hcc.imaging.preparation import Preparation
from mtl_hcc.imaging.prepared_patient import PreparedPatient, PreparedView
from mtl_hcc.imaging.view import View


class SelectedPhases:
    """A store of which some phases are read; the others stay on the disk.

    Args:
        store: The prepared store.
        phases: To be given.
    """

    def __init__(self, store: ImageStore, phases: Sequence[str]) -> None:
        self.store, self.phases = store, list(phases)

    def load(self, patient_id: str, /) -> PreparedPatient:
        """Return one patient's arrays of the chosen phases."""
        found = self.store.load(patient_id)
        return replace(
            found,
            views={
                name: self._of(view)
                for name, view in found.views.items()
                if set(view.phases) & set(self.phases)
            },
        )

    def _of(self, view: PreparedView) -> PreparedView:
        axis = [number for number, phase in enumerate(view.phases) if phase in self.phases]
        return replace(
            view,
            phases=tuple(view.phases[number] for number in axis),
            images=view.images[axis],
            regions=view.regions[axis],
            phase_present=view.phase_present[axis],
        )


def select_phases(store: ImageStore, phases: Sequence[str], preparation: Preparation) -> ImageStore:
    """Return a store that gives some phases; the store itself where these are all.

    Args:
        store: The prepared store.
        phases: To be given, in the order of the store.
        preparation: Recipe of the store.
    """
    return store if len(phases) == len(preparation.phases) else SelectedPhases(store, phases)


def views_of(preparation: Preparation, phases: Sequence[str]) -> dict[str, View]:
    """Return the views with those of their phases that are used; without those that have none.

    Args:
        preparation: Recipe of the store.
        phases: To be given.
    """
    used = {
        name: [phase for phase in view.phases if phase in phases]
        for name, view in preparation.views.items()
    }
    return {
        name: replace(preparation.views[name], phases=kept) for name, kept in used.items() if kept
    }


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
                remedy="Add it to a view of data.preparation.views, or take it out of data.phases.",
            )
    if not wanted:
        raise ConfigError(
            "no phase",
            where="data.phases",
            expected=f"one or more of {', '.join(prepared)}",
            remedy="Leave data.phases out to use all.",
        )
    return tuple(phase for phase in prepared if phase in wanted)
