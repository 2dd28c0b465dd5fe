"""Where the network looks: a map over a patient's phases, beside the predicted survival curves."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mtl_hcc.figures.canvas import OKABE_ITO, SKY_BLUE, describe, empty_figure, note, plain_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.patheffects import AbstractPathEffect

PLANES = ("axial", "coronal", "sagittal")
LETTERS = {"axial": "RLAP", "coronal": "RLSI", "sagittal": "APSI"}
"""Left, right, upper and lower edge of each panel, in the radiological convention."""
COLOR_MAP = "inferno"
DAYS_PER_YEAR = 365.25
_OPACITY = 0.75


def overlay(
    images: NDArray[Any],
    heat: NDArray[Any],
    tumor: NDArray[np.bool_],
    *,
    phases: Sequence[str],
    spacing_mm: tuple[float, float, float],
    title: str,
    quantity: str,
    survival: Mapping[str, Mapping[int, float]],
    facts: Sequence[str] = (),
) -> "Figure":
    """Draw axial, coronal and sagittal slices through the middle of the tumor, a column per phase.

    Where does the network find what raises this patient's score, and what does it predict? Axes
    follow the radiological convention: the patient's right is on the left.

    Args:
        images: (phase, depth, height, width) in [0, 1], axes in LPS order.
        heat: Same shape, zero or more; one color scale for all phases.
        tumor: Same shape.
        phases: Names of the phases.
        spacing_mm: (z, y, x) voxel size.
        title: Above the figure.
        quantity: What the heat is, for the color bar.
        survival: Endpoint to predicted survival probability by horizon in days.
        facts: Lines under the curves.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize

    columns = len(phases)
    figure = empty_figure(max(7.1, 1.55 * columns + 2.4), 5.4)
    sides = figure.subfigures(1, 2, width_ratios=[columns, 1.25])
    left, right = np.asarray(sides, dtype=object)
    grid = left.add_gridspec(3, columns)
    center = middle(tumor)
    highest = float(heat.max())
    heat = heat / highest if highest > 0 else heat
    for row, plane in enumerate(PLANES):
        for column, phase in enumerate(phases):
            axes = left.add_subplot(grid[row, column])
            parts = [_slice(array[column], plane, center) for array in (images, heat, tumor)]
            _draw_slice(axes, parts, plane, spacing_mm)
            if row == 0:
                axes.set_title(phase.replace("_", " "), fontsize=8)
            if column == 0:
                axes.set_ylabel(plane, fontsize=8)
                _draw_scale(axes, spacing_mm)
    beside = right.add_gridspec(3, 1, height_ratios=[2.2, 1, 0.14])
    _draw_survival(plain_axes(right.add_subplot(beside[0])), survival)
    text = right.add_subplot(beside[1])
    text.set_axis_off()
    lines = [*facts, *([] if highest > 0 else ["the map is zero everywhere"])]
    text.text(0, 0.9, "\n".join(lines), transform=text.transAxes, va="top", fontsize=8)
    bar = right.add_subplot(beside[2])
    right.colorbar(ScalarMappable(Normalize(0, 1), COLOR_MAP), cax=bar, orientation="horizontal")
    bar.tick_params(labelsize=7)
    bar.set_title(f"{quantity}\n1 = maximum of all phases", fontsize=7)
    figure.suptitle(title, fontsize=9)
    return describe(
        figure,
        f"{title}. Color: {quantity}, one scale for all phases; line: tumor. Slices through the "
        "middle of the tumor, the patient's right on the left; bar: 20 mm.",
    )


