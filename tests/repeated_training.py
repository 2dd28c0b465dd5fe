"""Training the tiny config in a folder, and whether two runs were the same."""

from pathlib import Path
from typing import Any

import pandas as pd
import torch
from tiny_training import tiny_config

from mtl_hcc.runs.train_fold import TrainedFold, train_fold

EPOCHS = 5


def train(folder: Path, run: str, *flags: str, **changes: Any) -> TrainedFold:
    folder.mkdir(parents=True, exist_ok=True)
    parser, config = tiny_config(folder, *flags, **changes)
    trained = train_fold(parser, config, folder / run, fold=0)
    assert trained is not None
    return trained


def history(folder: Path) -> pd.DataFrame:
    table = pd.read_csv(folder / "history.csv")
    return table[[name for name in table if not name.startswith("system/")]]


def assert_same_run(one: Path, other: Path, *, epochs: int = EPOCHS) -> None:
    expected, found = history(one), history(other)
    assert found["epoch"].tolist() == list(range(epochs))
    pd.testing.assert_frame_equal(found, expected, rtol=1e-5, atol=1e-7)
    for name in ("best", "last"):
        states = [
            torch.load(run / "checkpoints" / f"{name}.ckpt", weights_only=True)["state_dict"]
            for run in (one, other)
        ]
        torch.testing.assert_close(states[1], states[0], rtol=1e-5, atol=1e-7, equal_nan=True)
