"""Somebody's predictions, without a run folder, as a study."""

from collections.abc import Sequence
from pathlib import Path

from mtl_hcc.metrics.prediction_remarks import prediction_remarks
from mtl_hcc.metrics.predictions import read_prediction_files
from mtl_hcc.reporting.given_patients import check_patients
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
        TableError: The clinical table holds none of the patients, one of them twice, or other
            outcomes.
    """
    predictions = read_prediction_files(files, names)
    remarks = [remark.text for remark in prediction_remarks(predictions)]
    missing = {
        "history": f"{NO_RUN}, so there are no learning curves.",
        "quarantine": f"{NO_RUN}, so nobody knows who was left out. Say so in the paper.",
    }
    tables = {"predictions": predictions}
    if patients is None:
        missing["patients"] = "No clinical table was given: add --patients patients.csv."
    else:
        table = read_csv(patients)
        check_names(table, patients)
        tables["patients"], found = check_patients(table, predictions, patients)
        remarks += found
    main = str(predictions["model"].iloc[0])
    return Study(
        name=main if main != "model" else files[0].stem,
        tables=tables,
        missing=missing,
        networks=(main,),
        remarks=tuple(remarks),
    )
