"""Which endpoints have enough events, and who trains: rules on counts alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from mtl_hcc.cohorts.patient_table import UNKNOWN_CENTER
from mtl_hcc.errors import TableError
from mtl_hcc.patient import SURVIVAL_ENDPOINTS
from mtl_hcc.planning.measured import Chosen, Counted, CountedTable
from mtl_hcc.split_names import TRAIN, in_split_order

FEWEST_TRAIN_EVENTS = 10
"""Fewer training events teach a network nothing; an endpoint below is refused."""
EVENTS_PER_TERM = 10
"""The rule of thumb for a regression: so many events for each coefficient."""
FEWEST_VALIDATION_EVENTS = 30
"""With fewer, one validation split says too little, and k folds are made."""
RANDOM = {TRAIN: 0.6, "validation": 0.2, "test": 0.2}
FOLDS, VALIDATION_OF_FOLD = 5, 0.2
VALIDATION_OF_REST = 0.25
"""Of the centers that are not held out."""
MOST_HELD_OUT = 1 / 3
"""Largest share of the patients that a held out center may take from the training."""

SplitKind = Literal["column", "center", "random", "folds"]


@dataclass(frozen=True)
class SplitPlan:
    """How patients are split.

    Attributes:
        kind: The table's column, one center held out, by chance, or k folds.
        external: The center that is held out, of one split or of every fold.
    """

    kind: SplitKind
    external: str = ""


def refused_endpoints(train: Mapping[str, Counted]) -> dict[str, str]:
    """Return the endpoints that cannot be trained, each with its number.

    Args:
        train: Endpoint to its counts among training patients.
    """
    few = {name: one for name, one in train.items() if one.events < FEWEST_TRAIN_EVENTS}
    reasons = {
        name: f"{one.events} {counted_as(name)} in the training split, {FEWEST_TRAIN_EVENTS} are "
        "needed"
        for name, one in few.items()
    }
    if "mvi" in train and "mvi_grade" in train and "mvi" not in reasons:
        reasons["mvi_grade"] = "mvi is there too, and tells of the same vessels"
    return reasons


def counted_as(endpoint: str) -> str:
    """Return what an endpoint's events are called."""
    return "events" if endpoint in SURVIVAL_ENDPOINTS else "patients of the rarer class"


def without_validation(validation: Mapping[str, Counted]) -> dict[str, str]:
    """Return the survival endpoints whose loss has no value in validation, with the reason.

    Args:
        validation: Endpoint to its counts among validation patients.
    """
    return {
        name: f"no event among the {one.labelled} labelled patients of the validation split"
        for name, one in validation.items()
        if name in SURVIVAL_ENDPOINTS and not one.events
    }


def check_some_endpoint(endpoints: Iterable[str], refused: Mapping[str, str]) -> None:
    """Raise where no endpoint is left.

    Args:
        endpoints: All that the table has.
        refused: Endpoint to the reason.

    Raises:
        TableError: with the number of each.
    """
    if set(endpoints) - set(refused):
        return
    found = "; ".join(f"{name}: {why}" for name, why in refused.items())
    raise TableError(
        f"no endpoint can be trained ({found or 'the table has none'})",
        where="clinical table",
        expected=f"os_days and os_event, rfs_days and rfs_event, or mvi, with "
        f"{FEWEST_TRAIN_EVENTS} events or more",
        remedy="Map your columns with --source, check that 1 means that the event occurred, or "
        "add patients.",
    )


def train_share(counts: CountedTable, split: SplitPlan) -> float:
    """Return the share of all patients that trains, as far as the kind of split tells.

    Args:
        counts: Of the whole table.
        split: Not of kind ``column``, where the column tells.
    """
    if split.kind == "random":
        return RANDOM[TRAIN]
    if split.kind == "center":
        out = max(one.patients for one in counts.centers[split.external].values())
        return (1 - out / counts.patients) * (1 - VALIDATION_OF_REST)
    out = max((one.patients for one in counts.centers.get(split.external, {}).values()), default=0)
    return (1 - out / counts.patients) * (1 - 1 / FOLDS) * (1 - VALIDATION_OF_FOLD)


