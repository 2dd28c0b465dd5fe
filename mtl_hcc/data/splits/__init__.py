"""Splits of the patients: what a config can name in ``data.split``."""

from mtl_hcc.data.splits.dealt_splits import KFold, LeaveCenterOut, RandomSplit
from mtl_hcc.data.splits.split import SingleSplit, Split, SplitByCenter, SplitByColumn
from mtl_hcc.data.splits.splits_csv import SplitFile

__all__ = [
    "KFold",
    "LeaveCenterOut",
    "RandomSplit",
    "SingleSplit",
    "Split",
    "SplitByCenter",
    "SplitByColumn",
    "SplitFile",
]
