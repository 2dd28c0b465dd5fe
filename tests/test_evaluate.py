import os
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from mtl_hcc.evaluate import main, write_table


@pytest.fixture
def predictions(tmp_path):
    """Two runs' predictions on the same 60 patients."""
    rng = np.random.default_rng(0)
    log_hazard, time_days = rng.normal(size=60), rng.integers(100, 900, 60)
    paths = []
    for name, noise in (("first", 0.5), ("second", 2.0)):
        risk = log_hazard + noise * rng.normal(size=60)
        who = pd.DataFrame({"patient_id": [f"P{k}" for k in range(60)], "center": "I", "fold": 0})
        who["split"] = np.repeat(["train", "external"], 30)
        os_rows = who.assign(task="os", risk=risk, time_days=time_days, event=np.arange(60) % 2)
        mvi = who.assign(task="mvi", probability=1 / (1 + np.exp(-risk)), label=log_hazard > 0)
        table = pd.concat([os_rows, mvi.astype({"label": int})])
        paths.append(tmp_path / name / "predictions.csv")
        paths[-1].parent.mkdir()
        table.to_csv(paths[-1], index=False)
    return [str(path) for path in paths]


def test_two_files_give_metrics_comparisons_and_a_table(predictions, tmp_path, capsys):
    out = tmp_path / "out"
    arguments = ["--predictions", *predictions, "--output", str(out), "--bootstraps", "50"]
    assert main(arguments) == 0
    assert sorted(path.name for path in out.iterdir()) == ["comparisons.csv", "metrics.csv"]
    metrics = pd.read_csv(out / "metrics.csv")
    assert list(metrics["model"].unique()) == ["first", "second"]
    comparisons = pd.read_csv(out / "comparisons.csv")
    assert set(comparisons["model_a"] + comparisons["model_b"]) == {"firstsecond"}
    assert comparisons.loc[comparisons["metric"] == "auc", "method"].str.match("delong").all()
    printed = capsys.readouterr().out
    for text in ("OS C-index", "MVI AUC", str(out / "metrics.csv"), str(out / "comparisons.csv")):
        assert text in printed
    found = comparisons[(comparisons["split"] == "external") & (comparisons["metric"] == "auc")]
    assert "first minus ..." in printed
    assert f"{found['difference'].iloc[0]:+.3f}" in printed


def test_splits_and_centers_are_compared_when_asked_for(predictions, tmp_path, capsys):
    arguments = ["--predictions", predictions[0], "--output", str(tmp_path), "--bootstraps", "20"]
    assert main([*arguments, "--between", "split"]) == 0
    groups = pd.read_csv(tmp_path / "group_comparisons.csv")
    assert set(groups["group_a"] + groups["group_b"]) == {"trainexternal"}
    assert "group_comparisons.csv" in capsys.readouterr().out
    assert main([*arguments, "--between", "center"]) == 0
    assert pd.read_csv(tmp_path / "group_comparisons.csv").empty, "there is one center only"


def test_one_file_gives_metrics_and_the_next_command(predictions, tmp_path, capsys):
    out = tmp_path / "out"
    names = ["--names", "mine", "--threshold", "youden", "--bootstraps", "0"]
    assert main(["--predictions", predictions[0], "--output", str(out), *names]) == 0
    assert [path.name for path in out.iterdir()] == ["metrics.csv"]
    assert set(pd.read_csv(out / "metrics.csv")["model"]) == {"mine"}
    assert "next:" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("extra", "message"),
    [
        (["--names", "one"], "1 names for 2 files"),
        (["--names", "one", "one"], "both hold a model called one"),
        (["--threshold", "2"], "a probability between 0 and 1, or youden"),
        (["--threshold", "best"], "a probability between 0 and 1, or youden"),
    ],
)
def test_wrong_settings_are_one_message(predictions, tmp_path, capsys, extra, message):
    assert main(["--predictions", *predictions, "--output", str(tmp_path / "out"), *extra]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()


def test_a_missing_file_is_named(tmp_path, capsys):
    assert main(["--predictions", str(tmp_path / "no.csv"), "--output", str(tmp_path)]) == 2
    assert "no.csv: cannot be read" in capsys.readouterr().err


def test_a_misspelt_flag_is_an_error_that_names_it(tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--predictions", "a.csv", "--output", str(tmp_path), "--boot", "3"])
    assert stop.value.code == 2
    assert "--boot" in capsys.readouterr().err


def test_a_failed_write_leaves_the_old_table_and_no_half_file(tmp_path, monkeypatch):
    path = write_table(pd.DataFrame({"value": [1]}), tmp_path / "metrics.csv")

    def fail_halfway(self, target, **kwargs):
        target.write_text("val")
        raise OSError("disk full")

    monkeypatch.setattr(pd.DataFrame, "to_csv", fail_halfway)
    with pytest.raises(OSError, match="disk full"):
        write_table(pd.DataFrame({"value": [2]}), path)
    assert path.read_text() == "value\n1\n"
    assert list(tmp_path.iterdir()) == [path]


def test_help_starts_quickly():
    start = time.perf_counter()
    command = [sys.executable, "-m", "mtl_hcc.evaluate", "--help"]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "--predictions" in shown.stdout
    assert time.perf_counter() - start < 2


def test_evaluating_and_drawing_never_import_torch(predictions, tmp_path):
    program = """
import sys
from mtl_hcc.evaluate import main
import mtl_hcc.estimators.baselines
from mtl_hcc.figures import FIGURES
import pandas as pd
code = main(sys.argv[1:])
FIGURES["kaplan_meier"](pd.read_csv(sys.argv[2]))
FIGURES["roc"](pd.read_csv(sys.argv[2]))
assert code == 0, code
unwanted = {"torch", "pytorch_lightning", "monai", "SimpleITK", "matplotlib.pyplot"}
loaded = unwanted & set(sys.modules)
assert not loaded, loaded
"""
    arguments = ["--predictions", predictions[0], "--output", str(tmp_path), "--bootstraps", "9"]
    command = [sys.executable, "-c", program, *arguments]
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "MPLBACKEND": ""}
    )
    assert ended.returncode == 0, ended.stderr
