"""One patient from files to the prepared arrays: read, find the field of view, resample, scale."""

import numpy as np
import SimpleITK as sitk  # noqa: N813
from numpy.typing import NDArray

from mtl_hcc.imaging import quality
from mtl_hcc.imaging.crop import crop_to_field
from mtl_hcc.imaging.grid import Grid
from mtl_hcc.imaging.intensity import to_unit
from mtl_hcc.imaging.margin import zone_around
from mtl_hcc.imaging.plausibility import check_plausible
from mtl_hcc.imaging.preparation import Preparation
from mtl_hcc.imaging.prepared_patient import PreparedPatient, PreparedView
from mtl_hcc.imaging.read_image import foreground_points
from mtl_hcc.imaging.region_statistics import region_statistics
from mtl_hcc.imaging.registration_quality import agreement_of_phases
from mtl_hcc.imaging.resample import sample_image, sample_mask
from mtl_hcc.imaging.scan import Scan, read_scans
from mtl_hcc.imaging.view import View
from mtl_hcc.patient import Patient
from mtl_hcc.regions import Label, Region

Measured = dict[str, float | str]


def prepare_patient(patient: Patient, preparation: Preparation) -> PreparedPatient:
    """Return one patient's phases and region maps on the grid of each view.

    Args:
        patient: Where the files lie.
        preparation: The recipe.

    Raises:
        ImageError: A file cannot be used; the message names patient, phase, file and remedy.
    """
    scans, reference = read_scans(patient, preparation)
    plausible = check_plausible(scans, reference, preparation)
    measured = _measured_regions(reference, preparation)
    views: dict[str, PreparedView] = {}
    for name, view in preparation.views.items():
        shown = [scan for scan in scans if scan.place.phase in view.phases]
        views[name], found = _prepare_view(shown, reference, view, preparation)
        several = len(preparation.views) > 1
        measured |= {f"{name}_{key}" if several else key: value for key, value in found.items()}
    measured |= agreement_of_phases(scans, preparation.views, views)
    measured |= plausible | region_statistics(scans) | _remarks(scans, preparation)
    return PreparedPatient(patient_id=patient.patient_id, views=views, quality=measured)


def _prepare_view(
    scans: list[Scan], reference: Scan, view: View, preparation: Preparation
) -> tuple[PreparedView, Measured]:
    """Return the phases of one view on its grid, and what was measured there."""
    grid = view_grid(reference, view, preparation)
    measured: Measured = {"tumor_inside_share": _inside_share(reference, grid)}
    count = len(view.phases)
    images = np.zeros((count, *grid.shape), dtype=np.float16)
    regions = np.zeros((count, *grid.shape), dtype=np.uint8)
    present = np.zeros(count, dtype=np.bool_)
    mapped: dict[int, NDArray[np.uint8]] = {}
    for scan in scans:
        index = view.phases.index(scan.place.phase)
        key = id(scan.regions)  # Phases that borrow a map need it only once.
        if key not in mapped:
            mapped[key] = region_map(scan, grid, preparation)
        regions[index], present[index] = mapped[key], True
        images[index], found = _scaled_image(scan, grid, regions[index], view, preparation)
        measured |= found
    return PreparedView(tuple(view.phases), images, regions, present, grid), measured


def region_map(scan: Scan, grid: Grid, preparation: Preparation) -> NDArray[np.uint8]:
    """Return the bits of all regions on ``grid``, (depth, height, width)."""
    reach = max((zone.reach_mm for zone in preparation.zones.values()), default=0.0)
    _, near = crop_to_field(scan.regions, scan.regions, grid, reach_mm=reach)
    values = sitk.GetArrayViewFromImage(near)
    tumor_drawn = values == Label.TUMOR
    tumor = sample_mask(tumor_drawn, near, grid, between_slices=True)
    if not tumor.any():
        raise scan.place.error(
            f"the tumor vanishes at a voxel size of {_printed(grid.spacing)} mm",
            expected="a tumor larger than a voxel, inside the field of view",
            remedy="Lower spacing_mm, or raise min_tumor_mm3 to leave such patients out.",
        )
    liver = tumor | sample_mask(tumor_drawn | (values == Label.LIVER), near, grid)
    of = preparation.region_bits
    bits = np.zeros(grid.shape, dtype=np.uint8)
    bits[liver] |= np.uint8(of["liver"])
    bits[tumor] |= np.uint8(of["tumor"])
    if (values == Label.LOAT).any():
        loat = sample_mask(values == Label.LOAT, near, grid, taken=liver)
        bits[loat] |= np.uint8(of["loat"])
    for name, zone in preparation.zones.items():
        found = zone_around(tumor_drawn, near, grid, zone, tumor=tumor, liver=liver)
        bits[found] |= np.uint8(of[name])
    return bits


