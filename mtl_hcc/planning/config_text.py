"""The config of a plan: every line that depends on the cohort or the machine says why."""

from collections.abc import Mapping
from typing import Any

from mtl_hcc.covariates.reader import CovariateKind
from mtl_hcc.patient import CLASS_COLUMNS, SURVIVAL_ENDPOINTS
from mtl_hcc.planning.cohort_plan import CohortPlan, ImagePlan
from mtl_hcc.planning.data_lines import Places, add_data
from mtl_hcc.planning.split_rules import counted_as
from mtl_hcc.planning.training_rules import choose_bank, choose_precision
from mtl_hcc.planning.yaml_lines import YamlLines

TABLE_EPOCHS = 150
"""Of clinical_mtl.yaml."""
_ALONE = {"tumor size": "tumor_diameter_mm", "AFP": "afp_ng_ml", "BCLC": "bclc_stage"}
"""Clinical models of one column, as in ct_mtl.yaml."""


def config_text(plan: CohortPlan, places: Places) -> str:
    """Return the config as YAML text.

    Args:
        plan: What was chosen.
        places: What it names.
    """
    lines, name = YamlLines(), places.output.stem
    _say_head(lines, plan, places)
    lines.add("seed", plan.settings.seed)
    lines.add("run", f"runs/{name}")
    lines.add("wandb", "offline", "online sends the run, patients' predictions included")
    if plan.images is not None:
        why = "an average of the weights predicts, so no epoch has to be picked"
        lines.add("keep", {"which": "last"}, why)
    else:
        lines.add("patience", 30, "epochs without a better validation loss")
    _add_baselines(lines, plan)
    _add_model(lines, plan)
    add_data(lines, plan, places)
    _add_trainer(lines, plan)
    return lines.text()


def _say_head(lines: YamlLines, plan: CohortPlan, places: Places) -> None:
    source = places.source.get("class_path") if isinstance(places.source, dict) else places.source
    reader = f"--source {source} " if source else ""
    lines.say(
        f"Written by python -m mtl_hcc.plan --cohort {places.cohort} {reader}--output "
        f"{places.output} for {plan.machine.described()}. Every reason below is a measured number "
        "and a rule; every line can be changed here, or by a flag."
    )
    lines.say(f"To train: python -m mtl_hcc.fit --config {places.output}")
    if plan.images is not None:
        measured = plan.images.measured
        lines.say(
            f"Images: {measured.patients} of {plan.train} training patients were measured. Of "
            "validation, test and external patients only labels, phases and columns were counted."
        )
        if measured.refused:
            lines.say(f"Not measured: {'; '.join(measured.refused.values())}")
    if plan.split.value.kind in ("folds", "random"):
        lines.say(
            "The training patients are those of the split below (of its first fold). Chance deals "
            "anew where patients are left out later, so some of them may be dealt elsewhere; in k "
            "folds each is tested once. Nothing measured here is an outcome."
        )
    for endpoint, why in plan.refused.items():
        lines.say(f"Refused: {endpoint}, {why}.")


def _add_baselines(lines: YamlLines, plan: CohortPlan) -> None:
    alone = {
        name: {column: plan.covariates[column]}
        for name, column in _ALONE.items()
        if column in plan.covariates
    }
    baselines: dict[str, Mapping[str, CovariateKind]] = dict(alone)
    if plan.images is None and plan.covariates:
        baselines = {"Cox / logistic": plan.covariates, **alone}
    if not baselines:
        lines.say("No column for a clinical baseline was found.")
        return
    why = "clinical models fitted on the same folds, from columns that the table has."
    if plan.images is not None:
        why += (
            f" All {len(plan.covariates)} usable columns together stand beside every imaging run "
            "by themselves ('all clinical columns')."
        )
    lines.add("baselines", why=why)
    for name, columns in baselines.items():
        lines.add(name, dict(columns), level=1)


