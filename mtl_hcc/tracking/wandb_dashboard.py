"""What a W&B project shows: a saved workspace and a report page, made of the names that fit logs.

Both are specifications: built here without a network, sent only by the verb `dashboard`.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from mtl_hcc.figures import FIGURES
from mtl_hcc.reporting.figure_files import needed
from mtl_hcc.split_names import KNOWN_SPLITS

if TYPE_CHECKING:
    from wandb_workspaces.reports.v2 import Report
    from wandb_workspaces.reports.v2.interface import Panel
    from wandb_workspaces.workspaces import Section, Workspace

TaskKind = Literal["survival", "class"]
SCORES: dict[TaskKind, dict[str, str]] = {
    "survival": {"c_index": "C-index"},
    "class": {"auc": "AUC", "f1": "F1"},
}
"""Names in ``train/`` and ``validation/`` to the words of a reader."""
RESULTS: dict[TaskKind, tuple[str, str]] = {
    "survival": ("concordance_harrell", "C-index"),
    "class": ("auc", "AUC"),
}
"""Names in ``external/`` and the other evaluated splits: the leaderboard's metric of a task."""
LEARNING, LEADERBOARD, FIGURE_SECTION = "Learning curves", "Leaderboard", "Figures"
SPLITS = KNOWN_SPLITS[:0:-1]  # the most independent first, train left out
TABLES = ("metrics", "predictions")
RUN_TABLES = {"predictions", "metrics", "history", "patients", "quarantine"}
"""What one run has: the figures that need no more are logged at its end."""
GRID, HEIGHT = 24, 6
"""Width of the report's grid, and height of a panel in it."""


def make_workspace(entity: str, project: str, tasks: Mapping[str, TaskKind]) -> "Workspace":
    """Return the project's workspace: learning curves, task weights, leaderboard, figures, tables.

    Args:
        entity: W&B user or team.
        project: W&B project.
        tasks: Name to kind, as under ``model.heads``.
    """
    import wandb_workspaces.reports.v2 as wr
    import wandb_workspaces.workspaces as ws

    def section(name: str, panels: "Sequence[Panel]") -> "Section":
        made: Section = ws.Section(name=name, panels=list(panels), is_open=True)
        return made

    columns = [f"summary:{name}" for name in leaderboard_metrics(tasks)]
    return ws.Workspace(
        entity=entity,
        project=project,
        name="mtl_hcc",
        sections=[
            section(LEADERBOARD, leaderboard(tasks)),
            section(LEARNING, learning_curves(tasks)),
            section("Task weights", [task_weights(tasks)]),
            section(FIGURE_SECTION, [_figures()]),
            section(
                "Tables", [wr.WeavePanelSummaryTable(table_name=f"tables/{t}") for t in TABLES]
            ),
            section("System", [_line("Seconds per epoch", ["system/epoch_seconds"], "Seconds")]),
        ],
        settings=ws.WorkspaceSettings(x_axis="epoch", max_runs=20),
        runset_settings=ws.RunsetSettings(
            groupby=[ws.Metric("Group")], pinned_columns=["run:displayName", *columns]
        ),
    )