def choose_split(counts: CountedTable, endpoints: Iterable[str]) -> Chosen[SplitPlan]:
    """Return who trains: the column, an external center, chance, or k folds where events are few.

    Args:
        counts: Of the whole table.
        endpoints: Those that may be trained.
    """
    endpoints = list(endpoints)
    if counts.by_split:
        said = ", ".join(
            f"{name} {_size(counts.by_split[name])}" for name in in_split_order(counts.by_split)
        )
        return Chosen(
            SplitPlan("column"), f"the table has the column split: {said}. {_few(counts)}"
        )
    scarce = min(endpoints, key=lambda name: counts.endpoints[name].events)
    events = counts.endpoints[scarce].events
    external, why_not = _external_center(counts, endpoints)
    if external:
        out = counts.centers[external]
        inside = min(
            VALIDATION_OF_REST * (counts.endpoints[name].events - out[name].events)
            for name in endpoints
        )
        if inside >= FEWEST_VALIDATION_EVENTS:
            return Chosen(
                SplitPlan("center", external),
                f"{len(counts.centers)} centers; {external} ({_size(out)} patients, "
                f"{_events(out, endpoints)}) is the largest with at most a third of the patients, "
                "so it is proposed as external: nothing is chosen on it. The others are dealt to "
                f"train and validation (about {inside:.0f} events there, "
                f"{FEWEST_VALIDATION_EVENTS} are wanted). Another center, or none: edit the file, "
                "or set RandomSplit.",
            )
        left = {name: counts.endpoints[name].events - out[name].events for name in endpoints}
        rarest = min(left, key=lambda name: left[name])
        learned = int((1 - 1 / FOLDS) * (1 - VALIDATION_OF_FOLD) * left[rarest])
        if learned >= FEWEST_TRAIN_EVENTS and UNKNOWN_CENTER not in counts.centers:
            return Chosen(
                SplitPlan("folds", external),
                f"{len(counts.centers)} centers; {external} ({_size(out)} patients, "
                f"{_events(out, endpoints)}) is the largest with at most a third of the patients, "
                "so it is proposed as external in every fold: nothing is chosen on it. Of the "
                f"others one validation split would have {inside:.0f} events, fewer than "
                f"{FEWEST_VALIDATION_EVENTS}, so each of them is tested once in {FOLDS} folds. "
                "Another center, or none: edit hold_out.",
            )
        why_not = f"center {external} could be held out, but " + (
            "some patients are of no known center"
            if UNKNOWN_CENTER in counts.centers
            else f"a fold of the others would learn from {learned} events of {rarest}"
        )
    alone = RANDOM["validation"] * events
    if alone >= FEWEST_VALIDATION_EVENTS:
        return Chosen(
            SplitPlan("random"),
            f"no column split; {why_not}. One validation split has about {alone:.0f} events of "
            f"{scarce}, at least {FEWEST_VALIDATION_EVENTS}, so one random split will do.",
        )
    return Chosen(
        SplitPlan("folds"),
        f"no column split; {why_not}. One validation split would have {alone:.0f} events of "
        f"{scarce}, fewer than {FEWEST_VALIDATION_EVENTS}, so every patient is tested once in "
        f"{FOLDS} folds.",
    )


def _external_center(counts: CountedTable, endpoints: list[str]) -> tuple[str, str]:
    """Return the center to hold out, or none with the reason."""
    if len(counts.centers) < 2:
        return "", "one center only" if counts.centers else "no centers are known"
    fit = {
        name: _size(one)
        for name, one in counts.centers.items()
        if name != UNKNOWN_CENTER
        and _size(one) <= MOST_HELD_OUT * counts.patients
        and all(one[endpoint].events >= FEWEST_TRAIN_EVENTS for endpoint in endpoints)
    }
    if fit:
        return max(sorted(fit), key=lambda name: fit[name]), ""
    return "", (
        f"none of the {len(counts.centers)} centers has at most a third of the patients and "
        f"{FEWEST_TRAIN_EVENTS} events of each endpoint"
    )


def _size(counted: Mapping[str, Counted]) -> int:
    """Return the number of patients behind the counts of all endpoints."""
    return max((one.patients for one in counted.values()), default=0)


def _events(counted: Mapping[str, Counted], endpoints: list[str]) -> str:
    return ", ".join(f"{name} {counted[name].events}" for name in endpoints)


def _few(counts: CountedTable) -> str:
    """Say where the column's validation split is small."""
    few = {
        name: one.events
        for name, one in counts.by_split.get("validation", {}).items()
        if one.events < FEWEST_VALIDATION_EVENTS
    }
    if not few:
        return "It is followed."
    said = ", ".join(f"{events} of {name}" for name, events in few.items())
    return (
        f"It is followed, although validation has few events ({said}; "
        f"{FEWEST_VALIDATION_EVENTS} are wanted): for {FOLDS} folds set KFold."
    )
