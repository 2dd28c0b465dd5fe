"""What an offline run would send to W&B: sections, x-axes, summaries, tables, the model."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from repeated_training import train
from tiny_runs import CONFIGS
from wandb_file import OfflineRun

from mtl_hcc import fit
from mtl_hcc.command_line.fit_settings import wandb_mode
from mtl_hcc.tracking.wandb_run import close, log_model, plain_types, summary_of, wandb_logger

pytestmark = pytest.mark.xdist_group("phantom run")


@pytest.fixture(scope="module")
def offline(phantom_run) -> OfflineRun:
    (folder,) = (phantom_run.run / "wandb").glob("offline-run-*")
    return OfflineRun(folder)


@pytest.mark.parametrize(
    ("name", "summary"),
    [
        ("validation/loss", "min,last"),
        ("validation/criterion", "min,last"),
        ("validation/kept_epoch", "last"),
        ("train/loss_os", "min,last"),
        ("validation/c_index_os", "max,last"),
        ("train/auc_mvi", "max,last"),
        ("validation/f1_mvi", "max,last"),
        ("train/learning_rate", "last"),
        ("weights/os", "last"),
        ("system/epoch_seconds", "mean,last"),
    ],
)
def test_best_is_the_lowest_loss_and_the_highest_score(name, summary):
    assert summary_of(name) == summary


def test_every_curve_is_drawn_over_epochs_in_a_section_of_its_own(offline, phantom_run):
    logged = set(phantom_run.table("history.csv").columns) - {"epoch"}
    assert logged <= set(offline.defined)
    for name in logged:
        assert name.split("/")[0] in {"train", "validation", "weights", "system"}
        assert offline.defined[name][0] == "epoch", name


def test_the_summary_holds_the_best_and_the_last_value_of_each_curve(offline, phantom_run):
    history = phantom_run.table("history.csv")
    for name, best in [("validation/loss", "min"), ("validation/c_index_os", "max")]:
        found = offline.summary[name]
        assert found["last"] == pytest.approx(history[name].iloc[-1])
        assert found[best] == pytest.approx(getattr(history[name], best)())


def test_the_summary_holds_the_final_metrics_by_split(offline, phantom_run):
    metrics = phantom_run.table("metrics.csv")
    rows = metrics[(metrics["model"] == "network") & (metrics["center"] == "all")]
    rows = rows.dropna(subset=["value"])
    assert len(rows) > 10
    assert rows["horizon_days"].notna().any()
    for row in rows.itertuples():
        horizon = "" if pd.isna(row.horizon_days) else f"_{row.horizon_days:.0f}"
        found = offline.summary[f"{row.split}/{row.metric}{horizon}_{row.task}"]
        assert found == pytest.approx(row.value), row


def test_the_model_is_an_artifact_without_pickled_code(offline):
    expected = ["config.yaml", "model.safetensors", "training_ranges.json"]
    assert sorted(offline.artifacts["model"]) == expected


def test_a_run_without_folds_is_a_group_of_its_own_name(offline, phantom_run):
    assert offline.run.run_group == offline.run.display_name == phantom_run.run.name


def test_tables_go_out_with_one_type_per_column():
    table = pd.DataFrame(
        {"n": pd.array([1, None], dtype="Int64"), "name": ["a", None], "mixed": [1, "x"]}
    )
    plain = plain_types(table)
    assert plain["n"].tolist()[0] == 1.0
    assert plain["n"].isna().tolist() == [False, True]
    assert plain["name"].tolist() == ["a", ""]
    assert plain["mixed"].tolist() == ["1", "x"]


# The same run, before and after a kill ---------------------------------------------------------


def ids(run: Path) -> list[str]:
    """Return the id of each part of a run, in the order of their making."""
    # offline-run-<time>-<id>, and a number where two begin in one second
    return [path.name.split("-")[3] for path in sorted((run / "wandb").glob("offline-run-*"))]


def test_a_resumed_run_goes_on_in_the_same_run_of_w_and_b(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("WANDB_DATA_DIR", str(tmp_path / "data"))
    flags = ("--wandb", "offline")
    close(train(tmp_path, "run", "--trainer.max_epochs", "2", *flags).wandb)
    (first,) = ids(tmp_path / "run")
    close(train(tmp_path, "run", "--trainer.max_epochs", "3", "--ckpt_path", "last", *flags).wandb)
    assert set(ids(tmp_path / "run")) == {first}
    assert (tmp_path / "run" / "wandb" / "run_id.txt").read_text() == first
    parts = [OfflineRun(path) for path in sorted((tmp_path / "run/wandb").glob("offline-run-*"))]
    assert {part.run.run_id for part in parts} == {first}
    assert "validation/loss" in parts[-1].history


def settings(folder: Path, *, ckpt_path: str | None) -> Any:
    return SimpleNamespace(
        wandb="offline", run=str(folder), wandb_group=None, wandb_project="p", ckpt_path=ckpt_path
    )


def test_a_new_run_in_a_used_folder_is_a_new_run_of_w_and_b(tmp_path: Path):
    def run_id(ckpt_path: str | None) -> str:
        (logger,) = wandb_logger(settings(tmp_path, ckpt_path=ckpt_path), tmp_path, {}, part="run")
        return str(logger.version)

    first = run_id(None)
    assert run_id("last") == first
    assert run_id(None) != first


def test_half_a_file_that_a_kill_left_is_not_sent(tmp_path: Path):
    for name in ("model.safetensors", "config.yaml", "model.safetensors.17.tmp"):
        (tmp_path / name).write_bytes(b"x")
    sent = []
    experiment = SimpleNamespace(name="run", log_artifact=sent.append)
    log_model(SimpleNamespace(experiment=experiment), tmp_path)
    assert sorted(sent[0].manifest.entries) == ["config.yaml", "model.safetensors"]


# What is allowed -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("configured", "environment", "flags", "expected"),
    [
        ("offline", "disabled", [], "disabled"),
        ("online", "offline", [], "offline"),
        ("online", "dryrun", [], "offline"),
        ("offline", "online", [], "offline"),
        ("disabled", "online", [], "disabled"),
        ("online", "", [], "online"),
        ("online", "disabled", ["--wandb", "online"], "online"),
        ("online", "offline", ["--wandb=online"], "online"),
        ("offline", "disabled", ["--wandb_project", "p"], "disabled"),
    ],
)
def test_a_flag_beats_the_environment_which_can_only_make_a_file_more_private(
    configured: Any,
    environment: str,
    flags: list[str],
    expected: str,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("WANDB_MODE", environment)
    assert wandb_mode(configured, flags) == expected


@pytest.mark.parametrize(
    ("flags", "expected"), [([], "disabled"), (["--wandb", "offline"], "offline")]
)
def test_w_and_b_switched_off_in_the_environment_stays_off_unless_a_flag_asks(
    flags: list[str], expected: str, monkeypatch: pytest.MonkeyPatch
):
    asked = []
    monkeypatch.setenv("WANDB_MODE", "disabled")
    monkeypatch.setattr(fit, "fit", lambda parser, config: asked.append(config.wandb))
    assert fit.main(["--config", str(CONFIGS / "ct_mtl.yaml"), *flags]) == 0
    assert asked == [expected]
