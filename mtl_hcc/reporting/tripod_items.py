"""The items of TRIPOD+AI in short words: Collins et al., BMJ 2024; 385: e078378, Table 2."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Item:
    """One item or sub-item.

    Attributes:
        number: As in the guideline.
        part: Part of the article.
        topic: What is to be reported, in short words; the guideline has the full text.
    """

    number: str
    part: str
    topic: str


_PARTS: dict[str, dict[str, str]] = {
    "Title and abstract": {
        "1": "Title names development or evaluation of a prediction model, target population, "
        "outcome",
        "2": "Abstract follows TRIPOD+AI for Abstracts",
    },
    "Introduction": {
        "3a": "Healthcare context (diagnostic or prognostic), rationale, existing models",
        "3b": "Target population, purpose in the care pathway, intended users",
        "3c": "Known health inequalities between sociodemographic groups",
        "4": "Objectives: development, evaluation, or both",
    },
    "Methods: data and participants": {
        "5a": "Sources of the data for development and evaluation, and how representative they are",
        "5b": "Dates of accrual and end of follow-up",
        "6a": "Setting, number and location of centers",
        "6b": "Eligibility criteria",
        "6c": "Treatments received, and how they were handled",
        "7": "Pre-processing and quality checks, and whether alike in all groups",
    },
    "Methods: outcome, predictors, sample": {
        "8a": "Outcome and time horizon, how and when assessed, consistency across groups",
        "8b": "Qualifications of those who assessed the outcome, if by interpretation",
        "8c": "Blinding of the outcome's assessment",
        "9a": "Choice and pre-selection of predictors",
        "9b": "Definition of all predictors, how and when measured, blinding",
        "9c": "Qualifications of those who assessed predictors, if by interpretation",
        "10": "Study size: how arrived at, why sufficient",
        "11": "Missing data: how handled, why any data were omitted",
    },
    "Methods: analysis": {
        "12a": "How the data were used and partitioned",
        "12b": "How predictors were handled: functional form, rescaling, transformation",
        "12c": "Type of model, rationale, building steps, tuning, internal validation",
        "12d": "Differences between clusters (hospitals) and how they were quantified",
        "12e": "Measures and plots of performance, and comparison of models",
        "12f": "Model updating (recalibration) after evaluation",
        "12g": "How the predictions were calculated",
        "13": "Class imbalance methods and recalibration after them",
        "14": "Approaches to fairness",
        "15": "Output of the model, and how thresholds were identified",
        "16": "Differences between development and evaluation data",
        "17": "Ethics committee, and consent or its waiver",
    },
    "Open science and patient involvement": {
        "18a": "Funding and role of the funders",
        "18b": "Conflicts of interest",
        "18c": "Study protocol",
        "18d": "Registration",
        "18e": "Data sharing",
        "18f": "Code sharing",
        "19": "Patient and public involvement",
    },
    "Results": {
        "20a": "Flow of participants, with and without the outcome, follow-up time",
        "20b": "Characteristics overall and by source: predictors, events, follow-up, missing data",
        "20c": "Evaluation data compared with development data",
        "21": "Participants and events in each analysis",
        "22": "The full model, so that others can predict with it, and any restrictions",
        "23a": "Performance with confidence intervals, also for key subgroups",
        "23b": "Heterogeneity of performance across clusters",
        "24": "Results of model updating",
    },
    "Discussion": {
        "25": "Interpretation, fairness, previous studies",
        "26": "Limitations and their effects",
        "27a": "How poor or missing input data should be handled in use",
        "27b": "What users have to do with the input or the model, and the expertise needed",
        "27c": "Next steps, applicability, generalizability",
    },
}
ITEMS = tuple(
    Item(number, part, topic) for part, topics in _PARTS.items() for number, topic in topics.items()
)
