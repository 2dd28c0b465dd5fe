"""`python -m mtl_hcc.predict`: a trained model on any cohort, with or without outcomes."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pandas as pd
from jsonargparse import ArgumentParser, Namespace

from mtl_hcc.atomic import write_bytes
from mtl_hcc.cohorts.source import CohortSource
from mtl_hcc.command_line.config import read_config
from mtl_hcc.command_line.entry_point import report_errors
from mtl_hcc.command_line.output_place import check_output_file
from mtl_hcc.data.datamodule import CohortDataModule
from mtl_hcc.data.splits import SingleSplit
from mtl_hcc.data.training_ranges import out_of_range, read_ranges
from mtl_hcc.errors import ConfigError
from mtl_hcc.runs.model_config import build_data, prepare_data
from mtl_hcc.runs.predictor import Predictor, load_predictor
from mtl_hcc.split_names import split_place
from mtl_hcc.spreadsheet_cells import csv_bytes

SHOWN = 10

DESCRIPTION = """Predict MVI, OS and RFS of a cohort with a trained model.

  python -m mtl_hcc.predict --checkpoint runs/ct_mtl --cohort PATH --output predictions.csv
The cohort is prepared as the model was trained; its labels may be absent. Writes one row per
patient and task: log hazard and survival probabilities at 1, 2, 3 and 5 years, or the
probability of MVI; out_of_range says in what a patient is unlike those of the training."""


@report_errors
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = _parser()
    settings = parser.instantiate(read_config(parser, arguments))
    output = Path(settings.output)
    check_output_file(output, "--output")
    predictions = predict(settings)
    write_bytes(output, csv_bytes(predictions))
    patients = predictions["patient_id"].nunique()
    print(f"{patients} patients, {predictions['task'].nunique()} tasks: {output}")
    print_out_of_range(predictions)
    survival = predictions.filter(like="survival_")
    if any(Path(path).is_file() for path in settings.checkpoint) and survival.isna().all(axis=None):
        print(
            "No survival probabilities: a training checkpoint has no baseline hazard. The run "
            "folder of a finished training has it in model/."
        )
    print(f"Next: python -m mtl_hcc.evaluate --predictions {output} --output {output.parent}")


def predict(settings: Namespace) -> pd.DataFrame:
    """Return the predictions of every patient that could be prepared.

    Args:
        settings: As the parser gives them.
    """
    model = load_predictor([Path(path) for path in settings.checkpoint], trusted=settings.trust)
    if len(model.members) > 1:
        print(f"The mean of {len(model.members)} models: {', '.join(map(_path, model.members))}")
    if settings.rotations not in (None, 1) and not model.looks_at_images:
        raise ConfigError(
            "the model reads tables: there is nothing to turn",
            where="--rotations",
            remedy="Leave it out.",
        )
    datamodule = build_data(
        model.config,
        cohort=settings.cohort,
        store=settings.store or str(Path(settings.output).with_suffix("")) + "_prepared",
        source=settings.source,
        trusted=settings.trust,
        batch_size=settings.batch_size,
        **({} if settings.rotations is None else {"prediction_rotations": settings.rotations}),
    )
    if settings.cohort is not None:  # the phantom keeps its splits: some of it was trained on
        datamodule.split = SingleSplit(name=settings.split)
    if datamodule.preparation is not None:
        datamodule.preparation = replace(datamodule.preparation, plausibility=settings.plausibility)
    prepare_data(datamodule, own_reader=settings.source is not None)
    datamodule.setup("predict")
    predictions = model.predict(datamodule, device=settings.device)
    trained = model.rotations
    if len(datamodule.rotations) != trained:
        predictions = _without_survival(predictions, len(datamodule.rotations), trained)
    if settings.cohort is None:
        predictions = predictions.assign(
            split=predictions["patient_id"].map(least_independent_use(datamodule, model))
        )
    reasons: dict[str, str] = {}
    for member in model.members:
        ranges = read_ranges(member.path)
        if not ranges:
            print(
                f"{'This model' if member is model else member.path} carries no ranges of its "
                "training patients (training_ranges.json), so nobody was compared with them."
            )
        found_by = out_of_range(ranges, datamodule, member.covariates)
        reasons = {patient: reasons.get(patient) or why for patient, why in found_by.items()}
    found = zip(predictions["out_of_range"], predictions["patient_id"].map(reasons), strict=True)
    return predictions.assign(out_of_range=["; ".join(filter(None, both)) for both in found])


def _path(model: Predictor) -> str:
    return str(model.path)


def least_independent_use(datamodule: CohortDataModule, model: Predictor) -> pd.Series:
    """Return the split of each patient of the model's own phantom.

    Who was tested in one fold has trained the models of others: of several, the use that makes a
    prediction least independent counts.
    """
    splits = datamodule.prepared.splits()
    used = splits[splits["fold"].isin(model.folds)]
    used = used.sort_values("split", key=lambda names: names.map(split_place), kind="stable")
    return used.drop_duplicates("patient_id").set_index("patient_id")["split"]


def _without_survival(predictions: pd.DataFrame, rotations: int, trained: int) -> pd.DataFrame:
    """Return the rows without the probabilities that a baseline of other outputs would give."""
    print(
        f"No survival probabilities: the baseline hazard is that of predictions by {trained} "
        f"rotation{'s' * (trained != 1)}, not {rotations}. Risk and class probabilities are the "
        f"means over {rotations}. To have them too, predict the training patients so: "
        "python -m mtl_hcc.fit --config RUN/config.yaml --ckpt_path last "
        f"--data.prediction_rotations {rotations}"
    )
    curves = [str(name) for name in predictions if str(name).startswith("survival_")]
    return predictions.assign(**dict.fromkeys(curves, float("nan")))


def print_out_of_range(predictions: pd.DataFrame) -> None:
    """Print who is unlike the patients that the model was trained on, and in what.

    Args:
        predictions: With the column ``out_of_range``.
    """
    reasons = predictions.drop_duplicates("patient_id").set_index("patient_id")["out_of_range"]
    odd = reasons[reasons != ""]
    if odd.empty:
        return
    print(
        f"{len(odd)} of {len(reasons)} patients are unlike those that the model was trained on; do "
        "not trust their predictions (column out_of_range):"
    )
    for patient, reason in odd.iloc[:SHOWN].items():
        print(f"  {patient}: {reason}")
    if len(odd) > SHOWN:
        print(f"  ... and {len(odd) - SHOWN} more")


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="python -m mtl_hcc.predict",
        description=DESCRIPTION,
        allow_abbrev=False,
        exit_on_error=False,
    )
    parser.add_argument(
        "--checkpoint",
        type=str,
        nargs="+",
        required=True,
        help="Run folder, its model/ folder, an exported model, or a training checkpoint. Several, "
        "or a run of several folds or seeds, predict as their mean.",
    )
    parser.add_argument(
        "--cohort",
        type=str | None,
        help="Folder or table of the cohort; without it the phantom of the model's config is made.",
    )
    parser.add_argument("--output", type=str, default="predictions.csv", help="File to write.")
    parser.add_argument(
        "--store", type=str | None, help="Folder of prepared images (default: beside the output)."
    )
    parser.add_argument(
        "--source", type=CohortSource | None, help="How the cohort is read, e.g. DicomTree."
    )
    parser.add_argument(
        "--split", type=str, default="external", help="Name of the split in the table."
    )
    parser.add_argument(
        "--plausibility",
        type=Literal["quarantine", "remark"],
        default="quarantine",
        help="quarantine leaves out patients whose images or drawings cannot be right, remark "
        "predicts them and says so in the column out_of_range.",
    )
    parser.add_argument(
        "--rotations",
        type=int | None,
        help="Predict the mean over so many ways of turning a patient by right angles (default: "
        "data.prediction_rotations of the model). Another number than the model's leaves the "
        "survival probabilities empty: its baseline hazard does not belong to such outputs.",
    )
    parser.add_argument("--batch_size", type=int, default=16, help="Patients at a time.")
    parser.add_argument(
        "--trust",
        type=str,
        nargs="+",
        default=[],
        help="Packages besides mtl_hcc whose classes the model may use: their code is run.",
    )
    parser.add_argument("--device", type=str | None, help="cpu or cuda (default: cuda if present).")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
