"""One phase in memory: its image and the label map that goes with it, axes in LPS order."""

import math
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
from mtl_hcc.imaging.read_image import (
    Place,
    check_same_space,
    foreground_points,
    read_image,
    read_regions,
    same_grid,
    values_at,
)
from mtl_hcc.imaging.registration import Alignment, align, moved
from mtl_hcc.patient import Patient
from mtl_hcc.regions import Label

_FIRST = "portal_venous"
_SLACK = 0.02
"""Two drawings differ, so a Dice may fall by this much though the registration is right."""
_MOST_POINTS = 200_000


@dataclass(frozen=True)
class Scan:
    """One phase.

    Attributes:
        place: Whose label map this is.
        image_place: Whose image this is.
        image: 3D image, LPS order.
        regions: Label map, possibly on another grid of the same patient space.
        own_map: Whether the map was drawn on this phase, not on another one.
        alignment: What the registration onto the reference phase found; None without one.
        livers: Dice of the liver drawn on this phase with the one drawn on the reference phase,
            before and after registration; NaN where no liver was drawn on this phase.
    """

    place: Place
    image_place: Place
    image: sitk.Image
    regions: sitk.Image
    own_map: bool
    alignment: Alignment | None = None
    livers: tuple[float, float] = (math.nan, math.nan)

    @property
    def registered(self) -> bool:
        """Whether the phase was registered onto the reference phase, and that went well."""
        return self.alignment is not None and not self.alignment.refused

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

    def intensities(self, labels: tuple[Label, ...] = (Label.LIVER, Label.TUMOR)) -> NDArray[Any]:
        """Return the (voxel,) intensities inside liver and tumor, on the image's own grid.

        Args:
            labels: Other labels than these two.
        """
        values = sitk.GetArrayViewFromImage(self.image)
        if not self.resampled:
            return np.asarray(values[self.drawn(*labels)])
        onto = sitk.Resample(
            self.regions, self.image, sitk.Transform(), sitk.sitkNearestNeighbor, 0
        )
        moved = replace(self, regions=onto)
        return np.asarray(values[moved.drawn(*labels)])


def read_scans(patient: Patient, preparation: Preparation) -> tuple[list[Scan], Scan]:
    """Return the phases that are there, in the recipe's order, and the reference phase.

    The reference is the phase whose map serves phases without one, and onto which the others are
    registered: the portal venous phase if it has a map, else the first that has. Of several phases
    with one and the same map it is the one whose grid the map has.
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
    reference = _drawn_on(scans, scans[_FIRST if _FIRST in with_map else with_map[0]])
    for phase in images:
        if phase not in scans:
            scans[phase] = _borrow(patient, phase, reference)
        elif _drawn_on(scans, scans[phase]) is not scans[phase]:
            scans[phase] = replace(scans[phase], own_map=False)
    if preparation.registration == "rigid":
        scans = {phase: _registered(scan, reference) for phase, scan in scans.items()}
    for scan in scans.values():
        lender = scan if scan.own_map else reference
        map_place = replace(
            scan.place, path=patient.regions.get(scan.place.phase, lender.place.path)
        )
        check_same_space(map_place, scan.image, scan.regions)
    return [scans[phase] for phase in images], reference


def _drawn_on(scans: dict[str, Scan], scan: Scan) -> Scan:
    """Return the phase on which a phase's map was drawn: itself, or another with the same map."""
    sharing = [other for other in scans.values() if other.regions is scan.regions]
    sharing.sort(key=lambda other: (other.resampled, other.place.phase != _FIRST))
    return sharing[0]


def _check_phases(patient: Patient, preparation: Preparation, found: list[str]) -> None:
    missing = [phase for phase in preparation.phases if phase not in found]
    if not missing or (found and preparation.missing_phase == "keep"):
        _check_views(patient, preparation, found)
        return
    remedy = f"Add the file, or set phases to [{', '.join(found)}]"
    remedy += ", or missing_phase: keep." if found else "."
    raise ImageError(
        f"no {', '.join(missing)} phase",
        where=f"patient {patient.patient_id}",
        expected=", ".join(preparation.phases),
        remedy=remedy if found else "Add the files, or take the patient out of the table.",
    )


