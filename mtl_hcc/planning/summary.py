"""A plan in a few lines for people: what was found, what was chosen, what somebody should check."""

import numpy as np

from mtl_hcc.planning.cohort_plan import CohortPlan, ImagePlan
from mtl_hcc.planning.counting import terms_of
from mtl_hcc.planning.image_rules import Field
from mtl_hcc.planning.split_rules import EVENTS_PER_TERM, FEWEST_VALIDATION_EVENTS
from mtl_hcc.planning.training_rules import choose_bank, choose_precision

_SHOWN = 5
_SPLIT = {
    "column": "column split of the table",
    "center": "center {external} external, the others dealt",
    "random": "one random split",
    "folds": "5 folds",
}


def summary_rows(plan: CohortPlan) -> list[tuple[str, str, str]]:
    """Return what it is about, what was found, and what was chosen.

    Args:
        plan: What was chosen.
    """
    found = ", ".join(f"{name} {one.described()}" for name, one in plan.counts.endpoints.items())
    external = plan.split.value.external
    split = _SPLIT[plan.split.value.kind].format(external=external)
    if plan.split.value.kind == "folds" and external:
        split += f" without center {external}, external in each"
    parts = ", ".join(
        f"{name} {max((one.patients for one in counts.values()), default=0)}"
        for name, counts in plan.by_split.items()
    )
    centers = len(plan.counts.centers)
    rows = [
        ("endpoints", found, ", ".join(plan.endpoints)),
        ("split", f"{centers} center{'s' if centers != 1 else ''}", f"{split}: {parts}"),
    ]
    if plan.images is not None:
        rows += _image_rows(plan, plan.images)
    columns = f"{len(plan.covariates)} usable, {len(plan.left_out)} left out"
    use = "baselines" if plan.images is not None else "covariates and baselines"
    rows.append(("clinical columns", columns, use))
    epochs = f"{plan.epochs.value} epochs" if plan.images is not None else "150 epochs, CPU"
    precision = f", {choose_precision(plan.machine).value}" if plan.images is not None else ""
    rows.append(("machine", plan.machine.described(), epochs + precision))
    return rows


def warnings_of(plan: CohortPlan) -> list[str]:
    """Return what somebody should look at before the training.

    Args:
        plan: What was chosen.
    """
    found = [f"{endpoint} is refused: {why}." for endpoint, why in plan.refused.items()]
    few = {
        name: counted.events
        for name, counted in plan.by_split.get("validation", {}).items()
        if name in plan.endpoints and counted.events < FEWEST_VALIDATION_EVENTS
    }
    if few and plan.split.value.kind in ("column", "center"):
        said = ", ".join(f"{events} of {name}" for name, events in few.items())
        found.append(f"few events in validation ({said}): the kept epoch is partly chance.")
    if plan.images is not None:
        found += [
            f"not measured: {reason}"
            for reason in list(plan.images.measured.refused.values())[:_SHOWN]
        ]
        if len(plan.images.measured.refused) > _SHOWN:
            found.append(f"... and {len(plan.images.measured.refused) - _SHOWN} more.")
        if plan.images.incomplete:
            found.append(
                f"{plan.images.incomplete} patients lack one of the phases "
                f"{', '.join(plan.images.phases.value)}, and are left out when prepared."
            )
        return found
    train = plan.by_split.get("train", {})
    events = min((train[name].events for name in plan.endpoints), default=0)
    terms = terms_of(plan.covariates)
    if events < EVENTS_PER_TERM * terms:
        found.append(
            f"{terms} coefficients for {events} training events of the rarest endpoint, "
            f"{EVENTS_PER_TERM} events each are wanted: take columns out of data.covariates."
        )
    if plan.covariates:
        found.append(
            f"covariates must be known before surgery; which are, no table tells: "
            f"{', '.join(plan.covariates)}."
        )
    return found


def _image_rows(plan: CohortPlan, images: ImagePlan) -> list[tuple[str, str, str]]:
    measured, sizes = images.measured, images.sizes
    plane, slices = np.concatenate(list(measured.spacing.values())).T
    fine, liver = sizes.fine.value, sizes.liver.value
    view = f"{_size(fine)} of {_spacing(fine)} mm voxels around the tumor"
    if liver is not None:
        view += f"; {_size(liver)} of {_spacing(liver)} mm voxels around the liver"
    window = images.window.value["init_args"]
    assert isinstance(window, dict)
    unit = "HU" if measured.is_ct else "percentiles of each image"
    bank = choose_bank(sizes.batch.value, plan.train).value
    return [
        (
            "images",
            f"{measured.patients} of {plan.train} training patients measured"
            + (f", {len(measured.refused)} could not be" if measured.refused else ""),
            ", ".join(images.phases.value),
        ),
        (
            "voxels",
            f"in plane {np.median(plane):.2f} mm, slices {np.median(slices):.2f} mm",
            f"{_spacing(fine)} mm",
        ),
        (
            "tumor",
            f"largest diameter {np.median(measured.diameter_mm):.0f} mm (up to "
            f"{measured.diameter_mm.max():.0f}), all lesions within "
            f"{np.quantile(measured.tumor_mm.max(axis=1), 0.95):.0f} mm in 95%, several in "
            f"{np.mean(measured.lesions > 1):.0%}",
            view,
        ),
        (
            "intensity",
            f"{measured.foreground[0]:.0f} to {measured.foreground[1]:.0f} inside liver and tumor",
            f"{window['low']:g} to {window['high']:g} {unit}",
        ),
        ("batch", sizes.batch.why.split(";")[0], f"{sizes.batch.value}, bank of {bank}"),
    ]


def _size(field: Field) -> str:
    return " x ".join(f"{edge:g}" for edge in dict.fromkeys(field.edges)) + " mm"


def _spacing(field: Field) -> str:
    return " x ".join(f"{step:g}" for step in dict.fromkeys(field.spacing))
