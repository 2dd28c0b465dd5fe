"""The clinical table: what is read, and what every bad input is answered with."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mtl_hcc.cohorts import check_patient_table, read_patient_table
from mtl_hcc.errors import TableError

Write = Callable[..., Path]
NAN = float("nan")


def only_reason(quarantine: pd.DataFrame, patient: str) -> str:
    assert quarantine["patient_id"].tolist() == [patient]
    assert quarantine["step"].tolist() == ["table"]
    return str(quarantine["reason"].iloc[0])


def test_a_sound_table_is_read_with_its_types(write_table: Write) -> None:
    table, quarantine = read_patient_table(write_table())
    assert quarantine.empty
    assert list(quarantine) == ["patient_id", "step", "reason"]
    assert table.index.tolist() == ["P001", "P002", "P003"]
    assert table.index.name == "patient_id"
    assert table["center"].tolist() == ["I", "I", "II"]
    np.testing.assert_array_equal(table["os_days"], [400, 900, 1200])
    np.testing.assert_array_equal(table["rfs_event"], [1, 0, 1])
    np.testing.assert_array_equal(table["mvi"], [1, 0, NAN])
    np.testing.assert_array_equal(table["afp_ng_ml"], [20.5, NAN, 400])
    assert table["child_pugh"].tolist() == ["A", "B", "A"]


def test_leading_zeros_of_patient_and_center_are_kept(write_table: Write) -> None:
    path = write_table(patient_id=["001", "010", "100"], center=["01", "1", ""])
    table, _ = read_patient_table(path)
    assert table.index.tolist() == ["001", "010", "100"]
    assert table["center"].tolist() == ["01", "1", "unknown"]


def test_a_table_without_outcomes_can_be_read(write_table: Write) -> None:
    path = write_table(os_days=[], os_event=[], rfs_days=[], rfs_event=[], mvi=[], center=[])
    table, quarantine = read_patient_table(path)
    assert quarantine.empty
    assert list(table) == ["center", "afp_ng_ml", "child_pugh"]
    assert set(table["center"]) == {"unknown"}


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_delimiter_and_byte_order_mark_do_not_matter(
    write_table: Write, delimiter: str, encoding: str
) -> None:
    expected, _ = read_patient_table(write_table())
    path = write_table(delimiter, name="other.csv")
    path.write_text(path.read_text(), encoding=encoding)
    table, _ = read_patient_table(path)
    pd.testing.assert_frame_equal(table, expected)


def test_decimal_commas_are_read_where_the_comma_is_no_delimiter(write_table: Write) -> None:
    table, _ = read_patient_table(write_table(";", afp_ng_ml=["20,5", "", "400"]))
    np.testing.assert_array_equal(table["afp_ng_ml"], [20.5, NAN, 400])


def test_commas_that_may_be_thousands_are_refused_by_name(write_table: Write) -> None:
    path = write_table(";", afp_ng_ml=["20,500", "", "400"])
    with pytest.raises(TableError, match=r"patients.csv, column afp_ng_ml: '20,500' .* thousands"):
        read_patient_table(path)


def test_words_for_missing_come_from_the_config(write_table: Write) -> None:
    path = write_table(mvi=["1", "?", "NA"], afp_ng_ml=["20", "not done", "400"])
    table, quarantine = read_patient_table(path, missing_values=["?", "not done"])
    assert quarantine.empty
    np.testing.assert_array_equal(table["mvi"], [1, NAN, NAN])
    np.testing.assert_array_equal(table["afp_ng_ml"], [20, NAN, 400])


def test_mvi_is_derived_from_its_grade(write_table: Write) -> None:
    expected = [0, 1, 1]
    table, _ = read_patient_table(write_table(mvi=[], mvi_grade=["0", "1", "2"]))
    np.testing.assert_array_equal(table["mvi"], expected)
    table, _ = read_patient_table(write_table(mvi=["0", "", "1"], mvi_grade=["0", "1", "2"]))
    np.testing.assert_array_equal(table["mvi"], expected)


def test_commas_and_line_breaks_inside_quotation_marks_belong_to_the_cell(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('patient_id,note,age_years\nA,"two, tumors\nnext line",60\nB,,x\nC,,61\n')
    table, quarantine = read_patient_table(path)
    assert table.loc["A", "note"] == "two, tumors\nnext line"
    assert "line 4, column age_years: 'x'" in only_reason(quarantine, "B")


# Faults of one row: (columns, what the reason says, columns that 'blank' empties).
ROW_FAULTS = {
    "negative time": (
        {"os_days": ["400", "-900", "1200"]},
        "column os_days: negative time (-900); write days",
        ["os_days", "os_event"],
    ),
    "zero time": (
        {"rfs_days": ["100", "0", "700"]},
        "column rfs_days: zero time (0); write days",
        ["rfs_days", "rfs_event"],
    ),
    "RFS longer than OS": (
        {"rfs_days": ["100", "901", "700"]},
        "column rfs_days: 901 is longer than os_days 900; correct one",
        ["rfs_days", "rfs_event"],
    ),
    "event not 0/1": (
        {"os_event": ["1", "2", "0"]},
        "column os_event: 2 is neither 0 nor 1; write 1 = occurred",
        ["os_days", "os_event"],
    ),
    "text in a numeric column": (
        {"afp_ng_ml": ["20", ">1000", "400"]},
        "column afp_ng_ml: '>1000' is not a number; write one",
        ["afp_ng_ml"],
    ),
    "text in a time column": (
        {"os_days": ["400", "lost", "1200"]},
        "column os_days: 'lost' is not a number; write one",
        ["os_days", "os_event"],
    ),
    "infinite time": (
        {"os_days": ["400", "inf", "1200"]},
        "column os_days: 'inf' is not a number; write one",
        ["os_days", "os_event"],
    ),
    "event without time": (
        {"os_days": ["400", "", "1200"]},
        "column os_days: empty although os_event is 0; fill it in",
        ["os_days", "os_event"],
    ),
    "time without event": (
        {"rfs_event": ["1", "", "1"]},
        "column rfs_event: empty although rfs_days is 900; fill it in",
        ["rfs_days", "rfs_event"],
    ),
    "mvi not 0/1": (
        {"mvi": ["1", "3", ""]},
        "column mvi: 3 is neither 0 nor 1; correct it",
        ["mvi"],
    ),
    "grade not 0/1/2": (
        {"mvi": [], "mvi_grade": ["0", "3", "1"]},
        "column mvi_grade: 3 is none of [0, 1, 2]; correct it",
        ["mvi_grade", "mvi"],
    ),
    "grade against mvi": (
        {"mvi_grade": ["2", "1", ""]},
        "column mvi_grade: 1 contradicts mvi 0 (M0 is 0, M1 and M2 are 1); correct one",
        ["mvi", "mvi_grade"],
    ),
}


@pytest.mark.parametrize("fault", ROW_FAULTS)
def test_a_fault_of_one_row_puts_that_patient_in_quarantine(write_table: Write, fault: str) -> None:
    columns, said, _ = ROW_FAULTS[fault]
    table, quarantine = read_patient_table(write_table(**columns))
    assert table.index.tolist() == ["P001", "P003"]
    reason = only_reason(quarantine, "P002")
    assert reason.startswith(f"patients.csv, line 3, {said}")


@pytest.mark.parametrize("fault", ROW_FAULTS)
def test_with_blank_only_that_endpoint_is_emptied(write_table: Write, fault: str) -> None:
    columns, said, blanked = ROW_FAULTS[fault]
    table, quarantine = read_patient_table(write_table(**columns), bad_labels="blank")
    assert table.index.tolist() == ["P001", "P002", "P003"]
    reason = only_reason(quarantine, "P002")
    assert reason.startswith(f"kept: patients.csv, line 3, {said}")
    assert table.loc["P002", blanked].isna().all()
    untouched, _ = read_patient_table(write_table())
    others = [name for name in untouched if name not in {*blanked, *columns}]
    pd.testing.assert_series_equal(table.loc["P002", others], untouched.loc["P002", others])


def test_two_faults_of_a_patient_stand_in_one_row(write_table: Write) -> None:
    path = write_table(os_days=["400", "0", "1200"], mvi=["1", "5", ""])
    _, quarantine = read_patient_table(path)
    reason = only_reason(quarantine, "P002")
    assert "column os_days: zero time" in reason
    assert "; also " in reason
    assert "column mvi: 5 is neither 0 nor 1" in reason


def test_a_duplicate_patient_is_left_out_with_both_lines_named(write_table: Write) -> None:
    for bad_labels in ("quarantine", "blank"):
        table, quarantine = read_patient_table(
            write_table(patient_id=["P001", "P002", "P001"]), bad_labels=bad_labels
        )
        assert table.index.tolist() == ["P002"]
        reason = only_reason(quarantine, "P001")
        assert "patients.csv, lines 2, 4, column patient_id: duplicate patient P001" in reason
        assert "keep one row" in reason


def test_a_row_without_patient_id_is_left_out_and_named_by_its_line(write_table: Write) -> None:
    table, quarantine = read_patient_table(write_table(patient_id=["P001", "", "P003"]))
    assert table.index.tolist() == ["P001", "P003"]
    reason = only_reason(quarantine, "(line 3)")
    assert "patients.csv, line 3, column patient_id: empty; fill in" in reason


@pytest.mark.parametrize("name", ["../P002", "a/b", "C:x", ".hidden"])
def test_a_patient_id_that_is_no_folder_name_is_left_out(write_table: Write, name: str) -> None:
    table, quarantine = read_patient_table(write_table(patient_id=["P001", name, "P003"]))
    assert table.index.tolist() == ["P001", "P003"]
    assert "cannot be the name of a folder; use letters" in only_reason(quarantine, name)


def test_a_death_that_is_no_rfs_event_is_reported_and_kept(write_table: Write) -> None:
    path = write_table(os_event=["1", "1", "0"])
    table, quarantine = read_patient_table(path)
    assert len(table) == 3
    assert table.loc["P002", "rfs_event"] == 0
    reason = only_reason(quarantine, "P002")
    assert reason.startswith("kept: patients.csv, line 3, column rfs_event: 0 although")


# Faults of the whole file: (columns of the table, words of the message).
def test_a_missing_id_column_is_named_with_its_likely_column(write_table: Write) -> None:
    path = write_table(patient_id=[], PatientID=["A", "B", "C"])
    with pytest.raises(TableError, match=r"patients.csv: no column 'patient_id'") as caught:
        read_patient_table(path)
    assert "Did you mean PatientID?" in str(caught.value)
    assert "Set columns.patient_id" in str(caught.value)


def test_an_unknown_mapped_column_lists_close_matches(write_table: Write) -> None:
    with pytest.raises(TableError, match="no column 'OS_day'") as caught:
        read_patient_table(write_table(), columns={"os_days": "OS_day"})
    assert "asked for by columns.os_days" in str(caught.value)
    assert "Did you mean os_days" in str(caught.value)
    assert "child_pugh" in str(caught.value)


def test_a_misspelt_contract_name_in_the_mapping_is_refused(write_table: Write) -> None:
    with pytest.raises(TableError, match=r"columns.os_day is not .* Did you mean columns.os_days"):
        read_patient_table(write_table(), columns={"os_day": "os_days"})


def test_a_time_column_without_its_event_column_is_refused(write_table: Write) -> None:
    with pytest.raises(TableError, match="column os_days without os_event"):
        read_patient_table(write_table(os_event=[]))


def test_a_numeric_column_that_is_mostly_text_is_refused(write_table: Write) -> None:
    path = write_table(os_event=["dead", "alive", "0"])
    with pytest.raises(TableError, match=r"column os_event: 2 of 3 cells are text") as caught:
        read_patient_table(path)
    assert "'dead', 'alive'" in str(caught.value)
    assert "columns.os_event" in str(caught.value)


def test_a_center_called_all_is_refused(write_table: Write) -> None:
    with pytest.raises(TableError, match="line 3, column center: a center is called 'all'"):
        read_patient_table(write_table(center=["I", "all", "II"]))
    with pytest.raises(TableError, match=r"line 4, .* 'ALL', .* Give that center another name"):
        read_patient_table(write_table(center=["I", "II", "ALL"]))


def test_when_nobody_is_left_the_first_reason_is_told(write_table: Write) -> None:
    path = write_table(os_days=["-1", "-2", "-3"], rfs_days=["", "", ""], rfs_event=["", "", ""])
    with pytest.raises(TableError, match=r"no patient is left; .* os_days: negative time \(-1\)"):
        read_patient_table(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"t.csv: the file is empty. Expected a header line"),
        (b"\n\n", r"t.csv: the file is empty"),
        (b"patient_id,mvi\n", r"t.csv: a header but no patients"),
        (b"patient_id,mvi,mvi\nA,1,1\n", r"t.csv: column 'mvi' occurs more than once.*Rename"),
        (b"patient_id,mvi\nA,1\nB,0,7\n", r"t.csv: line 3 has 3 cells, the header has 2"),
        (b"patient_id,mvi\nA,1\nB\n", r"t.csv: line 3 has 1 cells, the header has 2"),
        (b'patient_id,mvi\nA,"1\nB,0\n', r"t.csv: line 3 cannot be read as CSV.*quotation mark"),
        (b"patient_id,\nA,1\n", r"t.csv: column 2 has cells but no name"),
        (b"patient_id,mvi\nM\xfcller,1\n", r"t.csv: line 2 is not UTF-8.*0xfc.*CSV UTF-8"),
        (b"patient_id,mvi\nA\x00,1\n", r"t.csv: the file holds binary data"),
        (b"PK\x03\x04 and so on", r"t.csv: the file is a spreadsheet.*save it as 'CSV UTF-8'"),
        (b"<html><body>Log in</body></html>", r"t.csv: a header but no patients"),
    ],
)
def test_a_file_that_is_no_table_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(TableError, match=message):
        read_patient_table(path)


def test_a_spreadsheet_is_refused_by_its_name_too(tmp_path: Path) -> None:
    path = tmp_path / "patients.xlsx"
    path.write_bytes(b"anything")
    with pytest.raises(TableError, match=r"patients.xlsx: the file is a spreadsheet"):
        read_patient_table(path)


def test_a_file_that_does_not_exist_is_named_with_its_path(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=r"nowhere.csv: no such file"):
        read_patient_table(tmp_path / "nowhere.csv")
    with pytest.raises(TableError, match=r"a folder was given"):
        read_patient_table(tmp_path)


def test_a_file_that_may_not_be_opened_is_named(
    write_table: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied")

    path = write_table()
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(TableError, match=r"patients.csv: .*Permission denied.*permissions"):
        read_patient_table(path)


def test_unnamed_empty_columns_of_spreadsheets_are_dropped(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("patient_id,mvi,,\nA,1,,\nB,0,,\n,,,\n")
    table, quarantine = read_patient_table(path)
    assert quarantine.empty
    assert list(table) == ["center", "mvi"]


# Mapping columns and then reading is reading the contract's table.
NUMBERS = st.one_of(
    st.just(""), st.integers(1, 5000).map(str), st.floats(0.5, 900).map("{:.2f}".format)
)
TABLES = st.lists(
    st.fixed_dictionaries(
        {
            "os_days": st.one_of(NUMBERS, st.sampled_from(["0", "-3", "lost"])),
            "os_event": st.sampled_from(["0", "1", "1", "0", "", "2"]),
            "mvi": st.sampled_from(["", "0", "1", "4"]),
            "afp_ng_ml": NUMBERS,
            "note": st.sampled_from(["", "a; b", "x, y", 'say "no"', "7"]),
        }
    ),
    min_size=1,
    max_size=12,
)


def read_or_error(path: Path, columns: dict[str, str]) -> tuple[pd.DataFrame, pd.DataFrame] | str:
    try:
        return read_patient_table(path, columns=columns, bad_labels="blank")
    except TableError as error:
        return error.found


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=TABLES, order=st.permutations(range(6)), delimiter=st.sampled_from([",", ";", "\t"]))
def test_mapping_then_reading_equals_reading_the_contract_table(
    tmp_path: Path, rows: list[dict[str, str]], order: list[int], delimiter: str
) -> None:
    table = pd.DataFrame(rows)
    table.insert(0, "patient_id", [f"{line:03d}" for line in range(len(rows))])
    table.to_csv(tmp_path / "p.csv", index=False)
    expected = read_or_error(tmp_path / "p.csv", {})
    names = {name: f"{name.upper()} (site)" for name in table}
    renamed = table.rename(columns=names).iloc[:, list(order)]
    renamed.to_csv(tmp_path / "p.csv", index=False, sep=delimiter)
    found = read_or_error(tmp_path / "p.csv", names)
    if isinstance(expected, str) or isinstance(found, str):
        assert found == expected
        return
    pd.testing.assert_frame_equal(found[0], expected[0][list(found[0])])
    pd.testing.assert_frame_equal(found[1], expected[1])


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(rows=TABLES)
def test_what_is_left_satisfies_the_contract(tmp_path: Path, rows: list[dict[str, str]]) -> None:
    table = pd.DataFrame(rows)
    table.insert(0, "patient_id", [f"{line:03d}" for line in range(len(rows))])
    table.to_csv(tmp_path / "p.csv", index=False)
    try:
        kept, quarantine = read_patient_table(tmp_path / "p.csv")
    except TableError:
        return
    assert set(kept.index) | set(quarantine["patient_id"]) == set(table["patient_id"])
    assert not set(kept.index) & set(quarantine["patient_id"])
    assert (kept["os_days"].dropna() > 0).all()
    assert kept["os_event"].dropna().isin([0, 1]).all()
    assert (kept["os_days"].isna() == kept["os_event"].isna()).all()
    assert kept["mvi"].dropna().isin([0, 1]).all()


def long_table(**columns):
    """Return the text cells of 40 patients with OS in days, and some columns changed."""
    number = np.arange(40)
    cells = {
        "patient_id": [f"P{place:02d}" for place in number],
        "center": np.where(number % 2, "I", "II").tolist(),
        "os_days": (100 + 70 * number).astype(str).tolist(),
        "os_event": (number % 2).astype(str).tolist(),
    }
    table = pd.DataFrame({**cells, **columns}, dtype=object)
    return table.set_axis(range(2, len(table) + 2))


def test_times_in_days_get_no_remark():
    assert check_patient_table(long_table(), file="a.csv")[1].empty


def test_months_given_as_days_are_remarked_and_everybody_stays():
    months = [f"{days / 30.4375:.1f}" for days in range(100, 2900, 70)]
    table, quarantine = check_patient_table(long_table(os_days=months), file="a.csv")
    assert len(table) == 40
    (row,) = quarantine.to_dict("records")
    assert row["patient_id"] == "(all patients)"
    assert row["reason"] == (
        "kept: a.csv, column os_days: the longest of 40 times is 93 days, most are no whole days; "
        "are these months? if so, multiply months by 30.4375, years by 365.25"
    )


def test_one_center_that_writes_months_is_named():
    number = np.arange(40)
    days = 100 + 70 * number
    mixed = np.where(number % 2, days // 30, days).astype(str).tolist()
    quarantine = check_patient_table(long_table(os_days=mixed), file="a.csv")[1]
    assert (
        "column os_days: center I: the longest of 20 times is 94 days; are these months?"
        in (quarantine["reason"].iloc[0])
    )


def test_misnamed_splits_are_remarked():
    split = ["Training"] * 20 + ["validation"] * 10 + ["Test set"] * 10
    quarantine = check_patient_table(long_table(split=split), file="a.csv")[1]
    assert quarantine["reason"].tolist() == [
        "kept: a.csv, column split: 'Training' (20 patients) is not train; rename it if train is "
        "meant; also column split: 'Test set' (10 patients) is not test; rename it if test is meant"
    ]


@pytest.mark.parametrize("column", ["patient_id", "center"])
def test_a_name_that_a_spreadsheet_would_run_sets_the_patient_aside(column):
    cells = long_table()
    cells.loc[7, column] = "=cmd|' /C calc'!A0"
    table, quarantine = check_patient_table(cells, file="a.csv")
    assert len(table) == 39
    (row,) = quarantine.to_dict("records")
    assert f"a.csv, line 7, column {column}: " in row["reason"]
    assert "begins like a formula, which a spreadsheet would run" in row["reason"]
    if column == "center":
        kept, _ = check_patient_table(cells, file="a.csv", bad_labels="blank")
        assert kept.loc["P05", "center"] == "unknown"
