"""Whether the slices of a volume form a grid, and which; refused by name where they do not."""

from dataclasses import dataclass

import numpy as np

from mtl_hcc.cohorts.dicom.header import DicomHeader
from mtl_hcc.cohorts.dicom.volumes import Volume, heights, normal
from mtl_hcc.errors import ImageError

_OTHER_TOOLS = "Convert the series with a program that resamples (e.g. dcm2niix) and use NIfTI."


@dataclass(frozen=True)
class VolumeGrid:
    """A regular grid in patient coordinates (LPS, mm), as SimpleITK describes it.

    Attributes:
        size: Voxels along x (columns), y (rows), z (slices).
        spacing: mm along x, y, z.
        origin: Center of the first voxel.
        direction: 3 x 3; its columns are the directions of x, y and z.
    """

    size: tuple[int, int, int]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]
    direction: np.ndarray

    @property
    def affine(self) -> np.ndarray:
        """4 x 4 matrix from (x, y, z) indices to LPS mm."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.direction * np.array(self.spacing)
        matrix[:3, 3] = self.origin
        return matrix


def volume_grid(volume: Volume, *, where: str, largest_gap: float = 0.5) -> VolumeGrid:
    """Return the grid of a volume; distances come from positions, never from SliceThickness.

    Args:
        volume: Slices in ascending order along their normal.
        where: Patient and series, for messages.
        largest_gap: Slices may leave this fraction of their thickness unseen between them.

    Raises:
        ImageError: Positions are missing or repeated, slices differ in size, are sheared by a
            gantry tilt, are missing, or leave gaps.
    """
    slices = volume.slices
    _check_headers(slices, where)
    first = slices[0]
    orientation, spacing = first.orientation, first.pixel_spacing
    assert orientation is not None
    assert spacing is not None
    row, column = np.array(orientation[:3]), np.array(orientation[3:])
    row, column = row / np.linalg.norm(row), column / np.linalg.norm(column)
    step = _step(slices, where)
    _check_shear(slices, step, where)
    if first.thickness and step > first.thickness * (1 + largest_gap) + 0.01:
        raise ImageError(
            f"slices are {step:.4g} mm apart but only {first.thickness:.4g} mm thick (gapped)",
            where=where,
            expected=f"at most {first.thickness * (1 + largest_gap):.4g} mm between slices",
            remedy="Every second slice may have been left out on export: export all of them. "
            "If it was scanned so, set largest_gap higher.",
        )
    assert first.position is not None
    return VolumeGrid(
        size=(int(first.columns or 0), int(first.rows or 0), len(slices)),
        spacing=(float(spacing[1]), float(spacing[0]), step),
        origin=(first.position[0], first.position[1], first.position[2]),
        direction=np.stack([row, column, normal(orientation)], axis=1),
    )


def _check_headers(slices: tuple[DicomHeader, ...], where: str) -> None:
    for header in slices:
        if header.frames > 1 and header.frame is None:
            raise ImageError(
                f"{header.path.name} holds {header.frames} frames and does not say where they lie "
                "(no functional groups)",
                where=where,
                expected="one slice per file, or an enhanced CT or MR image",
                remedy="Export the original series, not a screen capture of it.",
            )
        for name in ("rows", "columns", "orientation", "position", "pixel_spacing"):
            if getattr(header, name) is None:
                raise ImageError(
                    f"{header.name} has no usable {name.replace('_', ' ')}",
                    where=where,
                    remedy="Export the series again, or leave it out with a phase rule 'ignore'.",
                )
    sizes: dict[str, str] = {}
    for header in slices:
        spacing = " x ".join(f"{value:g}" for value in header.pixel_spacing or ())
        sizes.setdefault(f"{header.rows} x {header.columns} of {spacing} mm", header.name)
    if len(sizes) > 1:
        found = "; ".join(f"{size} ({name})" for size, name in sizes.items())
        raise ImageError(
            f"slices of different size: {found}",
            where=where,
            remedy="Two reconstructions share one series: move one of them out of the tree.",
        )


def _step(slices: tuple[DicomHeader, ...], where: str) -> float:
    """Return the distance between slices, or name what is missing."""
    if len(slices) < 2:
        raise ImageError(
            "a single slice", where=where, remedy="Export the whole series, not one slice."
        )
    place = heights(list(slices))
    steps = np.diff(place)
    for i in np.flatnonzero(steps < 0.01):
        raise ImageError(
            f"two slices at {place[i]:.2f} mm: {slices[i].name}, {slices[i + 1].name}",
            where=where,
            expected="one slice per position",
            remedy="Phases or reconstructions are mixed and nothing in the header tells them "
            "apart: separate the files into series, or remove copies.",
        )
    step = float(np.median(steps))
    if len(steps) == 2:
        step = float(steps.min())  # of three slices the closer pair shows the distance
    multiples = steps / step
    tolerance = max(0.02, 0.02 / step)  # 2% or 0.02 mm: positions are rounded text
    wrong = np.flatnonzero(np.abs(multiples - 1) > tolerance)
    if not len(wrong):
        return round(float((place[-1] - place[0]) / len(steps)), 6)
    whole = all(
        multiples[i] > 1.5 and abs(multiples[i] - round(multiples[i])) <= 5 * tolerance
        for i in wrong
    )
    if whole:
        missing = [place[i] + k * step for i in wrong for k in range(1, round(float(multiples[i])))]
        listed = ", ".join(f"{value:.2f}" for value in missing[:10])
        more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
        raise ImageError(
            f"{len(missing)} of {len(slices) + len(missing)} slices are missing, at position "
            f"{listed}{more} mm (after {slices[wrong[0]].name})",
            where=where,
            expected=f"a slice every {step:.4g} mm",
            remedy="Export the series again in full.",
        )
    k = int(wrong[0])
    raise ImageError(
        f"slices are not evenly spaced: {steps[k]:.4g} mm between {slices[k].name} and "
        f"{slices[k + 1].name}, {step:.4g} mm elsewhere",
        where=where,
        expected="even spacing",
        remedy=f"If two scans share the series, separate them. {_OTHER_TOOLS}",
    )


def _check_shear(slices: tuple[DicomHeader, ...], step: float, where: str) -> None:
    """Refuse slices that are shifted sideways: a tilted gantry, or a table that moved."""
    positions = np.array([s.position for s in slices])
    orientation = slices[0].orientation
    assert orientation is not None
    along = normal(orientation)
    sideways = np.diff(positions, axis=0)
    sideways -= np.outer(sideways @ along, along)
    shift = float(np.linalg.norm(sideways, axis=1).max())
    if shift <= max(0.02, 0.005 * step):
        return
    tilt = slices[0].tilt
    if np.linalg.norm(sideways - sideways.mean(axis=0), axis=1).max() > 0.1 * shift + 0.02:
        found = f"slices are shifted sideways by up to {shift:.2f} mm, unevenly"
    else:
        angle = float(np.degrees(np.arctan2(shift, step)))
        tag = f" (GantryDetectorTilt {tilt:g})" if tilt else ""
        found = f"gantry tilt: slices are sheared by {angle:.1f} degrees{tag}"
    raise ImageError(
        found, where=where, expected="slices stacked along their normal", remedy=_OTHER_TOOLS
    )
