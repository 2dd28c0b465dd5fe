"""The command that trains: what it leaves in the run folder, what it prints, how it goes on."""

import itertools
import shutil
import signal
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from sklearn.metrics import roc_auc_score
from sksurv.metrics import concordance_index_censored
from tiny_runs import BRIEF, CONFIGS, PHANTOM, QUIET, call, copy_cohort, ct_flags
from tiny_training import write_clinical_cohort

from mtl_hcc import evaluate, fit, predict
from mtl_hcc.command_line.config import build_parser, config_from_dict, plain_config, read_config
from mtl_hcc.runs import results
from mtl_hcc.runs.train_fold import train_fold
from mtl_hcc.training import module
from mtl_hcc.training.module import MultiTaskModule

pytestmark = pytest.mark.xdist_group("phantom run")

SPLIT_SIZES = {"train": 12, "validation": 6, "external": 6}
HORIZONS = [f"survival_{days}" for days in (365, 730, 1095, 1825)]
METRIC_COLUMNS = [
    *("model", "split", "center", "task", "metric", "horizon_days"),
    *("value", "ci_low", "ci_high", "n", "events", "method"),
]


def again(phantom_run, *flags: str) -> list[str]:
    """Return the flags of the phantom run, for one more brief run on the same store."""
    places = ct_flags(phantom_run.run.parent)
    return [*places, "--data.phantom.patients", PHANTOM, *BRIEF, *QUIET, *flags]


# What a run leaves ---------------------------------------------------------------------------


def test_the_run_folder_holds_a_config_that_names_versions_and_parses_back(phantom_run):
    text = (phantom_run.run / "config.yaml").read_text()
    assert f"# torch {torch.__version__}" in text
    assert "# mtl_hcc " in text
    values = yaml.safe_load(text)
    parser = build_parser("")
    assert plain_config(parser, config_from_dict(parser, values)) == values
    assert values["trainer"]["max_epochs"] == 2, "a flag beats the file"
    assert values["data"]["batch_size"] == 8
    assert values["data"]["preparation"]["views"]["tumor"]["spacing_mm"] == 6.0
    shipped = yaml.safe_load((CONFIGS / "ct_mtl.yaml").read_text())
    for name in ("learning_rate", "weight_decay", "schedule"):
        assert values["model"][name] == shipped["model"][name], "the file's where no flag speaks"


def test_best_and_last_checkpoints_hold_tensors_and_plain_values_only(phantom_run):
    for name in ("best.ckpt", "last.ckpt"):
        checkpoint = torch.load(phantom_run.run / "checkpoints" / name, weights_only=True)
        assert checkpoint["config"]["data"]["batch_size"] == 8
    assert {path.name for path in (phantom_run.run / "model").iterdir()} == {
        "model.safetensors",
        "config.yaml",
        "training_ranges.json",
    }


def test_the_history_has_losses_weights_and_scores_of_each_epoch(phantom_run):
    history = phantom_run.table("history.csv")
    assert history["epoch"].tolist() == [0, 1]
    per_split = ["loss", "loss_os", "loss_rfs", "loss_mvi", "c_index_os", "c_index_rfs"]
    expected = {f"{split}/{name}" for split in ("train", "validation") for name in per_split}
    expected |= {
        f"{split}/{name}_mvi" for split in ("train", "validation") for name in ("auc", "f1")
    }
    expected |= {"weights/os", "weights/rfs", "weights/mvi", "train/learning_rate"}
    expected |= {"validation/kept_epoch"}
    assert expected | {"epoch", "system/epoch_seconds"} == set(history)
    assert np.isfinite(history[sorted(expected)]).all(axis=None)
    assert (history[["weights/os", "weights/rfs", "weights/mvi"]] == 1).all(axis=None), (
        "dynamic weights are one in the first two epochs"
    )
    assert (history["system/epoch_seconds"] > 0).all()


