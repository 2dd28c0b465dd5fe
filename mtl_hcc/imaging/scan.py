"""One phase in memory: its image and the label map that goes with it, axes in LPS order."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from mtl_hcc.errors import ImageError
from mtl_hcc.imaging.crop import to_lps
from mtl_hcc.imaging.preparation import Preparation
from mtl_hcc.imaging.quality import voxel_mm3
from mtl_hcc.imaging.read_image import Place, check_same_space, read_image, read_regions, same_grid
from mtl_hcc.imaging.registration import align
from mtl_hcc.patient import Label, Patient

_DRAWN_ON_FIRST = "portal_venous"


@dataclass(frozen=True)
class Scan:
    """One phase.

    Attributes:
        place: Whose files these are.
        image: 3D image, LPS order.
        regions: Label map, possibly on another grid of the same patient space.
        own_map: Whether the map was given for this phase, not taken from another one.
        registered: Whether the image was moved onto the phase with the map.
    """

    place: Place
    image: sitk.Image
    regions: sitk.Image
    own_map: bool
    registered: bool = False

    def drawn(self, *labels: Label) -> NDArray[np.bool_]:
        """Return the (z, y, x) mask of these labels on the label map's grid."""
        values = sitk.GetArrayViewFromImage(self.regions)
        mask = values == int(labels[0])
        for label in labels[1:]:
            mask |= values == int(label)
        return np.asarray(mask)

    @property
    def resampled(self) -> bool:
        """Whether the map lies on another grid than the image."""
        return not same_grid(self.image, self.regions)

    def intensities(self) -> NDArray[Any]:
        """Return the (voxel,) intensities inside liver and tumor, on the image's own grid."""
        values = sitk.GetArrayViewFromImage(self.image)
        if not self.resampled:
            return np.asarray(values[self.drawn(Label.LIVER, Label.TUMOR)])
        onto = sitk.Resample(
            self.regions, self.image, sitk.Transform(), sitk.sitkNearestNeighbor, 0
        )
        moved = replace(self, regions=onto)
        return np.asarray(values[moved.drawn(Label.LIVER, Label.TUMOR)])


def read_scans(patient: Patient, preparation: Preparation) -> tuple[list[Scan], Scan]:
    """Return the phases that are there, in the recipe's order, and the reference phase.

    The reference is the phase whose map serves phases without one: the portal venous phase if it
    has a map, else the first that has.
    """
    images = {
        phase: patient.images[phase] for phase in preparation.phases if phase in patient.images
    }
    _check_phases(patient, preparation, list(images))
    with_map = [phase for phase in images if phase in patient.regions]
    if not with_map:
        raise ImageError(
            "no label map for any of the phases " + ", ".join(images),
            where=f"patient {patient.patient_id}",
            expected="<phase>_regions.nii.gz or regions.nii.gz",
            remedy="Add a label map (1 liver, 2 tumor, 3 LOAT), or take the patient out.",
        )
    maps: dict[Path, sitk.Image] = {}
    scans = {phase: _read(patient, phase, preparation, maps) for phase in with_map}
    reference = scans[_DRAWN_ON_FIRST if _DRAWN_ON_FIRST in with_map else with_map[0]]
    for phase in images:
        if phase not in scans:
            scans[phase] = _borrow(patient, phase, reference, preparation)
    return [scans[phase] for phase in images], reference


def _check_phases(patient: Patient, preparation: Preparation, found: list[str]) -> None:
    missing = [phase for phase in preparation.phases if phase not in found]
    if not missing or (found and preparation.missing_phase == "keep"):
        return
    remedy = f"Add the file, or set phases to [{', '.join(found)}]"
    remedy += ", or missing_phase: keep." if found else "."
    raise ImageError(
        f"no {', '.join(missing)} phase",
        where=f"patient {patient.patient_id}",
        expected=", ".join(preparation.phases),
        remedy=remedy if found else "Add the files, or take the patient out of the table.",
    )


def _read(
    patient: Patient, phase: str, preparation: Preparation, maps: dict[Path, sitk.Image]
) -> Scan:
    """Read one phase; a map that serves several phases is read once and kept in ``maps``."""
    image = to_lps(read_image(Place(patient.patient_id, phase, patient.images[phase])))
    place = Place(patient.patient_id, phase, patient.regions[phase])
    if place.path not in maps:
        maps[place.path] = to_lps(read_regions(place))
    regions = maps[place.path]
    check_same_space(place, image, regions)
    scan = Scan(place=place, image=image, regions=regions, own_map=True)
    volume = float(np.count_nonzero(scan.drawn(Label.TUMOR))) * voxel_mm3(regions)
    if volume < preparation.min_tumor_mm3 or volume == 0:
        voxels = np.count_nonzero(scan.drawn(Label.TUMOR))
        raise place.error(
            f"a tumor of {voxels} voxels, {volume:.1f} mm3"
            if voxels
            else "no tumor voxel (label 2)",
            expected=f"a tumor of at least {preparation.min_tumor_mm3:g} mm3",
            remedy="Draw the tumor with label 2, or lower min_tumor_mm3.",
        )
    if preparation.center_on == "liver" and not scan.drawn(Label.LIVER).any():
        raise place.error(
            "no liver voxel (label 1)",
            expected="a liver, as center_on is liver",
            remedy="Draw the liver with label 1, or set center_on: tumor.",
        )
    return scan


def _borrow(patient: Patient, phase: str, reference: Scan, preparation: Preparation) -> Scan:
    place = Place(patient.patient_id, phase, patient.images[phase])
    image = to_lps(read_image(place))
    if preparation.registration == "rigid":
        image, _ = align(image, reference.image)
    else:
        map_place = Place(patient.patient_id, phase, reference.place.path)
        check_same_space(map_place, image, reference.regions)
    return Scan(
        place=place,
        image=image,
        regions=reference.regions,
        own_map=False,
        registered=preparation.registration == "rigid",
    )
