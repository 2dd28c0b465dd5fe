"""From a cohort to a plan: count, split, measure training patients, and let the rules choose."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from mtl_hcc.covariates.reader import CovariateKind
from mtl_hcc.data.splits import KFold, RandomSplit, Split, SplitByColumn
from mtl_hcc.data.splits.dealt_splits import deal
from mtl_hcc.data.splits.split import one_fold
from mtl_hcc.data.splits.split_checks import check_splits
from mtl_hcc.data.splits.splits_csv import of_fold
from mtl_hcc.errors import TableError
from mtl_hcc.imaging.preparation import Preparation
from mtl_hcc.imaging.view import View
from mtl_hcc.patient import Cohort
from mtl_hcc.planning.counting import count_labels, count_table, usable_covariates
from mtl_hcc.planning.image_rules import Field, choose_phases, choose_window
from mtl_hcc.planning.measure_images import drawn_patients, measure_images
from mtl_hcc.planning.measured import Chosen, Counted, CountedTable, Machine, MeasuredImages
from mtl_hcc.planning.split_rules import (
    FOLDS,
    RANDOM,
    VALIDATION_OF_FOLD,
    VALIDATION_OF_REST,
    SplitPlan,
    check_some_endpoint,
    choose_split,
    refused_endpoints,
    train_share,
    without_validation,
)
from mtl_hcc.planning.training_rules import Sizes, Task, choose_epochs, choose_sizes
from mtl_hcc.split_names import TRAIN, in_split_order
from mtl_hcc.store.quality_report import left_out as left_out_of

Modality = Literal["ct", "mri"]


@dataclass(frozen=True)
class PlanSettings:
    """What the user may say about a plan.

    Attributes:
        images: Most training patients whose images are measured.
        seed: Of the draw of these patients, of the splits and of the training.
        hours: Of all folds together on a CPU.
        modality: As in the preparation; None leaves it to the phases.
        workers: Processes that measure.
    """

    images: int = 60
    seed: int = 0
    hours: float = 12.0
    modality: Modality | None = None
    workers: int = -1


@dataclass(frozen=True)
class ImagePlan:
    """What was measured on images, and what was chosen because of it.

    Attributes:
        measured: Of training patients.
        phases: That the network sees.
        incomplete: Patients, of all, who lack one of them.
        sizes: Views and batch.
        window: How intensities are scaled.
        task: How much there is to train.
    """

    measured: MeasuredImages
    phases: Chosen[list[str]]
    incomplete: int
    sizes: Sizes
    window: Chosen[dict[str, object]]
    task: Task

    @property
    def views(self) -> dict[str, Field]:
        """Return what each view shows, the coarse one first."""
        liver = self.sizes.liver.value
        return {**({"liver": liver} if liver else {}), "tumor": self.sizes.fine.value}


@dataclass(frozen=True)
class CohortPlan:
    """Everything that the config says, with the numbers behind it.

    Attributes:
        counts: Of the whole table.
        by_split: Split of the first fold to the counts of its endpoints.
        endpoints: Those that are trained.
        refused: The others, each with its number.
        split: How patients are split.
        splits: ``patient_id, fold, split``.
        train: Number of training patients (of the first fold).
        epochs: Of the network with images.
        covariates: Clinical column to how it is read.
        left_out: Clinical column to the reason.
        machine: That the config is for.
        images: None for a table without images.
        quarantined: Patients that reading the cohort left out.
    """

    counts: CountedTable
    by_split: Mapping[str, Mapping[str, Counted]]
    endpoints: list[str]
    refused: Mapping[str, str]
    split: Chosen[SplitPlan]
    splits: pd.DataFrame
    train: int
    epochs: Chosen[int]
    covariates: Mapping[str, CovariateKind]
    left_out: Mapping[str, str]
    machine: Machine
    settings: PlanSettings
    images: ImagePlan | None = None
    quarantined: int = 0

    @property
    def folds(self) -> int:
        """Number of trainings."""
        return int(self.splits["fold"].nunique())


def plan_cohort(cohort: Cohort, machine: Machine, settings: PlanSettings) -> CohortPlan:
    """Measure a cohort and choose the settings.

    Of patients outside the training split labels are counted and phases and cells tried; nothing
    else of them is looked at.

    Args:
        cohort: As its reader gives it.
        machine: That will train.
        settings: Of the user.

    Raises:
        TableError: No endpoint has enough events.
        SplitError: The table's column ``split`` cannot serve a training.
        CohortError: No image could be measured.
    """
    table = cohort.table
    counts = count_table(table)
    refused = refused_endpoints(_expected(counts))
    check_some_endpoint(counts.endpoints, refused)
    kept = [name for name in counts.endpoints if name not in refused]
    split = choose_split(counts, kept)
    splits = assigned(split.value, table, seed=settings.seed)
    for fold in sorted(splits["fold"].unique()):
        check_splits(of_fold(splits, fold), table, [], fold=fold, needed=())  # their names
    if not {TRAIN, "validation"} <= set(splits["split"]):
        check_splits(of_fold(splits, 0), table, kept)  # says which is missing
    refused |= refused_endpoints({name: _fewest(table, splits, TRAIN, name) for name in kept})
    refused |= without_validation(
        {name: _fewest(table, splits, "validation", name) for name in kept if name not in refused}
    )
    check_some_endpoint(counts.endpoints, refused)
    endpoints = [name for name in kept if name not in refused]
    for fold in sorted(splits["fold"].unique()):
        check_splits(of_fold(splits, fold), table, endpoints, fold=fold)
    first = of_fold(splits, 0).reindex(table.index)
    train = first.index[first == TRAIN]
    covariates, left_out = usable_covariates(table, train, endpoints)
    if not cohort.patients and not covariates:
        _refuse_empty(cohort.root, left_out)
    return CohortPlan(
        counts=counts,
        by_split={
            str(name): count_labels(table.loc[first.index[first == name]], list(counts.endpoints))
            for name in in_split_order(dict.fromkeys(first))
        },
        endpoints=endpoints,
        refused=refused,
        split=split,
        splits=splits,
        train=len(train),
        epochs=choose_epochs(len(train)),
        covariates=covariates,
        left_out=left_out,
        machine=machine,
        settings=settings,
        images=_plan_images(cohort, list(train), splits, machine, settings),
        quarantined=left_out_of(cohort.quarantine),
    )


def assigned(split: SplitPlan, table: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Return ``patient_id, fold, split`` as the training will have them.

    Args:
        split: The plan.
        table: The cohort's table.
        seed: Of what chance decides.
    """
    if split.kind != "center":
        return split_of(split, seed=seed).assign(table)
    inside = table[table["center"].astype(str).str.strip() != split.external]
    shares = {TRAIN: 1 - VALIDATION_OF_REST, "validation": VALIDATION_OF_REST}
    dealt = deal(inside, shares, seed=seed)
    return one_fold(dealt.reindex(table.index).fillna("external"))


