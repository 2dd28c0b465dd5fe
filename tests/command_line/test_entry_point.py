import pytest

from mtl_hcc.command_line.entry_point import report_errors
from mtl_hcc.errors import PredictionsError


def test_an_error_of_the_user_is_one_message_on_stderr_and_exit_code_2(capsys):
    @report_errors
    def main() -> None:
        raise PredictionsError("no column risk", where="a.csv", remedy="Add it.")

    assert main() == 2
    captured = capsys.readouterr()
    assert captured.err == "PredictionsError: a.csv: no column risk. Add it.\n"
    assert captured.out == ""


def test_a_main_without_an_error_keeps_its_arguments_and_returns_its_exit_code():
    @report_errors
    def main(code: int | None) -> int | None:
        return code

    assert [main(None), main(0), main(3)] == [0, 0, 3]


def test_a_mistake_of_ours_keeps_its_traceback():
    @report_errors
    def main() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        main()
