"""Settings with which a run cannot end well are refused before anything is read or moved."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from fuzz_configs import fuzz
from tiny_runs import Finished, call
from tiny_training import tiny_config

from mtl_hcc import fit

BRIEF = ["--trainer.max_epochs", "1", "--bootstraps", "5"]


def fitted(folder: Path, *flags: str) -> Finished:
    """Return how a brief clinical run in a folder ended."""
    tiny_config(folder)  # writes config.yaml and the cohort
    places = ["--config", folder / "config.yaml", "--run", folder / "run"]
    return call(fit.main, *places, *BRIEF, *flags)


def augmented(name: str, **settings: float) -> str:
    """Return a list of one transform."""
    return json.dumps([{"class_path": name, "init_args": settings}])


REFUSED = [
    ("trainer.max_epochs", "0", "Expected 1 or more"),
    ("trainer.max_steps", "3", "Set trainer.max_epochs instead"),
    ("trainer.max_steps", "0", "Set trainer.max_epochs instead"),
    ("trainer.check_val_every_n_epoch", "2", "the whole validation split"),
    ("trainer.check_val_every_n_epoch", "0", "Expected 1"),
    ("trainer.val_check_interval", "0.5", "Expected nothing or 1.0"),
    ("trainer.val_check_interval", "1000", "Expected nothing or 1.0"),
    ("trainer.limit_val_batches", "0", "Expected above 0"),
    ("trainer.limit_train_batches", "0", "Nothing would be learned"),
    ("trainer.limit_train_batches", "0.01", "Please increase"),
    ("trainer.overfit_batches", "1", "validate on training patients"),
    ("trainer.fast_dev_run", "true", "--trainer.limit_train_batches 2"),
    ("trainer.barebones", "true", "checkpoint"),
    ("trainer.enable_checkpointing", "false", "checkpoint"),
    ("trainer.precision", "64-true", "bf16-mixed"),
    ("trainer.precision", "bf16-true", "bf16-mixed"),
    ("trainer.devices", "-3", "devices is -3"),
    ("trainer.devices", "999", "processes on this CPU"),
    ("trainer.accumulate_grad_batches", "0", "Expected 1 or more"),
    ("trainer.gradient_clip_val", "-1", "Expected 0 or more"),
    ("model.learning_rate", "-1", "model.learning_rate is -1"),
    ("model.learning_rate", "1e38", "model.learning_rate is 1e+38"),
    ("patience", "null", "Expected a <class 'int'>"),
    ("model.weight_decay", "-1", "model.weight_decay is -1"),
    ("model.warmup_epochs", "-1", "model.warmup_epochs is -1"),
    ("model.fusion.widths", "[-3]", "fusion.widths is [-3]"),
    ("model.fusion.widths", "[0]", "fusion.widths is [0]"),
    ("model.clinical.hidden", "-2", "clinical.hidden is -2"),
    ("data.augmentation", augmented("TimeJitter", days=-1), "TimeJitter: days is -1"),
    ("data.augmentation", augmented("TimeJitter", days=1e9), "Expected 0 to 30"),
    ("data.augmentation", augmented("PhaseDropout", probability=2), "Expected 0 to 1"),
    ("data.loading.workers", "-1", "data.loading.workers: workers is -1"),
    ("data.cohort", "/nowhere/cohort.csv", "no such file or folder"),
    ("data.store", "", "Expected a folder"),
    ("run", "", "Expected a folder"),
    ("seed", "99999999999999999999", "Expected 0 to 4294967295"),
    ("patience", "0", "Expected 1 epoch or more"),
    ("keep.start", "1", "Expected a share of trainer.max_epochs, 0 to below 1"),
    ("keep.mean_over", "0", "Expected 1 epoch or more"),
    ("keep.which", "worst", "best"),
    ("model.weight_average.decay", "1", "model.weight_average.decay is 1; expected above 0"),
    ("bootstraps", "-1", "Expected 0 (no intervals) or more"),
    ("baselines", '{"oracle": {"age_years": "linear"}}', "baselines is 'oracle'"),
    ("ckpt_path", "last", "nothing to resume"),
]


@pytest.mark.parametrize(("name", "value", "message"), REFUSED)
def test_a_setting_that_cannot_work_is_one_message_and_leaves_nothing(
    name: str, value: str, message: str, tmp_path: Path
):
    done = fitted(tmp_path, f"--{name}", value)
    assert done.code == 2, done.out
    assert message in done.err
    assert name.split(".")[-1] in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a finished run, in ``run``."""
    folder = tmp_path_factory.mktemp("finished")
    done = fitted(folder)
    assert done.code == 0, done.err
    return folder


