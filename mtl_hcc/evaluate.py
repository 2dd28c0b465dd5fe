"""Predictions to metrics: ``python -m mtl_hcc.evaluate --predictions a.csv --output out``."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtl_hcc.command_line.entry_point import report_errors
from mtl_hcc.command_line.output_place import check_output_folder

if TYPE_CHECKING:
    import pandas as pd


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(
        prog="python -m mtl_hcc.evaluate",
        description="Metrics with 95% intervals by split and center; several models are compared.",
        epilog="Example: python -m mtl_hcc.evaluate --predictions a.csv b.csv --output results",
        allow_abbrev=False,
    )
    made.add_argument(
        "--predictions", type=Path, nargs="+", required=True, metavar="CSV",
        help="one or more predictions.csv; the first model is under study, the others stand "
        "beside it (p_holm is corrected over its pairs only)",
    )  # fmt: skip
    made.add_argument("--output", type=Path, required=True, help="folder for the tables")
    made.add_argument("--names", nargs="+", help="name of each model (default: its run folder)")
    made.add_argument(
        "--bootstraps", type=whole_number, default=1000, help="patient resamples (default: 1000)"
    )
    made.add_argument("--seed", type=whole_number, default=0, help="of the resamples (default: 0)")
    made.add_argument(
        "--threshold", default="0.5",
        help="cut-off of two-class tasks, or youden: the best one on the train rows (default: 0.5)",
    )  # fmt: skip
    made.add_argument(
        "--between", choices=["split", "center"],
        help="also compare each model between its splits, or between the centers of each split",
    )  # fmt: skip
    return made


@report_errors
def main(argv: Sequence[str] | None = None) -> None:
    """Read the predictions, write the tables, print what matters most of them."""
    arguments = parser().parse_args(argv)
    from rich.console import Console

    from mtl_hcc.metrics.comparisons import compare_models
    from mtl_hcc.metrics.evaluate_predictions import evaluate_predictions
    from mtl_hcc.metrics.group_comparisons import compare_groups
    from mtl_hcc.metrics.prediction_remarks import prediction_remarks
    from mtl_hcc.metrics.predictions import read_prediction_files
    from mtl_hcc.metrics.resamples import Resamples
    from mtl_hcc.metrics.results_table import (
        comparisons_table,
        dropped_patients,
        not_compared,
        print_results,
        results_table,
    )
    from mtl_hcc.metrics.thresholds import parse_threshold

    console, output = Console(markup=False, emoji=False), arguments.output
    check_output_folder(output, "--output")
    threshold = parse_threshold(arguments.threshold)
    # The same resamples for all tables: what one has computed the others take over.
    resamples = Resamples(bootstraps=arguments.bootstraps, seed=arguments.seed)
    predictions = read_prediction_files(arguments.predictions, arguments.names)
    for remark in prediction_remarks(predictions):
        console.print(f"remark: {remark.text}", style="yellow", soft_wrap=True)
    metrics = evaluate_predictions(
        predictions, threshold=threshold, resamples=resamples, progress=console.is_terminal
    )
    print_results(results_table(metrics))
    written = [write_table(metrics, output / "metrics.csv")]
    several = metrics["model"].nunique() > 1
    if several:
        comparisons = compare_models(predictions, threshold=threshold, resamples=resamples)
        written.append(write_table(comparisons, output / "comparisons.csv"))
        if len(comparisons):
            print_results(comparisons_table(comparisons))
        for sentence in dropped_patients(comparisons) or not_compared(predictions):
            console.print(sentence, soft_wrap=True)
    if arguments.between:
        groups = compare_groups(
            predictions, by=arguments.between, threshold=threshold, resamples=resamples
        )
        written.append(write_table(groups, output / "group_comparisons.csv"))
    for path in written:
        console.print(f"wrote {path}", soft_wrap=True)
    if not several:
        console.print("next: compare models with --predictions one.csv another.csv")


def whole_number(text: str) -> int:
    """Read zero or a positive whole number (argparse words the error)."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return number


def write_table(table: "pd.DataFrame", path: Path) -> Path:
    """Write a CSV file all at once: a reader sees the old file or the new one, never a half."""
    from mtl_hcc.spreadsheet_cells import defused

    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        defused(table).to_csv(unfinished, index=False)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return path


if __name__ == "__main__":
    sys.exit(main())