def make_report(entity: str, project: str, tasks: Mapping[str, TaskKind]) -> "Report":
    """Return the project's report page.

    Args: see :func:`make_workspace`.
    """
    import wandb_workspaces.reports.v2 as wr

    def grid(panels: "Sequence[Panel]", *, columns: int = 3) -> "wr.PanelGrid":
        width = GRID // columns
        for place, panel in enumerate(panels):
            x, y = width * (place % columns), HEIGHT * (place // columns)
            panel.layout = wr.Layout(x=x, y=y, w=width, h=HEIGHT)
        # Without a project of its own a run set shows the report's; naming one would ask W&B's
        # server for its number, so that the specification could not be built offline.
        runs = wr.Runset(
            name="Runs by group",
            groupby=["Group"],
            visible_columns=[f"summary:{name}" for name in leaderboard_metrics(tasks)],
        )
        return wr.PanelGrid(runsets=[runs], panels=list(panels))

    return wr.Report(
        entity=entity,
        project=project,
        title="Multi-task prediction in hepatocellular carcinoma",
        description="MVI, overall and recurrence-free survival: every run of this project.",
        width="fluid",
        blocks=[
            wr.TableOfContents(),
            wr.H2(LEADERBOARD),
            wr.P(
                "Each bar is a run, or the mean of a group (folds, seeds, an ablation). The values "
                "are those of metrics.csv on patients the network never saw; intervals, n and "
                "events stand in its table below. A difference without an interval proves nothing."
            ),
            grid(leaderboard(tasks)),
            wr.H2(LEARNING),
            wr.P(
                "Train and validation of each task over epochs. A validation curve that turns "
                "while train goes on shows overfitting; the best epoch by validation loss is kept."
            ),
            grid(learning_curves(tasks)),
            wr.H2("Task weights"),
            wr.P("A task whose loss falls slowly gets a larger weight (Dynamic Weight Average)."),
            grid([task_weights(tasks)], columns=2),
            wr.H2(FIGURE_SECTION),
            wr.P("As in the report of each run. The caption says n, events, and what was fitted."),
            grid([_figures()], columns=1),
            wr.H2("Metrics with intervals"),
            grid([_table("metrics")], columns=1),
            wr.P("For research only. Not a medical device."),
        ],
    )


def leaderboard_metrics(tasks: Mapping[str, TaskKind]) -> list[str]:
    """Return the names of the summary values that rank the runs: each task in each split."""
    return [
        f"{split}/{RESULTS[kind][0]}_{task}" for task, kind in tasks.items() for split in SPLITS
    ]


def leaderboard(tasks: Mapping[str, TaskKind]) -> "list[Panel]":
    """Return one bar panel per task, a bar for each split of each run."""
    import wandb_workspaces.reports.v2 as wr

    return [
        wr.BarPlot(
            title=f"{task.upper()} {RESULTS[kind][1]}",
            metrics=[wr.SummaryMetric(name) for name in leaderboard_metrics({task: kind})],
            orientation="h",
            range_x=(0.4, 1.0),
            max_runs_to_show=20,
        )
        for task, kind in tasks.items()
    ]


def learning_curves(tasks: Mapping[str, TaskKind]) -> "list[Panel]":
    """Return panels of train beside validation: the loss and the scores of each task."""
    panels = [_both("Loss, all tasks", "loss", "Loss")]
    for task, kind in tasks.items():
        panels += [
            _both(f"{task.upper()} {words}", f"{name}_{task}", words)
            for name, words in {**SCORES[kind], "loss": "loss"}.items()
        ]
    return panels


def task_weights(tasks: Mapping[str, TaskKind]) -> "Panel":
    """Return the panel of the weights of the tasks' losses."""
    return _line("Task weights", [f"weights/{task}" for task in tasks], "Weight")


def _both(title: str, name: str, words: str) -> "Panel":
    return _line(title, [f"train/{name}", f"validation/{name}"], words)


def _line(title: str, names: Sequence[str], words: str) -> "Panel":
    import wandb_workspaces.reports.v2 as wr

    return wr.LinePlot(
        title=title, x="epoch", y=list(names), title_x="Epoch", title_y=words, max_runs_to_show=20
    )


def _figures() -> "Panel":
    import wandb_workspaces.reports.v2 as wr

    # Those of one run: its tables are enough for them.
    names = [name for name, make in FIGURES.items() if set(needed(make)) <= RUN_TABLES]
    return wr.MediaBrowser(
        title="Figures", media_keys=[f"figures/{name}" for name in names], num_columns=2
    )


def _table(name: str) -> "Panel":
    import wandb_workspaces.reports.v2 as wr

    return wr.WeavePanelSummaryTable(table_name=f"tables/{name}")


def task_kinds(heads: Mapping[str, Any]) -> dict[str, TaskKind]:
    """Return the kind of each task from ``model.heads`` of a config.

    Args:
        heads: Name to ``{class_path: CoxHead, ...}`` or ``{class_path: ClassHead, ...}``.
    """
    return {
        name: "survival" if str(head["class_path"]).endswith("CoxHead") else "class"
        for name, head in heads.items()
    }


def specifications(entity: str, project: str, tasks: Mapping[str, TaskKind]) -> dict[str, str]:
    """Return the JSON of both, exactly as it would be sent: file name to content."""
    return {
        "workspace.json": _as_sent(make_workspace(entity, project, tasks)),
        "report.json": _as_sent(make_report(entity, project, tasks)),
    }


def _as_sent(page: "Workspace | Report") -> str:
    """Return what ``save()`` would send: the library has no public way to see it unsent."""
    text: str = page._to_model().spec.model_dump_json(by_alias=True, exclude_none=True)
    return text
