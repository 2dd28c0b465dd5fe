"""The section `data` of a planned config: cohort, views, split, batches, each with its reason."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mtl_hcc.patient import SURVIVAL_ENDPOINTS
from mtl_hcc.planning.cohort_plan import CohortPlan, ImagePlan
from mtl_hcc.planning.counting import terms_of
from mtl_hcc.planning.split_rules import EVENTS_PER_TERM, FOLDS, RANDOM, VALIDATION_OF_FOLD
from mtl_hcc.planning.training_rules import ROUNDS, choose_loading
from mtl_hcc.planning.yaml_lines import YamlLines

TABLE_BATCH = 64
"""Of clinical_mtl.yaml."""


@dataclass(frozen=True)
class Places:
    """What the config names.

    Attributes:
        output: The config itself.
        cohort: As the user typed it.
        source: Class and arguments of the reader, if the user named one.
        splits: File with the splits, if there is one.
    """

    output: Path
    cohort: str
    source: Any = None
    splits: str = ""


def add_data(lines: YamlLines, plan: CohortPlan, places: Places) -> None:
    """Add the section.

    Args:
        lines: Of the config.
        plan: What was chosen.
        places: What it names.
    """
    lines.add("data")
    left = f", {plan.quarantined} left out while reading" if plan.quarantined else ""
    lines.add("cohort", places.cohort, f"{plan.counts.patients} patients{left}", level=1)
    if places.source is not None:
        lines.add("source", places.source, level=1)
    lines.add("store", f"prepared/{places.output.stem}", level=1)
    if plan.images is not None:
        _add_preparation(lines, plan.images, plan.settings.modality)
    counted = "; ".join(
        f"{split} " + ", ".join(f"{name} {counts[name].events}" for name in plan.endpoints)
        for split, counts in plan.by_split.items()
    )
    why = f"{plan.split.why} Events{' of the first fold' if plan.folds > 1 else ''}: {counted}."
    lines.add("split", _split(plan, places), why, level=1)
    lines.add("endpoints", plan.endpoints, level=1)
    if plan.images is None:
        _add_covariates(lines, plan)
        lines.add("batch_size", TABLE_BATCH, "a table is small: large risk sets", level=1)
        lines.add("rounds", 1, level=1)
        lines.add("augmentation", [], level=1)
        return
    sizes = plan.images.sizes
    lines.add("batch_size", sizes.batch.value, sizes.batch.why, level=1)
    lines.add("rounds", ROUNDS, "each patient so many times per epoch", level=1)
    lines.add("augmentation", why="of training patients, each round anew", level=1)
    if sizes.fine.value.flat:
        lines.item({"class_path": "InPlaneRotation"}, "thick slices are not mixed", level=2)
    else:
        lines.item({"class_path": "Rotation3D"}, level=2)
    if set(plan.endpoints) & set(SURVIVAL_ENDPOINTS):
        lines.item({"class_path": "TimeJitter", "init_args": {"days": 3}}, level=2)
    loading = choose_loading(sizes.fields, sizes.stored.value, plan.images.task, plan.machine)
    lines.add("loading", {"workers": loading.value}, loading.why, level=1)


def _add_preparation(lines: YamlLines, images: ImagePlan, modality: str | None) -> None:
    sizes = images.sizes
    lines.add("preparation", level=1)
    if modality is not None:
        lines.add("modality", modality, "as given", level=2)
    lines.add("views", level=2)
    reasons = {"tumor": sizes.fine.why, "liver": sizes.liver.why}
    left = f" {images.incomplete} of all patients lack one and are left out."
    for name, box in images.views.items():
        lines.add(name, level=3)
        phases = images.phases
        why = phases.why + (left if images.incomplete else "")
        lines.add("phases", phases.value, why if name == "tumor" else "", level=4)
        lines.add("center_on", name, level=4)
        spacing = sizes.spacing_why if name == "tumor" else "coarse: where lesions lie, not texture"
        lines.add("spacing_mm", _one_or_three(box.spacing), spacing, level=4)
        lines.add("field_of_view_mm", _one_or_three(box.edges), reasons[name], level=4)
        turned = box.turned(sizes.stored.value)
        if turned.edges != box.edges:
            why = sizes.stored.why if name == "tumor" else ""
            lines.add("stored_field_mm", _one_or_three(turned.edges), why, level=4)
        elif name == "tumor":
            lines.say(f"No stored_field_mm: {sizes.stored.why}", level=4)
        why = images.window.why if name == "tumor" else ""
        lines.add("intensity", images.window.value, why, level=4)
    if sizes.liver.value is None:
        lines.say(f"No view of the whole liver: {sizes.liver.why}.", level=3)
    lines.add("zones", level=2)
    margin = {"inward_mm": 2.0, "outward_mm": 2.0}
    lines.add("margin", margin, "to both sides of the tumor surface, as in the paper", level=3)
    rim = {"outward_mm": 10.0, "cut_at_liver": True}
    lines.add("rim", rim, "around the tumor: where coronas and satellites lie", level=3)


def _add_covariates(lines: YamlLines, plan: CohortPlan) -> None:
    terms = terms_of(plan.covariates)
    fewest = min(
        (counts[name].events for key, counts in plan.by_split.items() for name in plan.endpoints
         if key == "train"), default=0,
    )  # fmt: skip
    why = (
        f"{len(plan.covariates)} usable columns, {terms} coefficients for {fewest} training events "
        "of the rarest endpoint. Take out what is not known before surgery."
    )
    if fewest < EVENTS_PER_TERM * terms:
        why += (
            f" Fewer than {EVENTS_PER_TERM} events for each coefficient, which allow "
            f"{fewest // EVENTS_PER_TERM}: take out what adds little."
        )
    if plan.left_out:
        said = ", ".join(f"{column} ({reason})" for column, reason in plan.left_out.items())
        why += f" Left out: {said}."
    lines.add("covariates", why=why, level=1)
    for column, kind in plan.covariates.items():
        lines.add(column, kind, level=2)


def _split(plan: CohortPlan, places: Places) -> dict[str, Any]:
    kind, seed = plan.split.value.kind, plan.settings.seed
    if kind == "column":
        return {"class_path": "SplitByColumn", "init_args": {"column": "split"}}
    if kind == "center":
        return {"class_path": "SplitFile", "init_args": {"path": places.splits}}
    if kind == "random":
        return {"class_path": "RandomSplit", "init_args": {"fractions": dict(RANDOM), "seed": seed}}
    arguments: dict[str, Any] = {
        "folds": FOLDS,
        "validation_fraction": VALIDATION_OF_FOLD,
        "seed": seed,
    }
    if plan.split.value.external:
        arguments["hold_out"] = [plan.split.value.external]
    return {"class_path": "KFold", "init_args": arguments}


def _one_or_three(values: tuple[float, float, float]) -> float | list[float]:
    x, y, z = (round(float(value), 3) for value in values)
    return x if x == y == z else [x, y, z]
