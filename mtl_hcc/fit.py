"""`python -m mtl_hcc.fit`: train, predict, evaluate, and say where everything is."""

import sys

from mtl_hcc.command_line.early_answer import answer_early

if __name__ == "__main__":
    answer_early(sys.argv[1:])  # before the imports below, which take seconds

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import pandas as pd
from jsonargparse import ArgumentParser, Namespace
from pytorch_lightning.utilities import rank_zero_only
from pytorch_lightning.utilities.seed import isolate_rng
from rich.console import Console

from mtl_hcc.atomic import write_bytes
from mtl_hcc.command_line.config import (
    config_text,
    parser_for,
    plain_config,
    read_config,
    settled_config,
)
from mtl_hcc.command_line.entry_point import report_errors
from mtl_hcc.command_line.fit_settings import check_settings, patience_remark, wandb_mode
from mtl_hcc.command_line.trainer_settings import check_trainer
from mtl_hcc.data.prepared_cohort import SPLITS
from mtl_hcc.data.splits.split_checks import check_splits
from mtl_hcc.data.splits.splits_csv import of_fold, read_splits
from mtl_hcc.errors import CheckpointError
from mtl_hcc.estimators.baselines import check_baselines
from mtl_hcc.metrics.results_table import print_results
from mtl_hcc.reporting.run_folder import member_folders
from mtl_hcc.runs.ensemble import joined, of_seed, seed_folders
from mtl_hcc.runs.results import evaluate_run, show_in_wandb
from mtl_hcc.runs.resume import checkpoint_to_resume
from mtl_hcc.runs.run_claim import CONFIG, claimed, fold_folders, keep_earlier_run
from mtl_hcc.runs.run_record import last_checkpoints, record_beginning, record_end, state_of
from mtl_hcc.runs.train_fold import TrainedFold, build_fold, train_fold
from mtl_hcc.runs.train_tables import TableFold, train_tables
from mtl_hcc.tracking.wandb_run import close, wandb_logger

DESCRIPTION = """Train a multi-task network for HCC, or an estimator on tables, and evaluate it.

With your data:  python -m mtl_hcc.fit --config configs/ct_mtl.yaml --data.cohort PATH
Without data:    the same without --data.cohort; a phantom cohort with known truth is made.
After a kill:    add --ckpt_path last.
In a script:     add --repeat never, which trains nothing twice and goes on after a kill.
The run folder gets config.yaml, checkpoints/, history.csv, predictions.csv, metrics.csv,
patients.csv, quarantine.csv, model/."""


@report_errors
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = parser_for(arguments, DESCRIPTION, prog="python -m mtl_hcc.fit")
    config = read_config(parser, arguments)
    config.wandb = wandb_mode(config.wandb, sys.argv[1:] if arguments is None else arguments)
    run = Path(config.run)
    with claimed(run) if _is_first_rank() else nullcontext():
        try:
            fit(parser, config)
        except KeyboardInterrupt:
            if next(run.rglob("last.ckpt"), None):
                print(f"To go on: --run {run} --ckpt_path last", file=sys.stderr)
            raise


def fit(parser: ArgumentParser, config: Namespace) -> pd.DataFrame | None:
    """Train every fold of a config, and return the table of metrics (on the first rank).

    With ``config.repeat`` ``never`` a run of this very config and data that is finished in its
    folder is not run again: its metrics are returned.

    Args:
        parser: From :func:`mtl_hcc.command_line.config.build_parser`.
        config: The parsed config.
    """
    config, run = config.clone(), Path(config.run)
    check_settings(config)
    if "estimator" in config:
        fitted = train_tables(parser, config, run)
        return _finish(parser, config, fitted) if fitted else _finished_before(run)
    check_trainer(config.trainer)
    if (remark := patience_remark(config)) and _is_first_rank():
        print(remark)
    parts = build_fold(parser, config, fold=0)
    if not _begin(parser, config, run, parts):
        return _finished_before(run)
    folders = fold_folders(read_splits(run / SPLITS), run)
    finished: list[TrainedFold] = []
    for number, folder in folders.items():
        built = parts if number == parts.data.fold == 0 else None
        members = _train_seeds(parser, config, folder, fold=number, parts=built)
        if members:
            finished.append(joined(members))
        if len(folders) > 1 and config.seeds == 1:
            for member in members.values():
                close(member.wandb)
    if not finished:
        return None
    return _finish(parser, config, finished)


def _train_seeds(
    parser: ArgumentParser, config: Namespace, folder: Path, *, fold: int, parts: Namespace | None
) -> dict[int, TrainedFold]:
    """Train the networks of a fold, and return them by seed (on the first rank).

    The parts are those of the first seed, and built anew where there are none.
    """
    members: dict[int, TrainedFold] = {}
    for seed, place in seed_folders(config, folder).items():
        if config.seeds > 1 and _is_first_rank():
            print(f"Training {place} ({len(members) + 1} of {config.seeds} seeds)", flush=True)
        built = parts if seed == config.seed else None
        trained = train_fold(parser, of_seed(config, seed), place, fold=fold, parts=built)
        if trained is not None:
            members[seed] = trained
        if trained is not None and config.seeds > 1:
            close(trained.wandb)
    return members