def test_predictions_follow_the_contract_with_one_row_per_patient_and_task(phantom_run):
    predictions = phantom_run.table("predictions.csv")
    columns = ["patient_id", "center", "split", "fold", "task", "risk", "time_days", "event"]
    assert list(predictions) == [*columns, *HORIZONS, "label", "probability"]
    table = pd.read_csv(phantom_run.cohort / "patients.csv").set_index("patient_id")
    assert sorted(zip(predictions["patient_id"], predictions["task"], strict=True)) == sorted(
        itertools.product(table.index, ("os", "rfs", "mvi"))
    )
    own = table.loc[predictions["patient_id"]].reset_index()
    assert (predictions["split"] == own["split"]).all()
    assert (predictions["center"] == own["center"]).all()
    for task in ("os", "rfs"):
        rows = predictions["task"] == task
        assert (predictions["time_days"] == own[f"{task}_days"])[rows].all()
        assert (predictions["event"] == own[f"{task}_event"])[rows].all()
        assert predictions.loc[rows, ["label", "probability"]].isna().all(axis=None)
    mvi = predictions["task"] == "mvi"
    assert (predictions["label"] == own["mvi"])[mvi].all()
    assert predictions.loc[mvi, "probability"].between(0, 1).all()
    assert predictions.loc[mvi, ["risk", "time_days", "event", *HORIZONS]].isna().all(axis=None)


def test_survival_probabilities_fall_with_time_and_with_the_log_hazard(phantom_run):
    predictions = phantom_run.table("predictions.csv")
    for task in ("os", "rfs"):
        rows = predictions[predictions["task"] == task].sort_values("risk")
        known = [name for name in HORIZONS if rows[name].notna().any()]
        assert known[:2] == HORIZONS[:2], "two years are inside the follow-up"
        survival = rows[known].to_numpy()
        assert ((survival >= 0) & (survival <= 1)).all()
        assert (np.diff(survival, axis=1) <= 0).all()
        assert (np.diff(survival, axis=0) <= 1e-7).all()


def test_metrics_follow_the_contract_for_network_baselines_and_oracle(phantom_run):
    metrics = phantom_run.table("metrics.csv")
    assert list(metrics) == METRIC_COLUMNS
    beside = ["tumor size", "AFP", "BCLC", "region statistics", "all clinical columns"]
    beside += ["oracle", "visible ceiling"]
    assert metrics["model"].unique().tolist() == ["network", *beside]
    pooled = metrics[metrics["center"] == "all"]
    names = {
        "os": {"concordance_harrell"},
        "rfs": {"concordance_harrell"},
        "mvi": {"auc", "f1", "accuracy", "sensitivity", "specificity"},
    }
    table = pd.read_csv(phantom_run.cohort / "patients.csv")
    for (_, split, task), rows in pooled.groupby(["model", "split", "task"]):
        assert names[str(task)] <= set(rows["metric"])
        members = table[table["split"] == split]
        assert (rows["n"] == SPLIT_SIZES[str(split)]).all()
        event = "mvi" if task == "mvi" else f"{task}_event"
        whole = rows[rows["metric"].isin(["concordance_harrell", "auc", "f1"])]
        assert (whole["events"] == members[event].sum()).all()
    # Percentiles of biased statistics (distances, slopes) of so few need not hold the value.
    plain = ["concordance_harrell", "auc", "f1", "accuracy", "sensitivity", "hazard_ratio", "brier"]
    known = pooled[pooled["metric"].isin(plain)].dropna(subset=["value", "ci_low"])
    assert len(known) > 40
    assert (known["ci_low"] <= known["value"]).all()
    assert (known["value"] <= known["ci_high"]).all()
    assert metrics["method"].notna().all(), "each number says how it was made, or why it is empty"


def test_the_network_s_metrics_are_those_of_its_predictions(phantom_run):
    predictions, metrics = phantom_run.table("predictions.csv"), phantom_run.table("metrics.csv")
    values = metrics[(metrics["model"] == "network") & (metrics["center"] == "all")]
    values = values[values["horizon_days"].isna()]
    values = values.set_index(["split", "task", "metric"])["value"].sort_index()
    for split in SPLIT_SIZES:
        rows = predictions[predictions["split"] == split]
        for task in ("os", "rfs"):
            part = rows[rows["task"] == task]
            expected = concordance_index_censored(
                part["event"] == 1, part["time_days"], part["risk"]
            )[0]
            assert values[split, task, "concordance_harrell"] == pytest.approx(expected)
        part = rows[rows["task"] == "mvi"]
        expected = roc_auc_score(part["label"], part["probability"])
        assert values[split, "mvi", "auc"] == pytest.approx(expected)


