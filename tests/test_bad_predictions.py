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
    "half a fold": (cell(3, "fold", 0.5), ["line 5", "column fold", "'0.5'", "a whole number"]),
    "most survival curves rise": (
        lambda table: table.rename(
            columns={"survival_365": "survival_730", "survival_730": "survival_365"}
        ),
        ["patient P0", "survival_730 is above survival_365", "in 60 of 60 rows", "exchanged"],
    ),
    "a horizon beyond all time": (
        lambda table: table.assign(survival_99999999999999999999=0.5),
        ["column survival_99999999999999999999", "1 to 36525 days", "Rename the column"],
    ),
    "one horizon twice": (
        lambda table: table.assign(survival_0365=table["survival_365"]),
        ["two columns of one horizon, survival_365 and survival_0365"],
    ),
    "a misspelt needed column": (
        lambda table: table.rename(columns={"split": "Split"}),
        ["no column split", "Is it Split? Rename it."],
    ),
    "two outcomes of a patient in two folds": (
        lambda table: pd.concat([table, table.iloc[[2]].assign(fold=1, time_days=5000)]),
        ["line 122", "patient P02", "column time_days", "5000 in fold 1", "one outcome per"],
    ),
    "class probabilities that do not sum to 1": (
        lambda table: (
            table[table["task"] == "mvi"]
            .drop(columns=["probability", "risk", *(f"survival_{days}" for days in HORIZONS)])
            .assign(probability_0=0.5, probability_1=0.4, probability_2=0.3)
        ),
        ["line 2", "patient P00", "probability_0 to probability_2 sum to 1.2", "sum to 1"],
    ),
    "a center that a spreadsheet would run": (
        cell(3, "center", "=cmd|' /C calc'!A0"),
        ["line 5", "column center", "begins like a formula, which a spreadsheet would run"],
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


def test_semicolons_are_told(tmp_path):
    path = tmp_path / "run" / "predictions.csv"
    path.parent.mkdir()
    sound().to_csv(path, index=False, sep=";")
    done = evaluate(tmp_path, path)
    assert done.code == 2
    assert "Save it separated by commas." in done.err


def test_rows_with_more_cells_than_the_header_are_not_shifted(tmp_path):
    path = write(sound(), tmp_path)
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header, *(f"{row},1" for row in rows)]))
    done = evaluate(tmp_path, path)
    assert done.code == 2
    assert "its rows have more cells than its header" in done.err


def test_the_second_of_two_files_is_named_when_it_is_the_bad_one(tmp_path):
    good = write(sound(), tmp_path, "good")
    bad = write(cell(3, "risk", "high")(sound()), tmp_path, "bad")
    done = evaluate(tmp_path, good, bad)
    assert done.code == 2
    assert str(bad) in done.err
    assert str(good) not in done.err


# Remarked: read and computed, and the user is told -------------------------------------------


def in_months(table: pd.DataFrame) -> pd.DataFrame:
    survival = table["task"] == "os"
    table.loc[survival, "time_days"] = (table.loc[survival, "time_days"] / 30.4375).astype(float)
    return table


def one_rises(table: pd.DataFrame) -> pd.DataFrame:
    table.loc[4, ["survival_365", "survival_730"]] = [0.5, 0.6]
    return table


REMARKED: dict[str, tuple[Change, list[str], str]] = {
    "months": (
        in_months,
        ["task os, column time_days: the longest of 60 times is", "are these months?", "30.4375"],
        "the times can hardly be days",
    ),
    "Training instead of train": (
        lambda table: table.replace({"split": {"train": "Training"}}),
        ["split 'Training' (30 patients) is not train", "no cut-off is taken from it", "rename"],
        "the split is called 'Training', not train",
    ),
    "test set": (
        lambda table: table.replace({"split": {"external": "test set"}}),
        ["split 'test set' (30 patients) is not test; rename it if test is meant"],
        "the split is called 'test set', not test",
    ),
    "survival that rises": (
        one_rises,
        ["survival rises over time in 1 of 60 rows, first of patient P04", "survival_365 to"],
        "predicted survival rises over time in 1 rows",
    ),
    "one risk for all": (
        lambda table: where(lambda rows: rows["task"] == "os", risk=1.5)(table),
        ["task os: risk is the same for all 60 rows, so nobody is ranked above another"],
        "the prediction is the same for everybody",
    ),
    "a misspelt horizon": (
        lambda table: table.rename(columns={"survival_365": "survival_1y"}),
        ["column 'survival_1y' is not read; is it survival_365? Rename it."],
        "",
    ),
    "other columns": (
        lambda table: table.assign(age_years=60, surgeon="B"),
        ["columns 'age_years', 'surgeon' are not read"],
        "",
    ),
}


