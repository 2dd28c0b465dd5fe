"""A run to a report: ``python -m mtl_hcc.report --run runs/ct_mtl``."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from mtl_hcc.command_line.entry_point import report_errors
from mtl_hcc.command_line.output_place import check_output_folder
from mtl_hcc.errors import ConfigError


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(
        prog="python -m mtl_hcc.report",
        description="One page with every result of a run, its figures (SVG, PNG) and tables (CSV).",
        epilog="Example: python -m mtl_hcc.report --run runs/ct_mtl",
        allow_abbrev=False,
    )
    what = made.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--run", type=Path, nargs="+", metavar="FOLDER",
        help="one or more run folders that fit wrote; several are compared as models",
    )  # fmt: skip
    what.add_argument(
        "--predictions", type=Path, nargs="+", metavar="CSV",
        help="predictions of anybody's models, without a run folder; the first is the model",
    )  # fmt: skip
    made.add_argument(
        "--patients", type=Path, metavar="CSV",
        help="with --predictions: the clinical table of these patients (patient_id, ...)",
    )  # fmt: skip
    made.add_argument(
        "--output", type=Path, metavar="FOLDER",
        help="folder of the report (default: report/ in the first run or beside the first file)",
    )  # fmt: skip
    made.add_argument("--names", nargs="+", help="name of each model (default: its run folder)")
    made.add_argument(
        "--bootstraps", type=whole_number, help="patient resamples (default: as the run, or 1000)"
    )
    made.add_argument(
        "--seed", type=whole_number, help="of the resamples (default: as the run, or 0)"
    )
    made.add_argument(
        "--threshold", default="0.5",
        help="cut-off of two-class tasks, or youden: the best one on the train rows (default: 0.5)",
    )  # fmt: skip
    made.add_argument(
        "--workers",
        type=whole_number,
        default=min(4, os.cpu_count() or 1),
        help="processes (default: %(default)s)",
    )
    return made


@report_errors
def main(argv: Sequence[str] | None = None) -> None:
    """Read what the run left, write the report, and say where it is."""
    arguments = parser().parse_args(argv)
    from rich.console import Console

    from mtl_hcc.metrics.thresholds import parse_threshold
    from mtl_hcc.reporting.given_predictions import read_files
    from mtl_hcc.reporting.report_folder import write_report
    from mtl_hcc.reporting.run_folder import read_runs

    if arguments.run and arguments.patients:
        raise ConfigError(
            "it goes with --predictions",
            where="--patients",
            remedy="Leave it out: a run folder holds its own patients.csv.",
        )
    console = Console(markup=False, emoji=False)
    place = arguments.run[0] if arguments.run else arguments.predictions[0].parent
    output = arguments.output or place / "report"
    if arguments.output:
        check_output_folder(output, "--output")
    if arguments.run:
        study = read_runs(arguments.run, names=arguments.names)
    else:
        study = read_files(arguments.predictions, arguments.patients, names=arguments.names)
    check_output_folder(output, "--output")
    settings = {
        "bootstraps": study.setting("bootstraps", 1000, arguments.bootstraps),
        "seed": study.setting("seed", 0, arguments.seed),
        "threshold": parse_threshold(arguments.threshold),
    }
    for remark in study.remarks:
        console.print(f"remark: {remark}", style="yellow", soft_wrap=True)
    report = write_report(
        study, output, workers=max(1, arguments.workers), progress=console.is_terminal, **settings
    )
    for name, reason in report.failed.items():
        console.print(f"{name}: {reason}", style="yellow", soft_wrap=True)
    console.print(f"wrote {report.page}", soft_wrap=True)
    console.print(f"next: open {report.page.resolve().as_uri()} in a browser", soft_wrap=True)


def whole_number(text: str) -> int:
    """Read zero or a positive whole number (argparse words the error)."""
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return number


if __name__ == "__main__":
    sys.exit(main())
