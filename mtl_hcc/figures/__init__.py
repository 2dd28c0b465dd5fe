"""One figure per file: a table goes in, a matplotlib figure comes out; nothing is written here.

Matplotlib itself is imported when a figure is drawn, so that importing this package is quick.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from mtl_hcc.figures.ablation import ablation
from mtl_hcc.figures.calibration import calibration
from mtl_hcc.figures.cohort_flow import cohort_flow
from mtl_hcc.figures.confusion_matrix import confusion_matrix
from mtl_hcc.figures.cumulative_incidence import cumulative_incidence
from mtl_hcc.figures.decision_curve import decision_curve
from mtl_hcc.figures.forest_by_center import forest_by_center
from mtl_hcc.figures.forest_regression import forest_regression
from mtl_hcc.figures.kaplan_meier import kaplan_meier
from mtl_hcc.figures.key_results import key_results
from mtl_hcc.figures.learning_curves import learning_curves
from mtl_hcc.figures.nomogram import nomogram_mvi, nomogram_os
from mtl_hcc.figures.precision_recall import precision_recall
from mtl_hcc.figures.roc import roc
from mtl_hcc.figures.roc_at_horizons import roc_at_horizons

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIGURES: "dict[str, Callable[..., Figure]]" = {
    "key_results": key_results,
    "cohort_flow": cohort_flow,
    "kaplan_meier": kaplan_meier,
    "cumulative_incidence": cumulative_incidence,
    "roc": roc,
    "precision_recall": precision_recall,
    "confusion_matrix": confusion_matrix,
    "roc_at_horizons": roc_at_horizons,
    "calibration": calibration,
    "decision_curve": decision_curve,
    "learning_curves": learning_curves,
    "forest_by_center": forest_by_center,
    "forest_regression": forest_regression,
    "nomogram_mvi": nomogram_mvi,
    "nomogram_os": nomogram_os,
    "ablation": ablation,
}
"""Name to figure. A figure's arguments are named after the tables that it needs: ``predictions``,
``history``, ``patients``, ``metrics``, ``comparisons`` or ``ablation``."""

__all__ = [
    "FIGURES",
    "ablation",
    "calibration",
    "cohort_flow",
    "confusion_matrix",
    "cumulative_incidence",
    "decision_curve",
    "forest_by_center",
    "forest_regression",
    "kaplan_meier",
    "key_results",
    "learning_curves",
    "nomogram_mvi",
    "nomogram_os",
    "precision_recall",
    "roc",
    "roc_at_horizons",
]