def test_the_truth_as_prediction_gives_the_numbers_of_the_oracle(phantom_run, tmp_path):
    oracle = pd.read_csv(phantom_run.cohort / "oracle.csv").set_index("patient_id")
    table = pd.read_csv(phantom_run.cohort / "patients.csv").set_index("patient_id")
    metrics = phantom_run.table("metrics.csv")
    keys = ["split", "center", "task", "metric", "horizon_days"]
    found = metrics[metrics["model"] == "oracle"].fillna({"horizon_days": 0})
    found = found.set_index(keys)["value"].sort_index()
    for split in SPLIT_SIZES:
        rows = table[table["split"] == split]
        truth = oracle.loc[rows.index]
        for task in ("os", "rfs"):
            expected = concordance_index_censored(
                rows[f"{task}_event"] == 1, rows[f"{task}_days"], truth[f"{task}_log_hazard"]
            )[0]
            assert found[split, "all", task, "concordance_harrell", 0] == pytest.approx(expected)
        expected = roc_auc_score(rows["mvi"], truth["mvi_probability"])
        assert found[split, "all", "mvi", "auc", 0] == pytest.approx(expected)
    # And through the command, written as anybody's predictions would be.
    who = table[["center", "split"]].reset_index().assign(fold=0)
    rows = [
        who.assign(
            task=task,
            risk=oracle[f"{task}_log_hazard"].to_numpy(),
            time_days=table[f"{task}_days"].to_numpy(),
            event=table[f"{task}_event"].to_numpy(),
        )
        for task in ("os", "rfs")
    ]
    chance, label = oracle["mvi_probability"].to_numpy(), table["mvi"].to_numpy()
    rows.append(who.assign(task="mvi", probability=chance, label=label))
    pd.concat(rows).to_csv(tmp_path / "truth.csv", index=False)
    flags = ["--predictions", tmp_path / "truth.csv", "--output", tmp_path, "--bootstraps", "20"]
    assert call(evaluate.main, *flags).code == 0
    evaluated = pd.read_csv(tmp_path / "metrics.csv").fillna({"horizon_days": 0})
    evaluated = evaluated.set_index(keys)["value"].sort_index()
    pd.testing.assert_series_equal(evaluated.loc[found.index], found, rtol=1e-9)


def test_the_run_folder_holds_what_a_report_needs_when_the_store_is_gone(phantom_run):
    patients = phantom_run.table("patients.csv").set_index("patient_id")
    cohort = pd.read_csv(phantom_run.cohort / "patients.csv", dtype={"patient_id": str})
    assert patients["split"].value_counts().to_dict() == SPLIT_SIZES
    clinical = ["tumor_diameter_mm", "afp_ng_ml", "os_days", "rfs_event", "mvi"]
    expected = cohort.set_index("patient_id").loc[patients.index, clinical]
    pd.testing.assert_frame_equal(patients[clinical], expected, check_dtype=False)
    assert list(phantom_run.table("quarantine.csv")) == ["patient_id", "step", "reason"]


def test_a_figure_that_fails_does_not_end_a_run(phantom_run, monkeypatch, tmp_path):
    def broken(predictions: pd.DataFrame) -> None:
        raise ZeroDivisionError

    shown = {}
    monkeypatch.setattr(results, "FIGURES", {"broken": broken, "roc": results.FIGURES["roc"]})
    monkeypatch.setattr(results, "log_tables_and_figures", lambda *given: shown.update(given[2]))
    monkeypatch.setattr(results, "close", lambda loggers: None)
    tables = {name: phantom_run.table(f"{name}.csv") for name in ("predictions", "metrics")}
    tables["predictions"] = tables["predictions"].assign(model="network")
    logger = SimpleNamespace(experiment=SimpleNamespace(summary={}))
    results.show_in_wandb([logger], results.RunResult("network", tables, None))
    assert list(shown) == ["roc"]
    assert logger.experiment.summary["external/auc_mvi"] > 0


def test_w_and_b_files_of_an_offline_run_are_in_the_run_folder(phantom_run):
    (offline,) = (phantom_run.run / "wandb").glob("offline-run-*")
    assert list(offline.glob("run-*.wandb"))
    names = {path.name.rsplit("_", 2)[0] for path in offline.rglob("*.png")}
    # What needs comparisons or an ablation is for the report.
    assert names >= {"kaplan_meier", "roc", "learning_curves", "cohort_flow", "key_results"}
    tables = {path.name.split("_")[0] for path in offline.rglob("*.table.json")}
    assert tables == {"metrics", "predictions"}