def middle(tumor: NDArray[np.bool_]) -> tuple[int, int, int]:
    """Return the tumor's voxel nearest to its center of mass; the grid's middle without one.

    Args:
        tumor: (phase, depth, height, width).
    """
    voxels = np.argwhere(tumor.any(axis=0))
    if not len(voxels):
        return (tumor.shape[1] // 2, tumor.shape[2] // 2, tumor.shape[3] // 2)
    away = ((voxels - voxels.mean(axis=0)) ** 2).sum(axis=1)
    z, y, x = voxels[away.argmin()]
    return (int(z), int(y), int(x))


def _slice(array: NDArray[Any], plane: str, center: tuple[int, int, int]) -> NDArray[Any]:
    """Return the slice as it is drawn, first row at the top: anterior or superior up."""
    z, y, x = center
    if plane == "axial":
        return np.asarray(array[z])
    return np.asarray(array[::-1, y, :] if plane == "coronal" else array[::-1, :, x])


def _draw_slice(
    axes: "Axes", parts: Sequence[NDArray[Any]], plane: str, spacing: tuple[float, ...]
) -> None:
    from matplotlib import colormaps

    image, heat, tumor = parts
    z, y, x = spacing
    aspect = {"axial": y / x, "coronal": z / x, "sagittal": z / y}[plane]
    axes.imshow(np.asarray(image, np.float32), cmap="gray", vmin=0, vmax=1, aspect=aspect)
    colors = colormaps[COLOR_MAP](np.asarray(heat))
    colors[..., 3] = _OPACITY * np.clip(np.asarray(heat) * 1.5, 0, 1)
    axes.imshow(colors, aspect=aspect, interpolation="bilinear")
    if tumor.any() and not tumor.all():
        axes.contour(np.asarray(tumor, float), levels=[0.5], colors=SKY_BLUE, linewidths=0.9)
    axes.set_xticks([])
    axes.set_yticks([])
    spots = (
        (0.02, 0.5, "left"),
        (0.98, 0.5, "right"),
        (0.5, 0.98, "center"),
        (0.5, 0.02, "center"),
    )
    for letter, (across, up, side) in zip(LETTERS[plane], spots, strict=True):
        vertical = {0.98: "top", 0.02: "bottom"}.get(up, "center")
        axes.text(
            across, up, letter, transform=axes.transAxes, color="white", fontsize=7,
            ha=side, va=vertical, path_effects=_outline(),
        )  # fmt: skip


def _draw_scale(axes: "Axes", spacing: tuple[float, float, float]) -> None:
    """Draw a bar of 20 mm into a panel, whose columns all run along x or y."""
    low, high = axes.get_xlim()
    bottom, top = axes.get_ylim()
    length = 20 / spacing[2]
    x, y = low + 0.06 * (high - low), bottom + 0.1 * (top - bottom)
    axes.plot(
        [x, x + length], [y, y], color="white", linewidth=2, solid_capstyle="butt",
        path_effects=_outline(),
    )  # fmt: skip
    axes.text(x, y, "20 mm", color="white", fontsize=7, va="bottom", path_effects=_outline())
    axes.set_xlim(low, high)
    axes.set_ylim(bottom, top)


def _outline() -> "list[AbstractPathEffect]":
    """Return a dark edge, so that white is read on white."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=1.8, foreground="black")]


def _draw_survival(axes: "Axes", survival: Mapping[str, Mapping[int, float]]) -> None:
    axes.set_title("Predicted survival", fontsize=8)
    axes.tick_params(labelsize=7)
    known = {
        name: {days: p for days, p in curve.items() if np.isfinite(p)}
        for name, curve in survival.items()
    }
    known = {name: curve for name, curve in known.items() if curve}
    if not known:
        axes.set_xticks([])
        axes.set_yticks([])
        note(axes, "no survival curves:\nthe model has no\nbaseline hazard")
        return
    for place, (name, curve) in enumerate(known.items()):
        days = [0, *sorted(curve)]
        axes.plot(
            [day / DAYS_PER_YEAR for day in days],
            [1.0, *(curve[day] for day in days[1:])],
            marker="os^D"[place % 4],
            markersize=3,
            color=OKABE_ITO[place],
            label=name.upper(),
        )
    axes.set_ylim(0, 1.02)
    axes.set_xlim(left=0)
    axes.set_xlabel("Years", fontsize=7)
    axes.legend(fontsize=7, frameon=False, loc="lower left")
