"""From a trained module and patients to predictions.csv."""

from collections.abc import Iterable, Mapping

import pandas as pd
import torch
from torch import Tensor

from mtl_hcc.batch import PatientBatch
from mtl_hcc.errors import PredictionsError
from mtl_hcc.nn import TaskHead
from mtl_hcc.training.module import MultiTaskModule


@torch.inference_mode()
def predict_patients(
    module: MultiTaskModule,
    batches: Iterable[PatientBatch],
    *,
    device: torch.device | str = "cpu",
    rotations: int = 1,
) -> tuple[dict[str, Tensor], dict[str, Tensor], pd.DataFrame]:
    """Run the network over every patient, and print who shows nothing in a view.

    Args:
        module: Trained; is set to evaluation mode.
        batches: Batches that hold every patient once, without augmentation; with rotations each
            batch so many times one after the other, first as it is.
        device: Where to compute.
        rotations: How often each batch comes. The outputs are then the mean over its rotations as
            each head takes it (:meth:`TaskHead.mean_over`): of log hazards, of probabilities.

    Returns:
        Task name to raw output; column to target; and ``patient_id, center, split, remark`` of each
        row. The remark is empty for a patient of whom every view shows something.
    """
    module.eval().to(device)
    outputs: dict[str, list[Tensor]] = {name: [] for name in module.heads}
    targets: dict[str, list[Tensor]] = {name: [] for name in module.target_columns}
    who: list[dict[str, str]] = []
    nothing: dict[str, list[str]] = {name: [] for name in module.network.encoders}
    for number, batch in enumerate(batches):
        moved = batch.to(device)
        for name, output in module(moved).items():
            outputs[name].append(output.float().cpu())
        if (number + 1) % rotations == 0 and rotations > 1:
            for name, head in module.heads.items():
                outputs[name][-rotations:] = [_mean_of(head, outputs[name][-rotations:])]
        if number % rotations:  # who the patients are was seen when they came as they are
            continue
        for view, empty in module.network.shows_nothing(moved).items():
            rows = empty.nonzero()[:, 0].tolist()
            nothing[view] += [batch.patient_id[row] for row in rows]
        for name, parts in targets.items():
            unknown = torch.full((len(batch),), torch.nan)
            parts.append(batch.targets.get(name, unknown).cpu())
        who += [
            {"patient_id": patient, "center": center, "split": split}
            for patient, center, split in zip(
                batch.patient_id, batch.center, batch.split, strict=True
            )
        ]
    module.to("cpu")
    for view, patients in nothing.items():
        if patients:
            print(_said_of_nothing(view, patients))
    return (
        {name: torch.cat(parts) for name, parts in outputs.items()},
        {name: torch.cat(parts) for name, parts in targets.items()},
        pd.DataFrame(who).assign(remark=[_remark(row["patient_id"], nothing) for row in who]),
    )


def _mean_of(head: TaskHead, outputs: list[Tensor]) -> Tensor:
    """Return (patient, outputs): the mean over outputs for the same patients."""
    each = torch.stack(outputs, dim=1)
    return head.mean_over(each, torch.ones(each.shape[:2], dtype=torch.bool))


def _remark(patient: str, nothing: Mapping[str, list[str]]) -> str:
    """Return what is to be said of a patient's images; empty if nothing."""
    views = [f"'{view}'" for view, patients in nothing.items() if patient in patients]
    return f"nothing to look at in the view {', '.join(views)}" if views else ""


def _said_of_nothing(view: str, patients: list[str]) -> str:
    """Return the remark about patients whose bag is empty in a view."""
    named = ", ".join(patients[:10]) + ", ..." * (len(patients) > 10)
    return (
        f"Nothing to look at in the view '{view}' for {len(patients)} of the patients (no slice "
        f"meets the regions of model.encoders.{view}.instances): {named}. Their predictions do not "
        "rest on it: do not trust them. Look at their drawings, or name other regions."
    )


def fit_baseline_hazards(
    module: MultiTaskModule,
    outputs: dict[str, Tensor],
    targets: dict[str, Tensor],
    train: Tensor,
) -> None:
    """Take the baseline hazard of every survival head from the training split.

    Args:
        module: Its heads get the baseline.
        outputs: From :func:`predict_patients`.
        targets: Likewise.
        train: (patient,) bool, who is in the training split.
    """
    for name, head in module.heads.items():
        head.fit_baseline_hazard(
            outputs[name][train], {key: t[train] for key, t in targets.items()}
        )


def prediction_rows(
    module: MultiTaskModule,
    outputs: dict[str, Tensor],
    targets: dict[str, Tensor],
    who: pd.DataFrame,
    *,
    fold: int = 0,
) -> pd.DataFrame:
    """Return ``predictions.csv``: one row per patient and task, an unknown value being empty.

    Args:
        module: With baseline hazards.
        outputs: From :func:`predict_patients`.
        targets: Likewise.
        who: Likewise.
        fold: Number of the fold that the module was trained on.

    Raises:
        PredictionsError: if a prediction is not finite; an empty cell would look like an unknown.
    """
    _check_finite(outputs, who["patient_id"].tolist())
    who = who[["patient_id", "center", "split"]]
    parts = []
    for name, head in module.heads.items():
        columns = {
            key: values.numpy() for key, values in head.to_table(outputs[name], targets).items()
        }
        parts.append(who.assign(fold=fold, task=name, **columns))
    table = pd.concat(parts, ignore_index=True)
    for flag in ("event", "label"):
        if flag in table:
            table[flag] = table[flag].astype("Int64")  # 0 or 1, or empty: not 1.0
    return table


def _check_finite(outputs: dict[str, Tensor], patients: list[str]) -> None:
    """Raise where the network gave a NaN or infinity, naming up to ten patients."""
    for name, output in outputs.items():
        bad = (~output.isfinite().all(dim=1)).nonzero().flatten().tolist()
        if not bad:
            continue
        named = ", ".join(patients[row] for row in bad[:10]) + ", ..." * (len(bad) > 10)
        raise PredictionsError(
            f"the prediction of {name} is not finite for {len(bad)} of {len(patients)} patients: "
            f"{named}",
            where="predictions",
            remedy="Nothing is written. Look at the model: its weights or its training may have "
            "failed."
            if len(bad) == len(patients)
            else "Nothing is written. Look at the images and covariates of these patients, or "
            "leave them out.",
        )
