"""The command: a whole study, what it leaves, prints, and does when it is given again."""

import re
from pathlib import Path

import pandas as pd
import pytest
from tiny_runs import BRIEF, PHANTOM, QUIET, PhantomRun, call, ct_flags
from tiny_study import PowerCutError, clinical_flags, write_study

from mtl_hcc import ablate
from mtl_hcc.metrics.comparisons import compare_models
from mtl_hcc.metrics.predictions import read_predictions
from mtl_hcc.runs import fit_process
from mtl_hcc.runs.checkpoint import load_model
from mtl_hcc.training.module import MultiTaskModule

IMAGE_VARIANTS = {
    "two_phases_2d": {
        "model": {
            "encoders": {
                "tumor": {
                    "instances": "AxialSlices",
                    "stem": {"init_args": {"dimensions": "2d"}},
                    "backbone": {"init_args": {"dimensions": "2d"}},
                    "aggregator": {
                        "class_path": "Nested",
                        "init_args": {
                            "within": "Mean",
                            "over": {"class_path": "Concatenate", "init_args": {"phases": 2}},
                        },
                    },
                }
            }
        },
        "data.phases": ["arterial", "portal_venous"],
    }
}


@pytest.fixture
def command(tmp_path: Path) -> list[str]:
    """Return the flags of the clinical study in the test's folder."""
    study = write_study(tmp_path, {"no_bank": {"model.risk_bank": None}}, seeds=[0])
    return ["--study", str(study), *clinical_flags(tmp_path)]


@pytest.mark.xdist_group("phantom run")
def test_a_whole_study_on_images_gives_the_table_with_paired_intervals(
    phantom_run: PhantomRun, in_process: list[str], tmp_path: Path
):
    study = write_study(tmp_path, IMAGE_VARIANTS)
    flags = ct_flags(phantom_run.run.parent, run="study_run")
    flags += [*BRIEF, *QUIET, "--data.phantom.patients", PHANTOM]
    done = call(ablate.main, "--study", study, *flags)
    assert done.code == 0, done.err
    variants = ("full", "two_phases_2d")
    assert in_process == [f"{variant}_seed{seed}" for seed in (0, 1) for variant in variants]
    run = phantom_run.run.parent / "study_run"
    table = pd.read_csv(run / "ablation.csv")
    assert set(table["variant"]) == set(variants)
    assert set(table["seed"]) == {"0", "1", "all"}
    assert set(table["split"]) == {"train", "validation", "external"}
    # The interval of one seed is that of compare_models on the two runs' predictions.
    predictions = pd.concat(
        read_predictions(run / "ablation" / f"{name}_seed1" / "predictions.csv", model=name)
        for name in ("two_phases_2d", "full")
    )
    keys = {"split": "train", "task": "os", "metric": "concordance_harrell"}
    compared = compare_models(predictions, bootstraps=20)
    (expected,) = compared[(compared[list(keys)] == pd.Series(keys)).all(axis=1)].itertuples()
    keys |= {"variant": "two_phases_2d", "seed": "1"}
    (found,) = table[(table[list(keys)] == pd.Series(keys)).all(axis=1)].itertuples()
    for name in ("difference", "ci_low", "ci_high", "p"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name))
    # A 2D model of two phases is exported and loaded like any other.
    module, config = load_model(run / "ablation" / "two_phases_2d_seed0")
    assert config["data"]["phases"] == ["arterial", "portal_venous"]
    assert module.network.encoder("tumor").stem.convolution.weight.shape[2:] == (5, 5)
    # Printed: a line for each run, then the table.
    number = r"[01]\.\d{3}"
    line = rf"two_phases_2d_seed1: external OS C-index {number}, .*AUC {number}"
    assert re.search(line, done.out)
    assert "two phases 2d" in done.out
    assert "4/4" in done.out
    text = (run / "ablation.md").read_text()
    assert "| MVI AUC | two phases 2d |" in text
    assert "model.encoders.tumor.instances: AxialSlices" in text
    assert "data.phases: [arterial, portal_venous]`" in text


def test_given_again_only_what_changed_is_trained_and_other_folds_are_refused(
    command: list[str], in_process: list[str], tmp_path: Path
):
    assert call(ablate.main, *command).code == 0
    before = (tmp_path / "run" / "ablation.csv").read_bytes()
    assert in_process == ["full_seed0", "no_bank_seed0"]
    done = call(ablate.main, *command)
    assert done.code == 0
    assert "2 runs, 2 finished, 0 to train" in done.out
    assert len(in_process) == 2
    assert (tmp_path / "run" / "ablation.csv").read_bytes() == before
    # Another setting of one variant concerns its runs only; a flag concerns all.
    write_study(tmp_path, {"no_bank": {"model.risk_bank.capacity": 8}}, seeds=[0])
    done = call(ablate.main, *command)
    assert done.code == 0, done.err
    assert in_process[2:] == ["no_bank_seed0"]
    assert "no_bank_seed0 is trained anew: settings or data changed" in done.out
    done = call(ablate.main, *command, "--model.learning_rate", "0.02", "--list")
    assert done.out.count("settings changed") == 2
    # Predictions of patients who were in another split are never compared.
    path = tmp_path / "run" / "ablation" / "no_bank_seed0" / "predictions.csv"
    path.write_text(path.read_text().replace(",validation,", ",train,"))
    done = call(ablate.main, *command)
    assert done.code == 2
    assert "SplitError: run no_bank_seed0, patient P" in done.err
    assert "the same folds for all that are compared" in done.err