def test_a_run_ends_with_its_table_its_paths_and_the_next_command(phantom_run):
    printed, run = phantom_run.printed, phantom_run.run
    assert "making a phantom" in printed
    for head in ("network", "tumor", "size", "AFP", "BCLC", "oracle", "n / events"):
        assert head in printed
    for row in ("OS C-index", "RFS C-index", "MVI AUC", "MVI F1"):
        assert sum(row in line for line in printed.splitlines()) == 3, "one for each split"
    plain = "".join(printed.split())  # long paths may be wrapped
    for name in ("metrics.csv", "predictions.csv", "history.csv", "config.yaml", "checkpoints"):
        assert str(run / name) in plain
    assert f"Next: python -m mtl_hcc.report --run {run}\n" in printed
    assert f"Next: python -m mtl_hcc.predict --checkpoint {run} --cohort PATH" in printed


def test_the_metrics_printed_are_those_of_the_file(phantom_run):
    metrics = phantom_run.table("metrics.csv")
    wanted = {"model": "network", "split": "external", "metric": "auc", "center": "all"}
    (row,) = metrics[(metrics[list(wanted)] == pd.Series(wanted)).all(axis=1)].itertuples()
    (line,) = [
        line
        for line in phantom_run.printed.splitlines()
        if "external" in line and "MVI AUC" in line
    ]
    assert f"{row.value:.3f} ({row.ci_low:.3f}-{row.ci_high:.3f})" in line


# Another run ---------------------------------------------------------------------------------


def test_a_second_run_moves_the_first_aside_and_repeats_it(phantom_run):
    kept = phantom_run.run.with_name("kept")
    shutil.copytree(phantom_run.run, kept)
    done = call(fit.main, *again(phantom_run))
    aside = phantom_run.run.with_name("run_1")
    try:
        assert done.code == 0, done.err
        assert f"The earlier run was moved to {aside}" in done.out
        assert "Preparing" not in done.out, "the store was fresh"
        for file in ("config.yaml", "history.csv", "predictions.csv", "metrics.csv"):
            assert (aside / file).read_bytes() == (kept / file).read_bytes()
        first, second = (
            pd.read_csv(folder / "predictions.csv") for folder in (kept, phantom_run.run)
        )
        pd.testing.assert_frame_equal(second, first, rtol=1e-4)
    finally:  # other tests read the first run
        shutil.rmtree(phantom_run.run)
        shutil.rmtree(aside)
        kept.rename(phantom_run.run)


@pytest.fixture(scope="module")
def cohort_with_holes(phantom_run, tmp_path_factory) -> Any:
    """Return a cohort without split column, with missing labels, one missing phase each for two."""
    root = tmp_path_factory.mktemp("holes") / "cohort"
    table = copy_cohort(phantom_run.cohort, root).drop(columns=["split", "mvi_grade"])
    table.loc[table.index % 4 == 0, "mvi"] = ""
    table.loc[table.index % 5 == 0, ["os_days", "os_event"]] = ""
    table.loc[table.index % 3 == 0, "afp_ng_ml"] = ""
    table.to_csv(root / "patients.csv", index=False)
    (root / "images" / "I-003" / "delayed.nii.gz").unlink()
    (root / "images" / "VI-002" / "arterial.nii.gz").unlink()
    return root


@pytest.mark.slow
def test_a_cohort_without_split_column_with_missing_labels_and_phases_trains(
    cohort_with_holes, tmp_path
):
    flags = ["--data.cohort", str(cohort_with_holes), "--data.preparation.missing_phase", "keep"]
    done = call(fit.main, *ct_flags(tmp_path), *BRIEF, *QUIET, *flags)
    assert done.code == 0, done.err
    predictions = pd.read_csv(tmp_path / "run" / "predictions.csv")
    of_patient = predictions.groupby("patient_id")["split"].first()
    assert len(of_patient) == 24
    assert of_patient.value_counts().to_dict() == pytest.approx(
        {"train": 14, "validation": 5, "test": 5}, abs=1
    )
    table = pd.read_csv(cohort_with_holes / "patients.csv").set_index("patient_id")
    mvi = predictions[predictions["task"] == "mvi"].set_index("patient_id")
    pd.testing.assert_series_equal(mvi["label"], table["mvi"], check_names=False, check_like=True)
    assert mvi["probability"].notna().all(), "a missing label is predicted like any other"
    survival = predictions[predictions["task"] == "os"].set_index("patient_id")
    assert survival["risk"].notna().all()
    pd.testing.assert_series_equal(
        survival["time_days"], table["os_days"], check_names=False, check_like=True
    )
    metrics = pd.read_csv(tmp_path / "run" / "metrics.csv")
    assert "oracle" not in set(metrics["model"]), "a cohort of one's own has no known truth"
    labeled = mvi[mvi["label"].notna()]
    aucs = metrics[(metrics["metric"] == "auc") & (metrics["model"] == "network")]
    counts = aucs[aucs["center"] == "all"].set_index("split")["n"]
    assert counts.to_dict() == labeled["split"].value_counts().to_dict()


