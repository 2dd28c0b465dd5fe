"""Augmentation of training batches: a list of transforms, each in one file."""

from mtl_hcc.data.augmentation.bias_field import BiasField
from mtl_hcc.data.augmentation.flip import Flip
from mtl_hcc.data.augmentation.in_plane_rotation import InPlaneRotation
from mtl_hcc.data.augmentation.intensity_scale import IntensityScale
from mtl_hcc.data.augmentation.noise import Noise
from mtl_hcc.data.augmentation.phase_dropout import PhaseDropout
from mtl_hcc.data.augmentation.right_angle_rotation import RightAngleRotation
from mtl_hcc.data.augmentation.rotation_3d import Rotation3D
from mtl_hcc.data.augmentation.scale import Scale
from mtl_hcc.data.augmentation.time_jitter import TimeJitter
from mtl_hcc.data.augmentation.transform import Transform

__all__ = [
    "BiasField",
    "Flip",
    "InPlaneRotation",
    "IntensityScale",
    "Noise",
    "PhaseDropout",
    "RightAngleRotation",
    "Rotation3D",
    "Scale",
    "TimeJitter",
    "Transform",
]
