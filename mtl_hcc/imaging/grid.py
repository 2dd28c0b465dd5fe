"""Where the voxels of a prepared patient lie: an axis-aligned grid in patient space."""

from dataclasses import dataclass
from typing import TypeVar

_T = TypeVar("_T")


@dataclass(frozen=True)
class Grid:
    """A grid whose axes are those of patient space (LPS: left, posterior, superior).

    Attributes:
        origin: (x, y, z) center of the first voxel in mm.
        spacing: (x, y, z) distance between voxel centers in mm.
        size: (x, y, z) number of voxels. Arrays on the grid have the shape (z, y, x).
    """

    origin: tuple[float, float, float]
    spacing: tuple[float, float, float]
    size: tuple[int, int, int]

    @property
    def direction(self) -> tuple[float, ...]:
        """Direction cosines, row by row: the identity, as SimpleITK writes it."""
        return (1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Shape (z, y, x) of an array on this grid."""
        return (self.size[2], self.size[1], self.size[0])

    @property
    def voxel_mm3(self) -> float:
        """Volume of one voxel in mm3."""
        return self.spacing[0] * self.spacing[1] * self.spacing[2]

    @property
    def volume_mm3(self) -> float:
        """Volume of the whole field in mm3."""
        return self.voxel_mm3 * self.size[0] * self.size[1] * self.size[2]

    @property
    def box_mm(self) -> tuple[tuple[float, float], ...]:
        """Lower and upper face of the field of view along x, y and z, in mm."""
        return tuple(
            (o - s / 2, o - s / 2 + s * n)
            for o, s, n in zip(self.origin, self.spacing, self.size, strict=True)
        )

    def finer(self, factors: tuple[int, int, int]) -> "Grid":
        """Return the same field of view with every voxel split so often along x, y, z."""
        spacing = tuple(s / factor for s, factor in zip(self.spacing, factors, strict=True))
        low = [face[0] for face in self.box_mm]
        origin = tuple(face + s / 2 for face, s in zip(low, spacing, strict=True))
        size = tuple(n * factor for n, factor in zip(self.size, factors, strict=True))
        return Grid(origin=_three(origin), spacing=_three(spacing), size=_three(size))

    def part(self, start: tuple[int, int, int], size: tuple[int, int, int]) -> "Grid":
        """Return the block of ``size`` voxels that begins at voxel ``start``, both (x, y, z)."""
        origin = tuple(o + s * i for o, s, i in zip(self.origin, self.spacing, start, strict=True))
        return Grid(origin=_three(origin), spacing=self.spacing, size=size)

    def grown(self, voxels: tuple[int, int, int]) -> "Grid":
        """Return the grid with so many voxels (x, y, z) more at both ends of each axis."""
        x, y, z = voxels
        size = tuple(n + 2 * more for n, more in zip(self.size, voxels, strict=True))
        return self.part((-x, -y, -z), _three(size))

    @classmethod
    def around(
        cls,
        center: tuple[float, float, float],
        *,
        field_mm: tuple[float, float, float],
        spacing_mm: tuple[float, float, float],
    ) -> "Grid":
        """Return the box of ``field_mm`` around ``center``, as whole voxels; all (x, y, z)."""
        counts = tuple(max(1, round(f / s)) for f, s in zip(field_mm, spacing_mm, strict=True))
        origin = tuple(
            c - s * (n - 1) / 2 for c, s, n in zip(center, spacing_mm, counts, strict=True)
        )
        return cls(origin=_three(origin), spacing=spacing_mm, size=_three(counts))


def _three(values: tuple[_T, ...]) -> tuple[_T, _T, _T]:
    x, y, z = values
    return (x, y, z)
