"""The files that each explained patient gets: maps on the own grid, one overlay per task."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np

from mtl_hcc.atomic import write_bytes
from mtl_hcc.batch import ViewBatch
from mtl_hcc.errors import MtlHccError
from mtl_hcc.explanation.activation_map import FloatMap
from mtl_hcc.explanation.explanation_plan import ExplanationPlan
from mtl_hcc.explanation.own_grid import own_map, write_nifti
from mtl_hcc.explanation.record import Record, folder_name
from mtl_hcc.figures.overlay import overlay
from mtl_hcc.imaging.grid import Grid
from mtl_hcc.metrics.predictions import HORIZON_PATTERN
from mtl_hcc.regions import Region

_METHODS = {"gradcam": "Grad-CAM", "hirescam": "HiResCAM"}


@dataclass
class LeftOut:
    """Rows of ``quarantine.csv``."""

    rows: list[dict[str, str]]

    def add(self, patient_id: str, step: str, error: Exception) -> None:
        """Note a patient and why."""
        ours = isinstance(error, MtlHccError)
        reason = str(error) if ours else f"unexpected {type(error).__name__}: {error}"
        self.rows.append({"patient_id": patient_id, "step": step, "reason": reason})


def expected_files(plan: ExplanationPlan, record: Record) -> Iterator[Path]:
    """Yield the files that an explained patient has, besides the record."""
    name = folder_name(record.patient_id)
    for task in record.scores:
        if record.patient_id in plan.sources:
            for phase in record.present:
                yield plan.output / "maps" / name / f"{task}_{phase}.nii.gz"
        if plan.overlays:
            yield plan.output / "overlays" / f"{name}_{task}.png"


def write_own_maps(
    plan: ExplanationPlan,
    record: Record,
    maps: Mapping[tuple[str, str], FloatMap],
    grid: Grid,
    left_out: LeftOut,
) -> None:
    """Write the maps on the patient's own grid; without the images that is noted, no more."""
    patient = plan.sources.get(record.patient_id)
    if patient is None:
        return
    prepared = plan.store.load(record.patient_id)
    registered = str(prepared.quality.get("registered", "")).split()
    folder = plan.output / "maps" / folder_name(record.patient_id)
    for (task, phase), values in maps.items():
        try:
            image = own_map(
                values,
                grid,
                patient,
                phase,
                preparation=plan.preparation,
                registered=phase in registered,
            )
        except (MtlHccError, RuntimeError) as error:
            left_out.add(record.patient_id, "own grid", error)
            continue
        write_nifti(image, folder / f"{task}_{phase}.nii.gz")


def write_overlays(
    plan: ExplanationPlan,
    record: Record,
    maps: Mapping[tuple[str, str], FloatMap],
    seen: ViewBatch,
    grid: Grid,
) -> None:
    """Draw one figure per task."""
    shown = [plan.phases.index(phase) for phase in record.present]
    survival = {
        task: {
            int(match[1]): float("nan") if value is None else value
            for column, value in columns.items()
            if (match := HORIZON_PATTERN.fullmatch(column))
        }
        for task, columns in record.predictions.items()
        if "risk" in columns
    }
    images, bits = (array[0, shown].cpu().numpy() for array in (seen.images, seen.regions))
    spacing = grid.spacing
    for task, columns in record.predictions.items():
        if not shown:
            continue
        figure = overlay(
            images,
            np.stack([maps[task, phase] for phase in record.present]),
            (bits & Region.TUMOR) > 0,
            phases=record.present,
            spacing_mm=(spacing[2], spacing[1], spacing[0]),
            title=f"Patient {record.patient_id}: what raises the predicted {task.upper()} risk",
            quantity=f"{_METHODS[plan.settings.method]} ({plan.layer.name})",
            survival=survival,
            facts=_facts(task, columns),
        )
        content = BytesIO()
        figure.savefig(content, format="png", dpi=150, pil_kwargs={"compress_level": 3})
        name = f"{folder_name(record.patient_id)}_{task}.png"
        write_bytes(plan.output / "overlays" / name, content.getvalue())


def _facts(task: str, columns: Mapping[str, float | None]) -> list[str]:
    """Return what is predicted and, where known, what happened."""
    name = task.upper()
    lines = []
    if columns.get("risk") is not None:
        lines.append(f"{name} log hazard {columns['risk']:+.2f}")
        time, event = columns.get("time_days"), columns.get("event")
        if time is not None and event is not None:
            lines.append(f"{'event' if event else 'censored'} at {time / 365.25:.1f} years")
    if columns.get("probability") is not None:
        lines.append(f"{name} probability {columns['probability']:.2f}")
    if columns.get("label") is not None:
        lines.append(f"{name} label {columns['label']:.0f}")
    return lines
