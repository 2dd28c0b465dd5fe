"""What is measured while a patient is prepared: sizes in mm on the grid where they were drawn."""

from collections.abc import Sequence
from typing import overload

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray
from scipy.ndimage import find_objects
from scipy.spatial import ConvexHull, QhullError
from scipy.spatial.distance import pdist


def voxel_mm3(image: sitk.Image) -> float:
    """Return the volume of one voxel in mm3."""
    return float(np.prod(image.GetSpacing()))


def bounding_box(mask: NDArray[np.bool_]) -> tuple[slice, slice, slice]:
    """Return the bounding box (z, y, x) of a mask that is not empty."""
    z, y, x = find_objects(np.ascontiguousarray(mask).view(np.uint8), max_label=1)[0]
    return z, y, x


class Lesions(Sequence[NDArray[np.bool_]]):
    """The separate tumors of a mask, largest first: (z, y, x) masks, each made when asked for.

    A mask of the whole volume for each of many lesions at once would take gigabytes.

    Args:
        labels: (z, y, x) numbers of the lesions inside ``block``.
        numbers: Those that count, largest first.
        block: Where ``labels`` lies in the volume.
        shape: (z, y, x) of the volume.
    """

    def __init__(
        self,
        labels: NDArray[np.uint32],
        numbers: list[int],
        block: tuple[slice, slice, slice],
        shape: tuple[int, ...],
    ) -> None:
        self._labels, self._numbers, self._block, self._shape = labels, numbers, block, shape

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self._numbers)

    @overload
    def __getitem__(self, index: int) -> NDArray[np.bool_]: ...

    @overload
    def __getitem__(self, index: slice) -> "Lesions": ...

    def __getitem__(self, index: int | slice) -> "NDArray[np.bool_] | Lesions":
        """Return one lesion's mask, or some of the lesions."""
        if isinstance(index, slice):
            return Lesions(self._labels, self._numbers[index], self._block, self._shape)
        return self._whole(self._labels == self._numbers[index])

    def together(self) -> NDArray[np.bool_]:
        """Return the mask of all of them."""
        return self._whole(np.isin(self._labels, self._numbers))

    def _whole(self, part: NDArray[np.bool_]) -> NDArray[np.bool_]:
        mask = np.zeros(self._shape, dtype=np.bool_)
        mask[self._block] = part
        return mask


def lesions(tumor: NDArray[np.bool_], on: sitk.Image, *, min_mm3: float) -> Lesions:
    """Return the separate tumors of a mask, largest first; specks below ``min_mm3`` do not count.

    Voxels that touch by a face, an edge or a corner belong together.
    """
    block = bounding_box(tumor)
    part = sitk.ConnectedComponent(sitk.GetImageFromArray(tumor[block].astype(np.uint8)), True)
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.ComputePerimeterOff()
    shape.Execute(part)
    counts = {number: shape.GetNumberOfPixels(number) for number in shape.GetLabels()}
    order = sorted(counts, key=lambda number: (-counts[number], number))
    large = [number for number in order if counts[number] * voxel_mm3(on) >= min_mm3]
    return Lesions(sitk.GetArrayFromImage(part), large, block, tumor.shape)


def axial_diameter_mm(lesion: NDArray[np.bool_], on: sitk.Image) -> float:
    """Return the largest diameter of a lesion within one axial slice, as radiologists measure it.

    The longest distance between two voxel centers of a slice, plus one voxel for their own width.
    """
    z, y, x = bounding_box(lesion)
    width = np.array(on.GetSpacing()[:2])
    longest = 0.0
    for plane in lesion[z, y, x]:
        points = np.argwhere(plane & ~_enclosed(plane))[:, ::-1] * width
        if len(points) > 3:
            try:
                points = points[ConvexHull(points).vertices]
            except QhullError:  # All on one line.
                points = points[[0, -1]]
        if len(points) > 1:
            longest = max(longest, float(pdist(points).max()))
    return longest + float(width.mean())


def overlap(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Return the Dice coefficient of two masks on one grid; NaN when both are empty."""
    total = np.count_nonzero(first) + np.count_nonzero(second)
    return 2 * np.count_nonzero(first & second) / total if total else float("nan")


def _enclosed(plane: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the pixels whose four neighbors are all set: they cannot be the farthest apart."""
    inner = np.zeros_like(plane)
    inner[1:-1, 1:-1] = plane[:-2, 1:-1] & plane[2:, 1:-1] & plane[1:-1, :-2] & plane[1:-1, 2:]
    return inner
