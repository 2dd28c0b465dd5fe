"""One patient from files to the prepared arrays: read, find the field of view, resample, scale."""

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from mtl_hcc.imaging import quality
from mtl_hcc.imaging.crop import crop_to_field
from mtl_hcc.imaging.grid import Grid
from mtl_hcc.imaging.intensity import clip_range, to_unit
from mtl_hcc.imaging.margin import margin_zone
from mtl_hcc.imaging.plausibility import check_plausible
from mtl_hcc.imaging.preparation import Preparation
from mtl_hcc.imaging.prepared_patient import PreparedPatient
from mtl_hcc.imaging.read_image import foreground_points
from mtl_hcc.imaging.region_statistics import region_statistics
from mtl_hcc.imaging.registration_quality import agreement_of_phases
from mtl_hcc.imaging.resample import sample_image, sample_mask
from mtl_hcc.imaging.scan import Scan, read_scans
from mtl_hcc.patient import Label, Patient, Region


def prepare_patient(patient: Patient, preparation: Preparation) -> PreparedPatient:
    """Return one patient's phases and region maps on the common grid.

    Args:
        patient: Where the files lie.
        preparation: The recipe.

    Raises:
        ImageError: A file cannot be used; the message names patient, phase, file and remedy.
    """
    scans, reference = read_scans(patient, preparation)
    plausible = check_plausible(scans, reference, preparation)
    grid, measured = _field_of_view(reference, preparation)
    count = len(preparation.phases)
    images = np.zeros((count, *grid.shape), dtype=np.float16)
    regions = np.zeros((count, *grid.shape), dtype=np.uint8)
    present = np.zeros(count, dtype=np.bool_)
    mapped: dict[int, NDArray[np.uint8]] = {}
    for scan in scans:
        index = preparation.phases.index(scan.place.phase)
        key = id(scan.regions)  # Phases that borrow a map need it only once.
        if key not in mapped:
            mapped[key] = region_map(scan, grid, preparation)
        regions[index], present[index] = mapped[key], True
        images[index], remarks = _scaled_image(scan, grid, regions[index], preparation)
        measured |= remarks
    bits = [regions[preparation.phases.index(scan.place.phase)] for scan in scans]
    measured |= agreement_of_phases(scans, bits)
    measured |= plausible | region_statistics(scans) | _remarks(scans, preparation)
    return PreparedPatient(
        patient_id=patient.patient_id,
        phases=tuple(preparation.phases),
        images=images,
        regions=regions,
        phase_present=present,
        geometry=grid,
        quality=measured,
    )


def region_map(scan: Scan, grid: Grid, preparation: Preparation) -> NDArray[np.uint8]:
    """Return the bits of :class:`mtl_hcc.patient.Region` on ``grid``, (depth, height, width)."""
    _, near = crop_to_field(scan.regions, scan.regions, grid, reach_mm=preparation.margin_mm)
    values = sitk.GetArrayViewFromImage(near)
    tumor_drawn = values == Label.TUMOR
    tumor = sample_mask(tumor_drawn, near, grid, between_slices=True)
    if not tumor.any():
        raise scan.place.error(
            f"the tumor vanishes at a voxel size of {preparation.spacing_mm:g} mm",
            expected="a tumor larger than a voxel, inside the field of view",
            remedy="Lower spacing_mm, or raise min_tumor_mm3 to leave such patients out.",
        )
    liver = tumor | sample_mask(tumor_drawn | (values == Label.LIVER), near, grid)
    bits = np.zeros(grid.shape, dtype=np.uint8)
    bits[liver] |= np.uint8(Region.LIVER)
    bits[tumor] |= np.uint8(Region.TUMOR)
    if (values == Label.LOAT).any():
        loat = sample_mask(values == Label.LOAT, near, grid, taken=liver)
        bits[loat] |= np.uint8(Region.LOAT)
    zone = margin_zone(tumor_drawn, near, grid, margin_mm=preparation.margin_mm)
    bits[zone] |= np.uint8(Region.MARGIN)
    return bits


