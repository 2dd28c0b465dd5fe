"""Phases, voxels, fields and intensities: rules on what was measured in training patients."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from mtl_hcc.errors import CohortError
from mtl_hcc.patient import CT_PHASES, MRI_PHASES
from mtl_hcc.planning.measured import Chosen, Floats, MeasuredImages

NEARLY_ALL = 0.95
"""Share of training patients that must have a phase; the others are left out when prepared."""
QUANTILE = 0.95
MARGIN_MM = 10.0
"""Around the tumor: the margin zone, and liver to compare with."""
SMALLEST_MM, LARGEST_MM = 64.0, 128.0
"""Of the fine view: a larger field costs time that a coarse view of the liver saves."""
MULTIPLE = 8
"""The encoder halves a field three times, so edges are multiples of so many voxels."""
ANISOTROPIC = 3.0
"""Slices so many times farther apart than voxels are kept so: most of the between is not known."""
LIVER_SPACING_MM = 4.0
STEP_HU = 10.0
ON_CPU_MM, ON_GPU_MM = 2.0, 1.0
"""Finest voxels: of ct_mtl.yaml, and of the paper."""


@dataclass(frozen=True)
class Field:
    """A box in space.

    Attributes:
        spacing: (x, y, z) of its voxels in mm.
        edges: (x, y, z) in mm.
    """

    spacing: tuple[float, float, float]
    edges: tuple[float, float, float]

    @property
    def voxels(self) -> float:
        """How many it holds."""
        return math.prod(
            round(edge / step) for edge, step in zip(self.edges, self.spacing, strict=True)
        )

    @property
    def flat(self) -> bool:
        """Whether it is a stack of thick slices, which is turned in plane only."""
        return self.spacing[2] > self.spacing[0]

    def turned(self, share: float = 1.0) -> "Field":
        """Return the box that holds this one however it is turned about its center.

        Args:
            share: Of the way from this box to that one.
        """
        x, y, z = self.edges
        plane, space = math.hypot(x, y), math.hypot(x, y, z)
        most = (plane, plane, z) if self.flat else (space, space, space)
        wanted = [edge + share * (end - edge) for edge, end in zip(self.edges, most, strict=True)]
        steps = [math.ceil(w / s - 1e-6) * s for w, s in zip(wanted, self.spacing, strict=True)]
        return Field(self.spacing, (steps[0], steps[1], steps[2]))


def choose_phases(having: Mapping[str, int], patients: int) -> Chosen[list[str]]:
    """Return the phases that nearly all training patients have, else the most frequent one.

    Args:
        having: Phase to how many training patients have it.
        patients: Training patients with images.

    Raises:
        CohortError: Nobody has a phase.
    """
    order = tuple(dict.fromkeys((*CT_PHASES, *MRI_PHASES)))
    known = [phase for phase in order if having.get(phase)]
    if not known:
        raise CohortError(
            "no training patient has an image of a known phase",
            where="images",
            expected=f"one of {', '.join(order)}",
            remedy="Rename the files.",
        )
    said = ", ".join(f"{phase} {having[phase]}" for phase in known)
    found = f"of {patients} training patients with images: {said}"
    chosen = [phase for phase in known if having[phase] >= NEARLY_ALL * patients]
    if chosen:
        rest = [phase for phase in known if phase not in chosen]
        note = f" {', '.join(rest)} would leave out too many." if rest else ""
        return Chosen(chosen, f"{found}. Those that at least {NEARLY_ALL:.0%} have.{note}")
    most = max(known, key=lambda phase: having[phase])
    return Chosen(
        [most], f"{found}. No phase is there in {NEARLY_ALL:.0%}, so the most frequent one alone."
    )


def choose_spacing(
    spacing: Mapping[str, Floats], *, finest: float
) -> Chosen[tuple[float, float, float]]:
    """Return the finest voxel size that the images and the machine justify, before it must fit.

    Args:
        spacing: Phase to (patient, 2): in plane and slice distance in mm.
        finest: Of this machine, in mm.
    """
    plane, slices = np.concatenate(list(spacing.values())).T
    median = float(np.median(plane)), float(np.median(slices))
    found = (
        f"in plane {_range(plane)} mm, slices {_range(slices)} mm apart (median, smallest to "
        "largest)"
    )
    step = max(finest, math.ceil(2 * median[0] - 1e-6) / 2)
    if median[1] >= ANISOTROPIC * step:
        thick = round(2 * median[1]) / 2
        return Chosen(
            (step, step, thick),
            f"{found}; slices {median[1] / step:.1f} times as far apart as voxels of {step:g} mm "
            f"(at least {ANISOTROPIC:g}), so their distance is kept and patients are turned in "
            "plane only",
        )
    return Chosen(
        (step, step, step),
        f"{found}; cubes of the median pixel, rounded up to half a millimeter, and at least "
        f"{finest:g} mm on this machine",
    )


def choose_field(images: MeasuredImages, spacing: tuple[float, float, float]) -> Chosen[Field]:
    """Return the field of the fine view: all lesions where they fit, else the largest.

    Args:
        images: Of training patients.
        spacing: Of its voxels.
    """
    wanted = needed_mm(images.tumor_mm)
    found = f"95% of the tumors, all lesions together, extend to {wanted:.0f} mm"
    if wanted + 2 * MARGIN_MM > LARGEST_MM:
        wanted = needed_mm(images.largest_mm)
        found += f", the largest lesions alone to {wanted:.0f} mm"
    target = min(max(wanted + 2 * MARGIN_MM, SMALLEST_MM), LARGEST_MM)
    edges = _edges((target,) * 3, spacing)
    inside = fitting_share(images.tumor_mm, edges)
    cut = f", so {wanted + 2 * MARGIN_MM:.0f} mm are cut to {LARGEST_MM:.0f} mm"
    return Chosen(
        Field(spacing, edges),
        f"{found} ({len(images.tumor_mm)} training patients); with {MARGIN_MM:g} mm around them, "
        f"{SMALLEST_MM:g} to {LARGEST_MM:g} mm, in multiples of {MULTIPLE} voxels"
        f"{cut if wanted + 2 * MARGIN_MM > LARGEST_MM else ''}. {inside:.0%} of the patients have "
        "all lesions in it.",
    )


def choose_liver_field(images: MeasuredImages, fine: Field) -> Chosen[Field | None]:
    """Return the field of a coarse view of the whole liver, where the fine one loses lesions.

    Args:
        images: Of training patients.
        fine: Field of the fine view.
    """
    share = fitting_share(images.tumor_mm, fine.edges)
    several = images.lesions > 1
    found = (
        f"{np.mean(several):.0%} of the training patients have several lesions, up to "
        f"{images.apart_mm.max():.0f} mm apart"
    )
    if share >= QUANTILE:
        return Chosen(None, f"{found}; {share:.0%} have all lesions in the fine view")
    drawn = images.liver_mm[np.isfinite(images.liver_mm).all(axis=1)]
    if len(drawn) < len(images.liver_mm):
        return Chosen(
            None,
            f"{found}, and only {share:.0%} have all lesions in the fine view; but no liver is "
            f"drawn in {len(images.liver_mm) - len(drawn)} patients, so no view of it is possible",
        )
    spacing = (LIVER_SPACING_MM, LIVER_SPACING_MM, max(LIVER_SPACING_MM, fine.spacing[2]))
    edges = _edges([needed_mm(drawn[:, axis : axis + 1]) for axis in range(3)], spacing)
    return Chosen(
        Field(spacing, edges),
        f"{found}; only {share:.0%} have all lesions in the fine view (less than {QUANTILE:.0%}), "
        "so a coarse view shows the whole liver: 95% of the livers extend to "
        f"{' x '.join(f'{np.quantile(drawn[:, axis], QUANTILE):.0f}' for axis in range(3))} mm",
    )


def choose_window(images: MeasuredImages) -> Chosen[dict[str, object]]:
    """Return how intensities are scaled: a window on CT, percentiles of each image on MR.

    Args:
        images: Of training patients.
    """
    if not images.is_ct:
        return Chosen(
            {"class_path": "Percentiles", "init_args": {"low": 0.5, "high": 99.5}},
            "MR intensities have no unit: percentiles of each image inside liver and tumor",
        )
    low = min(images.foreground[0], images.tumor[0])
    high = max(images.foreground[1], images.tumor[1])
    window = {
        "low": math.floor(low / STEP_HU) * STEP_HU,
        "high": math.ceil(high / STEP_HU) * STEP_HU,
    }
    return Chosen(
        {"class_path": "Window", "init_args": window},
        f"0.5th and 99.5th percentile in {images.patients} training patients: inside liver and "
        f"tumor {images.foreground[0]:.0f} and {images.foreground[1]:.0f} HU, inside the tumor "
        f"{images.tumor[0]:.0f} and {images.tumor[1]:.0f} HU; the wider, rounded outward to "
        f"{STEP_HU:g} HU, the same for everybody",
    )


def needed_mm(extents: Floats) -> float:
    """Return the 95th percentile over patients of the longest edge of a box.

    Args:
        extents: (patient, edge) in mm.
    """
    return float(np.quantile(extents.max(axis=1), QUANTILE))


def fitting_share(extents: Floats, edges: Sequence[float]) -> float:
    """Return the share of patients whose box fits into a field.

    Args:
        extents: (patient, xyz) in mm.
        edges: (x, y, z) of the field in mm.
    """
    return float((extents <= np.array(edges)).all(axis=1).mean())


def _edges(
    wanted: Sequence[float], spacing: tuple[float, float, float]
) -> tuple[float, float, float]:
    """Return edges of at least some length, in multiples of so many voxels that halve well."""
    x, y, z = (
        math.ceil(length / (MULTIPLE * step) - 1e-6) * MULTIPLE * step
        for length, step in zip(wanted, spacing, strict=True)
    )
    return x, y, z


def _range(values: Floats) -> str:
    return f"{np.median(values):.2g} ({values.min():.2g} to {values.max():.2g})"
