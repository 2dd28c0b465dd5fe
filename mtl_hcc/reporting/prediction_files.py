"""Somebody's predictions, without a run folder, as a study."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mtl_hcc.errors import ConfigError, TableError
from mtl_hcc.metrics.predictions import read_predictions
from mtl_hcc.reporting.run_folder import check_names, matched, read_csv
from mtl_hcc.reporting.study import Study

NO_RUN = "Only predictions were given, not the run folder that fit writes (--run)"


def read_files(
    files: Sequence[Path], patients: Path | None, *, names: Sequence[str] | None = None
) -> Study:
    """Read predictions; the first model of the first file is the one that the report is about.

    Args:
        files: Tables as ``predictions.csv``.
        patients: The clinical table, if there is one.
        names: Name of each file's model; default: of its folder.

    Raises:
        ConfigError: Two files hold models of one name.
        TableError: The clinical table holds none of the patients.
    """
    chosen: Sequence[str | None] = matched(names, len(files)) or [None] * len(files)
    parts = [read_predictions(path, model=name) for path, name in zip(files, chosen, strict=True)]
    refuse_same_names(parts, files)
    predictions = pd.concat(parts, ignore_index=True)
    missing = {
        "history": f"{NO_RUN}, so there are no learning curves.",
        "quarantine": f"{NO_RUN}, so nobody knows who was left out. Say so in the paper.",
    }
    tables = {"predictions": predictions}
    if patients is None:
        missing["patients"] = "No clinical table was given: add --patients patients.csv."
    else:
        tables["patients"] = _patients(patients, predictions)
    main = str(predictions["model"].iloc[0])
    return Study(
        name=main if main != "model" else files[0].stem,
        tables=tables,
        missing=missing,
        networks=(main,),
    )


def refuse_same_names(tables: Sequence[pd.DataFrame], files: Sequence[Path]) -> None:
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


def _patients(path: Path, predictions: pd.DataFrame) -> pd.DataFrame:
    table = read_csv(path)
    check_names(table, path)
    if not table["patient_id"].isin(predictions["patient_id"]).any():
        raise TableError(
            f"none of its {len(table)} patients has a prediction",
            where=f"{path}, column patient_id",
            expected=f"names such as {predictions['patient_id'].iloc[0]}",
            remedy="Name the table of the cohort that was predicted.",
        )
    return table
