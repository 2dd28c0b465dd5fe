"""Bad tables of predictions, one by one, through ``evaluate``: a message, or a reason and the rest.

What cannot be read at all ends with exit code 2 and one message that names file, line, patient and
column. What can be read but not computed gives an empty value with its reason, and all else.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tiny_runs import Finished, call

from mtl_hcc.evaluate import main

Change = Callable[[pd.DataFrame], pd.DataFrame]
HORIZONS = (365, 730)


def sound(number: int = 60, seed: int = 0) -> pd.DataFrame:
    """Return OS and MVI of patients in two splits, in the order of ``predictions.csv``."""
    rng = np.random.default_rng(seed)
    log_hazard = rng.normal(size=number)
    time = np.ceil(rng.exponential(900 * np.exp(-log_hazard)) + 20)
    end = np.ceil(rng.uniform(800, 2400, number))
    who = pd.DataFrame(
        {
            "patient_id": [f"P{k:02d}" for k in range(number)],
            "center": np.where(np.arange(number) % 4 == 0, "II", "I"),
            "split": np.where(np.arange(number) < number / 2, "train", "external"),
            "fold": 0,
        }
    )
    risk = log_hazard + rng.normal(size=number)
    os = who.assign(
        task="os", risk=risk, time_days=np.minimum(time, end), event=(time <= end).astype(int)
    )
    for days in HORIZONS:
        os[f"survival_{days}"] = np.exp(-days / 900 * np.exp(risk / 2)).clip(0.01, 0.99)
    positive = rng.random(number) < 1 / (1 + np.exp(-log_hazard))
    mvi = who.assign(
        task="mvi", label=positive.astype(int), probability=1 / (1 + np.exp(-risk)).round(4)
    )
    return pd.concat([os, mvi], ignore_index=True).astype(object)


def write(table: pd.DataFrame, folder: Path, name: str = "run") -> Path:
    path = folder / name / "predictions.csv"
    path.parent.mkdir(exist_ok=True)
    table.to_csv(path, index=False)
    return path


def evaluate(folder: Path, *files: Path, flags: tuple[str, ...] = ()) -> Finished:
    output = ["--output", folder / "out", "--bootstraps", "20"]
    return call(main, "--predictions", *files, *output, *flags)


def metrics_of(folder: Path) -> pd.DataFrame:
    metrics = pd.read_csv(folder / "out" / "metrics.csv")
    return metrics[metrics["center"] == "all"]


def cell(row: int, column: str, value: object) -> Change:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        table.loc[row, column] = value
        return table

    return change


def where(mask: Callable[[pd.DataFrame], "pd.Series[bool]"], **values: object) -> Change:
    def change(table: pd.DataFrame) -> pd.DataFrame:
        rows = mask(table)
        for column, value in values.items():
            table.loc[rows, column] = value
        return table

    return change


def assert_rest_computed(metrics: pd.DataFrame, *tasks: str) -> None:
    """Assert that the tasks have most of their values, and that what is empty says why."""
    rest = metrics[metrics["task"].isin(tasks)]
    assert set(rest["task"]) == set(tasks)
    assert rest["value"].notna().mean() > 0.7
    assert (metrics.loc[metrics["value"].isna(), "method"].str.len() > 5).all()


def test_the_sound_table_has_no_empty_main_metric(tmp_path):
    """Else the tests below would prove nothing."""
    assert evaluate(tmp_path, write(sound(), tmp_path)).code == 0
    metrics = metrics_of(tmp_path)
    main_ones = metrics[metrics["metric"].isin(["concordance_harrell", "auc", "accuracy"])]
    assert len(main_ones) == 6
    assert main_ones["value"].notna().all()
    assert_rest_computed(metrics, "os", "mvi")


# Refused: file, line, patient, column and what to do ------------------------------------------

REFUSED: dict[str, tuple[Change, list[str]]] = {
    "missing column": (
        lambda table: table.drop(columns="split"),
        ["no column split", "patient_id, center, split, fold, task", "add the columns"],
    ),
    "no prediction at all": (
        lambda table: table.drop(columns=["risk", "probability"]),
        ["no column risk or probability"],
    ),
    "text for a number": (
        cell(3, "time_days", "two years"),
        ["line 5", "patient P03", "task os", "column time_days", "'two years'", "a number"],
    ),
    "comma for a decimal point": (
        cell(64, "probability", "0,5"),
        ["line 66", "patient P04", "column probability", "'0,5'", "a number"],
    ),
    "empty risk": (
        cell(7, "risk", ""),
        ["line 9", "patient P07", "column risk", "an empty cell", "Mend or drop the row"],
    ),
    "NaN risks": (
        where(lambda table: table.index.isin([4, 8, 9]), risk="NaN"),
        ["line 6", "patient P04", "column risk", "or NaN (and 2 more rows)", "drop the row"],
    ),
    "infinite risk": (cell(0, "risk", "inf"), ["line 2", "column risk", "a finite number"]),
    "probability in percent": (
        cell(70, "probability", 55),
        ["line 72", "column probability", "'55.0'", "between 0 and 1"],
    ),
    "survival above 1": (cell(2, "survival_365", 1.2), ["line 4", "column survival_365"]),
    "event of 2": (cell(5, "event", 2), ["line 7", "column event", "0 (censored) or 1"]),
    "negative time": (cell(5, "time_days", -1), ["line 7", "column time_days", "zero or more"]),
    "duplicated patients": (
        lambda table: pd.concat([table, table.iloc[[2, 3]]], ignore_index=True),
        ["line 122", "patient P02", "(and 1 more rows)", "one row per patient, task, fold"],
    ),
    "one patient in two splits": (
        lambda table: pd.concat([table, table.iloc[[2]].assign(split="external")]),
        ["line 122", "patient P02", "column split", "the test is not independent"],
    ),
    "unknown task": (
        where(lambda table: table.index >= 110, task="cirrhosis", probability=""),
        ["line 112", "column task", "unknown task 'cirrhosis'", "neither a risk nor"],
    ),
    "a center called all": (
        where(lambda table: table["center"] == "II", center=" All"),
        [
            *("line 2", "patient P00", "column center", "'All' (and 29 more rows)"),
            "Expected a name of its own: this one stands for all centers together in metrics.csv",
            "Rename that center in every row",
        ],
    ),
    "a model called treat all": (
        lambda table: table.assign(model="treat all"),
        ["line 2", "column model", "decision curves", "Rename that model in every row"],
    ),
    "no rows": (lambda table: table.iloc[:0], ["no rows", "Run predict again"]),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_read_is_one_message_with_the_place_and_a_remedy(tmp_path, kind):
    change, parts = REFUSED[kind]
    path = write(change(sound()), tmp_path)
    done = evaluate(tmp_path, path)
    assert done.code == 2, done.out
    assert "Traceback" not in done.err
    assert done.err.count("\n") == 1, "one message"
    for part in (str(path), *parts):
        assert part in done.err
    assert not (tmp_path / "out").exists()


def test_the_second_of_two_files_is_named_when_it_is_the_bad_one(tmp_path):
    good = write(sound(), tmp_path, "good")
    bad = write(cell(3, "risk", "high")(sound()), tmp_path, "bad")
    done = evaluate(tmp_path, good, bad)
    assert done.code == 2
    assert str(bad) in done.err
    assert str(good) not in done.err


# Computed as far as possible ------------------------------------------------------------------


def test_without_events_survival_says_so_and_mvi_is_computed(tmp_path):
    table = where(lambda table: table["split"] == "external", event=0)(sound())
    table.loc[table["task"] == "mvi", "event"] = ""
    assert evaluate(tmp_path, write(table, tmp_path)).code == 0
    metrics = metrics_of(tmp_path)
    found = metrics[(metrics["split"] == "external") & (metrics["task"] == "os")]
    harrell = found[found["metric"] == "concordance_harrell"].iloc[0]
    assert np.isnan(harrell["value"])
    assert harrell["method"] == "no event"
    assert (harrell["n"], harrell["events"]) == (30, 0)
    assert_rest_computed(metrics, "mvi")
    train = metrics[(metrics["split"] == "train") & (metrics["task"] == "os")]
    assert np.isfinite(train.set_index("metric").loc["concordance_harrell", "value"])


def test_with_every_patient_censored_in_all_splits_nothing_aborts(tmp_path):
    table = where(lambda table: table["task"] == "os", event=0)(sound())
    assert evaluate(tmp_path, write(table, tmp_path)).code == 0
    assert_rest_computed(metrics_of(tmp_path), "mvi")


def test_one_class_has_no_auc_but_an_accuracy_and_os_is_computed(tmp_path):
    table = where(lambda t: (t["task"] == "mvi") & (t["split"] == "external"), label=1)(sound())
    assert evaluate(tmp_path, write(table, tmp_path)).code == 0
    metrics = metrics_of(tmp_path)
    mvi = metrics[(metrics["task"] == "mvi") & (metrics["split"] == "external")]
    mvi = mvi.set_index("metric")
    assert mvi.loc["auc", ["value", "method"]].tolist()[1] == "only one class among the labels"
    assert np.isnan(mvi.loc["auc", "value"])
    assert mvi.loc["specificity", "method"] == "no negative patient"
    assert np.isfinite(mvi.loc["accuracy", "value"])
    assert np.isfinite(mvi.loc["sensitivity", "value"])
    assert_rest_computed(metrics, "os")


def test_one_class_in_train_leaves_youdens_cut_empty(tmp_path):
    table = where(lambda t: (t["task"] == "mvi") & (t["split"] == "train"), label=0)(sound())
    done = evaluate(tmp_path, write(table, tmp_path), flags=("--threshold", "youden"))
    assert done.code == 0, done.err
    mvi = metrics_of(tmp_path).query("task == 'mvi' and split == 'external'").set_index("metric")
    assert "no threshold" in mvi.loc["accuracy", "method"]
    assert np.isfinite(mvi.loc["auc", "value"])


def test_a_horizon_past_the_follow_up_is_empty_and_the_others_are_computed(tmp_path):
    table = sound()
    table["survival_9000"] = np.where(table["task"] == "os", 0.1, np.nan)
    assert evaluate(tmp_path, write(table, tmp_path)).code == 0
    metrics = metrics_of(tmp_path)
    past = metrics[metrics["horizon_days"] == 9000]
    assert len(past)
    assert past["value"].isna().all()
    assert past["method"].str.contains("follow").all()
    inside = metrics[metrics["horizon_days"] == 365]
    assert inside["value"].notna().mean() > 0.7


def test_two_files_with_different_patients_are_compared_on_the_common_ones(tmp_path):
    first = sound()
    second = sound().assign(risk=lambda table: table["risk"] * -1)
    kept = ~second["patient_id"].isin(["P00", "P01", "P40"])
    first = first[first["patient_id"] != "P59"]
    files = [write(first, tmp_path, "network"), write(second[kept], tmp_path, "size")]
    done = evaluate(tmp_path, *files)
    assert done.code == 0, done.err
    comparisons = pd.read_csv(tmp_path / "out" / "comparisons.csv")
    for split, common, dropped in (("train", 28, 2), ("external", 28, 2)):
        rows = comparisons[comparisons["split"] == split]
        assert rows["method"].str.endswith(f"{common} common patients, {dropped} dropped").all()
        assert (rows["n"] == common).all()
        said = f"{split}: compared on {common} common patients, {dropped} dropped"
        assert f"network and size, {said}" in done.out
    harrell = comparisons[comparisons["metric"] == "concordance_harrell"]
    assert harrell["difference"].notna().all()


def test_two_files_without_common_patients_are_evaluated_but_not_compared(tmp_path):
    other = sound().assign(patient_id=lambda table: "Q" + table["patient_id"])
    done = evaluate(tmp_path, write(sound(), tmp_path, "a"), write(other, tmp_path, "b"))
    assert done.code == 0, done.err
    comparisons = pd.read_csv(tmp_path / "out" / "comparisons.csv")
    assert comparisons["difference"].isna().all()
    assert comparisons["method"].str.contains("0 common patients, 60 dropped").all()
    assert "compared on 0 common patients, 60 dropped" in done.out
    assert metrics_of(tmp_path).groupby("model")["value"].count().min() > 20


def test_a_task_of_any_name_is_evaluated_by_its_columns(tmp_path):
    table = sound()
    table["task"] = table["task"].map({"os": "time_to_transplant", "mvi": "satellite_nodules"})
    assert evaluate(tmp_path, write(table, tmp_path)).code == 0
    assert_rest_computed(metrics_of(tmp_path), "time_to_transplant", "satellite_nodules")


def test_a_task_that_only_one_file_predicts_is_evaluated_and_not_compared(tmp_path):
    rows = sound()
    both = [write(rows, tmp_path, "a"), write(rows[rows["task"] == "os"], tmp_path, "b")]
    assert evaluate(tmp_path, *both).code == 0
    comparisons = pd.read_csv(tmp_path / "out" / "comparisons.csv")
    assert set(comparisons["task"]) == {"os"}


@pytest.mark.parametrize("number", [1, 2, 10])
def test_ten_rows_or_fewer_give_what_they_can(tmp_path, number):
    table = sound(10)
    table = table[table["patient_id"].isin([f"P{k:02d}" for k in range(number)])]
    done = evaluate(tmp_path, write(table, tmp_path), flags=("--between", "center"))
    assert done.code == 0, done.err
    metrics = metrics_of(tmp_path)
    assert metrics["n"].max() == min(number, 5)
    accuracy = metrics[metrics["metric"] == "accuracy"]
    assert accuracy["value"].notna().all()
    assert (metrics.loc[metrics["value"].isna(), "method"].str.len() > 5).all()


def test_ten_rows_of_two_models_are_compared(tmp_path):
    files = [write(sound(10, seed), tmp_path, f"run_{seed}") for seed in (0, 0)]
    other = sound(10).assign(risk=lambda table: table["risk"] * -1)
    done = evaluate(tmp_path, files[0], write(other, tmp_path, "other"))
    assert done.code == 0, done.err
    assert (tmp_path / "out" / "comparisons.csv").is_file()


def test_a_constant_risk_and_probability_rank_nobody(tmp_path):
    table = sound()
    table.loc[table["task"] == "os", "risk"] = 1.5
    table.loc[table["task"] == "mvi", "probability"] = 0.5
    assert evaluate(tmp_path, write(table, tmp_path)).code == 0
    metrics = metrics_of(tmp_path)
    ranked = metrics[metrics["metric"].isin(["concordance_harrell", "auc"])]
    assert len(ranked) == 4
    assert (ranked["value"] == 0.5).all()


def test_predictions_without_any_outcome_say_so(tmp_path):
    table = sound().assign(time_days="", event="", label="")
    done = evaluate(tmp_path, write(table, tmp_path))
    assert done.code == 0, done.err
    metrics = metrics_of(tmp_path)
    assert metrics["value"].isna().all()
    assert (metrics["method"] == "no patient with a known outcome").all()


def test_a_patient_without_a_label_is_left_out_of_that_task_only(tmp_path):
    table = cell(65, "label", "")(sound())
    assert evaluate(tmp_path, write(table, tmp_path)).code == 0
    metrics = metrics_of(tmp_path)
    number = metrics[metrics["split"] == "train"].groupby("task")["n"].first()
    assert number.to_dict() == {"mvi": 29, "os": 30}
