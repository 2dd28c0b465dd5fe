"""The TRIPOD+AI checklist, filled where the run knows the answer and nowhere else."""

from collections.abc import Mapping
from functools import partial
from typing import Any, Literal

import pandas as pd

from mtl_hcc import __version__
from mtl_hcc.metrics.predictions import task_kind
from mtl_hcc.reporting.facts import (
    estimator_in_words,
    is_phantom,
    network_parts,
    setting,
    short,
)
from mtl_hcc.reporting.reported_study import ReportedStudy
from mtl_hcc.reporting.tripod_items import ITEMS
from mtl_hcc.split_names import TRAIN
from mtl_hcc.tables.cohort_flow_table import left_out, outcomes

State = Literal["known", "part", "open"]
TAGS: dict[State, str] = {"known": "answered", "part": "in part", "open": "authors"}
OPEN = "To be written by the authors."
Answer = tuple[State, str]


def tripod_ai(study: ReportedStudy, settings: Mapping[str, Any]) -> pd.DataFrame:
    """Return the checklist.

    Args:
        study: With ``metrics`` and ``patients``.
        settings: Of the statistics.

    Returns:
        ``Item, Part, Topic, Answered by`` (``run``, ``run and authors``, ``authors``) and
        ``Answer``.
    """
    answers = {**_of_tables(study, settings), **_of_config(study), **_of_package(study)}
    by = {"known": "run", "part": "run and authors", "open": "authors"}
    rows = []
    for item in ITEMS:
        state, text = answers.get(item.number, ("open", OPEN))
        if state == "part":
            text = f"{text} The authors complete this."
        rows.append((item.number, item.part, item.topic, by[state], text))
    table = pd.DataFrame(rows, columns=["Item", "Part", "Topic", "Answered by", "Answer"])
    table.attrs["caption"] = (
        "TRIPOD+AI checklist (Collins et al., BMJ 2024; 385: e078378), topics in short words. "
        f"{(table['Answered by'] == 'run').sum()} items answered by the run, "
        f"{(table['Answered by'] == 'run and authors').sum()} in part, "
        f"{(table['Answered by'] == 'authors').sum()} left to the authors."
    )
    return table


def state_of(answered_by: str) -> State:
    """Return the state of an item by the words of the table."""
    states: dict[str, State] = {"run": "known", "run and authors": "part", "authors": "open"}
    return states[answered_by]


def _of_tables(study: ReportedStudy, settings: Mapping[str, Any]) -> dict[str, Answer]:
    """Return what the tables answer."""
    patients, metrics = study.tables["patients"], study.tables["metrics"]
    quarantine = study.tables.get("quarantine")
    gone = left_out(patients, quarantine)["patient_id"].nunique()
    flow = f"{len(patients)} patients analyzed ({outcomes(patients)})"
    if quarantine is not None:
        flow = f"{len(patients) + gone} screened, {gone} left out; {flow}"
    clinical = "patients" not in study.missing
    table_one: Answer = (
        ("part", "Table 1 by center and by MVI, with follow-up and missing values.")
        if clinical
        else ("open", f"{OPEN} No clinical table was given, so there is no Table 1.")
    )
    centers = patients["center"].nunique() if "center" in patients else 0
    several = centers > 1
    by_center = "Metrics by center with a random-effects pooled value: section Results by center."
    names = sorted(metrics.loc[metrics["value"].notna(), "metric"].unique())
    return {
        "6a": ("part", f"{centers} center{'s' if several else ''} by the column center."),
        "12d": ("known", by_center) if several else ("known", "One center: no clusters."),
        "12e": (
            "part",
            f"Computed: {', '.join(names).replace('_', ' ')}. Intervals: exact or DeLong where "
            f"they exist, else percentile bootstrap of {settings['bootstraps']} patient "
            "resamples. Models are compared on the same patients (DeLong for AUC, paired "
            "bootstrap).",
        ),
        "15": (
            "known",
            f"Log hazard and event-free probability at horizons, class probability. Cut-off of "
            f"two-class tasks: {settings['threshold']}"
            f"{' (on the train rows)' if settings['threshold'] == 'youden' else ''}; high and low "
            f"risk: {_median(study)}.",
        ),
        "20a": ("known" if quarantine is not None else "part", f"{flow}: section Cohort flow."),
        "20b": table_one,
        "20c": table_one if clinical and patients["split"].nunique() > 1 else ("open", OPEN),
        "21": ("known", _sizes(patients)),
        "23a": (
            "part",
            "Sections Key results to Decision curves, each with 95% intervals and n / events. "
            "Sociodemographic subgroups are not analyzed.",
        ),
        "23b": ("known", by_center) if several else ("known", "One center: no clusters."),
    }


