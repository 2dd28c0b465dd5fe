"""A place that cannot be written is refused before anything is computed."""

from pathlib import Path

import pandas as pd
import pytest
from made_runs import write_run
from tiny_runs import call

from mtl_hcc import agreement, dashboard, evaluate, explain, predict, prepare, report
from mtl_hcc.command_line.output_place import check_output_file, check_output_folder
from mtl_hcc.errors import ConfigError


@pytest.fixture
def taken(tmp_path: Path) -> Path:
    path = tmp_path / "taken"
    path.write_text("mine")
    return path


COMMANDS = {
    "evaluate": (evaluate, ["--predictions", "no.csv", "--output", "{}"]),
    "report": (report, ["--predictions", "no.csv", "--output", "{}"]),
    "agreement": (agreement, ["--masks", "a", "b", "--output", "{}"]),
    "explain": (explain, ["--checkpoint", "no", "--output", "{}"]),
    "prepare": (prepare, ["--config", "configs/clinical_mtl.yaml", "--data.store", "{}"]),
    "dashboard": (dashboard, ["--entity", "me", "--specification", "{}"]),
    "predict": (predict, ["--checkpoint", "no", "--output", "{}/predictions.csv"]),
}


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("below", ["", "/deeper/still"])
def test_a_file_in_place_of_the_folder_is_refused_at_once(name, below, taken, monkeypatch):
    """Nothing else of the command line is looked at: none of the inputs exists."""
    monkeypatch.chdir(Path(__file__).parents[2])
    module, arguments = COMMANDS[name]
    done = call(module.main, *[text.format(f"{taken}{below}") for text in arguments])
    assert done.code == 2, done.out
    assert f"{taken} is a file. Expected a folder. Name another folder" in done.err
    assert "Traceback" not in done.err
    assert taken.read_text() == "mine"


def test_predict_refuses_a_folder_in_place_of_its_file(tmp_path):
    done = call(predict.main, "--checkpoint", "no", "--output", tmp_path)
    assert done.code == 2
    assert f"{tmp_path}: it is a folder. Expected the name of a file." in done.err
    assert f"e.g. {tmp_path / 'predictions.csv'}" in done.err


def test_new_folders_relative_ones_and_earlier_files_are_fine(tmp_path, monkeypatch, taken):
    monkeypatch.chdir(tmp_path)
    check_output_folder(Path("new/deep"), "--output")
    check_output_folder(Path(), "--output")
    check_output_file(taken, "--output")
    assert [path.name for path in tmp_path.iterdir()] == ["taken"], "nothing is made"


def test_a_link_that_leads_nowhere_is_named(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "gone")
    with pytest.raises(ConfigError, match="link is a link that leads nowhere"):
        check_output_folder(tmp_path / "link" / "out", "--output")


def test_the_default_place_of_a_report_is_checked_too(tmp_path):
    run = write_run(tmp_path / "made")
    (run / "report").write_text("mine")
    done = call(report.main, "--run", run)
    assert done.code == 2
    assert f"{run / 'report'} is a file" in done.err
    assert len(pd.read_csv(run / "predictions.csv"))
