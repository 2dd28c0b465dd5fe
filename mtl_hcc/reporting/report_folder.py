"""From a study to the folder of its report: written whole or not at all."""

import contextlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from mtl_hcc import __version__
from mtl_hcc.errors import RunError
from mtl_hcc.metrics.thresholds import with_threshold
from mtl_hcc.patient import empty_quarantine
from mtl_hcc.reporting.facts import summary
from mtl_hcc.reporting.figure_files import FigureFiles, TableFile
from mtl_hcc.reporting.page import compose, render_page
from mtl_hcc.reporting.report_processes import ReportProcesses
from mtl_hcc.reporting.reported_study import (
    ReportedStudy,
    analyzed_patients,
    not_predicted,
    patients_of_predictions,
)
from mtl_hcc.spreadsheet_cells import csv_bytes

log = logging.getLogger(__name__)
PAGE = "index.html"


@dataclass(frozen=True)
class Report:
    """What was written.

    Attributes:
        page: The page.
        metrics: As in ``metrics.csv`` beside it.
        failed: Name of a figure or table to the reason why it is not there.
    """

    page: Path
    metrics: pd.DataFrame
    failed: Mapping[str, str]


def write_report(
    study: ReportedStudy, output: Path, *, workers: int, progress: bool = False, **settings: Any
) -> Report:
    """Compute the statistics, draw everything, and write the folder.

    Args:
        study: What the report is about.
        output: The folder; an earlier report there is replaced once the new one is complete.
        workers: Processes.
        progress: Show bars.
        settings: ``bootstraps``, ``seed`` and ``threshold``.
    """
    refuse_other_folder(output)
    study = with_patients(study)
    with whole_folder(output) as folder, tempfile.TemporaryDirectory() as scratch:
        processes = ReportProcesses(Path(scratch), workers=workers, progress=progress)
        metrics, comparisons = processes.statistics(
            study.predictions, judged=study.networks, **settings
        )
        results = {"metrics": metrics, "comparisons": comparisons}
        study = replace(study, tables={**study.tables, **results})
        # Confusion matrices are cut where the metrics are, and by the same models' train rows.
        cut = with_threshold(study.predictions, settings["threshold"])
        figures, tables = processes.figures_and_tables(
            {**study.tables, "predictions": cut, "bootstraps": settings["bootstraps"]}
        )
        blocks, made = compose(study, figures, tables, settings)
        write_files(folder, figures, {**tables, **made})
        (folder / "metrics.csv").write_bytes(csv_bytes(metrics))
        (folder / "comparisons.csv").write_bytes(csv_bytes(comparisons))
        page = render_page(
            title=study.name,
            subtitle=f"mtl_hcc {__version__}, {date.today().isoformat()}",
            summary=summary(study),
            blocks=blocks,
            ours=study.ours,
        )
        (folder / PAGE).write_text(page, encoding="utf-8")
    items: list[FigureFiles | TableFile] = [*figures.values(), *tables.values()]
    failed = {item.name: item.reason for item in items if item.reason and not item.absent}
    return Report(output / PAGE, metrics, failed)


def with_patients(study: ReportedStudy) -> ReportedStudy:
    """Return the study with one row per analyzed patient, whatever is known of them."""
    main = study.predictions[study.predictions["model"] == study.networks[0]]
    table = study.tables.get("patients")
    if table is None:
        table = patients_of_predictions(main)
    patients = analyzed_patients(table, main[["patient_id", "fold", "split"]].drop_duplicates())
    tables = {**study.tables, "patients": patients}
    quarantine = study.tables.get("quarantine", empty_quarantine())
    left = not_predicted(table, patients, quarantine)
    if len(left) or "quarantine" in study.tables:
        tables["quarantine"] = pd.concat([quarantine, left], ignore_index=True)
    return replace(study, tables=tables)


def write_files(
    folder: Path, figures: Mapping[str, FigureFiles], tables: Mapping[str, TableFile]
) -> None:
    """Write ``figures/<name>.svg`` and ``.png``, and ``tables/<name>.csv``.

    Args:
        folder: Of the report.
        figures: Those without content are passed over.
        tables: Likewise.
    """
    for name in ("figures", "tables"):
        (folder / name).mkdir()
    for figure in figures.values():
        if figure.svg:
            (folder / "figures" / f"{figure.name}.svg").write_bytes(figure.svg)
            (folder / "figures" / f"{figure.name}.png").write_bytes(figure.png)
    for table in tables.values():
        if table.table is not None:
            (folder / "tables" / f"{table.name}.csv").write_bytes(csv_bytes(table.table))


def refuse_other_folder(output: Path) -> None:
    """Refuse to replace a folder that is not an earlier report."""
    if output.is_dir() and any(output.iterdir()) and not (output / PAGE).is_file():
        raise RunError(
            "the folder holds other files",
            where=f"--output {output}",
            expected="a new or empty folder, or an earlier report",
            remedy=f"Name another folder, e.g. {output / 'report'}.",
        )


@contextlib.contextmanager
def whole_folder(output: Path) -> Iterator[Path]:
    """Yield a folder beside ``output`` that takes its place when the block ends well."""
    output.parent.mkdir(parents=True, exist_ok=True)
    unfinished = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    earlier = output.with_name(f".{output.name}.{os.getpid()}.old")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir()
    try:
        yield unfinished
        if output.exists():
            output.rename(earlier)
        unfinished.rename(output)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
        shutil.rmtree(earlier, ignore_errors=True)
