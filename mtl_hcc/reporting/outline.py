"""The order of the page: that of a paper, and which figure or table belongs where."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from mtl_hcc import figures, tables


@dataclass(frozen=True)
class Section:
    """One section of the page.

    Attributes:
        anchor: Name of its place in the page.
        title: Heading.
        lead: What the section answers, in plain words.
        lead_of_others: In place of ``lead`` where the models are not ours, so that it is not known
            what they were fitted on.
    """

    anchor: str
    title: str
    lead: str
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
        "How well the model did. Only predictions were given: what the models were fitted on, and "
        "whether they had seen the patients of test or external, is not known.",
    ),
    Section(
        "flow",
        "Cohort flow",
        "Who was looked at, who was left out and why, and who was analyzed where.",
    ),
    Section(
        "patients",
        "Patients (Table 1)",
        "Who the patients are. Large differences between the groups limit what a model trained on "
        "one of them can say about another.",
    ),
    Section(
        "learning",
        "Learning curves",
        "How the training went, epoch by epoch, with the weight that each task had.",
    ),
    Section(
        "discrimination",
        "Discrimination",
        "Does the model rank patients rightly: those with the event, or with an earlier event, "
        "above the others?",
    ),
    Section(
        "calibration",
        "Calibration",
        "Does a predicted risk of 30% mean that 30 of 100 such patients have the event?",
    ),
    Section(
        "decision",
        "Decision curves",
        "Would deciding by the model do more good than treating everybody, or nobody?",
    ),
    Section(
        "comparisons",
        "Comparison of models",
        "Every two models on the same patients. The interval of the difference counts, not "
        "whether the two single intervals overlap.",
    ),
    Section(
        "competing",
        "Competing risks",
        "Recurrence with death before it as a competing event: a patient who died can no longer "
        "recur.",
    ),
    Section(
        "regression",
        "Regression and nomogram",
        "What the clinical columns say about the outcomes, one by one and together.",
    ),
    Section(
        "centers",
        "Results by center",
        "Does the model do equally well everywhere? Few patients in a center mean a wide interval.",
    ),
    Section(
        "explanation",
        "Explanation",
        "Where the network looked, and what it needed. A map shows what the network used, which "
        "is not proof of what is biologically true.",
    ),
    Section(
        "ablation",
        "Ablation",
        "What each part of the design contributes: the same folds, with one part changed.",
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
    ),
    Section(
        "tripod",
        "TRIPOD+AI checklist",
        "The items of the reporting guideline for prediction models (Collins et al., BMJ 2024; "
        "385: e078378), answered where the run knows the answer.",
    ),
)
REST = "more"
"""Section of what is not registered."""
OF_THE_PAGE = {
    "versions": ("versions", "Versions"),
    "settings": ("versions", "Settings"),
    "tripod_ai": ("tripod", "TRIPOD AI"),
    "regions": ("explanation", "Where the map lies"),
    "sanity": ("explanation", "Against random weights"),
    "occlusion": ("explanation", "What the network cannot do without"),
}
"""Tables that only the page makes: section and title."""
KNOWN = {one.name: one for one in (*tables.REGISTERED, *figures.REGISTERED)}
"""A figure and the table of its numbers have one name, section and title."""


def section_of(name: str) -> str:
    """Return the anchor of the section that a figure or table belongs to.

    Example:
        >>> section_of("roc"), section_of("table_one_by_center"), section_of("something_new")
        ('discrimination', 'patients', 'more')
    """
    return KNOWN[name].section if name in KNOWN else _of_the_page(name)[0]


def title_of(name: str) -> str:
    """Return the heading of a figure or table; of one that is not registered, its name.

    Example:
        >>> title_of("kaplan_meier"), title_of("something_new")
        ('Kaplan-Meier curves of the risk groups', 'Something new')
    """
    if name in KNOWN:
        return KNOWN[name].title
    return _of_the_page(name)[1]


def _of_the_page(name: str) -> tuple[str, str]:
    """Return section and title; ``regions_liver`` is the table ``regions`` of the view liver."""
    if name in OF_THE_PAGE:
        return OF_THE_PAGE[name]
    table, _, view = name.partition("_")
    if OF_THE_PAGE.get(table, ("",))[0] == "explanation":
        return "explanation", f"{OF_THE_PAGE[table][1]} ({view})"
    return REST, name.replace("_", " ").capitalize()


def how_to_read(name: str) -> str:
    """Return the explanation of a figure, empty when there is none."""
    return KNOWN[name].how_to_read if name in KNOWN else ""


def in_section(anchor: str, names: Iterable[str]) -> Sequence[str]:
    """Return the names that belong to a section, in their order."""
    return [name for name in names if section_of(name) == anchor]
