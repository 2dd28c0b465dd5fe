"""What a report cannot tell: always, and because of what this study is."""

import pandas as pd

from mtl_hcc.covariates.clinical_columns import SURVIVAL
from mtl_hcc.reporting.facts import is_phantom
from mtl_hcc.reporting.reported_study import ReportedStudy

FEW_EVENTS = 100
"""Below this many events an external evaluation is uncertain (Collins et al., Stat Med 2016)."""
ALWAYS = (
    "For research only. Not a medical device; nothing here may decide about a patient.",
    "An interval says how much the value would vary with other patients of the same kind. It does "
    "not cover the choice of design, patients of another kind, or errors in masks and labels.",
    "Many numbers are shown: some will look remarkable by chance. Decide before looking which one "
    "counts.",
    "Good discrimination is not benefit for patients: that needs a study of the decisions that are "
    "taken with the model.",
)


def limits(study: ReportedStudy) -> list[str]:
    """Return sentences, those that concern this study first.

    Args:
        study: With ``patients`` and ``metrics``.
    """
    patients = study.tables["patients"]
    said = []
    if is_phantom(study.config):
        said.append(
            "These patients are simulated. The results show that the software works and say "
            "nothing about real patients."
        )
    said += [f"The input looks odd: {remark}." for remark in study.remarks]
    if not study.ours:
        said.append(
            "Only predictions were given: what the models were fitted on is not known, nor whether "
            "the patients of any split are new to them. The names of the splits are believed."
        )
    said += _splits(study, patients)
    said += _events(patients)
    if "quarantine" in study.missing:
        said.append(
            "It is not known who was left out before the predictions were made: selection cannot "
            "be judged."
        )
    return said + list(ALWAYS)


def _splits(study: ReportedStudy, patients: pd.DataFrame) -> list[str]:
    splits = set(patients["split"])
    said = []
    if study.predictions["fold"].nunique() > 1 and not study.ours:
        said.append(
            "Several folds: the values are of several models and not of one of them. Whether each "
            "was fitted without the patients of its test rows is not known."
        )
    elif study.predictions["fold"].nunique() > 1:
        said.append(
            "Cross-validation: several networks were trained, each tested on other patients. The "
            "values say how well this way of training works, not how well one of the networks does."
        )
    if "external" not in splits:
        said.append(
            "No external patients: whether the results hold in another hospital is not known."
        )
    if splits <= {"train", "validation"}:
        used = "were used" if study.ours else "are called train or validation, thus were used"
        said.append(
            f"All patients {used} for training or for stopping it: the values are too good."
        )
    return said


def _events(patients: pd.DataFrame) -> list[str]:
    """Return a sentence on the splits with few events."""
    few = []
    unseen = patients[patients["split"] != "train"]
    for split, rows in unseen.groupby("split", sort=False):
        for endpoint, name in SURVIVAL:
            if f"{endpoint}_event" not in rows:
                continue
            events = int(rows[f"{endpoint}_event"].sum())
            if events < FEW_EVENTS:
                few.append(f"{events} {name} events in {split}")
    if not few:
        return []
    return [
        f"Few events ({', '.join(few)}; at least {FEW_EVENTS} are advised to evaluate a model): "
        "read the intervals, not the values."
    ]
