"""What a center's scanner makes of a patient: pixel size, slices, blur, noise, HU offset, bolus."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
from scipy import ndimage, special

from mtl_hcc.cohorts.phantom.space import EXTENT_MM, FINE_MM, Voxels, centers


@dataclass(frozen=True)
class Scanner:
    """One center's scanner and protocol.

    Attributes:
        pixel_mm: Pixel size in plane.
        thickness_mm: Slice thickness, also the distance between slices.
        noise_hu: Noise of a 2 mm slice; thicker slices average it.
        blur_mm: Standard deviation of the reconstruction kernel.
        grain_pixels: Standard deviation of the noise grain.
        hu_offset: Calibration error.
        late_arterial: Share, 0 to 1, of portal venous filling already there in the arterial phase.
    """

    pixel_mm: float
    thickness_mm: float
    noise_hu: float
    blur_mm: float
    grain_pixels: float
    hu_offset: float
    late_arterial: float

    def seen_at(self, scale: float) -> "Scanner":
        """Return the scanner as it is for a patient who is built ``scale`` times too small."""
        return replace(
            self,
            pixel_mm=self.pixel_mm / scale,
            thickness_mm=self.thickness_mm / scale,
            noise_hu=self.noise_hu / scale**0.5,  # a slice is as noisy as before
            blur_mm=self.blur_mm / scale,
        )


SCANNERS = {
    "I": Scanner(1.9, 2.5, 9.0, 0.8, 0.5, 0.0, 0.10),
    "II": Scanner(1.8, 1.5, 8.0, 0.7, 0.5, 3.0, 0.05),
    "III": Scanner(2.0, 5.0, 12.0, 0.9, 0.6, -4.0, 0.15),
    "IV": Scanner(1.7, 3.0, 10.0, 0.8, 0.5, 2.0, 0.00),
    "V": Scanner(2.0, 1.0, 8.0, 1.0, 0.8, -2.0, 0.20),
    "VI": Scanner(1.6, 4.0, 20.0, 1.1, 0.7, 8.0, 0.25),
}
"""Center VI, the external one, differs most: thick slices, a low dose (14 HU of noise per slice,
where the others have 7 to 11), soft kernel, late bolus."""
PLAIN_SCANNERS: Mapping[str, Scanner] = {**SCANNERS, "VI": replace(SCANNERS["VI"], noise_hu=13.0)}
"""Of the plain cases: center VI has 9 HU of noise per slice."""


@dataclass(frozen=True)
class BreathHold:
    """One breath-hold: how the fine grid is sampled. The patient has moved by ``shift`` mm."""

    scanner: Scanner
    along_z: Voxels
    along_y: Voxels
    along_x: Voxels

    @classmethod
    def of(cls, scanner: Scanner, shift: npt.NDArray[np.float64]) -> "BreathHold":
        """Prepare the sampling of one phase; ``shift`` is along (x, y, z) in mm."""
        x, y, z = (
            _profile(extent, spacing, moved, scanner.blur_mm)
            for extent, spacing, moved in zip(
                EXTENT_MM,
                (scanner.pixel_mm, scanner.pixel_mm, scanner.thickness_mm),
                shift,
                strict=True,
            )
        )
        return cls(scanner, along_z=z, along_y=y, along_x=x)

    def sample(self, volume: Voxels) -> Voxels:
        """Return a volume of the fine grid as slices and pixels, (depth, height, width)."""
        depth, height, width = volume.shape
        slices = (self.along_z @ volume.reshape(depth, -1)).reshape(-1, height, width)
        return np.asarray((self.along_y @ slices) @ self.along_x.T, dtype=np.float32)

    def image(self, volume: Voxels, rng: np.random.Generator) -> npt.NDArray[np.int16]:
        """Return the scan in HU: sampled, with noise and offset."""
        sampled = self.sample(volume)
        noise = rng.standard_normal(sampled.shape, dtype=np.float32)
        grain = self.scanner.grain_pixels
        noise = ndimage.gaussian_filter(noise, (0, grain, grain), truncate=2.5)
        noise *= self.scanner.noise_hu * np.sqrt(2 / self.scanner.thickness_mm) / noise.std()
        hu = np.rint(sampled + noise + self.scanner.hu_offset)
        return np.asarray(np.clip(hu, -1024, 3071), dtype=np.int16)

    def coordinates(self) -> tuple[Voxels, Voxels, Voxels]:
        """Return x, y and z of the voxel centers in mm, before the patient moved."""
        scanner = self.scanner
        x, y = (centers(extent, scanner.pixel_mm) for extent in EXTENT_MM[:2])
        z = centers(EXTENT_MM[2], scanner.thickness_mm)
        return x.astype(np.float32), y.astype(np.float32), z.astype(np.float32)


def _profile(extent: float, spacing: float, shift: float, blur: float) -> Voxels:
    """Weights (voxel, fine voxel) of a slice profile: a box of the voxel, blurred."""
    position = centers(extent, spacing)[:, None]
    away = centers(extent, FINE_MM)[None, :] + shift - position
    edge = np.sqrt(2) * blur
    weights = special.erf((away + spacing / 2) / edge) - special.erf((away - spacing / 2) / edge)
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), dtype=np.float32)
