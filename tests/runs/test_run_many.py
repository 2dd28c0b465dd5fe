"""Several runs: their stores, what is started where, and what of them is said."""

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from lightning_fabric.plugins.environments import SLURMEnvironment
from rich.console import Console
from tiny_runs import PHANTOM, PhantomRun, ct_flags
from tiny_study import PowerCutError, clinical_flags

from mtl_hcc.command_line.config import build_parser, read_config, settled_config
from mtl_hcc.data.splits.split_changes import check_same_folds
from mtl_hcc.errors import ConfigError, SplitError
from mtl_hcc.runs import fit_process
from mtl_hcc.runs.run_claim import claimed
from mtl_hcc.runs.run_many import PlannedRun, prepare_stores, run_many
from mtl_hcc.store.prepared_store import PreparedStore
from mtl_hcc.training.module import MultiTaskModule

CONSOLE = Console(soft_wrap=True, highlight=False)


def planned(folder: Path, name: str, *flags: str) -> PlannedRun:
    """Return a brief clinical run into a folder of its name."""
    parser = build_parser("")
    given = clinical_flags(folder, "--run", str(folder / "runs" / name), *flags)
    return PlannedRun(name, settled_config(parser, read_config(parser, given)))


@pytest.fixture
def runs(tmp_path: Path) -> list[PlannedRun]:
    """Return three runs of one cohort, prepared."""
    made = [planned(tmp_path, name, "--seed", name[-1]) for name in ("a1", "b2", "c3")]
    prepare_stores(build_parser(""), made)
    return made


def test_what_is_finished_is_skipped_what_fails_is_named_and_the_rest_is_run(
    runs, in_process, monkeypatch, capsys
):
    assert run_many(runs[:1], console=CONSOLE) == {}
    real = MultiTaskModule.training_step

    def step(module: MultiTaskModule, batch: Any, batch_idx: int) -> Any:
        if in_process[-1] == "b2" and module.current_epoch == 1:
            raise PowerCutError
        return real(module, batch, batch_idx)

    with monkeypatch.context() as patched:
        patched.setattr(MultiTaskModule, "training_step", step)
        failed = run_many(runs, console=CONSOLE, found=lambda run: f"{run.name} is well")
    assert in_process == ["a1", "b2", "c3"]
    assert failed == {"b2": "ended by signal 9"}
    printed = capsys.readouterr().out
    assert "b2: failed: ended by signal 9" in printed
    assert "c3: c3 is well" in printed
    assert [run.state for run in runs] == ["finished", "half-finished", "finished"]
    assert run_many(runs, console=CONSOLE) == {}
    assert in_process[3:] == ["b2"]
    assert "b2 goes on" in capsys.readouterr().out
    assert run_many(runs, console=CONSOLE) == {}
    assert in_process[4:] == []


def test_the_reason_of_a_failure_is_the_last_line_of_its_log(tmp_path, in_process):
    run = planned(tmp_path, "a1", "--data.batch_size", "999")
    prepare_stores(build_parser(""), [run])
    failed = run_many([run], console=CONSOLE)
    assert failed["a1"].startswith("ConfigError: ")
    assert run.log.read_text().strip().endswith(failed["a1"])


def test_a_run_that_another_process_trains_is_left_to_it(runs, in_process, capsys):
    with claimed(runs[0].folder):
        assert runs[0].state == "running"
        assert run_many(runs[:2], console=CONSOLE) == {}
    assert in_process == ["b2"]
    assert "a1 is left to the process that is training it" in capsys.readouterr().out
    assert runs[0].state == "to do"


def started(monkeypatch: pytest.MonkeyPatch, runs: list[PlannedRun], **how: Any) -> list[Any]:
    """Return the environments that processes would get."""
    seen = []

    def run(command: list[str], *, env: dict[str, str], **_: Any) -> Any:
        seen.append(env)
        return fit_process.subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(fit_process.subprocess, "run", run)
    monkeypatch.setattr(fit_process.os, "cpu_count", lambda: 9)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert run_many(runs, console=CONSOLE, **how) == {}
    return seen


def test_several_at_a_time_share_the_cores(runs, monkeypatch):
    assert [env["OMP_NUM_THREADS"] for env in started(monkeypatch, runs, jobs=3)] == ["3"] * 3
    assert [env.get("OMP_NUM_THREADS") for env in started(monkeypatch, runs)] == [None] * 3


@pytest.mark.parametrize(
    ("visible", "jobs", "expected"),
    [
        (None, 4, {"0", "1"}),
        ("2,GPU-5f", 2, {"2", "GPU-5f"}),
        ("3", 2, {"3"}),
        ("", 2, {""}),
        (None, 1, {None}),
    ],
)
def test_each_of_several_at_a_time_gets_one_gpu(visible, jobs, expected, runs, monkeypatch):
    monkeypatch.setattr(fit_process.torch.cuda, "device_count", lambda: 2)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    seen = [env.get("CUDA_VISIBLE_DEVICES") for env in started(monkeypatch, runs, jobs=jobs)]
    assert set(seen) <= expected
    free: Any = fit_process._shares([], jobs)
    assert {share.get("CUDA_VISIBLE_DEVICES", visible) for share in free} == expected


