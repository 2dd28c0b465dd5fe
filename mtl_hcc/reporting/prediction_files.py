"""Somebody's predictions, without a run folder, as a study."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from mtl_hcc.errors import TableError
from mtl_hcc.metrics.prediction_files import read_prediction_files
from mtl_hcc.reporting.run_folder import check_names, read_csv
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
        ConfigError: Not one name per file, or two files hold models of one name.
        TableError: The clinical table holds none of the patients.
    """
    predictions = read_prediction_files(files, names)
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
