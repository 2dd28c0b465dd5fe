"""The order of the page: that of a paper, and which figure or table belongs where."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Section:
    """One section of the page.

    Attributes:
        anchor: Name of its place in the page.
        title: Heading.
        lead: What the section answers, in plain words.
        words: A figure or table whose name holds one of them belongs here; the longest word wins.
        lead_of_others: In place of ``lead`` where the models are not ours, so that it is not known
            what they were fitted on.
    """

    anchor: str
    title: str
    lead: str
    words: tuple[str, ...] = ()
    lead_of_others: str = ""

    def lead_for(self, *, ours: bool) -> str:
        """Return the lead of a study.

        Args:
            ours: Whether our own training made the models.
        """
        return self.lead if ours or not self.lead_of_others else self.lead_of_others


SECTIONS = (
    Section(
        "results",
        "Key results",
        "How well the model did, beside simpler models fitted on the same training patients. "
        "Read the patients that the model never saw (test, external) first; the numbers of the "
        "training patients are there only to show how much was learned by heart.",
        ("key_results",),
        "How well the model did. Only predictions were given: what the models were fitted on, and "
        "whether they had seen the patients of test or external, is not known.",
    ),
    Section(
        "flow",
        "Cohort flow",
        "Who was looked at, who was left out and why, and who was analyzed where.",
        ("cohort_flow", "quarantine"),
    ),
    Section(
        "patients",
        "Patients (Table 1)",
        "Who the patients are. Large differences between the groups limit what a model trained on "
        "one of them can say about another.",
        ("table_one", "baseline_characteristics"),
    ),
    Section(
        "learning",
        "Learning curves",
        "How the training went, epoch by epoch, with the weight that each task had.",
        ("learning", "task_weights"),
    ),
    Section(
        "discrimination",
        "Discrimination",
        "Does the model rank patients rightly: those with the event, or with an earlier event, "
        "above the others?",
        (
            *("kaplan_meier", "roc", "precision_recall", "confusion", "risk_groups", "waterfall"),
            *("hazard_ratio", "survival_summary"),
        ),
    ),
    Section(
        "calibration",
        "Calibration",
        "Does a predicted risk of 30% mean that 30 of 100 such patients have the event?",
        ("calibration", "brier", "prediction_error"),
    ),
    Section(
        "decision",
        "Decision curves",
        "Would deciding by the model do more good than treating everybody, or nobody?",
        ("decision", "net_benefit"),
    ),
    Section(
        "comparisons",
        "Comparison of models",
        "Every two models on the same patients. The interval of the difference counts, not "
        "whether the two single intervals overlap.",
        ("comparison", "reclassification", "against"),
    ),
    Section(
        "competing",
        "Competing risks",
        "Recurrence with death before it as a competing event: a patient who died can no longer "
        "recur.",
        ("competing", "cumulative_incidence", "cause"),
    ),
    Section(
        "regression",
        "Regression and nomogram",
        "What the clinical columns say about the outcomes, one by one and together.",
        ("regression", "nomogram", "univariate", "multivariate"),
    ),
    Section(
        "centers",
        "Results by center",
        "Does the model do equally well everywhere? Few patients in a center mean a wide interval.",
        ("center", "forest", "subgroup"),
    ),
    Section(
        "explanation",
        "Explanation",
        "Where the network looked, and what it needed. A map shows what the network used, which "
        "is not proof of what is biologically true.",
        ("attention", "explanation", "occlusion", "saliency", "regions", "sanity"),
    ),
    Section(
        "ablation",
        "Ablation",
        "What each part of the design contributes: the same folds, with one part changed.",
        ("ablation",),
    ),
    Section(
        "more",
        "Further figures and tables",
        "What the sections above do not name.",
    ),
    Section(
        "limits",
        "Limits of use",
        "What this report cannot tell.",
    ),
    Section(
        "versions",
        "Settings, versions and seeds",
        "What is needed to repeat this run.",
        ("versions", "settings"),
    ),
    Section(
        "tripod",
        "TRIPOD+AI checklist",
        "The items of the reporting guideline for prediction models (Collins et al., BMJ 2024; "
        "385: e078378), answered where the run knows the answer.",
        ("tripod",),
    ),
)
REST = "more"


def section_of(name: str) -> str:
    """Return the anchor of the section that a figure or table belongs to.

    Args:
        name: As it is registered.

    Example:
        >>> section_of("roc"), section_of("table_one_by_center"), section_of("something_new")
        ('discrimination', 'patients', 'more')
    """
    fits = [
        (len(word), section.anchor)
        for section in SECTIONS
        for word in section.words
        if word in name
    ]
    return max(fits, key=lambda fit: fit[0])[1] if fits else REST


def in_section(anchor: str, names: Iterable[str]) -> Sequence[str]:
    """Return the names that belong to a section, in their order."""
    return [name for name in names if section_of(name) == anchor]
