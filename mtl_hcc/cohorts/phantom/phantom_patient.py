"""One phantom patient: from the latents to the images and label maps of the three phases."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from mtl_hcc.cohorts.phantom.anatomy import ENHANCEMENT, Anatomy, build_anatomy, tissue_layers
from mtl_hcc.cohorts.phantom.lesion import Appearance, Bumps, Tumor, paint_tumor
from mtl_hcc.cohorts.phantom.satellites import LesionShapes
from mtl_hcc.cohorts.phantom.scanner import PLAIN_SCANNERS, SCANNERS, BreathHold, Scanner
from mtl_hcc.cohorts.phantom.settings import PhantomSettings
from mtl_hcc.cohorts.phantom.space import FineGrid, Voxels, filled
from mtl_hcc.patient import CT_PHASES
from mtl_hcc.regions import Label

BREATHING_MM = (0.7, 0.7, 1.3)
"""Standard deviation of the movement between phases along x, y, z; at most 3 mm each."""
LIVER_DRAWING_MM = 0.6
ORDINARY_MM = 98.0
GROWTH = 0.75
"""A tumor beyond ``ORDINARY_MM`` grows in a body that is larger by this power of the excess."""
NODULE_HU = (4.0, 12.0, 12.0)
"""Texture of a fully nodular liver in the arterial, portal venous and delayed phase."""
DICE_PER_RELATIVE_ERROR = 1.25
"""Dice lost per standard deviation of the drawn radius, relative to the radius (measured)."""


@dataclass(frozen=True)
class PhantomScan:
    """One phase of a patient.

    Attributes:
        image: HU, (depth, height, width).
        regions: Labels as drawn, same shape.
        true_regions: Labels without drawing error, same shape.
        spacing: Voxel size along (x, y, z) in mm.
        origin: Place of the first voxel, (x, y, z) in mm.
    """

    image: npt.NDArray[np.int16]
    regions: npt.NDArray[np.uint8]
    true_regions: npt.NDArray[np.uint8]
    spacing: tuple[float, float, float]
    origin: tuple[float, float, float]


def scan_patient(
    latents: Mapping[str, float],
    center: str,
    settings: PhantomSettings,
    rng: np.random.Generator,
) -> dict[str, PhantomScan]:
    """Build a patient with these latents and scan the three phases at a center.

    Args:
        latents: Values of ``latents.LATENTS``.
        center: Center, which decides on the scanner.
        settings: Mask error and contrast.
        rng: Source of everything that the latents leave open.

    Returns:
        Phase to its scan, in the order of ``CT_PHASES``.
    """
    # Who has a very large tumor is built too small, and scanned by a scanner that is smaller, too.
    scale = max(latents["diameter_mm"] / ORDINARY_MM, 1.0) ** GROWTH
    grid = FineGrid.fine()
    anatomy = build_anatomy(
        grid,
        nodularity=latents["nodularity"],
        loat_area_mm2=latents["loat_area_mm2"] / scale**2,
        rng=rng,
    )
    diameter = latents["diameter_mm"] / scale
    tumor = Tumor.draw(grid, anatomy.liver, diameter, latents["irregularity"], rng)
    # A source of its own, so that satellites change nothing else of the patient.
    (own,) = rng.spawn(1)
    lesions = LesionShapes.grow(grid, anatomy, tumor, int(latents["satellites"]), own)
    distance, around = lesions.distance(), lesions.surroundings(grid)
    layers = tissue_layers(grid, anatomy, rng)
    look = Appearance(
        capsule=latents["capsule"],
        hyperenhancement=latents["hyperenhancement"],
        washout=latents["washout"],
        necrosis=latents["necrosis"],
        corona=latents["corona"],
        infiltration=latents["infiltration"],
    )
    scanner = (PLAIN_SCANNERS if settings.cases == "plain" else SCANNERS)[center]
    filling = scanner.late_arterial + float(rng.uniform(-0.05, 0.05))
    enhancement = _enhancement(filling, rng)
    scans = {}
    for phase, name in enumerate(CT_PHASES):
        tissue_hu = {tissue: values[phase] for tissue, values in enhancement.items()}
        hu = _paint(grid, layers, tissue_hu)
        nodular = NODULE_HU[phase] * latents["nodularity"] * settings.contrast
        hu += (2 + nodular) * anatomy.nodules * filled(anatomy.liver + 2)
        hu[around] = paint_tumor(
            hu[around],
            tissue_hu["liver"],
            phase,
            distance[around],
            tumor,
            look,
            anatomy.nodules[around],
            contrast=settings.contrast,
        )
        shift = np.clip(rng.normal(0, BREATHING_MM), -3, 3) * (name != "portal_venous") / scale
        scans[name] = _scan(hu, lesions, anatomy, scanner, scale, shift, settings, rng)
    return scans


def _enhancement(filling: float, rng: np.random.Generator) -> dict[str, tuple[float, ...]]:
    """Return the HU of each tissue and phase for this patient's circulation and bolus timing."""
    strength = float(rng.normal(1.0, 0.05))
    own = {}
    for tissue, (arterial, portal, delayed) in ENHANCEMENT.items():
        early = arterial + max(filling, 0.0) * (portal - arterial)
        values = np.array([early, portal, delayed])
        own[tissue] = tuple(values * strength if tissue not in ("air", "fat") else values)
    return own