def test_after_ctrl_c_only_the_rest_is_trained(
    command: list[str], in_process: list[str], monkeypatch: pytest.MonkeyPatch
):
    """Inside the second run: it goes on, the first is kept."""
    real = MultiTaskModule.training_step

    def step(module, batch, batch_idx):
        if in_process[-1] == "no_bank_seed0" and (module.current_epoch, batch_idx) == (1, 1):
            raise KeyboardInterrupt
        return real(module, batch, batch_idx)

    with monkeypatch.context() as patched:
        patched.setattr(MultiTaskModule, "training_step", step)
        stopped = call(ablate.main, *command)
    assert stopped.code == 130
    assert "give the command again" in stopped.err
    started = in_process.copy()
    in_process.clear()
    done = call(ablate.main, *command)
    assert done.code == 0, done.err
    assert started == ["full_seed0", "no_bank_seed0"]
    assert in_process == ["no_bank_seed0"]
    assert "no_bank_seed0 goes on" in done.out


def test_a_run_that_fails_is_named_and_the_others_are_trained(
    command: list[str], in_process: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
):
    write_study(
        tmp_path, {"slow": {"patience": 3}, "no_bank": {"model.risk_bank": None}}, seeds=[0]
    )
    real = MultiTaskModule.training_step

    def step(module, batch, batch_idx):
        if in_process[-1] == "slow_seed0":
            raise PowerCutError
        return real(module, batch, batch_idx)

    with monkeypatch.context() as patched:
        patched.setattr(MultiTaskModule, "training_step", step)
        done = call(ablate.main, *command)
    assert done.code == 2
    assert in_process == ["full_seed0", "slow_seed0", "no_bank_seed0"]
    assert "slow_seed0: failed: ended by signal 9" in done.out
    assert "Not in the table, for not finished: 1 of 3 runs (slow_seed0)." in done.out
    assert "RunError: slow_seed0" in done.err
    assert "1 of 3 runs failed" in done.err
    table = pd.read_csv(tmp_path / "run" / "ablation.csv")
    assert set(table["variant"]) == {"full", "no_bank"}


def test_list_prints_the_plan_and_writes_nothing(command: list[str], tmp_path: Path):
    done = call(ablate.main, *command, "--list")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    (line,) = [line for line in lines if "no_bank" in line and "to do" in line]
    assert line.split() == ["no_bank", "to", "do", "model.risk_bank:", "null"]
    assert "2 runs, 0 finished, 2 to train." in done.out
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "store").exists()


def test_only_trains_what_it_names_and_the_table_waits(
    command: list[str], in_process: list[str], tmp_path: Path
):
    done = call(ablate.main, *command, "--only", "no_bank_seed0")
    assert done.code == 0, done.err
    assert in_process == ["no_bank_seed0"]
    assert "No table yet: the full design is not finished." in done.out
    assert not (tmp_path / "run" / "ablation.csv").exists()
    done = call(ablate.main, *command, "--list")
    assert "2 runs, 1 finished, 1 to train." in done.out
    done = call(ablate.main, *command, "--only", "full")
    assert in_process[1:] == ["full_seed0"]
    table = pd.read_csv(tmp_path / "run" / "ablation.csv")
    assert table.loc[table["variant"] == "no_bank", "difference"].notna().any()


@pytest.mark.parametrize(
    ("flags", "messages"),
    [
        (["--only", "no_banc"], ["no variant or run 'no_banc'", "Did you mean no_bank"]),
        (["--modl.seed", "3"], ["unrecognized arguments: --modl.seed"]),
        (["--model.learning_rat", "3"], ["model.learning_rate"]),
        (["--ckpt_path", "last"], ["unfinished runs go on"]),
        (["--backend", "slurm"], ["no joblib backend 'slurm'"]),
        (["--slurm", "partition=gpu"], ["timeout_min is missing", "--slurm timeout_min=240"]),
        (["--slurm", "timeout_min=9"], ["srun", "leave out --slurm"]),
    ],
)
def test_wrong_flags_end_with_a_message(flags, messages, command, in_process):
    done = call(ablate.main, *command, *flags)
    assert done.code == 2
    for message in messages:
        assert message in done.err
    assert in_process == []


def test_jobs_below_one_are_refused(command, capsys):
    with pytest.raises(SystemExit):
        ablate.main([*command, "--jobs", "0"])
    assert "0 is less than 1" in capsys.readouterr().err


def test_a_study_is_trained_by_jobs_of_a_cluster(
    command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """submitit's own local cluster: jobs are pickled, and run in processes of their own."""
    monkeypatch.setattr(fit_process, "CLUSTER", "local")
    path = str(Path(ablate.__file__).parents[1])
    monkeypatch.setenv("PYTHONPATH", path)
    done = call(ablate.main, *command, "--slurm", "timeout_min=5", "partition=gpu")
    assert done.code == 0, done.err
    assert "no_bank_seed0: validation MVI AUC" in done.out
    assert "2/2" in done.out
    table = pd.read_csv(tmp_path / "run" / "ablation.csv")
    assert set(table["variant"]) == {"full", "no_bank"}
    for name in ("full_seed0", "no_bank_seed0"):
        log = (tmp_path / "run" / "ablation" / "logs" / f"{name}.txt").read_text()
        assert "Next: python -m mtl_hcc.report" in log
