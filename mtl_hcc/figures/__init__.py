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
from mtl_hcc.tables.registered_tables import Registered

if TYPE_CHECKING:
    from matplotlib.figure import Figure

REGISTERED = (
    Registered(
        key_results,
        section="results",
        title="Key results",
        how_to_read=(
            "A point and its 95% interval per model, a panel per outcome. The first model is "
            "the one that this report is about. To the right is better; the dashed line is "
            "chance."
        ),
    ),
    Registered(
        cohort_flow,
        section="flow",
        title="Cohort flow",
        how_to_read=(
            "From everybody who was screened to those who were analyzed; at each step the "
            "number left out and the reason."
        ),
    ),
    Registered(
        kaplan_meier,
        section="discrimination",
        title="Kaplan-Meier curves of the risk groups",
        how_to_read=(
            "Each curve is the share of patients who are still free of the event. The curves of "
            "the two risk groups should part early and stay apart. A small vertical tick is a "
            "patient whose follow-up ended there. Where few patients remain at risk (the "
            "numbers under the curves), the curve is uncertain."
        ),
    ),
    Registered(
        cumulative_incidence,
        section="competing",
        title="Cumulative incidence",
        how_to_read=(
            "Each curve is the share of patients who had this event by that time, counting that "
            "other patients had the competing event first. The curves add up to at most 1."
        ),
    ),
    Registered(
        roc,
        section="discrimination",
        title="ROC curves",
        how_to_read=(
            "Each point is one cut-off: the share of patients with the condition who are found "
            "(sensitivity, upward) against the share of the others who are called wrongly (to "
            "the right). The further the curve bends to the upper left, the better; the "
            "diagonal is a coin toss (AUC 0.5), 1 is perfect."
        ),
    ),
    Registered(
        precision_recall,
        section="discrimination",
        title="Precision and recall",
        how_to_read=(
            "Of the patients called positive, how many are (precision, upward), at each share "
            "of those found (recall, to the right). The thin level line is the share of "
            "positives in the cohort: a useless model stays on it."
        ),
    ),
    Registered(
        confusion_matrix,
        section="discrimination",
        title="Confusion matrices",
        how_to_read=("Rows are the truth, columns what the model said. The diagonal is right."),
    ),
    Registered(
        roc_at_horizons,
        section="discrimination",
        title="ROC curves at horizons",
        how_to_read=(
            "As a ROC curve, but for the question whether the event happens before a given "
            "time. Patients whose follow-up ended earlier are accounted for by weights."
        ),
    ),
    Registered(
        calibration,
        section="calibration",
        title="Calibration",
        how_to_read=(
            "Predicted risk to the right, what really happened upward. On the diagonal they "
            "agree; below it the model predicts too high a risk, above it too low a risk. A "
            "slope below 1 means predictions that are too extreme, as overfitting makes them."
        ),
    ),
    Registered(
        decision_curve,
        section="decision",
        title="Decision curves",
        how_to_read=(
            "To the right the risk at which one would act; upward the net benefit: true "
            "positives per 100 patients, minus false positives weighted by the harm that this "
            "threshold implies. The model is useful where its curve is above both treating all "
            "and treating none."
        ),
    ),
    Registered(
        learning_curves,
        section="learning",
        title="Learning curves",
        how_to_read=(
            "Train (black) shows what was learned, validation (orange) what carries over to "
            "patients that the network did not learn from. Losses should fall; when train goes "
            "on falling and validation rises, the network learns by heart. The epoch with the "
            "best validation loss is the one that is kept."
        ),
    ),
    Registered(
        forest_by_center,
        section="centers",
        title="Results by center at a glance",
        how_to_read=(
            "A point and its interval per center; the width says how much a center's patients "
            "can tell. The pooled value allows centers to differ (random effects), and the "
            "prediction interval says what to expect in a new center."
        ),
    ),
    Registered(
        forest_regression,
        section="regression",
        title="Regression at a glance",
        how_to_read=(
            "A point and its interval per line. An interval that crosses the vertical line is "
            "compatible with no effect."
        ),
    ),
    Registered(
        nomogram_mvi,
        section="regression",
        title="Nomogram of MVI",
        how_to_read=(
            "Find each value of a patient on its line, read the points straight above it, add "
            "them, and read the predicted risk under the total. It shows the model; it does not "
            "validate it."
        ),
    ),
    Registered(
        nomogram_os,
        section="regression",
        title="Nomogram of OS",
        how_to_read=(
            "Find each value of a patient on its line, read the points straight above it, add "
            "them, and read the predicted risk under the total. It shows the model; it does not "
            "validate it."
        ),
    ),
    Registered(
        ablation,
        section="ablation",
        title="Ablation",
        how_to_read=(
            "Each line is the design with one part changed. A point to the left of zero means "
            "that the part was worth having; an interval that crosses zero leaves that open."
        ),
    ),
)
"""In the order of the report's sections. A figure's arguments are named after the tables that it
needs: ``predictions``, ``history``, ``patients``, ``metrics``, ``comparisons`` or ``ablation``;
``bootstraps`` is the number that the user asked for."""
FIGURES: "dict[str, Callable[..., Figure]]" = {one.name: one.make for one in REGISTERED}
"""Name to figure."""

__all__ = ["FIGURES", "REGISTERED"]
