"""Networks in pure torch: stems, backbones, aggregators, clinical encoder, fusion, heads."""

from mtl_hcc.nn.aggregators import Aggregator, Concatenate, GatedAttention, Mean
from mtl_hcc.nn.backbones import Backbone, DenseNet, DenseNet121
from mtl_hcc.nn.bag import Bag
from mtl_hcc.nn.build import build_network
from mtl_hcc.nn.clinical import ClinicalEncoder
from mtl_hcc.nn.encoder import EncoderParts, ImageEncoder
from mtl_hcc.nn.fusion import FullyConnected, Fusion
from mtl_hcc.nn.heads import ClassHead, CoxHead, TaskHead
from mtl_hcc.nn.instances import InstanceMaker, Volumes
from mtl_hcc.nn.network import PatientNetwork
from mtl_hcc.nn.stems import PlainStem, RegionStem, Stem

__all__ = [
    "Aggregator",
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
    "ImageEncoder",
    "InstanceMaker",
    "Mean",
    "PatientNetwork",
    "PlainStem",
    "RegionStem",
    "Stem",
    "TaskHead",
    "Volumes",
    "build_network",
]
