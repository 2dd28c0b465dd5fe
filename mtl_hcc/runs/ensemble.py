"""Several networks as one: those of a fold's seeds, or any that predict the same patients.

The one place where predictions of models are averaged: the log hazard of an ensemble is the mean of
its members' log hazards, its survival and class probabilities are the means of theirs.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from jsonargparse import Namespace

from mtl_hcc.errors import CheckpointError
from mtl_hcc.runs.train_fold import TrainedFold

_KEY = ["patient_id", "task"]


def mean_of_members(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Return the rows of an ensemble; those of its first member but for what is predicted.

    A value that a member leaves empty (a horizon beyond the follow-up of its training patients) is
    empty: a mean over fewer members would be another model.

    Args:
        tables: ``predictions.csv`` of each member, of the same patients in the same order.

    Raises:
        CheckpointError: They predict different tasks, classes or horizons.
    """
    first = tables[0]
    if len(tables) == 1:
        return first
    predicted = _predicted(first)
    for table in tables[1:]:
        if set(_predicted(table)) != set(predicted) or not table[_KEY].equals(first[_KEY]):
            raise CheckpointError(
                f"the models predict different things: {_in_words(first)}; {_in_words(table)}",
                where="--checkpoint",
                expected="the same tasks, classes and horizons, or there is no mean",
                remedy="Predict with each on its own.",
            )
    values = np.mean([table[predicted].to_numpy(dtype=float) for table in tables], axis=0)
    means = dict(zip(predicted, values.T, strict=True))
    return first.assign(
        **{name: column.astype(first[name].dtype) for name, column in means.items()}
    )


def of_seed(config: Namespace, seed: int) -> Namespace:
    """Return the config of one member: what `fit` would train with this seed alone.

    Args:
        config: The parsed config of the run.
        seed: The member's.
    """
    if config.seeds == 1:
        return config
    member = config.clone()
    member.seeds = 1
    member.seed = member.model.seed = member.data.seed = seed
    return member


def seed_folders(config: Namespace, folder: Path) -> dict[int, Path]:
    """Return the folder of each member by its seed: that of the fold where there is one.

    Args:
        config: The parsed config.
        folder: Of the fold, or of the run where there is one fold.
    """
    if config.seeds == 1:
        return {config.seed: folder}
    seeds = range(config.seed, config.seed + config.seeds)
    return {seed: folder / f"seed_{seed}" for seed in seeds}


def joined(members: dict[int, TrainedFold]) -> TrainedFold:
    """Return a fold whose predictions are the means of its members'.

    Args:
        members: By seed; of the same fold. Their W&B runs have ended.
    """
    first = next(iter(members.values()))
    if len(members) == 1:
        return first
    predictions = mean_of_members([member.predictions for member in members.values()])
    history = [member.history.assign(seed=seed) for seed, member in members.items()]
    return TrainedFold(
        first.module, first.datamodule, predictions, pd.concat(history, ignore_index=True), []
    )


def _predicted(table: pd.DataFrame) -> list[str]:
    """Return the columns that hold what a model says."""
    begins = ("survival_", "probability")
    return [str(name) for name in table if name == "risk" or str(name).startswith(begins)]


def _in_words(table: pd.DataFrame) -> str:
    return f"{', '.join(table['task'].unique())} ({', '.join(_predicted(table))})"