def test_a_run_on_several_devices_keeps_all_of_them(tmp_path, monkeypatch):
    monkeypatch.setattr(fit_process.torch.cuda, "device_count", lambda: 4)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    run = planned(tmp_path, "a1", "--trainer.devices", "2")
    assert "CUDA_VISIBLE_DEVICES" not in started(monkeypatch, [run], jobs=2)[0]


def test_inside_a_job_of_slurm_lightning_counts_devices_and_not_tasks(runs, monkeypatch):
    tasks = {"SLURM_JOB_ID": "7", "SLURM_NTASKS": "1", "SLURM_JOB_NAME": "mtl_hcc"}
    for name, value in tasks.items():
        monkeypatch.setenv(name, value)
    (env,) = started(monkeypatch, runs[:1])
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert not SLURMEnvironment.detect()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"partition": "gpu"}, "SLURM would stop each run after five minutes"),
        ({"timeout_min": 9, "partitoin": "gpu"}, "partitoin"),
        ({"timeout_min": "long"}, "timeout_min"),
    ],
)
def test_wrong_settings_of_slurm_are_named(settings, message, runs, monkeypatch):
    monkeypatch.setattr(fit_process, "CLUSTER", "local")
    with pytest.raises(ConfigError, match=message):
        run_many(runs, slurm=settings, console=CONSOLE)


def test_a_job_that_dies_is_named_and_the_others_end(runs, monkeypatch):
    """Dies as by a node that fails: before it can give a result."""
    monkeypatch.setattr(fit_process, "CLUSTER", "local")
    monkeypatch.setenv("PYTHONPATH", str(Path(fit_process.__file__).parents[2]))
    runs[0].values["wandb"] = None  # no flag of a command: the job itself fails
    failed = run_many(runs[:2], slurm={"timeout_min": 5}, console=CONSOLE)
    assert [*failed] == ["a1"]
    assert "its SLURM job" in failed["a1"]
    assert runs[1].state == "finished"


@pytest.mark.xdist_group("phantom run")
def test_another_preparation_gets_its_store_and_the_same_splits(phantom_run: PhantomRun):
    parser = build_parser("")
    flags = [*ct_flags(phantom_run.run.parent), "--data.phantom.patients", PHANTOM]
    full = PlannedRun("full", settled_config(parser, read_config(parser, flags)))
    coarse = [*flags, "--data.preparation.views.tumor.spacing_mm", "12"]
    other = str(phantom_run.store.with_name("store_coarse"))
    coarse += ["--data.store", other, "--data.cohort", str(phantom_run.cohort)]
    run = PlannedRun("coarse", settled_config(parser, read_config(parser, coarse)))
    files = phantom_run.store.rglob("*.safetensors")
    before = {path: path.stat().st_mtime_ns for path in files}
    prepare_stores(parser, [full, run])
    assert {path: path.stat().st_mtime_ns for path in before} == before, "it was fresh"
    made = PreparedStore(other)
    assert made.load("I-001").views["tumor"].images.shape == (3, 8, 8, 8)
    assert not list(made.root.glob("phantom-*")), "the phantom is not made again"
    ours, theirs = (
        pd.read_csv(root / "splits.csv", comment="#") for root in (made.root, phantom_run.store)
    )
    pd.testing.assert_frame_equal(ours, theirs)


def test_stores_with_other_folds_are_refused(tmp_path):
    same = planned(tmp_path, "a1")
    other = ["--data.split", "RandomSplit", "--data.store", str(tmp_path / "other")]
    other += ["--data.split.fractions", "{train: 0.5, validation: 0.5}"]
    with pytest.raises(SplitError, match=r"run b2, patient P.*in another split"):
        prepare_stores(build_parser(""), [same, planned(tmp_path, "b2", *other)])


@pytest.fixture
def splits() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "patient_id": ["A", "B", "C"] * 2,
            "fold": [0, 0, 0, 1, 1, 1],
            "split": ["train", "train", "test", "test", "train", "train"],
        }
    )


def test_equal_folds_pass_in_any_order_and_with_patients_missing_on_either_side(splits):
    check_same_folds(splits, splits.iloc[::-1], where="variant x")
    check_same_folds(splits, splits[splits["patient_id"] != "B"], where="variant x")
    check_same_folds(splits[splits["patient_id"] != "B"], splits, where="variant x")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({1: "test"}, "variant x, patient B: 1 of 6 patients are in another split"),
        ({0: "test", 5: "test"}, "variant x, patient A: 2 of 6"),
    ],
)
def test_a_patient_in_another_split_is_named(splits, change, message):
    other = splits.copy()
    for place, split in change.items():
        other.loc[place, "split"] = split
    with pytest.raises(SplitError) as caught:
        check_same_folds(splits, other, where="variant x")
    assert message in str(caught.value)
    assert "the same folds for all that are compared" in str(caught.value)


def test_other_folds_and_other_patients_are_refused(splits):
    with pytest.raises(SplitError, match=r"folds \[0\] instead of \[0, 1\]"):
        check_same_folds(splits, splits[splits["fold"] == 0], where="variant x")
    with pytest.raises(SplitError, match="0 of 0 patients"):
        check_same_folds(splits, splits.assign(patient_id="Z" + splits["patient_id"]), where="x")
