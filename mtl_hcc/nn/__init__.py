"""Networks in pure torch: stems, backbones, aggregators, clinical encoder, fusion, heads."""

from mtl_hcc.nn.aggregators import (
    Aggregator,
    Attention,
    Concatenate,
    GatedAttention,
    Max,
    Mean,
    Nested,
)
from mtl_hcc.nn.backbones import Backbone, DenseNet, DenseNet121
from mtl_hcc.nn.bag import Bag
from mtl_hcc.nn.build import build_network
from mtl_hcc.nn.clinical import ClinicalEncoder
from mtl_hcc.nn.encoder import ImageEncoder
from mtl_hcc.nn.encoder_parts import EncoderParts
from mtl_hcc.nn.fusion import FullyConnected, Fusion, GatedFusion
from mtl_hcc.nn.heads import ClassHead, CoxHead, TaskHead
from mtl_hcc.nn.instances import AxialSlices, InstanceMaker, SliceCombinations, Volumes
from mtl_hcc.nn.network import PatientNetwork
from mtl_hcc.nn.region_moments import RegionMoments
from mtl_hcc.nn.resnet import ResNet
from mtl_hcc.nn.stems import PlainStem, RegionStem, Stem
from mtl_hcc.nn.transformer import Transformer

__all__ = [
    "Aggregator",
    "Attention",
    "AxialSlices",
    "Backbone",
    "Bag",
    "ClassHead",
    "ClinicalEncoder",
    "Concatenate",
    "CoxHead",
    "DenseNet",
    "DenseNet121",
    "EncoderParts",
    "FullyConnected",
    "Fusion",
    "GatedAttention",
    "GatedFusion",
    "ImageEncoder",
    "InstanceMaker",
    "Max",
    "Mean",
    "Nested",
    "PatientNetwork",
    "PlainStem",
    "RegionMoments",
    "RegionStem",
    "ResNet",
    "SliceCombinations",
    "Stem",
    "TaskHead",
    "Transformer",
    "Volumes",
    "build_network",
]
