"""The command that reports: what it prints, what it refuses, and that it starts at once."""

import subprocess
import sys
import time

import pytest
from made_runs import write_run
from tiny_runs import call

from mtl_hcc import report
from mtl_hcc.reporting import report_processes


@pytest.fixture
def run(tmp_path):
    return write_run(tmp_path / "made")


@pytest.fixture
def brief(monkeypatch):
    """Draw one figure and one table only: the others have tests of their own."""
    for name in ("FIGURES", "TABLES"):
        monkeypatch.setattr(
            report_processes, name, {"cohort_flow": getattr(report_processes, name)["cohort_flow"]}
        )
    return ["--bootstraps", "0", "--workers", "1"]


def test_a_run_gets_its_report_inside_and_says_where(run, brief):
    done = call(report.main, "--run", run, *brief)
    assert done.code == 0, done.err
    assert f"wrote {run / 'report' / 'index.html'}" in done.out
    assert "next: open file://" in done.out
    assert sorted(path.name for path in (run / "report").iterdir()) == [
        *("comparisons.csv", "figures", "index.html", "metrics.csv", "tables"),
    ]


def test_predictions_without_a_run_get_a_report_that_says_what_is_missing(run, brief, tmp_path):
    files = ["--predictions", run / "predictions.csv", run / "baselines.csv"]
    names = ["--patients", run / "patients.csv", "--output", tmp_path / "out"]
    done = call(report.main, *files, *names, *brief)
    assert done.code == 0, done.err
    text = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "there are no learning curves" in text
    assert "nobody knows who was left out" in text


def test_two_runs_are_compared(run, brief, tmp_path):
    other = write_run(tmp_path / "other", seed=1)
    done = call(report.main, "--run", run, other, "--output", tmp_path / "out", *brief)
    assert done.code == 0, done.err
    text = (tmp_path / "out" / "index.html").read_text(encoding="utf-8")
    assert "<h1>made and other</h1>" in text
    assert "<dd>made, other</dd>" in text


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--run", "nowhere"], "RunError: nowhere: no such folder"),
        (["--run", "{run}", "--patients", "a.csv"], "--patients: it goes with --predictions"),
        (["--run", "{run}", "--threshold", "2"], "a probability between 0 and 1, or youden"),
        (["--run", "{run}", "--names", "a", "b"], "Expected 1 names that differ"),
        (["--run", "{run}", "--output", "{run}"], "the folder holds other files"),
        (["--predictions", "{run}/no.csv"], "no.csv: cannot be read"),
        (["--predictions", "{run}/predictions.csv"] + ["{run}/predictions.csv"] * 1, "--names"),
    ],
)
def test_bad_input_is_one_message_with_a_remedy(run, brief, arguments, message):
    done = call(report.main, *[text.format(run=run) for text in arguments], *brief)
    assert done.code == 2
    assert message in done.err
    assert "Traceback" not in done.err
    assert not (run / "report").exists()


def test_a_misspelt_flag_and_a_negative_number_are_named(run, capsys):
    for flags, message in ((["--bootstrap", "9"], "--bootstrap"), (["--seed", "-1"], "negative")):
        with pytest.raises(SystemExit) as stop:
            report.main(["--run", str(run), *flags])
        assert stop.value.code == 2
        assert message in capsys.readouterr().err


def test_help_starts_at_once_and_loads_neither_torch_nor_matplotlib():
    program = """
import sys
from mtl_hcc import report
try:
    report.main(["--help"])
except SystemExit:
    pass
unwanted = {"torch", "pytorch_lightning", "monai", "matplotlib", "pandas", "jinja2", "joblib"}
assert not unwanted & set(sys.modules), unwanted & set(sys.modules)
"""
    start = time.perf_counter()
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert time.perf_counter() - start < 2


def test_reporting_never_loads_torch(run, tmp_path):
    program = """
import sys
from mtl_hcc import report
from mtl_hcc.reporting import report_processes
report_processes.FIGURES = {"roc": report_processes.FIGURES["roc"]}
report_processes.TABLES = {"table_one_by_mvi": report_processes.TABLES["table_one_by_mvi"]}
assert report.main(sys.argv[1:]) == 0
unwanted = {"torch", "pytorch_lightning", "monai", "SimpleITK", "matplotlib.pyplot", "wandb"}
assert not unwanted & set(sys.modules), unwanted & set(sys.modules)
"""
    flags = ["--run", run, "--output", tmp_path / "out", "--bootstraps", "0", "--workers", "1"]
    command = [sys.executable, "-c", program, *map(str, flags)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
