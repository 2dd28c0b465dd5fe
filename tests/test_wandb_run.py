"""What an offline run would send to W&B: sections, x-axes, summaries, tables, the model."""

import pandas as pd
import pytest
from wandb_file import OfflineRun

from mtl_hcc.wandb_run import plain_types, summary_of

pytestmark = pytest.mark.xdist_group("phantom run")


@pytest.fixture(scope="module")
def offline(phantom_run) -> OfflineRun:
    (folder,) = (phantom_run.run / "wandb").glob("offline-run-*")
    return OfflineRun(folder)


@pytest.mark.parametrize(
    ("name", "summary"),
    [
        ("validation/loss", "min,last"),
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
    assert sorted(offline.artifacts["model"]) == ["config.yaml", "model.safetensors"]


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
