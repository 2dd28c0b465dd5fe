"""What an encoder looks at, and the zones that are derived from the drawn regions."""

from dataclasses import dataclass, field
from typing import Any, Literal

from mtl_hcc.errors import ConfigError
from mtl_hcc.imaging.intensity import Intensity, Percentiles
from mtl_hcc.patient import CT_PHASES, MRI_PHASES

Spacing = float | list[float | Literal["acquired"]]
"""One number for all axes, or x, y, z; ``acquired`` keeps the distance of the slices."""
MOST_VOXELS = 1024
"""Along an edge."""
CENTERS = ("tumor", "liver", "loat")


@dataclass(frozen=True, kw_only=True)
class Zone:
    """A region derived from the tumor by distance.

    Args:
        inward_mm: Reach into the tumor from its surface.
        outward_mm: Reach out of the tumor from its surface.
        cut_at_liver: Whether what lies outside the liver is left out.
    """

    inward_mm: float = 0.0
    outward_mm: float = 0.0
    cut_at_liver: bool = False

    @property
    def reach_mm(self) -> float:
        """The longer of the two."""
        return max(self.inward_mm, self.outward_mm)


@dataclass(frozen=True, kw_only=True)
class View:
    """What one encoder looks at: phases of a patient on one grid.

    Args:
        phases: Phases, in the order of the prepared array's first axis.
        center_on: What the field is centered on.
        spacing_mm: Voxel size: one number, or x, y, z, where ``acquired`` in place of z keeps the
            slices of the reference phase as they are: their distance and, unless the scan is
            oblique, their places. Patients then differ in depth.
        field_of_view_mm: Edges of the box that the network sees: one number, or x, y, z.
        stored_field_mm: Edges of the box that is prepared, if larger: a rotation then brings in
            tissue instead of empty corners, and the field of view is cut out afterwards. Rounded
            up to the same number of whole voxels on both sides.
        keep: ``regions`` sets voxels outside all regions to zero, ``everything`` none; a list names
            the regions that are kept.
        intensity: How intensities are scaled to [0, 1].
    """

    phases: list[str] = field(default_factory=lambda: list(CT_PHASES))
    center_on: Literal["tumor", "liver", "loat"] = "tumor"
    spacing_mm: Spacing = 1.0
    field_of_view_mm: float | list[float] = 128.0
    stored_field_mm: float | list[float] | None = None
    keep: Literal["regions", "everything"] | list[str] = "regions"
    intensity: Intensity = field(default_factory=Percentiles)

    def __post_init__(self) -> None:
        """Check the values that can be checked without the others."""
        object.__setattr__(self, "phases", list(self.phases))
        known = sorted({*CT_PHASES, *MRI_PHASES})
        check(bool(self.phases), "phases", self.phases, "at least one phase")
        for phase in self.phases:
            check(phase in known, "phases", phase, "one of " + ", ".join(known))
        check(len(set(self.phases)) == len(self.phases), "phases", self.phases, "each phase once")
        check(self.center_on in CENTERS, "center_on", self.center_on, " or ".join(CENTERS))
        for axis, spacing in zip("xyz", self.spacing, strict=True):
            right = spacing is None or 0.1 <= spacing <= 20
            check(right, "spacing_mm", self.spacing_mm, f"0.1 to 20 mm along {axis}")
        for name, fields in (
            ("field_of_view_mm", self.seen_mm),
            ("stored_field_mm", self.field_mm),
        ):
            for edge, spacing in zip(fields, self.spacing, strict=True):
                least = spacing or 0.1
                check(
                    least <= edge <= 1000,
                    name,
                    getattr(self, name),
                    "at least one voxel and at most 1000 mm",
                )
                voxels = round(edge / (spacing or 1.0))
                check(
                    voxels <= MOST_VOXELS,
                    f"{name} / spacing_mm",
                    voxels,
                    f"at most {MOST_VOXELS} voxels along an edge",
                )
        check(
            all(a >= b for a, b in zip(self.field_mm, self.seen_mm, strict=True)),
            "stored_field_mm",
            self.stored_field_mm,
            "at least field_of_view_mm along every axis",
        )

    @property
    def spacing(self) -> tuple[float | None, float | None, float | None]:
        """(x, y, z) in mm; None along z where the acquired distance is kept."""
        given = self.spacing_mm
        values = list(given) if isinstance(given, list | tuple) else [given] * 3
        check(len(values) == 3, "spacing_mm", given, "one number, or three (x, y, z)")
        check("acquired" not in values[:2], "spacing_mm", given, "acquired for z only")
        x, y, z = (None if value == "acquired" else float(value) for value in values)
        return x, y, z

    @property
    def seen_mm(self) -> tuple[float, float, float]:
        """(x, y, z) edges of what the network sees, in mm."""
        return _three(self.field_of_view_mm, "field_of_view_mm")

    @property
    def field_mm(self) -> tuple[float, float, float]:
        """(x, y, z) edges of what is prepared, in mm."""
        stored = self.stored_field_mm
        return self.seen_mm if stored is None else _three(stored, "stored_field_mm")

    def as_dict(self) -> dict[str, Any]:
        """Return the view as plain lists, numbers and text."""
        plain = {name: value for name, value in vars(self).items() if name != "intensity"}
        return plain | {"intensity": self.intensity.as_dict()}


def check(right: bool, name: str, value: object, expected: str) -> None:
    """Raise :class:`ConfigError` for a setting of the recipe that is not right."""
    if not right:
        raise ConfigError(
            f"{name} is {value!r}",
            where="preparation",
            expected=expected,
            remedy=f"Set {name} in the config.",
        )


def _three(given: float | list[float], name: str) -> tuple[float, float, float]:
    values = list(given) if isinstance(given, list | tuple) else [given] * 3
    check(len(values) == 3, name, given, "one number, or three (x, y, z)")
    x, y, z = map(float, values)
    return x, y, z