def _check_views(patient: Patient, preparation: Preparation, found: list[str]) -> None:
    """Refuse a patient of whom an encoder would see nothing at all."""
    for name, view in preparation.views.items():
        if not set(view.phases) & set(found):
            raise ImageError(
                f"no phase of the view '{name}'",
                where=f"patient {patient.patient_id}",
                expected=f"at least one of {', '.join(view.phases)}",
                remedy="Add the file, or take the patient out of the table.",
            )


def _read(
    patient: Patient, phase: str, preparation: Preparation, maps: dict[Path, sitk.Image]
) -> Scan:
    """Read one phase; a map that serves several phases is kept once in ``maps``, copies too."""
    image_place = Place(patient.patient_id, phase, patient.images[phase])
    image = to_lps(read_image(image_place))
    place = Place(patient.patient_id, phase, patient.regions[phase])
    if place.path not in maps:
        drawn = to_lps(read_regions(place))
        maps[place.path] = next((known for known in maps.values() if _equal(known, drawn)), drawn)
    regions = maps[place.path]
    scan = Scan(place, image_place, image, regions, own_map=True)
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
    centers = {view.center_on for view in preparation.views.values()}
    if "liver" in centers and not scan.drawn(Label.LIVER).any():
        raise place.error(
            "no liver voxel (label 1)",
            expected="a liver, as center_on is liver",
            remedy="Draw the liver with label 1, or set center_on: tumor.",
        )
    return scan


def _equal(first: sitk.Image, second: sitk.Image) -> bool:
    """Return whether two maps are the same voxel for voxel, which two drawings never are."""
    return same_grid(first, second) and np.array_equal(
        sitk.GetArrayViewFromImage(first), sitk.GetArrayViewFromImage(second)
    )


def _borrow(patient: Patient, phase: str, reference: Scan) -> Scan:
    place = Place(patient.patient_id, phase, patient.images[phase])
    image = to_lps(read_image(place))
    return Scan(place, place, image, reference.regions, own_map=False)


def _registered(scan: Scan, reference: Scan) -> Scan:
    """Return a phase moved onto the reference phase, with its own map if it has one.

    A phase with its own map stays where it is when the registration fails; one with a borrowed map
    is refused, as the map would lie somewhere.
    """
    if scan is reference:
        return scan
    labels = (Label.LIVER, Label.TUMOR)
    liver = sitk.GetImageFromArray(reference.drawn(*labels).astype(np.uint8))
    liver.CopyInformation(reference.regions)
    found = align(scan.image, reference.image, liver)
    image = moved(scan.image, found.transform)
    if not scan.own_map:
        if found.refused:
            raise scan.place.error(
                f"cannot be registered onto the {reference.place.phase} phase ({found.refused})",
                expected="two phases of one examination, both with the whole liver",
                remedy="Look at both phases; draw a map on this one, or set registration: none "
                "where the patient lay still.",
            )
        return replace(scan, image=image, regions=reference.regions, alignment=found)
    after = replace(scan, image=image, regions=moved(scan.regions, found.transform))
    livers = (drawn_overlap(reference, scan), drawn_overlap(reference, after))
    if not found.refused and livers[1] < livers[0] - _SLACK:
        reason = f"the drawn livers overlap by a Dice of {livers[1]:.2f} after and {livers[0]:.2f}"
        found = replace(found, refused=f"{reason} before")
    if found.refused:
        return replace(scan, alignment=found, livers=(livers[0], livers[0]))
    return replace(after, alignment=found, livers=livers)


def drawn_overlap(first: Scan, second: Scan) -> float:
    """Return the Dice of the livers (with tumor) of two maps, on whatever grids they lie."""
    one, other = (scan.drawn(Label.LIVER, Label.TUMOR) for scan in (first, second))
    points = foreground_points(first.regions, one)
    size = points.shape[0] * voxel_mm3(first.regions)
    total = size + float(np.count_nonzero(other)) * voxel_mm3(second.regions)
    shared = values_at(second.regions, other, points[:: 1 + len(points) // _MOST_POINTS])
    return float(2 * shared.mean() * size / total)