def _paint(grid: FineGrid, layers: list[tuple[str, Voxels]], hu: Mapping[str, float]) -> Voxels:
    """Paint the tissues over each other, later ones on top."""
    painted: Voxels = np.full((1, *grid.shape[1:]), hu["air"], dtype=np.float32)
    for tissue, share in layers:
        painted = painted + share * (np.float32(hu[tissue]) - painted)
    return painted


def _scan(
    hu: Voxels,
    lesions: LesionShapes,
    anatomy: Anatomy,
    scanner: Scanner,
    scale: float,
    shift: npt.NDArray[np.float64],
    settings: PhantomSettings,
    rng: np.random.Generator,
) -> PhantomScan:
    acquisition = BreathHold.of(scanner.seen_at(scale), shift)
    image = acquisition.image(hu, rng)
    main_surface = acquisition.sample(np.clip(lesions.of_tumor, -30, 30))
    tumor_surface = main_surface
    liver_surface = acquisition.sample(np.clip(anatomy.liver, -30, 30))
    loat_surface = acquisition.sample(np.clip(anatomy.loat, -30, 30))
    drawn = main_surface + _drawing_error(
        acquisition, main_surface, lesions.tumor, shift, settings.mask_dice, rng
    )
    for satellite, of_satellite in zip(lesions.satellites, lesions.of_satellites, strict=True):
        surface = acquisition.sample(np.clip(of_satellite, -30, 30))
        tumor_surface = np.minimum(tumor_surface, surface)
        wrong = (1 - settings.mask_dice) / DICE_PER_RELATIVE_ERROR * satellite.radius
        drawn = np.minimum(drawn, surface + np.float32(lesions.rng.normal(0, wrong)))
    truth = _labels(liver_surface, tumor_surface, loat_surface)
    liver_drawn = np.minimum(
        liver_surface + np.float32(rng.normal(0, LIVER_DRAWING_MM)), tumor_surface
    )
    regions = _labels(liver_drawn, drawn, loat_surface)
    x, y, z = acquisition.coordinates()
    return PhantomScan(
        image=image,
        regions=regions,
        true_regions=truth,
        spacing=(scanner.pixel_mm, scanner.pixel_mm, scanner.thickness_mm),
        origin=(float(x[0] * scale), float(y[0] * scale), float(z[0] * scale)),
    )


def _labels(liver: Voxels, tumor: Voxels, loat: Voxels) -> npt.NDArray[np.uint8]:
    regions = np.zeros(liver.shape, dtype=np.uint8)
    regions[loat < 0] = Label.LOAT
    regions[liver < 0] = Label.LIVER
    regions[tumor < 0] = Label.TUMOR
    return regions


def _drawing_error(
    acquisition: BreathHold,
    surface: Voxels,
    tumor: Tumor,
    shift: npt.NDArray[np.float64],
    dice: float,
    rng: np.random.Generator,
) -> Voxels:
    """Return by how many mm the reader draws the tumor too small (or too large, below 0)."""
    error = np.zeros(surface.shape, dtype=np.float32)
    relative = (1 - dice) / DICE_PER_RELATIVE_ERROR
    if relative <= 0:
        return error
    spread = np.float32(relative * tumor.radius)
    near = np.nonzero(np.abs(surface) < 4 * spread)
    x, y, z = (
        axis[index] - np.float32(middle + moved)
        for axis, index, middle, moved in zip(
            acquisition.coordinates(), near[::-1], tumor.center, shift, strict=True
        )
    )
    radius = np.maximum(np.sqrt(x**2 + y**2 + z**2), 1e-3)
    bumps = Bumps.draw(rng, frequency=4.0)
    error[near] = spread * np.clip(bumps.at(x / radius, y / radius, z / radius), -2.5, 2.5)
    return error