def _finish(
    parser: ArgumentParser, config: Namespace, finished: Sequence[TrainedFold | TableFold]
) -> pd.DataFrame:
    """Write and show what all folds together found."""
    run = Path(config.run)
    result = evaluate_run(config, finished, run)
    plain = plain_config(parser, config)
    alone = len(finished) == 1 and config.seeds == 1
    wandb = finished[0].wandb if alone else wandb_logger(config, run, plain, part="results")
    show_in_wandb(wandb, result)
    print_results(result.table)
    record_end(run, settled_config(parser, config))
    _say_what_is_where(run)
    return result.metrics


def _finished_before(run: Path) -> pd.DataFrame:
    """Say that nothing is left to do, and return the metrics of the finished run."""
    print("This run finished before, with these settings and data: nothing is left to do.")
    _say_what_is_where(run)
    return pd.read_csv(run / "metrics.csv")


def _begin(parser: ArgumentParser, config: Namespace, run: Path, parts: Namespace) -> bool:
    """Prepare the cohort and begin the run, and return whether anything is left to do.

    ``config.ckpt_path`` is set where a stopped run goes on by itself.
    """
    if not _is_first_rank():
        if config.repeat == "never" and last_checkpoints(run):
            config.ckpt_path = "last"  # as the first rank has found
        return True
    with isolate_rng():  # the first fold is trained with the draws that follow its weights
        parts.data.prepare_data()
        if config.repeat == "never":
            state = state_of(run, settled_config(parser, config))
            if state == "finished":
                return False
            if state == "settings changed":
                print(f"{run} was trained with other settings or data: it is trained anew.")
            if state == "half-finished" and _can_go_on(config, run, parts):
                config.ckpt_path = config.ckpt_path or "last"
                print(f"{run} was begun with these settings and data: it goes on.")
        _check_and_claim(parser, config, run, parts)
    return True


def _can_go_on(config: Namespace, run: Path, parts: Namespace) -> bool:
    """Return whether the checkpoints of a stopped run are whole; a full disk may have cut one."""
    try:
        _check_checkpoints("last", config, run, parts)
    except CheckpointError as error:
        print(f"Starting anew: {error}")
        return False
    return True


def _check_and_claim(
    parser: ArgumentParser, config: Namespace, run: Path, parts: Namespace
) -> None:
    """Look at everything that can be wrong; then move an earlier run aside, and begin this one."""
    if config.ckpt_path is not None:
        parts.data.run_splits = run / SPLITS  # setup refuses others
    parts.data.fold = min(fold_folders(read_splits(Path(config.data.store) / SPLITS), run))
    parts.data.setup("fit")
    splits = parts.data.prepared.splits(parts.data.run_splits)
    for number in splits["fold"].unique():  # now, and not when the folds before it are trained
        check_splits(of_fold(splits, number), parts.data.table, parts.data.endpoints, fold=number)
    check_baselines(config.baselines, parts.data.table)
    parts.data.train_dataloader()
    if config.ckpt_path is None:
        keep_earlier_run(run)
    else:
        _check_checkpoints(config.ckpt_path, config, run, parts)
    parts.data.prepared.begin_run(run, goes_on=config.ckpt_path is not None)
    record_beginning(run, settled_config(parser, config))
    write_bytes(run / CONFIG, config_text(plain_config(parser, config)).encode())


def _check_checkpoints(wanted: str, config: Namespace, run: Path, parts: Namespace) -> None:
    """Raise unless every fold can go on from its checkpoint, or has not begun."""
    splits = run / SPLITS
    if not splits.is_file():  # of an earlier version
        splits = Path(config.data.store) / SPLITS
    weights, epochs = parts.model.state_dict(), config.trainer.max_epochs
    folds = fold_folders(read_splits(splits), run).values()
    members = [place for folder in folds for place in seed_folders(config, folder).values()]
    if left := [place for place in member_folders(run) if place not in members]:
        raise CheckpointError(
            f"the run holds {left[0]}, which these settings do not ask for",
            where=str(run),
            expected=f"the networks {', '.join(place.name for place in members)} only, or the run "
            "would predict with others than it is evaluated with",
            remedy="Set seeds as it was, or move that folder away.",
        )
    for place in members:
        checkpoint_to_resume(wanted, place, weights, max_epochs=epochs)


def _is_first_rank() -> bool:
    """Return whether this process is the only one, or the first of several devices."""
    return getattr(rank_zero_only, "rank", 0) == 0


def _say_what_is_where(run: Path) -> None:
    """Print the files of a run, and the commands that come next."""
    console = Console(markup=False, emoji=False)
    for name in ("metrics.csv", "predictions.csv", "history.csv", "config.yaml", "checkpoints"):
        if (run / name).exists():
            console.print(f"  {run / name}", highlight=False, soft_wrap=True)
    for command in (
        f"report --run {run}",
        f"predict --checkpoint {run} --cohort PATH --output predictions.csv",
    ):
        console.print(f"Next: python -m mtl_hcc.{command}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    raise SystemExit(main())
