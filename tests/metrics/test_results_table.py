import io

import pandas as pd
import pytest
from rich.console import Console
from rich.table import Table

from mtl_hcc.metrics.evaluate_predictions import evaluate_predictions
from mtl_hcc.metrics.results_table import print_results, results_markdown, results_table


@pytest.fixture
def metrics(predictions):
    size = predictions[predictions["task"] == "os"].assign(risk=0.0, model="tumor size")
    both = pd.concat([predictions.assign(model="network"), size])
    return evaluate_predictions(both, bootstraps=50)


def test_markdown_holds_value_interval_size_and_baselines(metrics):
    lines = results_markdown(metrics).splitlines()
    assert lines[0] == "| Split | Metric | network | n / events | tumor size |"
    row = metrics[(metrics["metric"] == "concordance_harrell") & (metrics["center"] == "all")]
    row = row[(row["split"] == "external") & (row["model"] == "network")].iloc[0]
    interval = f"{row['value']:.3f} ({row['ci_low']:.3f}-{row['ci_high']:.3f})"
    size = f"{row['n']} / {row['events']}"
    assert f"| external | OS C-index | {interval} | {size} | 0.500 |" in lines
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        f"| {split}" for split in ("train", "validation", "external") for _ in range(3)
    ]
    assert lines[3].endswith("| - |")  # tumor size predicts no MVI


def test_a_table_read_back_from_csv_is_shown_alike(metrics, tmp_path):
    metrics.to_csv(tmp_path / "metrics.csv", index=False)
    assert results_markdown(pd.read_csv(tmp_path / "metrics.csv")) == results_markdown(metrics)


def test_the_printed_table_fits_and_can_put_another_model_first(metrics):
    console = Console(width=100, record=True, file=io.StringIO())
    console.print(results_table(metrics, models=["tumor size", "network"]))
    text = console.export_text()
    assert "OS C-index" in text
    assert text.index("tumor size") < text.index("network")


def test_no_number_is_cut_in_a_narrow_terminal(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    table = Table("model", "value", padding=(0, 1, 0, 0))
    table.add_row("a long name of a model", "0.123 (0.101-0.145)" * 3)
    print_results(table)
    assert "0.123 (0.101-0.145)" * 3 in capsys.readouterr().out
