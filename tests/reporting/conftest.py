"""One report of a made-up run, with everything a report can show."""

from dataclasses import dataclass
from pathlib import Path

import pytest
from made_runs import write_ablation, write_explanation, write_run
from page_reader import Page

from mtl_hcc.reporting.report_folder import Report, write_report
from mtl_hcc.reporting.run_folder import read_runs

SETTINGS = {"bootstraps": 20, "seed": 7, "threshold": 0.5}


@dataclass(frozen=True)
class Made:
    """A report, its folder, and its page as read."""

    run: Path
    folder: Path
    report: Report
    text: str
    page: Page


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """Return a report of one run; not to be changed."""
    run = write_run(tmp_path_factory.mktemp("report") / "made")
    write_ablation(run)
    write_explanation(run)
    report = write_report(read_runs([run]), run / "report", workers=1, **SETTINGS)
    text = report.page.read_text(encoding="utf-8")
    return Made(run, run / "report", report, text, Page(text))