def _median(study: ReportedStudy) -> str:
    """Return whose median parts high from low risk."""
    main = study.predictions[study.predictions["model"] == study.networks[0]]
    return "median of train" if (main["split"] == TRAIN).any() else "median of the rows themselves"


def _sizes(patients: pd.DataFrame) -> str:
    parts = [
        f"{split}: {len(rows)} patients ({outcomes(rows)})"
        for split, rows in patients.groupby("split", sort=False)
    ]
    return "; ".join(parts) + "."


def _of_config(study: ReportedStudy) -> dict[str, Answer]:
    """Return what the config of a run answers; nothing without a run."""
    config = study.config
    if not config:
        return {}
    get = partial(setting, config)
    heads = get("model.heads") or {}
    weights = [f"{name} {short(h['init_args'].get('class_weights'))}" for name, h in heads.items()
               if (h.get("init_args") or {}).get("class_weights")]  # fmt: skip
    baselines = config.get("baselines") or {}
    answers: dict[str, Answer] = {
        "5a": ("part", _source(config)),
        "7": ("part", _preparation(config)),
        "9a": ("part", _predictors(config)),
        "12a": ("known", f"Split by {short(get('data.split'))}: train is learned from, "
                f"{'' if config.get('estimator') else 'validation stops the training, '}"
                f"all others are only predicted. {_folds(study)}"),
        "12c": ("part", _model(config)),
        "13": ("known", f"Class weights in the loss: {', '.join(weights)}; not recalibrated after."
               if weights else "No class imbalance method: classes enter the loss as they are."),
        "12b": ("part", _scaling(config, baselines)),
        "11": ("known", _missing(config)),
    }  # fmt: skip
    if is_phantom(config):
        simulated: Answer = ("known", "Simulated patients (phantom): does not apply.")
        answers |= dict.fromkeys(("5b", "6c", "17", "8b", "8c", "9c"), simulated)
    return answers


def _source(config: Mapping[str, Any]) -> str:
    if is_phantom(config):
        return "A phantom: simulated patients with a known truth, not a clinical population."
    return f"Read by {short(setting(config, 'data.source') or 'the default reader')}."


def _folds(study: ReportedStudy) -> str:
    folds = study.predictions["fold"].nunique()
    if folds == 1:
        return "One partition, whole patients."
    return f"{folds} folds, whole patients; every network is tested on patients it never saw."


def _preparation(config: Mapping[str, Any]) -> str:
    images = setting(config, "data.preparation")
    if not images:
        return "No images. The clinical table is checked: impossible values are emptied and listed."
    views = "; ".join(
        f"{name}: resampled to {short(view.get('spacing_mm'))} mm, cropped to "
        f"{short(view.get('field_of_view_mm'))} mm around the {view.get('center_on')}, intensities "
        f"scaled to 0 to 1 ({_intensity(view.get('intensity'))}), kept: {short(view.get('keep'))}"
        for name, view in (images.get("views") or {}).items()
    )
    return (
        f"Views of the images: {views}. Registration {images.get('registration')}. "
        "Every patient is checked; who cannot be used is left out with a reason."
    )


def _intensity(given: Any) -> str:
    """Return how intensities are scaled, with its numbers."""
    numbers = (given or {}).get("init_args") or {}
    written = ", ".join(f"{name} {short(value)}" for name, value in numbers.items())
    return f"{short(given)}: {written}" if written else short(given)


