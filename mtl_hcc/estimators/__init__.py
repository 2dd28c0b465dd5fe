"""What is trained beside networks: models on tables."""

from mtl_hcc.estimators.features import ClinicalColumns, RegionStatistics, TableFeatures
from mtl_hcc.estimators.ridge import RidgeEstimator
from mtl_hcc.estimators.table_estimator import TableEstimator

__all__ = [
    "ClinicalColumns",
    "RegionStatistics",
    "RidgeEstimator",
    "TableEstimator",
    "TableFeatures",
]
