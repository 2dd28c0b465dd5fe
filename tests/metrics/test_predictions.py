import numpy as np
import pandas as pd
import pytest

from mtl_hcc.errors import PredictionsError
from mtl_hcc.metrics.predictions import (
    check_predictions,
    read_predictions,
    task_kind,
    with_outcome,
)


def test_a_written_table_is_read_back_as_it_was(predictions, tmp_path):
    predictions.to_csv(tmp_path / "mine.csv", index=False)
    table = read_predictions(tmp_path / "mine.csv")
    assert list(table["model"].unique()) == ["mine"]
    for column in ("risk", "time_days", "event", "label", "probability"):
        assert table[column].dtype == float
        np.testing.assert_allclose(table[column], predictions[column])


def test_the_model_is_named_after_the_run_folder_or_as_asked(predictions, tmp_path):
    path = tmp_path / "run_7" / "predictions.csv"
    path.parent.mkdir()
    predictions.to_csv(path, index=False)
    assert read_predictions(path)["model"].iloc[0] == "run_7"
    assert read_predictions(path, model="network")["model"].iloc[0] == "network"


def test_names_that_look_like_numbers_keep_their_zeros(predictions, tmp_path):
    predictions["patient_id"] = predictions["patient_id"].str[1:]
    predictions.to_csv(tmp_path / "a.csv", index=False)
    assert read_predictions(tmp_path / "a.csv")["patient_id"].iloc[0] == "0000"


def test_nullable_integers_and_an_empty_fold_are_understood(predictions):
    predictions = predictions.astype({"event": "Int64", "label": "Int64"}).assign(fold=None)
    checked = check_predictions(predictions)
    assert (checked["fold"] == 0).all()
    assert checked["event"].notna().sum() == len(predictions) / 2


def test_the_kind_of_a_task_follows_from_its_columns(predictions):
    grade = predictions[predictions["task"] == "mvi"].drop(columns="probability")
    grade = grade.assign(task="mvi_grade", probability_0=0.2, probability_1=0.3, probability_2=0.5)
    table = check_predictions(pd.concat([predictions, grade], ignore_index=True))
    kinds = {task: task_kind(rows) for task, rows in table.groupby("task")}
    assert kinds == {"os": "survival", "mvi": "binary", "mvi_grade": "multiclass"}


def test_a_missing_label_is_no_error_and_has_no_outcome(predictions):
    predictions.loc[[0, 1], "time_days"] = np.nan
    table = check_predictions(predictions)
    rows = table[table["task"] == "os"]
    assert len(with_outcome(rows, "survival")) == len(rows) - 2


def spoil(table: pd.DataFrame, column: str, value: object, row: int = 3) -> pd.DataFrame:
    table = table.astype({column: object})
    table.loc[row, column] = value
    return table


@pytest.mark.parametrize(
    ("row", "column", "value", "found"),
    [
        (3, "risk", "high", "'high'"),
        (3, "risk", None, "an empty cell"),
        (3, "risk", "inf", "'inf'"),
        (3, "event", 2, "'2.0'"),
        (3, "time_days", -4, "'-4.0'"),
        (3, "split", "", "an empty cell"),
        (300, "label", 2, "'2.0'"),
        (300, "label", 0.5, "'0.5'"),
        (300, "probability", 1.2, "'1.2'"),
        (300, "probability", "", "an empty cell"),
        (3, "probability", 0.5, "'0.5'"),
    ],
)
def test_a_wrong_cell_is_named_by_file_line_patient_and_column(
    predictions, tmp_path, row, column, value, found
):
    path = tmp_path / "run.csv"
    spoil(predictions, column, value, row).to_csv(path, index=False)
    with pytest.raises(PredictionsError) as error:
        read_predictions(path)
    patient = predictions["patient_id"][row]
    assert f"{path}, line {row + 2}, patient {patient}, " in str(error.value)
    assert f"column {column}: {found}" in str(error.value)


def test_the_line_named_is_the_line_of_the_file(predictions, tmp_path):
    path = tmp_path / "run.csv"
    spoil(predictions, "risk", "high", 7).to_csv(path, index=False)
    assert "high" in path.read_text().splitlines()[9 - 1]
    with pytest.raises(PredictionsError, match="line 9,"):
        read_predictions(path)


@pytest.mark.parametrize("column", ["patient_id", "split", "task", "fold", "center"])
def test_a_missing_column_is_named(predictions, column):
    with pytest.raises(PredictionsError, match=f"no column {column}"):
        check_predictions(predictions.drop(columns=column))


def test_a_table_without_any_prediction_is_refused(predictions):
    with pytest.raises(PredictionsError, match="no column risk or probability"):
        check_predictions(predictions.drop(columns=["risk", "probability"]))


def test_a_repeated_row_is_refused(predictions):
    with pytest.raises(PredictionsError, match=r"line 232.*one row per patient"):
        check_predictions(pd.concat([predictions.iloc[:230], predictions.iloc[[5]]]))


def test_a_patient_in_two_splits_of_a_fold_is_refused(predictions):
    leak = predictions.iloc[[5]].assign(split="external")
    with pytest.raises(PredictionsError, match="one split of a fold"):
        check_predictions(pd.concat([predictions, leak]))


def test_a_task_without_risk_and_probability_is_unknown(predictions):
    rows = predictions.iloc[:5].assign(task="cirrhosis", risk=np.nan)
    with pytest.raises(PredictionsError, match="unknown task 'cirrhosis'"):
        check_predictions(pd.concat([predictions, rows]))


@pytest.mark.parametrize("content", [None, b"", b"\xff\xfe\x00", b'a,b\n"1'])
def test_a_file_that_is_no_table_is_an_error_that_names_it(tmp_path, content):
    path = tmp_path / "broken.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PredictionsError, match=r"broken\.csv"):
        read_predictions(path)


def test_a_checked_table_is_not_checked_again_and_what_is_made_of_it_is(predictions):
    checked = check_predictions(predictions)
    again = check_predictions(checked)
    assert again is not checked, "a copy, as of any table"
    pd.testing.assert_frame_equal(again, checked)
    again.loc[0, "risk"] = 7.0
    assert checked.loc[0, "risk"] != 7.0
    part = checked[checked["patient_id"] != ""].assign(split="")
    with pytest.raises(PredictionsError, match="an empty cell"):
        check_predictions(part)
