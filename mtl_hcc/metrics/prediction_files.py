"""Several files of predictions as one table: each model under a name of its own."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mtl_hcc.errors import ConfigError
from mtl_hcc.metrics.predictions import read_predictions


def read_prediction_files(
    files: Sequence[Path], names: Sequence[str] | None = None
) -> pd.DataFrame:
    """Read and check one or more ``predictions.csv``.

    Args:
        files: The CSV files; the first model of the first is the one that is judged.
        names: Name of each file's model; default: of its run folder.

    Returns:
        Table as from ``check_predictions``, with the column ``model``.

    Raises:
        ConfigError: Not one name per file, or two files hold models of one name.
        PredictionsError: A file breaks the contract.
    """
    if names is not None and len(names) != len(files):
        raise ConfigError(
            f"{len(names)} names for {len(files)} files",
            where="--names",
            remedy="Give one name per file, in the order of --predictions.",
        )
    chosen: Sequence[str | None] = names or [None] * len(files)
    tables = [read_predictions(path, model=name) for path, name in zip(files, chosen, strict=True)]
    _refuse_same_names(tables, files)
    return pd.concat(tables, ignore_index=True)


def _refuse_same_names(tables: Sequence[pd.DataFrame], files: Sequence[Path]) -> None:
    """Refuse two files whose models have one name: their rows would be taken for one model's."""
    seen: dict[str, Path] = {}
    for table, path in zip(tables, files, strict=True):
        for model in table["model"].unique():
            if model in seen:
                raise ConfigError(
                    f"{seen[model]} and {path} both hold a model called {model}",
                    where="--predictions",
                    remedy="Name them: --names first second.",
                )
            seen[model] = path
