"""What was handed in as a label map although its values are no labels: a scan, probabilities."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from mtl_hcc.regions import Label

MOST_LABELS = 200
"""A file with more values than this is an image, not a label map."""
_LISTED = 5
_ROUNDED = 0.01
"""A label may have lost this much where it was saved as a scaled number."""


def name_strange_labels(found: NDArray[Any]) -> tuple[str, str]:
    """Return what a map whose values are not all labels seems to be, and what to do.

    Args:
        found: (value,) different values of the map, ascending, some of them not of
            :class:`mtl_hcc.regions.Label`.
    """
    strange = found[~np.isin(found, [int(label) for label in Label])]
    listed = ", ".join(f"{value:.9g}" for value in strange[:_LISTED])
    more = f" and {len(strange) - _LISTED} more" if len(strange) > _LISTED else ""
    told = f"unknown labels {listed}{more}"
    if np.isin(found, (0, 255)).all():
        remedy = (
            "A mask of one region cannot say which: write 1 for liver and 2 for tumor, in one map."
        )
        return f"{told}: a mask of 0 and 255", remedy
    if (strange % 1 == 0).all():
        if len(found) > MOST_LABELS:
            return f"{told}: an image, not a label map", "Export the drawing, not the scan."
        return told, "Renumber the labels, or choose the cohort reader that knows this mask."
    if np.abs(strange - np.rint(strange)).max() < _ROUNDED:
        return f"{told}: labels that lost digits", "Save the map as whole numbers."
    kind = "probabilities" if found.min() >= 0 and found.max() <= 1 else "interpolated labels"
    remedy = "Cut probabilities at one half; resample maps by nearest neighbor, never linearly."
    return f"{told}: {kind}, not labels", remedy