def _predictors(config: Mapping[str, Any]) -> str:
    views = setting(config, "data.preparation.views") or {}
    phases = list(dict.fromkeys(p for view in views.values() for p in view.get("phases") or ()))
    columns, measured = setting(config, "data.covariates"), setting(config, "data.measured")
    parts = [f"CT or MRI phases {short(phases)}, with drawn liver and tumor" if phases else ""]
    parts.append(f"clinical columns {short(list(columns))}" if columns else "")
    parts.append(f"measured in the images {short(list(measured))}" if measured else "")
    if config.get("estimator"):
        return f"{estimator_in_words(config)}; none was selected by the outcome."
    return f"{' and '.join(part for part in parts if part)}; none was selected by the outcome."


def _scaling(config: Mapping[str, Any], baselines: Mapping[str, Any]) -> str:
    columns = setting(config, "data.covariates") or {}
    measured = setting(config, "data.measured") or {}
    read = [short(columns), f"measured in the images: {short(measured)}" if measured else ""]
    numbers = "; ".join(filter(None, read))
    network = f"Network: {numbers}; scaled by the training patients. " if numbers else ""
    beside = "; ".join(f"{name}: {short(parts)}" for name, parts in baselines.items())
    strong = ""
    if config.get("strong_baselines") and setting(config, "data.preparation"):
        strong = (
            " Region statistics (mean and spread of tumor, margin zone and liver, log tumor "
            "volume) and all clinical columns: with a ridge chosen in inner folds of train."
        )
    return f"{network}Clinical baselines: {beside or 'none'}.{strong}"


def _model(config: Mapping[str, Any]) -> str:
    if config.get("estimator"):
        return (
            f"{estimator_in_words(config)}: a Cox model (Efron's ties) for each survival endpoint, "
            "a logistic model for each class; ridge "
            f"{short(setting(config, 'estimator.init_args.ridge') or 'chosen in inner folds')}."
        )
    return (
        f"A network for several tasks at once: {'; '.join(network_parts(config))}; heads "
        f"{short(setting(config, 'model.heads'))}; task weights "
        f"{short(setting(config, 'model.weighting'))}; at most "
        f"{setting(config, 'trainer.max_epochs')} epochs, the one with the best validation loss is "
        "kept."
    )


def _missing(config: Mapping[str, Any]) -> str:
    phase = setting(config, "data.preparation.missing_phase")
    images = f" A missing phase: {short(phase)}." if phase else ""
    return (
        "A missing outcome leaves the patient out of that outcome only. Missing clinical values: "
        f"median of train and a flag of missingness.{images} See Cohort flow for what was left out."
    )


def _of_package(study: ReportedStudy) -> dict[str, Answer]:
    """Return what holds for every study with this package."""
    kinds = [
        f"{str(task).upper()} ({task_kind(rows)})"
        for task, rows in study.predictions.groupby("task", sort=False)
    ]
    run = bool(study.runs)
    return {
        "8a": ("part", f"{', '.join(kinds)}. Times in days."),
        "12f": ("known", "No model was updated.") if study.ours else ("open", OPEN),
        "24": ("known", "No model was updated.") if study.ours else ("open", OPEN),
        "12g": ("known", f"By mtl_hcc {__version__} (predict): survival from the log hazard and "
                "Breslow's baseline hazard of the training patients.")
        if run else ("open", OPEN),
        "18f": ("part", f"{'mtl_hcc' if run else 'Statistics and figures: mtl_hcc'} {__version__} "
                "(Apache-2.0); settings and versions: this report."),
        "22": ("part", "The run folder holds the model (weights and complete config)."
               ) if run else ("open", OPEN),
        "16": ("part", "Splits and centers: Table 1 and Cohort flow."),
        "26": ("part", "Section Limits of use."),
        "27a": ("part", "Images that cannot be used are refused with a reason; missing "
                "clinical values: median of train, and a flag.") if run else ("open", OPEN),
        "27b": ("part", "Liver and tumor have to be drawn, by somebody trained to do so.")
        if setting(study.config, "data.preparation") else ("open", OPEN),
    }  # fmt: skip
