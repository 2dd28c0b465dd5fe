"""The phantom's images: every latent can be measured where it should be seen."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import ndimage

from mtl_hcc.cohorts.phantom import PhantomSettings
from mtl_hcc.cohorts.phantom.case_mix import PLAIN
from mtl_hcc.cohorts.phantom.latents import LATENTS, draw_latents, draw_luck
from mtl_hcc.cohorts.phantom.lesion import Bumps
from mtl_hcc.cohorts.phantom.phantom_patient import PhantomScan, scan_patient
from mtl_hcc.cohorts.phantom.scanner import PLAIN_SCANNERS, SCANNERS, BreathHold
from mtl_hcc.cohorts.phantom.space import FineGrid, ellipsoid, filled
from mtl_hcc.patient import CT_PHASES
from mtl_hcc.regions import Label

PATIENTS = 14


@pytest.fixture(scope="module")
def latents() -> pd.DataFrame:
    drawn = draw_latents(draw_luck([np.random.default_rng(7)] * PATIENTS), PLAIN)
    drawn["diameter_mm"] = np.linspace(44, 80, PATIENTS)  # room for shells of several voxels
    return drawn


@pytest.fixture(scope="module")
def scans(latents) -> list[dict[str, PhantomScan]]:
    settings = PhantomSettings()
    return [
        scan_patient(row, "I", settings, np.random.default_rng(number))
        for number, row in enumerate(latents.to_dict("records"))
    ]


def millimeters(scan: PhantomScan) -> tuple[float, ...]:
    return scan.spacing[::-1]


def distance_to_tumor(scan: PhantomScan) -> np.ndarray:
    """Signed distance to the true tumor surface in mm, negative inside."""
    tumor, spacing = scan.true_regions == Label.TUMOR, millimeters(scan)
    outside = ndimage.distance_transform_edt(~tumor, sampling=spacing)
    return outside - ndimage.distance_transform_edt(tumor, sampling=spacing)


def contrasts(scan: PhantomScan, radius: float) -> dict[str, float]:
    """Mean HU over the liver, in zones around the true tumor surface."""
    away = distance_to_tumor(scan)
    liver = scan.true_regions == Label.LIVER
    hu = scan.image.astype(float)
    background = np.median(hu[liver & (away > 14)])
    smooth = ndimage.gaussian_filter(hu, [1.5 / mm for mm in millimeters(scan)])
    far = smooth[liver & (away > 14)]
    ring = liver & (away > 3) & (away < 8)
    return {
        "ring": float(np.median(hu[ring]) - background),
        "viable": float(hu[(away < -2.5) & (away > -0.25 * radius)].mean() - background),
        "surface": float(hu[np.abs(away) < 2.2].mean() - background),
        "dead": float((smooth[away < 0] < background - 20).mean()),
        "texture": float(np.subtract(*np.percentile(far, [75, 25]))),
    }


@pytest.fixture(scope="module")
def measured(latents, scans) -> dict[str, pd.DataFrame]:
    return {
        phase: pd.DataFrame(
            [
                contrasts(of[phase], diameter / 2)
                for of, diameter in zip(scans, latents["diameter_mm"], strict=True)
            ]
        )
        for phase in CT_PHASES
    }


@pytest.mark.parametrize(
    ("latent", "phase", "zone", "direction"),
    [
        ("corona", "arterial", "ring", 1),
        ("hyperenhancement", "arterial", "viable", 1),
        ("washout", "portal_venous", "viable", -1),
        ("necrosis", "arterial", "dead", 1),
        ("nodularity", "delayed", "texture", 1),
    ],
)
def test_a_latent_can_be_read_off_its_phase(latents, measured, latent, phase, zone, direction):
    correlation = np.corrcoef(latents[latent], measured[phase][zone])[0, 1]
    assert direction * correlation > 0.9


def test_the_capsule_brightens_the_surface_of_the_portal_venous_tumor(latents, measured):
    seen = measured["portal_venous"]
    correlation = np.corrcoef(latents["capsule"], seen["surface"] - seen["viable"] / 2)[0, 1]
    assert correlation > 0.9


def test_washout_is_weaker_in_the_delayed_phase_and_the_corona_only_arterial(latents, measured):
    def slope(latent, phase, zone):
        return np.polyfit(latents[latent], measured[phase][zone], 1)[0]

    assert slope("washout", "portal_venous", "viable") < -25
    assert -25 < slope("washout", "delayed", "viable") < -3
    assert slope("corona", "arterial", "ring") > 30
    assert abs(slope("corona", "portal_venous", "ring")) < 6


def test_region_volumes_match_the_true_diameter_and_fat_area(latents, scans):
    for of, true in zip(scans, latents.to_dict("records"), strict=True):
        scan = of["portal_venous"]
        volume = (scan.true_regions == Label.TUMOR).sum() * np.prod(scan.spacing)
        assert (6 * volume / np.pi) ** (1 / 3) == pytest.approx(true["diameter_mm"], rel=0.03)
        areas = (scan.true_regions == Label.LOAT).sum(axis=(1, 2)) * np.prod(scan.spacing[:2])
        assert areas.max() == pytest.approx(true["loat_area_mm2"], rel=0.08)


def test_irregular_tumors_have_more_surface_for_their_volume(latents, scans):
    spread = []
    for of in scans:
        scan = of["portal_venous"]
        tumor = scan.true_regions == Label.TUMOR
        edge = np.argwhere(tumor & ~ndimage.binary_erosion(tumor))
        radii = np.linalg.norm((edge - np.argwhere(tumor).mean(0)) * millimeters(scan), axis=1)
        spread.append(radii.std() / radii.mean())
    assert np.corrcoef(latents["irregularity"], spread)[0, 1] > 0.9


def test_drawn_tumors_overlap_the_true_ones_with_the_stated_dice(scans):
    def dice(scan):
        drawn, true = scan.regions == Label.TUMOR, scan.true_regions == Label.TUMOR
        return 2 * (drawn & true).sum() / (drawn.sum() + true.sum())

    overlaps = [dice(scan) for of in scans for scan in of.values()]
    assert np.mean(overlaps) == pytest.approx(0.93, abs=0.015)
    assert min(overlaps) > 0.87


def test_livers_are_of_human_size_and_overlap_between_phases(scans):
    for of in scans:
        livers = [np.isin(of[phase].regions, (Label.LIVER, Label.TUMOR)) for phase in CT_PHASES]
        volume = livers[0].sum() * np.prod(of["arterial"].spacing) / 1000
        assert 900 < volume < 2300  # ml
        for other in livers[1:]:
            overlap = 2 * (livers[0] & other).sum() / (livers[0].sum() + other.sum())
            assert 0.9 < overlap < 1.0


def test_all_labels_are_drawn_and_all_values_are_hu(scans):
    for of in scans:
        for scan in of.values():
            assert set(np.unique(scan.regions)) == set(Label)
            assert scan.image.dtype == np.int16
            assert scan.image.min() >= -1024
            liver = np.median(scan.image[scan.true_regions == Label.LIVER])
            assert 45 < liver < 135


def test_vessels_and_aorta_enhance_in_the_right_order(scans):
    for of in scans:
        brightest = {phase: np.percentile(of[phase].image, 99.8) for phase in CT_PHASES}
        assert brightest["arterial"] > brightest["portal_venous"]
        livers = [
            np.median(of[phase].image[of[phase].true_regions == Label.LIVER]) for phase in CT_PHASES
        ]
        assert livers[0] < livers[2] < livers[1]


@pytest.fixture(scope="module")
def middle() -> dict[str, float]:
    half = dict.fromkeys(LATENTS, 0.5)
    plain = {"satellites": 0, "infiltration": 0.0}
    return {**half, **plain, "diameter_mm": 45.0, "loat_area_mm2": 900.0, "afp_ng_ml": 20.0}


def test_contrast_zero_hides_the_tumor_but_not_its_outline(middle):
    hidden = scan_patient(middle, "I", PhantomSettings(contrast=0), np.random.default_rng(1))
    shown = scan_patient(middle, "I", PhantomSettings(), np.random.default_rng(1))
    for phase in CT_PHASES:
        assert (hidden[phase].regions == shown[phase].regions).all()
        tumor = hidden[phase].true_regions == Label.TUMOR
        liver = hidden[phase].true_regions == Label.LIVER
        gap = hidden[phase].image[tumor].mean() - np.median(hidden[phase].image[liver])
        assert abs(gap) < 4


def test_a_perfect_reader_draws_the_true_tumor(middle):
    scans = scan_patient(middle, "VI", PhantomSettings(mask_dice=1), np.random.default_rng(2))
    for scan in scans.values():
        assert ((scan.regions == Label.TUMOR) == (scan.true_regions == Label.TUMOR)).all()


def test_the_external_scanner_has_thick_slices_and_an_offset(middle):
    scan = scan_patient(middle, "VI", PhantomSettings(), np.random.default_rng(3))["delayed"]
    assert scan.spacing == (1.6, 1.6, 4.0)
    assert scan.image.shape == (38, 122, 165)
    assert scan.origin == pytest.approx((-131.2, -96.8, -74.0))


def test_the_external_scanner_is_clearly_noisier_slice_by_slice():
    def spread(scanner, scale=1.0):
        flat = np.full(FineGrid.fine().shape, 50.0, dtype=np.float32)
        acquisition = BreathHold.of(scanner.seen_at(scale), np.zeros(3))
        return acquisition.image(flat, np.random.default_rng(0)).std()

    assert spread(SCANNERS["I"]) == pytest.approx(8.05, rel=0.02)
    assert spread(SCANNERS["VI"]) == pytest.approx(14.14, rel=0.02)
    assert spread(SCANNERS["VI"], scale=1.4) == pytest.approx(14.14, rel=0.02)
    assert spread(PLAIN_SCANNERS["VI"]) == pytest.approx(9.19, rel=0.02)


def test_satellites_are_labelled_near_the_tumor_inside_the_liver_and_look_like_it(middle):
    some = {**middle, "satellites": 3, "washout": 1.0, "capsule": 0.0, "necrosis": 0.0}
    for seed in range(3):
        made = [
            scan_patient(row, "I", PhantomSettings(), np.random.default_rng(seed))["portal_venous"]
            for row in (some, {**some, "satellites": 0})
        ]
        for regions in ("true_regions", "regions"):
            tumor = getattr(made[0], regions) == Label.TUMOR
            parts, number = ndimage.label(tumor)
            assert number == 4
            volumes = ndimage.sum(tumor, parts, range(1, 5)) * np.prod(made[0].spacing)
            diameters = np.sort((6 * volumes / np.pi) ** (1 / 3))
            assert diameters[-1] == pytest.approx(45, rel=0.08)
            assert (diameters[:3] > 6).all()
            assert (diameters[:3] < 17).all()
        scan, alone = made
        satellites = (scan.true_regions == Label.TUMOR) & (alone.true_regions != Label.TUMOR)
        liver = np.median(scan.image[scan.true_regions == Label.LIVER])
        assert scan.image[satellites].mean() < liver - 25
        assert distance_to_tumor(alone)[satellites].max() < 35
        covered = ndimage.binary_dilation(satellites) & ~satellites
        assert np.isin(scan.true_regions[covered], (Label.LIVER, Label.TUMOR)).mean() > 0.97
        assert (scan.image == alone.image)[distance_to_tumor(alone) > 45].all()


def test_an_infiltrating_tumor_has_a_fuzzy_border(middle):
    clear = {**middle, "washout": 1.0, "capsule": 0.0, "necrosis": 0.0, "irregularity": 0.0}

    def step(infiltration):
        latents = {**clear, "infiltration": infiltration}
        scan = scan_patient(latents, "I", PhantomSettings(), np.random.default_rng(5))
        away, hu = distance_to_tumor(scan["portal_venous"]), scan["portal_venous"].image
        return hu[(away > 1) & (away < 4)].mean() - hu[(away < -1) & (away > -4)].mean()

    assert step(0.0) > 30
    assert step(1.0) < 0.65 * step(0.0)


@pytest.mark.parametrize(("diameter", "center"), [(150.0, "I"), (150.0, "VI"), (110.0, "III")])
def test_a_very_large_tumor_keeps_its_size_inside_liver_and_body(middle, diameter, center):
    some = {**middle, "diameter_mm": diameter, "irregularity": 1.0}
    scan = scan_patient(some, center, PhantomSettings(), np.random.default_rng(9))["delayed"]
    tumor = scan.true_regions == Label.TUMOR
    volume = tumor.sum() * np.prod(scan.spacing)
    assert (6 * volume / np.pi) ** (1 / 3) == pytest.approx(diameter, rel=0.04)
    for axis in range(3):
        assert not np.take(tumor, [0, -1], axis=axis).any()
    assert scan.spacing[0] == SCANNERS[center].pixel_mm
    assert scan.spacing[2] == SCANNERS[center].thickness_mm
    areas = (scan.true_regions == Label.LOAT).sum(axis=(1, 2)) * np.prod(scan.spacing[:2])
    assert areas.max() < 1.1 * some["loat_area_mm2"]  # as drawn, or pressed by the tumor
    around = ndimage.binary_dilation(tumor, iterations=2) & ~tumor
    assert (scan.true_regions[around] == Label.LIVER).mean() > 0.6
    assert np.percentile(scan.image[around], 2) > -60, "no tumor in the fat outside"


def test_sampling_keeps_means_volumes_and_moves_by_the_shift():
    grid = FineGrid.fine()
    ball = filled(ellipsoid(grid, (10, -20, 4), (30, 30, 30)))
    quiet = replace(SCANNERS["III"], noise_hu=0.0, hu_offset=0.0)
    seen = BreathHold.of(quiet, np.array([2.0, -1.0, 3.0])).sample(ball)
    voxel = quiet.pixel_mm**2 * quiet.thickness_mm
    assert seen.sum() * voxel == pytest.approx(4 / 3 * np.pi * 30**3, rel=0.02)
    x, y, z = BreathHold.of(quiet, np.zeros(3)).coordinates()
    middle_of = [
        np.average(axis, weights=seen.sum(axis=others))
        for axis, others in ((x, (0, 1)), (y, (0, 2)), (z, (1, 2)))
    ]
    assert middle_of == pytest.approx([12.0, -21.0, 7.0], abs=0.1)


def test_noise_has_the_stated_size():
    acquisition = BreathHold.of(SCANNERS["I"], np.zeros(3))
    flat = np.full(FineGrid.fine().shape, 50.0, dtype=np.float32)
    image = acquisition.image(flat, np.random.default_rng(0))
    assert image.mean() == pytest.approx(50, abs=0.2)
    assert image.std() == pytest.approx(9.0 * np.sqrt(2 / 2.5), rel=0.02)


def test_bumps_have_mean_zero_and_unit_spread():
    points = np.random.default_rng(1).standard_normal((3, 3000))
    x, y, z = (points / np.linalg.norm(points, axis=0)).astype(np.float32)
    values = np.concatenate([Bumps.draw(np.random.default_rng(s)).at(x, y, z) for s in range(60)])
    assert values.mean() == pytest.approx(0, abs=0.1)
    assert values.std() == pytest.approx(1, abs=0.1)