# The clinical config -------------------------------------------------------------------------


def clinical_flags(folder, run: str = "run") -> list[str]:
    """Return flags of a brief three-fold run of the shipped clinical config on a made-up table."""
    table = write_clinical_cohort(folder) if not (folder / "cohort.csv").exists() else None
    covariates = "{age_years: linear, afp_ng_ml: log}"
    return [
        *("--config", str(CONFIGS / "clinical_mtl.yaml")),
        *("--data.cohort", str(table or folder / "cohort.csv")),
        *("--data.source", "ClinicalTable"),
        *("--data.covariates", covariates),
        *("--baselines", f"{{Cox / logistic: {covariates}}}"),
        *("--data.store", str(folder / "store")),
        *("--data.split.folds", "3"),
        *("--data.batch_size", "16"),
        *("--run", str(folder / run)),
        *BRIEF,
        *QUIET,
    ]


@pytest.fixture(scope="module")
def clinical_run(tmp_path_factory) -> Any:
    """Return a folder with ``run``, a three-fold clinical run."""
    folder = tmp_path_factory.mktemp("clinical")
    done = call(fit.main, *clinical_flags(folder))
    assert done.code == 0, done.err
    return folder


def test_each_patient_of_the_clinical_run_is_tested_in_exactly_one_fold(clinical_run):
    predictions = pd.read_csv(clinical_run / "run" / "predictions.csv")
    tested = predictions[predictions["split"] == "test"]
    for task, rows in tested.groupby("task"):
        assert rows["patient_id"].is_unique, task
        assert len(rows) == 40
    assert sorted(predictions["fold"].unique()) == [0, 1, 2]
    for fold in range(3):
        assert (clinical_run / "run" / f"fold_{fold}" / "checkpoints" / "best.ckpt").is_file()
    metrics = pd.read_csv(clinical_run / "run" / "metrics.csv")
    assert metrics["model"].unique().tolist() == ["network", "Cox / logistic"]
    patients = pd.read_csv(clinical_run / "run" / "patients.csv").set_index("patient_id")
    assert set(patients["split"]) == {"test"}
    fold = tested.drop_duplicates("patient_id").set_index("patient_id")["fold"]
    assert patients["fold"].to_dict() == fold.to_dict(), "in which fold each was tested"
    test = metrics[(metrics["split"] == "test") & (metrics["center"] == "all")]
    labeled = pd.read_csv(clinical_run / "cohort.csv")["mvi"].notna().sum()
    assert test.loc[test["metric"] == "auc", "n"].tolist() == [labeled, labeled]


def test_a_model_of_any_fold_predicts_and_a_run_of_folds_as_their_mean(clinical_run, tmp_path):
    flags = ["--cohort", clinical_run / "cohort.csv", "--output", tmp_path / "out.csv"]
    done = call(predict.main, "--checkpoint", clinical_run / "run" / "fold_2", *flags)
    assert done.code == 0, done.err
    everybody = pd.read_csv(clinical_run / "run" / "predictions.csv")
    expected = everybody[everybody["fold"] == 2].set_index(["patient_id", "task"])
    found = pd.read_csv(tmp_path / "out.csv").set_index(["patient_id", "task"])
    same = ["risk", "probability"]
    pd.testing.assert_frame_equal(found.loc[expected.index, same], expected[same], rtol=1e-5)
    done = call(predict.main, "--checkpoint", clinical_run / "run", *flags)
    assert done.code == 0, done.err
    assert "The mean of 3 models" in done.out
    found = pd.read_csv(tmp_path / "out.csv").set_index(["patient_id", "task"])
    folds = [rows.set_index(["patient_id", "task"]) for _, rows in everybody.groupby("fold")]
    mean = sum(rows[same] for rows in folds) / 3
    pd.testing.assert_frame_equal(found.loc[mean.index, same], mean, rtol=1e-5)


