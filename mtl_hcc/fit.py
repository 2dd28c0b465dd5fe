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
from mtl_hcc.config import build_parser, config_text, instantiate, plain_config, read_config
from mtl_hcc.data.split_file import read_splits
from mtl_hcc.entry_point import report_errors
from mtl_hcc.metrics.results_table import print_results
from mtl_hcc.results import evaluate_run, show_in_wandb
from mtl_hcc.run_claim import CONFIG, claimed, keep_earlier_run
from mtl_hcc.settings import check_settings, wandb_mode
from mtl_hcc.trainer_settings import check_trainer
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
        parser: From :func:`mtl_hcc.config.build_parser`.
        config: The parsed config.
    """
    run = Path(config.run)
    check_settings(config)
    check_trainer(config.trainer)
    if _is_first_rank():
        # Everything that can be wrong is looked at first; an earlier run is moved last.
        data = instantiate(parser, config).data
        data.prepare_data()
        data.setup("fit")
        data.train_dataloader()
        if config.ckpt_path is None:
            keep_earlier_run(run)
        write_bytes(run / CONFIG, config_text(plain_config(parser, config)).encode())
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


def _is_first_rank() -> bool:
    """Return whether this process is the only one, or the first of several devices."""
    return getattr(rank_zero_only, "rank", 0) == 0


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


if __name__ == "__main__":
    raise SystemExit(main())
