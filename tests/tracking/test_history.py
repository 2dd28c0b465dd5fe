"""history.csv: one row per epoch, kept over a resume."""

from pathlib import Path

import pandas as pd

from mtl_hcc.tracking.history import HistoryLogger


def log_epochs(logger: HistoryLogger, epochs: range, *, factor: float = 1.0) -> None:
    for epoch in epochs:
        logger.log_metrics({"validation/loss": factor * epoch, "epoch": epoch}, step=epoch)
        logger.log_metrics({"train/loss": 2 * factor * epoch, "epoch": epoch}, step=epoch)
        logger.save()


def test_numbers_of_an_epoch_share_a_row_and_the_epoch_comes_first(tmp_path: Path):
    logger = HistoryLogger(tmp_path / "run" / "history.csv")
    log_epochs(logger, range(3))
    table = pd.read_csv(tmp_path / "run" / "history.csv")
    expected = {"epoch": [0, 1, 2], "train/loss": [0.0, 2.0, 4.0], "validation/loss": [0.0, 1, 2]}
    pd.testing.assert_frame_equal(table, pd.DataFrame(expected))


def test_a_resumed_run_keeps_the_rows_of_its_first_part(tmp_path: Path):
    path = tmp_path / "history.csv"
    first = HistoryLogger(path)
    log_epochs(first, range(3))
    log_epochs(HistoryLogger(path, first.rows.values()), range(3, 5))
    assert pd.read_csv(path)["train/loss"].tolist() == [0, 2, 4, 6, 8]


def test_epochs_that_are_done_again_replace_the_abandoned_ones(tmp_path: Path):
    path = tmp_path / "history.csv"
    first = HistoryLogger(path)
    log_epochs(first, range(5))
    second = HistoryLogger(path, list(first.rows.values())[:2])
    assert pd.read_csv(path)["train/loss"].tolist() == [0, 2], "as the checkpoint has it, at once"
    log_epochs(second, range(2, 4), factor=10)
    assert pd.read_csv(path)["train/loss"].tolist() == [0, 2, 40, 60]


def test_a_new_run_starts_a_new_table(tmp_path: Path):
    path = tmp_path / "history.csv"
    log_epochs(HistoryLogger(path), range(5))
    log_epochs(HistoryLogger(path), range(1))
    assert len(pd.read_csv(path)) == 1


def test_a_checkpoint_gets_the_row_that_the_file_does_not_have_yet(tmp_path: Path):
    logger = HistoryLogger(tmp_path / "history.csv")
    log_epochs(logger, range(2))
    logger.log_metrics({"validation/loss": 7.0, "epoch": 2})
    rows = logger.rows_with(2, {"validation/loss": 7.0, "train/loss": 8.0})
    assert [row["epoch"] for row in rows] == [0, 1, 2]
    assert rows[2] == {"epoch": 2, "validation/loss": 7.0, "train/loss": 8.0}
    assert "train/loss" not in logger.rows[2], "it is logged later"
    assert logger.rows_with(0, {"validation/loss": 0.0})[-1]["epoch"] == 0


def test_without_numbers_no_file_is_written(tmp_path: Path):
    logger = HistoryLogger(tmp_path / "history.csv")
    logger.log_metrics({"orphan": 1.0})
    logger.log_hyperparams({"seed": 0})
    logger.save()
    assert not (tmp_path / "history.csv").exists()
    assert len(logger.table()) == 0
