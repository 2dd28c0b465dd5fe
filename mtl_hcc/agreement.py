"""Two readers or more: ``python -m mtl_hcc.agreement --masks reader_1 reader_2 --output out``."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mtl_hcc.command_line.entry_point import report_errors
from mtl_hcc.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(
        prog="python -m mtl_hcc.agreement",
        description="Agreement of readers: Dice and surface distances of masks, intraclass "
        "correlations of measurements, kappas of categories.",
        epilog="Example: python -m mtl_hcc.agreement --masks reader_1 reader_2 --output results",
        allow_abbrev=False,
    )
    what = made.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--masks", type=Path, nargs="+", metavar="FOLDER",
        help="a folder of label maps per reader; files of one relative path are compared",
    )  # fmt: skip
    what.add_argument(
        "--ratings", type=Path, metavar="CSV",
        help="patient_id, one column per reader, and perhaps measure (several quantities)",
    )  # fmt: skip
    made.add_argument("--output", type=Path, required=True, help="folder for the tables")
    made.add_argument(
        "--scale", choices=["measure", "category"], default="measure",
        help="of the ratings: numbers (intraclass correlation, the default) or classes (kappa)",
    )  # fmt: skip
    made.add_argument(
        "--order", nargs="+", metavar="CATEGORY",
        help="the categories from low to high, for weighted kappa (numbers have their own order)",
    )  # fmt: skip
    made.add_argument(
        "--bootstraps", type=int, default=1000, help="patient resamples of Fleiss' kappa"
    )
    made.add_argument("--seed", type=int, default=0, help="of the resamples (default: 0)")
    return made


@report_errors
def main(argv: Sequence[str] | None = None) -> None:
    """Compare the readers, write ``agreement.csv`` (and ``masks.csv``), print the former."""
    arguments = parser().parse_args(argv)
    from rich.console import Console

    from mtl_hcc.atomic import write_bytes
    from mtl_hcc.command_line.output_place import check_output_folder
    from mtl_hcc.spreadsheet_cells import csv_bytes

    check(arguments)
    check_output_folder(arguments.output, "--output")
    tables = of_masks(arguments.masks) if arguments.masks else of_ratings(arguments)
    console = Console(markup=False, emoji=False)
    show(tables["agreement"])
    if len(tables.get("quarantine", ())):
        quarantine = tables["quarantine"]
        said = f"{len(quarantine)} left out, see quarantine.csv; first: "
        console.print(said + quarantine["reason"].iloc[0], soft_wrap=True)
    for name, table in tables.items():
        path = arguments.output / f"{name}.csv"
        write_bytes(path, csv_bytes(table))
        console.print(f"wrote {path}", soft_wrap=True)


def check(arguments: argparse.Namespace) -> None:
    """Refuse settings that do not fit together."""
    if arguments.masks and len(arguments.masks) < 2:
        raise ConfigError(
            "one folder", where="--masks", remedy="Name two or more: --masks reader_1 reader_2."
        )
    if arguments.order and arguments.scale != "category":
        raise ConfigError(
            "--order without categories", where="--order", remedy="Say --scale category."
        )
    if min(arguments.bootstraps, arguments.seed) < 0:
        raise ConfigError(
            "a negative number", where="--bootstraps, --seed", remedy="Give zero or more."
        )


def of_masks(folders: list[Path]) -> "dict[str, pd.DataFrame]":
    """Return the pooled agreement, that of each file, and what was left out."""
    from mtl_hcc.imaging.reader_masks import compare_readers, pooled_agreement

    masks, quarantine = compare_readers(folders)
    return {"agreement": pooled_agreement(masks), "masks": masks, "quarantine": quarantine}


def of_ratings(arguments: argparse.Namespace) -> "dict[str, pd.DataFrame]":
    """Return the agreement of measurements or categories."""
    from mtl_hcc.metrics.agreement.rating_table import read_ratings
    from mtl_hcc.metrics.agreement.ratings import rating_agreement

    ratings = read_ratings(arguments.ratings)
    agreement = rating_agreement(
        ratings,
        scale=arguments.scale,
        order=arguments.order,
        bootstraps=arguments.bootstraps,
        seed=arguments.seed,
        where=str(arguments.ratings),
    )
    return {"agreement": agreement}


def show(agreement: "pd.DataFrame") -> None:
    """Print the first rows of a table, numbers with three digits."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    from mtl_hcc.metrics.results_table import print_results

    most = 30
    shown = agreement.drop(columns=["method", "p"], errors="ignore").head(most)
    if "measure" in shown and (shown["measure"] == "").all():
        shown = shown.drop(columns="measure")
    table = Table(title="Agreement of readers", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in shown:
        table.add_column(str(name).replace("_", " "), no_wrap=True)
    for row in shown.itertuples(index=False):
        table.add_row(*("-" if cell != cell else _cell(cell) for cell in row))
    print_results(table)
    if len(agreement) > most:
        print(f"... and {len(agreement) - most} more rows")


def _cell(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
