"""Where the liver was drawn, in patient coordinates, before it is known which phase is which."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from mtl_hcc.cohorts.dicom.geometry import VolumeGrid
from mtl_hcc.cohorts.dicom.lattice import places_of
from mtl_hcc.cohorts.dicom.segmentation import Segmentation, read_label_map
from mtl_hcc.cohorts.dicom.volumes import Volume
from mtl_hcc.regions import Label

_NOWHERE = VolumeGrid((1, 1, 1), (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), np.eye(3))
_LEAST_PLACES = 50


def drawn_livers(
    drawn: Sequence[tuple[Segmentation, Volume | None]],
    masks: Sequence[Path],
    rules: Mapping[str, str],
    *,
    where: str,
) -> dict[str, np.ndarray]:
    """Return places (point, 3) of the liver, tumor left out.

    Args:
        drawn: Segmentations, and the volume that each was drawn on where that is known.
        masks: NIfTI label maps that take their place.
        rules: The user's rules for segments.
        where: Patient, for messages.

    Returns:
        Name of a volume to the liver drawn on it; under ``""`` the first of all, for the others.
        Empty if no liver was drawn.
    """
    found: dict[str, np.ndarray] = {}
    for mask in masks:
        places = _from_nifti(mask)
        if len(places) >= _LEAST_PLACES:
            return {"": places}
    for segmentation, volume in drawn:
        label_map = read_label_map(segmentation, rules, _NOWHERE, where=where)
        places = places_of(label_map.labels == Label.LIVER, label_map.grid)
        if len(places) < _LEAST_PLACES:
            continue
        if volume is not None:
            found.setdefault(volume.name, places)
        found.setdefault("", places)
    return found


def _from_nifti(path: Path) -> np.ndarray:
    import SimpleITK as sitk  # noqa: N813  # only conversion needs it

    try:
        image = sitk.ReadImage(str(path))
    except RuntimeError:  # the reader of the NIfTI folder says what is wrong with it
        return np.zeros((0, 3))
    if image.GetDimension() != 3 or image.GetNumberOfComponentsPerPixel() != 1:
        return np.zeros((0, 3))
    grid = VolumeGrid(
        size=image.GetSize(),
        spacing=image.GetSpacing(),
        origin=image.GetOrigin(),
        direction=np.array(image.GetDirection()).reshape(3, 3),
    )
    return places_of(sitk.GetArrayFromImage(image) == Label.LIVER, grid)