def _add_model(lines: YamlLines, plan: CohortPlan) -> None:
    survival = [name for name in plan.endpoints if name in SURVIVAL_ENDPOINTS]
    lines.add("model")
    if plan.images is not None:
        _add_encoders(lines, plan.images)
        fusion = {"widths": [64], "dropout": 0.5}
    else:
        encoder = {"class_path": "ClinicalEncoder", "init_args": {"hidden": 16, "dropout": 0.2}}
        lines.add("clinical", encoder, "a small network, as in clinical_mtl.yaml", level=1)
        fusion = {"widths": [], "dropout": 0.0}
    lines.add("fusion", {"class_path": "FullyConnected", "init_args": fusion}, level=1)
    lines.add("heads", why="one for each endpoint with enough events", level=1)
    for endpoint in plan.endpoints:
        lines.add(endpoint, _head(endpoint), _events(plan, endpoint), level=2)
    weighting = {"class_path": "DynamicWeightAverage", "init_args": {"temperature": 2.0}}
    lines.add("weighting", weighting, level=1)
    if plan.images is not None and survival:
        bank = choose_bank(plan.images.sizes.batch.value, plan.train)
        setting = {"endpoints": survival, "capacity": bank.value}
        lines.add("risk_bank", setting, bank.why, level=1)
    if plan.images is not None:
        lines.add(
            "normalize_losses", True, "no task counts more because its loss is larger", level=1
        )
        lines.add("weight_average", {"decay": 0.99}, "of the last hundred steps or so", level=1)
    lines.add("learning_rate", 0.002 if plan.images else 0.003, level=1)
    lines.add("weight_decay", 0.05, level=1)
    lines.add("schedule", "cosine" if plan.images else "constant", level=1)


def _add_encoders(lines: YamlLines, images: ImagePlan) -> None:
    phases = len(images.phases.value)
    join = {"class_path": "Concatenate", "init_args": {"phases": phases}}
    lines.add(
        "encoders",
        why="one for each view, the compact networks of ct_mtl.yaml and ct_mtl_two_views.yaml; the "
        "paper's DenseNet-121 is in ct_mtl_densenet121.yaml",
        level=1,
    )
    networks: dict[str, tuple[int, dict[str, Any]]] = {
        "liver": (
            8,
            {"growth_rate": 8, "layers": [3, 3], "pooled_regions": ["background_liver", "tumor"]},
        ),
        "tumor": (
            16,
            {
                "growth_rate": 12,
                "layers": [3, 3, 3],
                "pooled_regions": ["background_liver", "margin", "tumor"],
            },
        ),
    }
    regions = ["background_liver", "rim", "margin", "tumor"]
    measured = {"class_path": "RegionMoments", "init_args": {"regions": regions}}
    for name in images.views:
        channels, arguments = networks[name]
        filters = {"regions": regions, "out_channels": channels}
        lines.add(name, level=2)
        lines.add("stem", {"class_path": "RegionStem", "init_args": filters}, level=3)
        lines.add("backbone", {"class_path": "DenseNet", "init_args": arguments}, level=3)
        lines.add("width", 4, "of the backbone's vector; silent at first", level=3)
        if name == "tumor":
            why = "mean, spread and volume of each region, measured on the image"
            lines.add("moments", measured, why, level=3)
        lines.add("aggregator", join, f"for {phases} phases", level=3)


def _add_trainer(lines: YamlLines, plan: CohortPlan) -> None:
    lines.add("trainer")
    if plan.images is None:
        lines.add("max_epochs", TABLE_EPOCHS, "as in clinical_mtl.yaml", level=1)
        lines.add("accelerator", "cpu", "a table is too small to gain from a GPU", level=1)
    else:
        hours = plan.images.sizes.hours
        time = (
            f"; about {hours:.1f} hours on {plan.machine.cores} cores"
            f"{f' for all {plan.folds} folds' if plan.folds > 1 else ''}"
            if hours is not None
            else ""
        )
        lines.add("max_epochs", plan.epochs.value, plan.epochs.why + time, level=1)
        precision = choose_precision(plan.machine)
        lines.add("precision", precision.value, precision.why, level=1)
        lines.add("gradient_clip_val", 1.0, level=1)
    lines.add("log_every_n_steps", 1, level=1)
    lines.add("num_sanity_val_steps", 0, level=1)
    lines.add("enable_model_summary", False, level=1)


def _head(endpoint: str) -> dict[str, Any]:
    if endpoint in SURVIVAL_ENDPOINTS:
        return {"class_path": "CoxHead", "init_args": {"endpoint": endpoint}}
    arguments = {"column": endpoint, "classes": CLASS_COLUMNS[endpoint]}
    return {"class_path": "ClassHead", "init_args": arguments}


def _events(plan: CohortPlan, endpoint: str) -> str:
    counted = plan.counts.endpoints[endpoint]
    return (
        f"{counted.events} {counted_as(endpoint)} among {counted.labelled} patients with a label"
        f" ({counted.patients - counted.labelled} without)"
    )