def test_after_ctrl_c_a_run_says_how_to_go_on(clinical_run, monkeypatch, capsys):
    def interrupted(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(MultiTaskModule, "training_step", interrupted)
    before = signal.getsignal(signal.SIGINT)
    try:
        with pytest.raises(SystemExit) as ended:
            fit.main(clinical_flags(clinical_run, "stopped"))
    finally:  # Lightning turns it off while it ends a run
        signal.signal(signal.SIGINT, before)
    assert ended.value.code == 1
    run = clinical_run / "stopped"
    assert f"Stopped. To go on: --run {run} --ckpt_path last" in capsys.readouterr().err


def test_the_folds_of_a_split_file_are_all_trained_under_their_own_numbers(clinical_run, tmp_path):
    splits = pd.read_csv(clinical_run / "store" / "splits.csv", comment="#")
    splits = splits[splits["fold"] > 0]
    splits.to_csv(tmp_path / "mine.csv", index=False)
    flags = [*clinical_flags(clinical_run), "--run", str(tmp_path / "run")]
    place = flags.index("--data.split.folds")
    flags[place : place + 2] = ["--data.split", "SplitFile", "--data.split.path"]
    flags.insert(place + 3, str(tmp_path / "mine.csv"))
    done = call(fit.main, *flags, "--data.store", tmp_path / "store")
    assert done.code == 0, done.err
    assert {path.name for path in (tmp_path / "run").glob("fold_*")} == {"fold_1", "fold_2"}
    keys = ["patient_id", "fold"]
    expected = splits.set_index(keys)["split"].sort_index()
    for name in ("predictions.csv", "baselines.csv"):
        rows = pd.read_csv(tmp_path / "run" / name)
        found = rows[rows["task"] == "mvi"].set_index(keys)["split"].sort_index()
        pd.testing.assert_series_equal(found, expected)


def test_a_k_fold_run_killed_between_folds_goes_on_where_it_stopped(clinical_run, monkeypatch):
    real = fit.train_fold
    trained: list[int] = []

    def dying(*arguments: Any, fold: int, **parts: Any) -> Any:
        if fold == 1:
            raise KeyboardInterrupt
        return real(*arguments, fold=fold, **parts)

    def counting(*arguments: Any, fold: int, **parts: Any) -> Any:
        trained.append(fold)
        return real(*arguments, fold=fold, **parts)

    flags = clinical_flags(clinical_run, "killed")
    monkeypatch.setattr(fit, "train_fold", dying)
    killed = clinical_run / "killed"
    stopped = call(fit.main, *flags)
    assert stopped.code == 130
    assert f"To go on: --run {killed} --ckpt_path last" in stopped.err
    assert not (killed / "metrics.csv").exists()
    before = (killed / "fold_0" / "history.csv").read_bytes()
    monkeypatch.setattr(fit, "train_fold", counting)
    done = call(fit.main, *flags, "--ckpt_path", "last")
    assert done.code == 0, done.err
    assert trained == [0, 1, 2]
    assert (killed / "fold_0" / "history.csv").read_bytes() == before, "fold 0 is not trained again"
    for name in ("predictions.csv", "metrics.csv"):
        expected, found = (pd.read_csv(clinical_run / run / name) for run in ("run", "killed"))
        pd.testing.assert_frame_equal(found, expected, rtol=1e-5, atol=1e-7)


def test_each_fold_builds_its_network_once_and_draws_what_the_fold_alone_would(
    clinical_run, monkeypatch
):
    built: list[int] = []
    real = module.build_network

    def counting(*arguments: Any) -> Any:
        built.append(1)
        return real(*arguments)

    flags = clinical_flags(clinical_run, "counted")
    monkeypatch.setattr(module, "build_network", counting)
    assert call(fit.main, *flags).code == 0
    assert len(built) == 3
    parser = build_parser("")
    config = read_config(parser, flags)
    for fold in (0, 2):
        alone = train_fold(parser, config, clinical_run / f"alone_{fold}", fold=fold)
        rows = pd.read_csv(clinical_run / "counted" / "predictions.csv")
        expected = rows[rows["fold"] == fold].reset_index(drop=True)["risk"]
        np.testing.assert_allclose(alone.predictions["risk"], expected, rtol=1e-6)