def view_grid(reference: Scan, view: View, preparation: Preparation) -> Grid:
    """Return the grid of a view in one patient, from the reference phase.

    The field is centered on all lesions where they fit, else on the largest one.
    """
    on = reference.regions
    x, y, z = view.spacing
    spacing = (x or 1.0, y or 1.0, float(on.GetSpacing()[2]) if z is None else z)
    if view.center_on == "tumor":
        drawn = reference.drawn(Label.TUMOR)
        lesions = quality.lesions(drawn, on, min_mm3=preparation.min_tumor_mm3)
        center, extent = _box_center(lesions.together() if lesions else drawn, on)
        if any(e > f for e, f in zip(extent, view.seen_mm, strict=True)):
            center, _ = _box_center(lesions[0] if lesions else drawn, on)
    else:
        labels = (Label.LIVER, Label.TUMOR) if view.center_on == "liver" else (Label.LOAT,)
        center, _ = _box_center(reference.drawn(*labels), on)
    return Grid.around(center, field_mm=view.field_mm, spacing_mm=spacing)


def _measured_regions(reference: Scan, preparation: Preparation) -> Measured:
    """Return volumes and diameters of what is drawn on the reference phase."""
    drawn, on = reference.drawn(Label.TUMOR), reference.regions
    lesions = quality.lesions(drawn, on, min_mm3=preparation.min_tumor_mm3)
    size = quality.voxel_mm3(on)
    return {
        "tumor_volume_mm3": float(np.count_nonzero(drawn)) * size,
        "tumor_diameter_mm": quality.axial_diameter_mm(lesions[0] if lesions else drawn, on),
        "lesions": float(max(1, len(lesions))),
        "liver_volume_mm3": float(np.count_nonzero(reference.drawn(Label.LIVER, Label.TUMOR)))
        * size,
        "loat_volume_mm3": float(np.count_nonzero(reference.drawn(Label.LOAT))) * size,
    }


def _inside_share(reference: Scan, grid: Grid) -> float:
    """Return the share of the tumor that lies inside the prepared field."""
    points = foreground_points(reference.regions, reference.drawn(Label.TUMOR))
    low, high = np.array(grid.box_mm).T
    return float(((points >= low) & (points <= high)).all(axis=1).mean())


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
    scan: Scan, grid: Grid, regions: NDArray[np.uint8], view: View, preparation: Preparation
) -> tuple[NDArray[np.float16], Measured]:
    """Return one phase in [0, 1] and its intensities' measurements."""
    phase = scan.place.phase
    inside = scan.intensities()
    clip = view.intensity.range_of(inside)
    if clip is None:
        raise scan.place.error(
            "the image is constant inside liver and tumor",
            expected="varying intensities",
            remedy="Check that image and label map belong together.",
        )
    near, _ = crop_to_field(scan.image, None, grid)
    image = to_unit(sample_image(near, grid), *clip)
    if view.keep != "everything":
        bits = preparation.region_bits
        names = bits if view.keep == "regions" else view.keep
        image[(regions & np.uint8(sum(bits[name] for name in names))) == 0] = 0
    measured: Measured = {
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


def _printed(spacing: tuple[float, float, float]) -> str:
    """Return a voxel size as one number where it is the same along all axes."""
    same = len(set(spacing)) == 1
    return f"{spacing[0]:g}" if same else " x ".join(f"{edge:g}" for edge in spacing)


def _remarks(scans: list[Scan], preparation: Preparation) -> Measured:
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
