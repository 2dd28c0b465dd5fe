"""How to read each kind of figure, in words for readers who do not draw such figures themselves."""

HOW_TO_READ = {
    "kaplan_meier": "Each curve is the share of patients who are still free of the event. The "
    "curves of the two risk groups should part early and stay apart. A small vertical tick is a "
    "patient whose follow-up ended there. Where few patients remain at risk (the numbers under "
    "the curves), the curve is uncertain.",
    "roc": "Each point is one cut-off: the share of patients with the condition who are found "
    "(sensitivity, upward) against the share of the others who are called wrongly (to the right). "
    "The further the curve bends to the upper left, the better; the diagonal is a coin toss "
    "(AUC 0.5), 1 is perfect.",
    "horizon": "As a ROC curve, but for the question whether the event happens before a given "
    "time. Patients whose follow-up ended earlier are accounted for by weights.",
    "precision_recall": "Of the patients called positive, how many are (precision, upward), at "
    "each share of those found (recall, to the right). The thin level line is the share of "
    "positives in the cohort: a useless model stays on it.",
    "confusion": "Rows are the truth, columns what the model said. The diagonal is right.",
    "learning": "Train (black) shows what was learned, validation (orange) what carries over to "
    "patients that the network did not learn from. Losses should fall; when train goes on falling "
    "and validation rises, the network learns by heart. The epoch with the best validation loss "
    "is the one that is kept.",
    "calibration": "Predicted risk to the right, what really happened upward. On the diagonal "
    "they agree; below it the model predicts too high a risk, above it too low a risk. A slope "
    "below 1 means predictions that are too extreme, as overfitting makes them.",
    "decision": "To the right the risk at which one would act; upward the net benefit: true "
    "positives per 100 patients, minus false positives weighted by the harm that this threshold "
    "implies. The model is useful where its curve is above both treating all and treating none.",
    "incidence": "Each curve is the share of patients who had this event by that time, "
    "counting that other patients had the competing event first. The curves add up to at most 1.",
    "competing": "Each curve is the share of patients who had this event by that time, "
    "counting that other patients had the competing event first. The curves add up to at most 1.",
    "nomogram": "Find each value of a patient on its line, read the points straight above it, add "
    "them, and read the predicted risk under the total. It shows the model; it does not validate "
    "it.",
    "center": "A point and its interval per center; the width says how much a center's patients "
    "can tell. The pooled value allows centers to differ (random effects), and the prediction "
    "interval says what to expect in a new center.",
    "forest": "A point and its interval per line. An interval that crosses the vertical line is "
    "compatible with no effect.",
    "cohort_flow": "From everybody who was screened to those who were analyzed; at each step the "
    "number left out and the reason.",
    "key_results": "A point and its 95% interval per model, a panel per outcome. The first model "
    "is the one that this report is about. To the right is better; the dashed line is chance.",
    "brier": "The mean squared distance between predicted and true outcome over time: lower is "
    "better. A curve should stay under that of the model that knows nothing about the patient.",
    "comparison": "Each line is the difference between two models with its interval. An interval "
    "that crosses zero is compatible with no difference.",
    "ablation": "Each line is the design with one part changed. A point to the left of zero means "
    "that the part was worth having; an interval that crosses zero leaves that open.",
    "reclassification": "How many patients move to a more fitting risk group when one model takes "
    "the other's place.",
}
"""Part of a figure's name to its explanation; the longest part that fits counts."""


def how_to_read(name: str) -> str:
    """Return the explanation of a figure, empty when there is none for its kind."""
    fits = [part for part in HOW_TO_READ if part in name]
    return HOW_TO_READ[max(fits, key=len)] if fits else ""


def title_of(name: str) -> str:
    """Return a registered name as a heading.

    Example:
        >>> title_of("kaplan_meier"), title_of("brier_over_time"), title_of("table_one_by_mvi")
        ('Kaplan-Meier curves of the risk groups', 'Brier over time', 'Table 1 by MVI')
    """
    if name in TITLES:
        return TITLES[name]
    words = [CAPITALS.get(word, word) for word in name.split("_")]
    text = " ".join(words)
    return text[:1].upper() + text[1:]


TITLES = {
    "kaplan_meier": "Kaplan-Meier curves of the risk groups",
    "roc": "ROC curves",
    "roc_at_horizons": "ROC curves at horizons",
    "precision_recall": "Precision and recall",
    "confusion_matrix": "Confusion matrices",
    "decision_curve": "Decision curves",
    "forest_regression": "Regression at a glance",
    "forest_by_center": "Results by center at a glance",
    "hazard_ratios": "High against low risk",
    "survival_summary": "Follow-up and survival",
    "against_baselines": "Beside clinical baselines",
    "calibration_groups": "Calibration by groups of predicted risk",
    "nomogram_os": "Nomogram of OS",
    "nomogram_mvi": "Nomogram of MVI",
    "table_one_by_center": "Table 1 by center",
    "table_one_by_mvi": "Table 1 by MVI",
    "regions": "Where the map lies",
    "sanity": "Against random weights",
    "occlusion": "What the network cannot do without",
    "settings": "Settings",
    "versions": "Versions",
}
CAPITALS = {
    "roc": "ROC", "mvi": "MVI", "os": "OS", "rfs": "RFS", "auc": "AUC", "tripod": "TRIPOD",
    "ai": "AI", "meier": "Meier", "kaplan": "Kaplan", "cox": "Cox",
}  # fmt: skip