@pytest.mark.parametrize("kind", REMARKED)
def test_what_looks_odd_is_said_on_the_terminal_and_beside_its_numbers(tmp_path, kind):
    change, said, method = REMARKED[kind]
    done = evaluate(tmp_path, write(change(sound()), tmp_path))
    assert done.code == 0, done.err
    for part in said:
        assert part in done.out
    metrics = pd.read_csv(tmp_path / "out" / "metrics.csv")
    marked = metrics["method"].str.contains(method, regex=False)
    assert marked.any()
    assert method == "" or not marked.all(), "only what it concerns"


def test_a_sound_table_gets_no_remark(tmp_path):
    assert "remark" not in evaluate(tmp_path, write(sound(), tmp_path)).out


def test_files_that_share_no_split_or_no_task_are_evaluated_and_said_not_to_be_compared(tmp_path):
    first = sound().query("split == 'train' and task == 'os'")
    other = sound().query("split == 'external' and task == 'mvi'")
    done = evaluate(tmp_path, write(first, tmp_path, "a"), write(other, tmp_path, "b"))
    assert done.code == 0, done.err
    said = "a and b are not compared: a predicts os in train, b mvi in external"
    assert said in done.out
    assert pd.read_csv(tmp_path / "out" / "comparisons.csv").empty
    assert set(metrics_of(tmp_path)["model"]) == {"a", "b"}


def test_three_separated_patients_have_an_auc_of_1_without_interval(tmp_path):
    """AUC 1.000 (1.000-1.000) from three patients would look like certainty."""
    table = sound().query("task == 'mvi'").head(3).drop(columns=["risk", "time_days", "event"])
    table["label"], table["probability"] = [0, 1, 1], [0.1, 0.8, 0.9]
    done = evaluate(tmp_path, write(table, tmp_path), flags=("--bootstraps", "200"))
    assert done.code == 0, done.err
    auc = metrics_of(tmp_path).set_index("metric").loc["auc"]
    assert auc["value"] == 1
    assert np.isnan(auc["ci_low"])
    assert "no interval: of these 3 patients it would have no width" in auc["method"]
    assert "1.000 (" not in done.out


def test_an_interval_of_few_patients_is_called_rough(tmp_path):
    table = sound()
    mvi = (table["task"] == "mvi") & (table["split"] == "external")
    table.loc[mvi, "label"] = (np.arange(30) < 6).astype(int)
    assert evaluate(tmp_path, write(table, tmp_path)).code == 0
    auc = metrics_of(tmp_path).query("split == 'external' and metric == 'auc'").iloc[0]
    assert auc["method"] == "delong; rough interval: only 6 patients in the smaller class"
    assert np.isfinite(auc["ci_low"])


@pytest.mark.parametrize("name", ["[/] old", "[bold]new[/bold]", "a [red]b", ":warning: c"])
def test_names_with_brackets_are_printed_as_they_are(tmp_path, name):
    files = [write(sound(), tmp_path, "a"), write(sound(seed=1), tmp_path, "b")]
    done = evaluate(tmp_path, *files, flags=("--names", name, "other [x]", "--between", "split"))
    assert done.code == 0, done.err
    assert " ".join(name.split()[-1:]) in done.out
    assert name.split()[0] in done.out
    assert set(metrics_of(tmp_path)["model"]) == {name, "other [x]"}


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
