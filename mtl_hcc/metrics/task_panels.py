"""What figures and tables show by task and split: the rows, the horizon, its words, reasons."""

from dataclasses import dataclass

import pandas as pd

from mtl_hcc.metrics.calibration.survival_calibration import why_not_horizon
from mtl_hcc.metrics.predictions import TaskKind, check_predictions, task_kind, with_outcome
from mtl_hcc.metrics.survival.horizons import predicted_horizons, shown_horizon, task_horizons
from mtl_hcc.metrics.task_metric import TaskRows
from mtl_hcc.split_names import TRAIN, in_split_order


@dataclass(frozen=True)
class TaskPanels:
    """Tasks with event probabilities of the first model, by split.

    Attributes:
        models: Names, the first is the network.
        splits: In the order of the columns.
        tasks: Tasks to draw: two-class tasks, and survival tasks with ``survival_<days>``.
        horizons: Task to its horizon, days; ``None`` for two classes.
        left_out: Task to why it is not drawn.
    """

    models: list[str]
    splits: list[str]
    tasks: list[str]
    horizons: dict[str, int | None]
    left_out: dict[str, str]
    _samples: dict[tuple[str, str, str], TaskRows]

    def sample(self, task: str, split: str, model: str | None = None) -> TaskRows | None:
        """Return the rows of a task and split with known outcome; ``None`` = not predicted."""
        return self._samples.get((model or self.models[0], task, split))

    def task_name(self, task: str) -> str:
        """Return e.g. ``OS at 3 years``."""
        days = self.horizons[task]
        return task.upper() + (f" at {in_years(days)}" if days else "")

    def title(self, task: str, split: str) -> str:
        """Return e.g. ``OS at 3 years, external``."""
        return f"{self.task_name(task)}, {split}"

    def left_out_in_words(self) -> str:
        """Return which tasks are not shown and why, as a sentence; empty when all are."""
        said = [f"{task.upper()} ({reason})" for task, reason in self.left_out.items()]
        return f" Not shown: {', '.join(said)}." if said else ""

    def size(self, task: str, split: str) -> tuple[int, int]:
        """Return the number of patients, and of events or positives, of the first model."""
        sample = self.sample(task, split)
        if sample is None:
            return 0, 0
        patients = sample.rows.drop_duplicates("patient_id")
        events = patients["event" if sample.kind == "survival" else "label"].sum()
        return len(patients), int(events)

    def size_in_words(self, task: str, split: str) -> str:
        """Return e.g. ``80 patients, 32 events``."""
        patients, events = self.size(task, split)
        what = "positive" if self.horizons[task] is None else "events"
        return f"{patients} patients, {events} {what}" if patients else "no patient"


def in_years(days: int) -> str:
    """Return whole years where the days are some, else days."""
    years = days / 365
    if years == int(years):
        return f"{int(years)} year" + ("s" if years > 1 else "")
    return f"{days} days"


def task_panels(predictions: pd.DataFrame) -> TaskPanels:
    """Sort a table of predictions into panels.

    Args:
        predictions: Table of predictions of one or more models.
    """
    table = check_predictions(predictions)
    models = [str(name) for name in table["model"].drop_duplicates()]
    splits = in_split_order(table["split"].unique())
    samples: dict[tuple[str, str, str], TaskRows] = {}
    kinds: dict[tuple[str, str], TaskKind] = {}
    for (model, task), rows in table.groupby(["model", "task"], sort=False):
        kind = kinds[str(model), str(task)] = task_kind(rows)
        known = with_outcome(rows, kind)
        train = known[known["split"] == TRAIN]
        for split in splits:
            inside = known[known["split"] == split].reset_index(drop=True)
            samples[str(model), str(task), split] = TaskRows(inside, train, kind)
    tasks: list[str] = []
    horizons: dict[str, int | None] = {}
    left_out: dict[str, str] = {}
    for (model, task), kind in kinds.items():
        if model != models[0]:
            continue
        days = None
        if kind == "survival":
            days = shown_horizon([samples[model, task, split] for split in splits])
        if kind == "multiclass":
            left_out[task] = "more than two classes"
        elif kind == "survival" and days is None:
            left_out[task] = "no predicted survival inside the follow-up"
        else:
            tasks.append(task)
            horizons[task] = days
    return TaskPanels(models, splits, tasks, horizons, left_out, samples)


def why_no_panel(sample: TaskRows | None, days: int | None) -> str:
    """Return why predicted and observed cannot be held against each other; empty = they can.

    Args:
        sample: Rows of one task and split; ``None`` = not predicted.
        days: The horizon of a survival task.
    """
    if sample is None or sample.rows.empty:
        return "no patient with a known outcome"
    if days is None:
        return ""
    if days not in predicted_horizons(sample.rows):
        return f"no predicted survival at {days} days"
    return task_horizons(sample)[days] or why_not_horizon(sample.rows, days)
