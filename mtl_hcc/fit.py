"""`python -m mtl_hcc.fit`: train, predict, evaluate, and say where everything is."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd
from jsonargparse import ArgumentParser, Namespace
from pytorch_lightning.utilities import rank_zero_only
from rich.console import Console

from mtl_hcc.atomic import write_bytes
from mtl_hcc.config import build_parser, config_text, instantiate, plain_config, read_config
from mtl_hcc.data.split_file import read_splits
from mtl_hcc.entry_point import report_errors
from mtl_hcc.errors import ConfigError
from mtl_hcc.metrics.results_table import print_results
from mtl_hcc.results import evaluate_run, show_in_wandb
from mtl_hcc.settings import wandb_mode
from mtl_hcc.training import TrainedFold, train_fold
from mtl_hcc.wandb_run import close, wandb_logger

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
    fit(parser, config)


def fit(parser: ArgumentParser, config: Namespace) -> pd.DataFrame | None:
    """Train every fold of a config, and return the table of metrics (on the first rank).

    Args:
        parser: From :func:`mtl_hcc.config.build_parser`.
        config: The parsed config.
    """
    run = Path(config.run)
    if config.data.fold:
        raise ConfigError(
            f"data.fold is {config.data.fold}",
            where="data.fold",
            expected="0: each fold of data.split is trained in turn",
            remedy="Leave it out.",
        )
    if getattr(rank_zero_only, "rank", 0) == 0:
        if config.ckpt_path is None:
            keep_earlier_run(run)
        write_bytes(run / "config.yaml", config_text(plain_config(parser, config)).encode())
        instantiate(parser, config).data.prepare_data()
    numbers = sorted(read_splits(Path(config.data.store) / "splits.csv")["fold"].unique())
    folds = len(numbers)
    finished: list[TrainedFold] = []
    for number in map(int, numbers):
        folder = run / f"fold_{number}" if folds > 1 else run
        fold = train_fold(parser, config, folder, fold=number)
        if fold is not None:
            finished.append(fold)
        if folds > 1 and fold is not None:
            close(fold.wandb)
    if not finished:
        return None
    result = evaluate_run(config, finished, run)
    plain = plain_config(parser, config)
    wandb = finished[0].wandb if folds == 1 else wandb_logger(config, run, plain, part="results")
    show_in_wandb(wandb, result)
    print_results(result.table)
    _say_what_is_where(run, model=run if folds == 1 else folder)
    return result.metrics


def _say_what_is_where(run: Path, *, model: Path) -> None:
    """Print the files of a run, and the commands that come next."""
    console = Console()
    for name in ("metrics.csv", "predictions.csv", "history.csv", "config.yaml", "checkpoints"):
        if (run / name).exists():
            console.print(f"  {run / name}", highlight=False, soft_wrap=True)
    for command in (
        f"report --run {run}",
        f"predict --checkpoint {model} --cohort PATH --output predictions.csv",
    ):
        console.print(f"Next: python -m mtl_hcc.{command}", highlight=False, soft_wrap=True)


def keep_earlier_run(run: Path) -> None:
    """Move an earlier run of the same name aside: a new run overwrites nothing.

    Args:
        run: The run folder; ``run_1``, ``run_2``, ... get the earlier runs.
    """
    left = [path for name in ("checkpoints", "history.csv", "fold_*") for path in run.glob(name)]
    if not left:
        return  # of a start that failed before training there is nothing to keep
    number = 1
    while (aside := run.with_name(f"{run.name}_{number}")).exists():
        number += 1
    run.rename(aside)
    print(f"The earlier run was moved to {aside} (to go on with a run: --ckpt_path last).")


if __name__ == "__main__":
    raise SystemExit(main())