def files(run: Path) -> dict[str, bytes]:
    return {str(path.relative_to(run)): path.read_bytes() for path in run.rglob("*.*")}


@pytest.mark.parametrize(
    "flags",
    [
        ["--data.cohort", "/nowhere/cohort.csv"],
        ["--data.split.column", "nowhere"],
        ["--data.batch_size", "999"],
        ["--trainer.max_steps", "3"],
        ["--model.learning_rate", "-1"],
        ["--data.covariates.age_years", "log", "--data.endpoints", "[os]"],
    ],
)
def test_a_mistake_leaves_the_finished_run_where_it_is(finished: Path, flags: list[str]):
    before = files(finished / "run")
    done = fitted(finished, *flags)
    assert done.code == 2
    assert "moved" not in done.out
    assert files(finished / "run") == before
    assert not (finished / "run_1").exists()


@pytest.mark.parametrize(
    "flags", [["--model.fusion.widths", "[4]", "--ckpt_path", "last"], ["--ckpt_path", "absent"]]
)
def test_a_run_that_cannot_go_on_keeps_its_config(finished: Path, flags: list[str]):
    before = files(finished / "run")
    done = fitted(finished, *flags)
    assert done.code == 2
    assert files(finished / "run") == before


HOLDER = """
import sys
from pathlib import Path
from mtl_hcc.runs.run_claim import claimed
with claimed(Path(sys.argv[1])):
    print("claimed", flush=True)
    sys.stdin.readline()
"""


def test_two_processes_do_not_train_in_one_folder(finished: Path):
    run = finished / "run"
    before = files(run)
    command = [sys.executable, "-c", textwrap.dedent(HOLDER), str(run)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "claimed\n"
        for flags in ([], ["--ckpt_path", "last"]):
            done = fitted(finished, *flags)
            assert done.code == 2
            assert f"{run}: another process is training in this folder" in done.err
            assert "set another --run" in done.err
        holder.kill()  # a killed process holds nothing
    assert files(run) == before
    assert fitted(finished, "--ckpt_path", "last").code == 0


def test_a_file_is_no_store(tmp_path: Path):
    (tmp_path / "store").write_text("mine")
    done = fitted(tmp_path, "--data.store", str(tmp_path / "store"))
    assert done.code == 2
    assert done.err.startswith(f"FileExistsError: {tmp_path / 'store'}: File exists. Name another")


def test_a_file_is_no_run_folder(tmp_path: Path):
    (tmp_path / "run").write_text("mine")
    done = fitted(tmp_path)
    assert done.code == 2
    assert f"{tmp_path / 'run'}: it is a file. Expected a folder. Set another --run." in done.err
    assert (tmp_path / "run").read_text() == "mine"


@pytest.mark.parametrize("name", ["checkpoints", "history.csv"])
def test_a_folder_that_is_no_run_is_not_moved(name: str, tmp_path: Path):
    (tmp_path / "run" / name).mkdir(parents=True)
    (tmp_path / "run" / "thesis.txt").write_text("mine")
    done = fitted(tmp_path)
    assert done.code == 2
    assert "holds something else than a run" in done.err
    assert not (tmp_path / "run_1").exists()
    assert (tmp_path / "run" / "thesis.txt").read_text() == "mine"


def test_the_folder_one_stands_in_is_not_moved(finished: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(finished / "run")
    done = fitted(finished, "--run", ".")
    assert done.code == 2
    assert "is the one you are in" in done.err
    assert (finished / "run" / "metrics.csv").is_file()


def test_ctrl_c_while_the_cohort_is_read_is_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def interrupted(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("mtl_hcc.cohorts.clinical_table.ClinicalTable.read", interrupted)
    done = fitted(tmp_path)
    assert done.code == 130
    assert done.err == "Stopped. What was finished is kept; give the command again.\n"


@pytest.mark.slow
def test_damaged_configs_train_or_are_refused_with_a_message(tmp_path: Path):
    tried = list(fuzz(range(35), tmp_path))
    assert [one for one in tried if one.fault] == []
    assert {one.code for one in tried} == {0, 2}, "both ends are tried"
