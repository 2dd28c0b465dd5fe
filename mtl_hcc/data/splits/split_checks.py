"""Whether a split can train what is asked for: patients, events, and more than one class."""

from collections.abc import Sequence

import pandas as pd

from mtl_hcc.data.endpoints import check_columns, event_flags, target_columns
from mtl_hcc.errors import SplitError
from mtl_hcc.patient import SURVIVAL_ENDPOINTS
from mtl_hcc.split_names import meant_split


def check_splits(
    splits: pd.Series,
    table: pd.DataFrame,
    endpoints: Sequence[str],
    *,
    fold: int = 0,
    needed: Sequence[str] = ("train", "validation"),
) -> None:
    """Raise :class:`SplitError` when a needed split cannot serve the endpoints.

    Other splits may lack events: their metrics are then empty, with the reason.

    Args:
        splits: Split by ``patient_id`` in one fold.
        table: The cohort's table.
        endpoints: Endpoints to train.
        fold: Number of the fold, for the message.
        needed: Splits that the training uses.
    """
    check_columns(table, endpoints)
    _check_names(splits, fold=fold)
    for name in needed:
        members = table.loc[splits.index[splits == name]]
        if members.empty:
            found = ", ".join(f"{key} {count}" for key, count in splits.value_counts().items())
            raise SplitError(
                f"no patient in split {name} (found: {found})",
                where=f"data.split, fold {fold}",
                remedy=f"Name a split {' and one '.join(needed)}, or choose RandomSplit or KFold "
                "in data.split.",
            )
        for endpoint in endpoints:
            if endpoint in SURVIVAL_ENDPOINTS:
                _check_events(members, endpoint, split=name, fold=fold)
            elif name == "train":
                _check_classes(members, endpoint, fold=fold)
        if name == "validation" and members[target_columns(endpoints)].isna().all(axis=None):
            raise SplitError(
                f"none of the {len(members)} patients in split validation has a label of "
                f"{', '.join(endpoints)}",
                where=f"data.split, fold {fold}",
                remedy="Choose another split: validation says which epoch is the best.",
            )


def _check_names(splits: pd.Series, *, fold: int) -> None:
    """Raise when patients would be left out of a training because their split is misspelt."""
    counts = splits.astype(str).value_counts()
    for name, number in counts.items():
        meant = meant_split(str(name))
        if meant in ("train", "validation"):
            found = ", ".join(f"{key} {count}" for key, count in counts.items())
            raise SplitError(
                f"{number} patients in split {str(name)!r} (found: {found})",
                where=f"data.split, fold {fold}, e.g. patient {splits.index[splits == name][0]}",
                expected=f"{meant}, if they are to be used in the training",
                remedy=f"Rename the split to {meant}, or to something less like it.",
            )


def _check_events(members: pd.DataFrame, endpoint: str, *, split: str, fold: int) -> None:
    """Raise when nobody has the event: a Cox loss has nothing to learn from."""
    if event_flags(members, endpoint).any():
        return
    labelled = int(members[target_columns([endpoint])].notna().all(axis=1).sum())
    raise SplitError(
        f"no event of {endpoint} among the {labelled} patients with a label in split {split} "
        f"({len(members)} patients): every patient is censored"
        if labelled
        else f"none of the {len(members)} patients in split {split} has a label of {endpoint}",
        where=f"column {endpoint}_event, fold {fold}",
        remedy="Check that 1 means that the event occurred; take fewer folds or another seed in "
        f"data.split; or take {endpoint!r} out of data.endpoints and the heads.",
    )


def _check_classes(members: pd.DataFrame, endpoint: str, *, fold: int) -> None:
    """Raise when the training patients have one class only."""
    classes = members[endpoint].dropna().unique()
    if len(classes) > 1:
        return
    found = f"only class {classes[0]:g}" if len(classes) else "no label"
    raise SplitError(
        f"{found} among the {len(members)} patients of split train",
        where=f"column {endpoint}, fold {fold}",
        expected="two classes or more",
        remedy=f"Check the column, choose another split, or take {endpoint!r} out of "
        "data.endpoints and the heads.",
    )