def _field_of_view(
    reference: Scan, preparation: Preparation
) -> tuple[Grid, dict[str, float | str]]:
    """Return the common grid and the tumor's measurements, both from the reference phase.

    The cube is centered on all lesions where they fit, else on the largest one.
    """
    drawn, on = reference.drawn(Label.TUMOR), reference.regions
    lesions = quality.lesions(drawn, on, min_mm3=preparation.min_tumor_mm3)
    largest = lesions[0] if lesions else drawn
    if preparation.center_on == "liver":
        center, _ = _box_center(reference.drawn(Label.LIVER, Label.TUMOR), on)
    else:
        center, extent = _box_center(lesions.together() if lesions else drawn, on)
        if max(extent) > preparation.field_of_view_mm:
            center, _ = _box_center(largest, on)
    grid = Grid.around(
        center,
        field_of_view_mm=preparation.field_of_view_mm,
        spacing_mm=preparation.spacing_mm,
    )
    points = foreground_points(on, drawn)
    low, high = np.array(grid.box_mm).T
    size = quality.voxel_mm3(on)
    measured: dict[str, float | str] = {
        "tumor_volume_mm3": float(np.count_nonzero(drawn)) * size,
        "tumor_diameter_mm": quality.axial_diameter_mm(largest, on),
        "lesions": float(max(1, len(lesions))),
        "liver_volume_mm3": float(np.count_nonzero(reference.drawn(Label.LIVER, Label.TUMOR)))
        * size,
        "loat_volume_mm3": float(np.count_nonzero(reference.drawn(Label.LOAT))) * size,
        "tumor_inside_share": float(((points >= low) & (points <= high)).all(axis=1).mean()),
    }
    return grid, measured


def _box_center(
    mask: NDArray[np.bool_], on: sitk.Image
) -> tuple[tuple[float, float, float], list[float]]:
    """Return center (x, y, z) and extent in mm of a mask's bounding box."""
    middle, extent = [], []
    for axis in range(3):
        seen = np.flatnonzero(mask.any(axis=tuple(a for a in range(3) if a != 2 - axis)))
        middle.append(float(seen[0] + seen[-1]) / 2)
        extent.append(float(seen[-1] - seen[0] + 1) * on.GetSpacing()[axis])
    return on.TransformContinuousIndexToPhysicalPoint(middle), extent


def _scaled_image(
    scan: Scan, grid: Grid, regions: NDArray[np.uint8], preparation: Preparation
) -> tuple[NDArray[np.float16], dict[str, float | str]]:
    """Return one phase in [0, 1] and its intensities' measurements."""
    phase = scan.place.phase
    inside = scan.intensities()
    clip = clip_range(inside, preparation.clip_percentiles)
    if clip is None:
        raise scan.place.error(
            "the image is constant inside liver and tumor",
            expected="varying intensities",
            remedy="Check that image and label map belong together.",
        )
    near, _ = crop_to_field(scan.image, None, grid)
    image = to_unit(sample_image(near, grid), *clip)
    if preparation.background == "remove":
        image[regions == 0] = 0
    measured: dict[str, float | str] = {
        f"{phase}_clip_low": clip[0],
        f"{phase}_clip_high": clip[1],
        f"{phase}_liver_mean": float(inside.mean(dtype=np.float64)),
        f"{phase}_liver_min": float(inside.min()),
        f"{phase}_liver_max": float(inside.max()),
        f"{phase}_spacing_mm": " x ".join(f"{s:.3g}" for s in scan.image.GetSpacing()),
        f"{phase}_tumor_mm3": _prepared_mm3(regions, Region.TUMOR, grid),
        f"{phase}_margin_mm3": _prepared_mm3(regions, Region.MARGIN, grid),
        f"{phase}_liver_mm3": _prepared_mm3(regions, Region.LIVER, grid),
    }
    return image, measured


def _prepared_mm3(regions: NDArray[np.uint8], region: Region, grid: Grid) -> float:
    return float(np.count_nonzero(regions & region)) * grid.voxel_mm3


def _remarks(scans: list[Scan], preparation: Preparation) -> dict[str, float | str]:
    """Return what a reader of the quality report should know about this patient's phases."""
    found = [scan.place.phase for scan in scans]

    def listed(chosen: list[str]) -> str:
        return " ".join(chosen)

    return {
        "missing_phases": listed([p for p in preparation.phases if p not in found]),
        "map_borrowed": listed([s.place.phase for s in scans if not s.own_map]),
        "mask_resampled": listed(
            [s.place.phase for s in scans if s.resampled and (s.own_map or not s.registered)]
        ),
    }