def split_of(split: SplitPlan, *, seed: int) -> Split:
    """Return the split of a plan that needs no file.

    Args:
        split: The plan.
        seed: Of what chance decides.
    """
    if split.kind == "column":
        return SplitByColumn()
    if split.kind == "random":
        return RandomSplit(fractions=RANDOM, seed=seed)
    held_out = [split.external] if split.external else None
    return KFold(folds=FOLDS, validation_fraction=VALIDATION_OF_FOLD, seed=seed, hold_out=held_out)


def _refuse_empty(root: Path, left_out: Mapping[str, str]) -> None:
    """Raise where a table holds nothing to predict from."""
    said = "; ".join(f"{column}: {why}" for column, why in left_out.items())
    raise TableError(
        f"no clinical column can be used ({said or 'there is none'}), and there are no images",
        where=str(root),
        expected="columns known before surgery, such as age_years or afp_ng_ml",
        remedy="Add them, or name the folder that holds images/ as the cohort.",
    )


def _expected(counts: CountedTable) -> dict[str, Counted]:
    """Return what training patients may be expected to have before a split is chosen."""
    if TRAIN in counts.by_split:
        return dict(counts.by_split[TRAIN])
    share = train_share(counts, SplitPlan("folds"))
    return {
        name: Counted(one.patients, one.labelled, int(share * one.events))
        for name, one in counts.endpoints.items()
    }


def _fewest(table: pd.DataFrame, splits: pd.DataFrame, split: str, endpoint: str) -> Counted:
    """Return the counts of a split in the fold with its fewest events of an endpoint."""
    members = splits[splits["split"] == split]
    found = [
        count_labels(table.loc[rows["patient_id"]], [endpoint])[endpoint]
        for _, rows in members.groupby("fold")
    ]
    return min(found, key=lambda one: one.events, default=Counted(0, 0, 0))


def _plan_images(
    cohort: Cohort,
    train: list[str],
    splits: pd.DataFrame,
    machine: Machine,
    settings: PlanSettings,
) -> ImagePlan | None:
    """Measure images of training patients and choose what depends on them."""
    if not cohort.patients:
        return None
    train = [name for name in train if name in cohort.patients]
    having: dict[str, int] = {}
    for name in train:
        for phase in cohort.patients[name].images:
            having[phase] = having.get(phase, 0) + 1
    phases = choose_phases(having, len(train))
    complete = {
        name for name, one in cohort.patients.items() if set(phases.value) <= set(one.images)
    }
    preparation = Preparation(
        views={"tumor": View(phases=phases.value)}, modality=settings.modality
    )
    drawn = drawn_patients(
        [name for name in train if name in complete], settings.images, seed=settings.seed
    )
    measured = measure_images(cohort, drawn, preparation, workers=settings.workers)
    task = Task(
        patients=len(complete),
        train=len(train),
        folds=splits["fold"].nunique(),
        phases=len(phases.value),
    )
    return ImagePlan(
        measured=measured,
        phases=phases,
        incomplete=len(cohort.patients) - len(complete),
        sizes=choose_sizes(measured, task, machine, hours=settings.hours),
        window=choose_window(measured),
        task=task,
    )
