"""The prepared stores of a study: made before the first run, all with the same folds."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from jsonargparse import ArgumentParser

from mtl_hcc.ablation.planned_run import PlannedRun
from mtl_hcc.command_line.config import config_from_dict, instantiate
from mtl_hcc.data.splits.splits_csv import read_splits
from mtl_hcc.errors import SplitError


def prepare_stores(parser: ArgumentParser, full: PlannedRun, runs: Sequence[PlannedRun]) -> None:
    """Bring the stores of the runs up to date, and check that their folds are those of the design.

    Processes that start at the same time (one job per run on a cluster) wait for each other there.

    Args:
        parser: From ``config.build_parser``.
        full: A run of the full design, whose splits all others use.
        runs: To be trained.
    """
    stores = {run.values["data"]["store"]: run for run in [full, *runs]}
    for run in stores.values():
        instantiate(parser, config_from_dict(parser, run.values)).data.prepare_data()
    expected = read_splits(Path(full.values["data"]["store"]) / "splits.csv")
    for store, run in stores.items():
        check_same_folds(
            expected, read_splits(Path(store) / "splits.csv"), where=f"variant {run.variant}"
        )


def check_same_folds(expected: pd.DataFrame, found: pd.DataFrame, *, where: str) -> None:
    """Raise unless patients known to both are in the same split of every fold.

    Args:
        expected: ``patient_id, fold, split`` of the full design.
        found: The same of a variant.
        where: The variant or run, for the message.

    Raises:
        SplitError: naming the first patient who is in another split.
    """
    key = ["patient_id", "fold"]
    one, other = (
        table.drop_duplicates([*key, "split"]).set_index(key)["split"].sort_index()
        for table in (expected, found)
    )
    folds = [sorted(set(index.get_level_values("fold"))) for index in (one.index, other.index)]
    both = one.index.intersection(other.index)
    moved = both[one.loc[both].to_numpy() != other.loc[both].to_numpy()]
    if folds[0] != folds[1] or len(moved) or both.empty:
        found_here = f"folds {folds[1]} instead of {folds[0]}"
        if len(moved) or both.empty:
            found_here = f"{len(moved)} of {len(both)} patients are in another split"
        raise SplitError(
            found_here,
            where=f"{where}" + (f", patient {moved[0][0]}" if len(moved) else ""),
            expected="the same folds for all variants",
            remedy="Remove the run folders of the variant, and train it again.",
        )
