"""Several networks that predict as one: over seeds, over folds, and any that are named together."""

import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from tiny_runs import Finished, call
from tiny_training import tiny_config

from mtl_hcc import explain, fit, predict, report
from mtl_hcc.errors import CheckpointError
from mtl_hcc.reporting.run_folder import member_folders, read_history, run_of_member
from mtl_hcc.runs.ensemble import mean_of_members

pytestmark = pytest.mark.slow

KEYS = ["patient_id", "task", "fold"]
CURVES = [f"survival_{days}" for days in (365, 730, 1095, 1825)]
PREDICTED = ["risk", "probability", *CURVES]


def run(folder: Path, name: str, *flags: str) -> Finished:
    """Train for two epochs on the tiny clinical cohort in ``folder``."""
    tiny_config(folder)
    brief = ["--trainer.max_epochs", "2", "--bootstraps", "0", "--run", str(folder / name)]
    return call(fit.main, "--config", folder / "config.yaml", *brief, *flags)


def rows(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype={"patient_id": str}).set_index(KEYS).sort_index()


def predicted(folder: Path, output: Path, *models: Path) -> pd.DataFrame:
    flags = ["--cohort", folder / "cohort.csv", "--output", output]
    done = call(predict.main, "--checkpoint", *models, *flags)
    assert done.code == 0, done.err
    return rows(output)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Return a folder with ``both`` (two seeds), ``five`` and ``six`` (one each), and ``folds``."""
    folder = tmp_path_factory.mktemp("ensembles")
    folds = ["--data.split", "KFold", "--data.split.folds", "2", "--seeds", "2"]
    for name, flags in {
        "both": ["--seed", "5", "--seeds", "2"],
        "five": ["--seed", "5"],
        "six": ["--seed", "6"],
        "folds": folds,
    }.items():
        done = run(folder, name, *flags)
        assert done.code == 0, done.err
    return folder


def mean(folder: Path, *names: str) -> pd.DataFrame:
    """Return the mean of what some runs predict."""
    tables = [rows(folder / name / "predictions.csv") for name in names]
    values = np.mean([table[PREDICTED] for table in tables], axis=0)
    return pd.DataFrame(values, tables[0].index, PREDICTED)


def test_each_member_is_what_its_seed_alone_would_be_and_the_run_is_their_mean(folder):
    for seed, alone in ((5, "five"), (6, "six")):
        member = folder / "both" / f"seed_{seed}"
        weights = (member / "model" / "model.safetensors").read_bytes()
        assert weights == (folder / alone / "model" / "model.safetensors").read_bytes()
        assert "\nseeds: 1\n" in (member / "model" / "config.yaml").read_text()
    found = rows(folder / "both" / "predictions.csv")
    expected = mean(folder, "five", "six")
    pd.testing.assert_frame_equal(found[PREDICTED], expected, rtol=1e-6)
    alone = rows(folder / "five" / "predictions.csv")
    assert (found["risk"] - alone["risk"]).abs().max() > 1e-3
    others = [name for name in found if name not in PREDICTED]
    pd.testing.assert_frame_equal(found[others], alone[others])
    assert list(found) == list(alone)
    assert found["survival_365"].notna().any()
    history = read_history(folder / "both")
    assert history.groupby("seed")["epoch"].agg(list).to_dict() == {5: [0, 1], 6: [0, 1]}


def test_a_run_of_one_seed_is_laid_out_as_ever(folder):
    assert not member_folders(folder / "five")
    assert {"checkpoints", "model", "history.csv"} <= {p.name for p in (folder / "five").iterdir()}


def test_predict_gives_the_ensemble_s_predictions_again_by_every_way_in(folder, tmp_path):
    expected = rows(folder / "both" / "predictions.csv")
    both, five, six = (folder / name for name in ("both", "five", "six"))
    ways = {
        "run": [both],
        "members": [both / "seed_6", both / "seed_5" / "model"],
        "runs": [five, six],
    }
    for name, models in ways.items():
        found = predicted(folder, tmp_path / f"{name}.csv", *models)
        pd.testing.assert_frame_equal(found[PREDICTED], expected[PREDICTED], rtol=1e-5, atol=1e-6)
    flags = ["--cohort", folder / "cohort.csv", "--output", tmp_path / "run.csv"]
    done = call(predict.main, "--checkpoint", both, *flags)
    assert f"The mean of 2 models: {both / 'seed_5'}, {both / 'seed_6'}\n" in done.out
    one = predicted(folder, tmp_path / "one.csv", both / "seed_5")
    alone = rows(five / "predictions.csv")
    pd.testing.assert_frame_equal(one[PREDICTED], alone[PREDICTED], rtol=1e-5, atol=1e-6)


def test_folds_are_predicted_out_of_fold_and_their_run_as_the_mean_of_all(folder, tmp_path):
    run_folder = folder / "folds"
    members = member_folders(run_folder)
    names = [member.relative_to(run_folder).as_posix() for member in members]
    assert names == ["fold_0/seed_0", "fold_0/seed_1", "fold_1/seed_0", "fold_1/seed_1"]
    own = rows(run_folder / "predictions.csv")
    tested = own[own["split"] == "test"].reset_index()
    assert tested.groupby("task")["patient_id"].agg(["size", "nunique"]).eq(40).all(axis=None)
    for fold in (0, 1):
        found = predicted(folder, tmp_path / "fold.csv", run_folder / f"fold_{fold}")
        expected = own.xs(fold, level="fold", drop_level=False)[PREDICTED]
        found.index, expected = found.index.droplevel("fold"), expected.droplevel("fold")
        pd.testing.assert_frame_equal(found[PREDICTED], expected, rtol=1e-5, atol=1e-6)
    found = predicted(folder, tmp_path / "all.csv", run_folder)
    each = [predicted(folder, tmp_path / "one.csv", member)[PREDICTED] for member in members]
    np.testing.assert_allclose(found[PREDICTED], np.mean(each, axis=0), rtol=1e-5, atol=1e-6)


def test_an_ensemble_killed_between_its_members_goes_on_and_ends_as_if_nothing_had_happened(
    folder, monkeypatch
):
    real = fit.train_fold

    def dying(*arguments: Any, **parts: Any) -> Any:
        if arguments[1].seed == 6:
            raise KeyboardInterrupt
        return real(*arguments, **parts)

    flags = ["--seed", "5", "--seeds", "2"]
    with monkeypatch.context() as during:
        during.setattr(fit, "train_fold", dying)
        stopped = run(folder, "killed", *flags)
    assert stopped.code == 130
    assert "--ckpt_path last" in stopped.err
    refused = call(predict.main, "--checkpoint", folder / "killed", "--cohort", "x")
    assert refused.code == 2  # one member alone is not the ensemble
    before = (folder / "killed" / "seed_5" / "history.csv").read_bytes()
    done = run(folder, "killed", *flags, "--repeat", "never")
    assert done.code == 0, done.err
    assert "it goes on" in done.out
    assert (folder / "killed" / "seed_5" / "history.csv").read_bytes() == before
    found, expected = (rows(folder / name / "predictions.csv") for name in ("killed", "both"))
    pd.testing.assert_frame_equal(found, expected, rtol=1e-6)
    again = run(folder, "killed", *flags, "--repeat", "never")
    assert "This run finished before" in again.out
    fewer = run(folder, "killed", "--seed", "5", "--ckpt_path", "last")
    assert fewer.code == 2
    assert "seed_5, which these settings do not ask for" in fewer.err


def test_a_half_trained_ensemble_a_model_twice_and_strangers_are_named(folder, tmp_path):
    half = shutil.copytree(folder / "both", tmp_path / "half")
    shutil.rmtree(half / "seed_6" / "model")
    other = shutil.copytree(folder / "five" / "model", tmp_path / "other")
    config = (other / "config.yaml").read_text()
    (other / "config.yaml").write_text(config.replace("age_years: linear", "age_years: log"))
    assert "age_years: log" in (other / "config.yaml").read_text()
    five = folder / "five"
    for models, message in (
        ([half], f"1 of its 2 networks are not trained, e.g. {half / 'seed_6'}"),
        ([five, five], "it is named twice"),
        ([five, other], f"other settings (data.covariates) than those of {five}"),
        ([five, tmp_path / "absent"], "absent: no such file or folder"),
    ):
        flags = ["--cohort", folder / "cohort.csv", "--output", tmp_path / "out.csv"]
        done = call(predict.main, "--checkpoint", *models, *flags)
        assert done.code == 2
        assert message in done.err
        assert not (tmp_path / "out.csv").exists()


def test_explain_asks_for_a_member_and_report_tells_of_all(folder, tmp_path):
    done = call(explain.main, "--checkpoint", folder / "both", "--output", tmp_path / "maps")
    assert done.code == 2
    assert f"name one of them, e.g. {folder / 'both' / 'seed_5'}" in done.err
    flags = ["--run", folder / "both", "--output", tmp_path / "report", "--bootstraps", "0"]
    done = call(report.main, *flags)
    assert done.code == 0, done.err
    page = (tmp_path / "report" / "index.html").read_text()
    assert "5 to 6: the mean of 2 networks predicts" in page
    assert "2 networks (2 seeds of each fold)" in page


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--seeds", "0"], "seeds is 0. Expected 1 or more"),
        (["--seed", "4294967295", "--seeds", "2"], "Expected seeds up to 4294967295"),
        (["--seeds", "2", "--ckpt_path", "some.ckpt"], "from one checkpoint all would be one"),
    ],
)
def test_seeds_that_make_no_ensemble_are_refused(tmp_path, flags, message):
    done = run(tmp_path, "no", *flags)
    assert done.code == 2
    assert message in done.err
    assert not (tmp_path / "no").exists()


def test_a_mean_needs_every_member_and_the_same_tasks():
    table = pd.DataFrame(
        {
            "patient_id": ["A", "A"],
            "task": ["os", "mvi"],
            "risk": [1.0, np.nan],
            "survival_365": [0.5, np.nan],
            "probability": [np.nan, 0.2],
            "label": [np.nan, 1.0],
        }
    )
    other = table.assign(risk=[2.0, np.nan], survival_365=np.nan, probability=[np.nan, 0.4])
    found = mean_of_members([table, other])
    assert found["risk"].tolist()[0] == 1.5
    assert found["probability"].tolist()[1] == pytest.approx(0.3)
    assert found["survival_365"].isna().all(), "a member does not know it"
    assert found["label"].tolist()[1] == 1
    assert mean_of_members([table]) is table
    for wrong in (table.drop(columns="survival_365"), table.assign(task=["rfs", "mvi"])):
        with pytest.raises(CheckpointError, match="the models predict different things: os, mvi"):
            mean_of_members([table, wrong])


def test_folders_of_members_are_in_the_order_of_their_numbers(tmp_path):
    for name in ("fold_10/seed_1", "fold_2/seed_10", "fold_2/seed_9", "fold_x", "seeds_1"):
        (tmp_path / name).mkdir(parents=True)
    found = [path.relative_to(tmp_path).as_posix() for path in member_folders(tmp_path)]
    assert found == ["fold_2/seed_9", "fold_2/seed_10", "fold_10/seed_1"]
    assert member_folders(tmp_path / "fold_2")[0].name == "seed_9"
    assert run_of_member(tmp_path / "fold_2" / "seed_9") == tmp_path
    assert run_of_member(tmp_path / "seed_9") == run_of_member(tmp_path / "fold_2") == tmp_path
    assert run_of_member(tmp_path) is None


def test_of_several_folds_the_least_independent_use_of_a_patient_is_told():
    splits = pd.DataFrame(
        {
            "patient_id": ["A", "B", "C", "D"] * 2,
            "fold": [0] * 4 + [1] * 4,
            "split": [
                *("train", "test", "validation", "external"),
                *("test", "train", "test", "external"),
            ],
        }
    )
    data = SimpleNamespace(prepared=SimpleNamespace(splits=lambda: splits))

    def used(*folds: int) -> dict[str, str]:
        return predict.least_independent_use(data, SimpleNamespace(folds=folds)).to_dict()

    assert used(0, 1) == {"A": "train", "B": "train", "C": "validation", "D": "external"}
    assert used(1) == {"A": "test", "B": "train", "C": "test", "D": "external"}
