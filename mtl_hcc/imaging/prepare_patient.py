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
from mtl_hcc.imaging.region_statistics import region_statistics
from mtl_hcc.imaging.registration_quality import agreement_of_phases
from mtl_hcc.imaging.resample import sample_image, sample_mask
from mtl_hcc.imaging.scan import Scan, read_scans
from mtl_hcc.imaging.view import View
from mtl_hcc.imaging.view_grid import FieldOfView, field_of_view, inside_share
from mtl_hcc.patient import Patient
from mtl_hcc.regions import Label, Region

Measured = dict[str, float | str]
_BEYOND_VOXELS = 3
"""So much more of a drawing is kept than a zone reaches, or the cut would count as its surface."""


def prepare_patient(patient: Patient, preparation: Preparation) -> PreparedPatient:
    """Return one patient's phases and region maps on the grid of each view.

    Files are read, registered and checked once for all views. What is measured in a view has the
    view's name before its own where there are several; what is measured on the files never has.

    Args:
        patient: Where the files lie.
        preparation: The recipe.

    Raises:
        ImageError: A file cannot be used; the message names patient, phase, file and remedy.
    """
    scans, reference = read_scans(patient, preparation)
    plausible = check_plausible(scans, reference, preparation)
    drawn, on = reference.drawn(Label.TUMOR), reference.regions
    lesions = quality.lesions(drawn, on, min_mm3=preparation.min_tumor_mm3)
    measured = _measured_regions(reference, lesions)
    inside = {scan.place.phase: scan.intensities() for scan in scans}
    for scan in scans:
        measured |= _measured_scan(scan, inside[scan.place.phase])
    views: dict[str, PreparedView] = {}
    for name, view in preparation.views.items():
        shown = [scan for scan in scans if scan.place.phase in view.phases]
        shown.sort(key=lambda scan: view.phases.index(scan.place.phase))
        field = field_of_view(shown, reference, lesions, view)
        views[name], found = _prepare_view(shown, inside, field, view, preparation)
        found |= _measured_field(reference, field, view)
        several = len(preparation.views) > 1
        measured |= {f"{name}_{key}" if several else key: value for key, value in found.items()}
    measured |= agreement_of_phases(scans, views)
    measured |= plausible | region_statistics(scans) | _remarks(scans, preparation)
    return PreparedPatient(patient_id=patient.patient_id, views=views, quality=measured)


def _prepare_view(
    scans: list[Scan],
    inside: dict[str, NDArray[np.generic]],
    field: FieldOfView,
    view: View,
    preparation: Preparation,
) -> tuple[PreparedView, Measured]:
    """Return the phases of one view on its grid, and what was measured there.

    Args:
        scans: The phases that the view shows.
        inside: Phase to its intensities inside liver and tumor.
        field: Where the view lies.
        view: The recipe of the view.
        preparation: The whole recipe.
    """
    grid, measured = field.prepared, Measured()
    count = len(view.phases)
    images = np.zeros((count, *grid.shape), dtype=np.float16)
    regions = np.zeros((count, *grid.shape), dtype=np.uint8)
    present = np.zeros(count, dtype=np.bool_)
    mapped: dict[int, NDArray[np.uint8]] = {}
    for scan in scans:
        phase = scan.place.phase
        index = view.phases.index(phase)
        key = id(scan.regions)  # Phases that borrow a map need it only once.
        if key not in mapped:
            mapped[key] = region_map(scan, grid, preparation)
            _check_tumor(scan, mapped[key], field, view)
        regions[index], present[index] = mapped[key], True
        images[index], clip = _scaled_image(scan, grid, inside[phase], view)
        if view.keep != "everything":
            kept = _kept(scan, mapped[key], field, view, preparation)
            images[index][~kept] = 0
        measured |= {f"{phase}_clip_low": clip[0], f"{phase}_clip_high": clip[1]}
        measured |= {
            f"{phase}_{region.name.lower()}_mm3": _prepared_mm3(mapped[key], region, grid)
            for region in (Region.TUMOR, Region.MARGIN, Region.LIVER)
            if region.name is not None
        }
    return PreparedView(tuple(view.phases), images, regions, present, grid), measured


