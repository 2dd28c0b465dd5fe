"""What the network is trained on: the Cox loss, the risk bank and the weighting of the tasks."""

from mtl_hcc.losses.breslow import breslow_cumulative_hazard, survival_probability
from mtl_hcc.losses.cox import Ties, neg_partial_log_likelihood
from mtl_hcc.losses.risk_bank import RiskBank
from mtl_hcc.losses.weighting import (
    DynamicWeightAverage,
    EqualWeights,
    FixedWeights,
    TaskWeighting,
    UncertaintyWeights,
    in_units_of_zero,
)

__all__ = [
    "DynamicWeightAverage",
    "EqualWeights",
    "FixedWeights",
    "RiskBank",
    "TaskWeighting",
    "Ties",
    "UncertaintyWeights",
    "breslow_cumulative_hazard",
    "in_units_of_zero",
    "neg_partial_log_likelihood",
    "survival_probability",
]
