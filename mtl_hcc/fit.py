"""`python -m mtl_hcc.fit`: train, predict, evaluate, and say where everything is."""

import sys
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

import pandas as pd
from jsonargparse import ArgumentParser, Namespace
from pytorch_lightning.utilities import rank_zero_only
from rich.console import Console

from mtl_hcc.atomic import write_bytes
from mtl_hcc.command_line.config import (
    build_parser,
    config_text,
    instantiate,
    plain_config,
    read_config,
)
from mtl_hcc.command_line.entry_point import report_errors
from mtl_hcc.command_line.fit_settings import check_settings, wandb_mode
from mtl_hcc.command_line.trainer_settings import check_trainer
from mtl_hcc.data.prepared_cohort import SPLITS
from mtl_hcc.data.splits.splits_csv import read_splits
from mtl_hcc.metrics.results_table import print_results
from mtl_hcc.runs.results import evaluate_run, show_in_wandb
from mtl_hcc.runs.resume import checkpoint_to_resume
from mtl_hcc.runs.run_claim import CONFIG, claimed, keep_earlier_run
from mtl_hcc.runs.train_fold import TrainedFold, train_fold
from mtl_hcc.tracking.wandb_run import close, wandb_logger

DESCRIPTION = """Train a multi-task network for HCC and evaluate it.

With your data:  python -m mtl_hcc.fit --config configs/ct_mtl.yaml --data.cohort PATH
Without data:    the same without --data.cohort; a phantom cohort with known truth is made.
After a kill:    add --ckpt_path last.
The run folder gets config.yaml, checkpoints/, history.csv, predictions.csv, metrics.csv,
patients.csv, quarantine.csv, model/."""


@report_errors
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = build_parser(DESCRIPTION, prog="python -m mtl_hcc.fit")
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

    Args:
        parser: From :func:`mtl_hcc.command_line.config.build_parser`.
        config: The parsed config.
    """
    run = Path(config.run)
    check_settings(config)
    check_trainer(config.trainer)
    if _is_first_rank():
        _begin(parser, config, run)
    folders = _fold_folders(run / SPLITS, run)
    finished: list[TrainedFold] = []
    for number, folder in folders.items():
        fold = train_fold(parser, config, folder, fold=number)
        if fold is not None:
            finished.append(fold)
        if len(folders) > 1 and fold is not None:
            close(fold.wandb)
    if not finished:
        return None
    result = evaluate_run(config, finished, run)
    plain = plain_config(parser, config)
    alone = len(folders) == 1
    wandb = finished[0].wandb if alone else wandb_logger(config, run, plain, part="results")
    show_in_wandb(wandb, result)
    print_results(result.table)
    _say_what_is_where(run, model=folder)
    return result.metrics


def _begin(parser: ArgumentParser, config: Namespace, run: Path) -> None:
    """Look at everything that can be wrong; then move an earlier run aside, and begin this one."""
    parts = instantiate(parser, config)
    parts.data.prepare_data()
    splits = run / SPLITS
    if config.ckpt_path is not None:
        parts.data.run_splits = splits  # setup refuses others
    parts.data.fold = min(_fold_folders(Path(config.data.store) / SPLITS, run))
    parts.data.setup("fit")
    parts.data.train_dataloader()
    if config.ckpt_path is None:
        keep_earlier_run(run)
    else:
        weights, epochs = parts.model.state_dict(), config.trainer.max_epochs
        if not splits.is_file():  # of an earlier version
            splits = Path(config.data.store) / SPLITS
        for folder in _fold_folders(splits, run).values():
            checkpoint_to_resume(config.ckpt_path, folder, weights, max_epochs=epochs)
    parts.data.begin_run(run, goes_on=config.ckpt_path is not None)
    write_bytes(run / CONFIG, config_text(plain_config(parser, config)).encode())


def _fold_folders(splits: Path, run: Path) -> dict[int, Path]:
    """Return the folder of each fold: that of the run where there is one fold."""
    folds = sorted(read_splits(splits)["fold"].unique())
    return {int(fold): run / f"fold_{fold}" if len(folds) > 1 else run for fold in folds}


def _is_first_rank() -> bool:
    """Return whether this process is the only one, or the first of several devices."""
    return getattr(rank_zero_only, "rank", 0) == 0


def _say_what_is_where(run: Path, *, model: Path) -> None:
    """Print the files of a run, and the commands that come next."""
    console = Console(markup=False, emoji=False)
    for name in ("metrics.csv", "predictions.csv", "history.csv", "config.yaml", "checkpoints"):
        if (run / name).exists():
            console.print(f"  {run / name}", highlight=False, soft_wrap=True)
    for command in (
        f"report --run {run}",
        f"predict --checkpoint {model} --cohort PATH --output predictions.csv",
    ):
        console.print(f"Next: python -m mtl_hcc.{command}", highlight=False, soft_wrap=True)


if __name__ == "__main__":
    raise SystemExit(main())