def region_map(scan: Scan, grid: Grid, preparation: Preparation) -> NDArray[np.uint8]:
    """Return the bits of all regions on ``grid``, (depth, height, width)."""
    reach = max((zone.reach_mm for zone in preparation.zones.values()), default=0.0)
    _, near = crop_to_field(scan.regions, scan.regions, grid, reach_mm=reach)
    values = sitk.GetArrayViewFromImage(near)
    tumor_drawn = values == Label.TUMOR
    tumor = sample_mask(tumor_drawn, near, grid, between_slices=True)
    liver = tumor | sample_mask(tumor_drawn | (values == Label.LIVER), near, grid)
    of = preparation.region_bits
    bits = np.zeros(grid.shape, dtype=np.uint8)
    bits[liver] |= np.uint8(of["liver"])
    bits[tumor] |= np.uint8(of["tumor"])
    if (values == Label.LOAT).any():
        loat = sample_mask(values == Label.LOAT, near, grid, taken=liver)
        bits[loat] |= np.uint8(of["loat"])
    reach += _BEYOND_VOXELS * max(*grid.spacing, *scan.regions.GetSpacing())
    _, near = crop_to_field(scan.regions, scan.regions, grid, reach_mm=reach)
    tumor_drawn = sitk.GetArrayViewFromImage(near) == Label.TUMOR
    for name, zone in preparation.zones.items():
        found = zone_around(tumor_drawn, near, grid, zone, tumor=tumor, liver=liver)
        bits[found] |= np.uint8(of[name])
    return bits


def _check_tumor(scan: Scan, regions: NDArray[np.uint8], field: FieldOfView, view: View) -> None:
    """Refuse a patient whose tumor the network would not see; LOAT may lie where no tumor is."""
    if view.center_on == "loat" or (regions[field.middle] & Region.TUMOR).any():
        return
    raise scan.place.error(
        f"the tumor vanishes at a voxel size of {_printed(field.seen.spacing)} mm",
        expected="a tumor larger than a voxel, inside the field of view",
        remedy="Lower spacing_mm, or raise min_tumor_mm3 to leave such patients out.",
    )


def _kept(
    scan: Scan,
    regions: NDArray[np.uint8],
    field: FieldOfView,
    view: View,
    preparation: Preparation,
) -> NDArray[np.bool_]:
    """Return which voxels are not set to zero, or say that the view would be empty."""
    if not isinstance(view.keep, list):
        return regions > 0
    bits = preparation.region_bits
    kept = np.asarray((regions & np.uint8(sum(bits[name] for name in view.keep))) > 0)
    if kept[field.middle].any():
        return kept
    raise scan.place.error(
        f"nothing of {', '.join(view.keep)} in the field of view: the image would be empty",
        expected="what keep names of a view's regions",
        remedy="Draw it, enlarge field_of_view_mm, or keep more regions.",
    )


def _measured_regions(reference: Scan, lesions: quality.Lesions) -> Measured:
    """Return volumes and diameters of what is drawn on the reference phase."""
    drawn, on = reference.drawn(Label.TUMOR), reference.regions
    size = quality.voxel_mm3(on)
    return {
        "tumor_volume_mm3": float(np.count_nonzero(drawn)) * size,
        "tumor_diameter_mm": quality.axial_diameter_mm(lesions[0] if lesions else drawn, on),
        "lesions": float(max(1, len(lesions))),
        "liver_volume_mm3": float(np.count_nonzero(reference.drawn(Label.LIVER, Label.TUMOR)))
        * size,
        "loat_volume_mm3": float(np.count_nonzero(reference.drawn(Label.LOAT))) * size,
    }


def _measured_scan(scan: Scan, inside: NDArray[np.generic]) -> Measured:
    """Return what a phase measures on its own grid, whatever the views make of it."""
    phase = scan.place.phase
    if not inside.size:
        return {}  # The intensity scaling refuses it.
    return {
        f"{phase}_liver_mean": float(inside.mean(dtype=np.float64)),
        f"{phase}_liver_min": float(inside.min()),
        f"{phase}_liver_max": float(inside.max()),
        f"{phase}_spacing_mm": " x ".join(f"{s:.3g}" for s in scan.image.GetSpacing()),
    }


def _measured_field(reference: Scan, field: FieldOfView, view: View) -> Measured:
    """Return the shares of tumor and center that the network sees and that are prepared."""
    regions = (
        ["loat"] if view.center_on == "loat" else list(dict.fromkeys(("tumor", view.center_on)))
    )
    measured: Measured = {}
    for region in regions:
        measured[f"{region}_inside_share"] = inside_share(reference, region, field.seen)
        if field.prepared != field.seen:
            share = inside_share(reference, region, field.prepared)
            measured[f"{region}_prepared_share"] = share
    if field.slices_of:
        oblique = f"{field.slices_of} is tilted by {field.oblique:.1f} degrees"
        measured["slices_of"] = field.slices_of
        measured["slices_interpolated"] = oblique if field.oblique else ""
    return measured


def _scaled_image(
    scan: Scan, grid: Grid, inside: NDArray[np.generic], view: View
) -> tuple[NDArray[np.float16], tuple[float, float]]:
    """Return one phase in [0, 1], and the intensities that became 0 and 1."""
    clip = view.intensity.range_of(inside)
    if clip is None:
        raise scan.place.error(
            "the image is constant inside liver and tumor",
            expected="varying intensities",
            remedy="Check that image and label map belong together.",
        )
    near, _ = crop_to_field(scan.image, None, grid)
    return to_unit(sample_image(near, grid), *clip), clip


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
