"""The work of a report, dealt to processes: statistics by task, then each figure and table."""

import pickle
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from mtl_hcc.figures import FIGURES
from mtl_hcc.metrics.comparisons import COMPARISON_COLUMNS, compare_models
from mtl_hcc.metrics.evaluate_predictions import evaluate_predictions
from mtl_hcc.metrics.resamples import Resamples
from mtl_hcc.reporting.figure_files import FigureFiles, TableFile, draw, tabulate
from mtl_hcc.tables import TABLES

Job = tuple[Callable[..., Any], tuple[Any, ...]]


class ReportProcesses:
    """Processes that share the study's tables through a file, so that each reads them once.

    Args:
        folder: For that file.
        workers: Number of processes; 1 works in this one.
        progress: Show a bar.
    """

    def __init__(self, folder: Path, *, workers: int, progress: bool) -> None:
        self.folder, self.workers, self.progress = folder, workers, progress

    def statistics(
        self, predictions: pd.DataFrame, *, judged: Collection[str] | None = None, **settings: Any
    ) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Return what ``evaluate_predictions`` and ``compare_models`` return.

        They are dealt by task: resamples depend on the patients and the seed only, so the values
        are those of the undivided table, and the comparisons of a task use its metrics' resamples.

        Args:
            predictions: Checked, with ``model``.
            judged: Names of the models under study; default: the first.
            settings: ``bootstraps``, ``seed`` and ``threshold``.
        """
        shared = self._share("predictions", {"predictions": predictions})
        tasks = list(predictions["task"].unique())
        # Named here: the first model of a task may be a baseline that the network does not meet.
        judged = [str(predictions["model"].iloc[0])] if judged is None else list(judged)
        done = self._run(
            [(_statistics, (shared, task, judged, settings)) for task in tasks],
            "Computing statistics",
        )
        metrics = pd.concat([of_task for of_task, _ in done], ignore_index=True)
        comparisons = pd.concat([of_task for _, of_task in done], ignore_index=True)
        return (
            _in_order(metrics, predictions[["model", "task"]]),
            _in_order(comparisons, predictions[["split", "task"]]),
        )

    def figures_and_tables(
        self, sources: Mapping[str, Any]
    ) -> tuple[dict[str, FigureFiles], dict[str, TableFile]]:
        """Return every registered figure and table, in the order of registration.

        Args:
            sources: Name to table; ``bootstraps`` to the number of resamples.
        """
        shared = self._share("sources", dict(sources))
        jobs: list[Job] = [(_draw, (shared, name)) for name in FIGURES]
        jobs += [(_tabulate, (shared, name)) for name in TABLES]
        done = self._run(jobs, "Drawing figures and tables")
        return (
            dict(zip(FIGURES, done[: len(FIGURES)], strict=True)),
            dict(zip(TABLES, done[len(FIGURES) :], strict=True)),
        )

    def _share(self, name: str, tables: dict[str, Any]) -> Path:
        path = self.folder / f"{name}.pickle"
        path.write_bytes(pickle.dumps(tables))
        return path

    def _run(self, jobs: Sequence[Job], title: str) -> list[Any]:
        """Do the jobs and return their results in order."""
        from joblib import Parallel, delayed
        from rich.progress import track

        numbered = [delayed(_numbered)(place, *job) for place, job in enumerate(jobs)]
        parallel = Parallel(
            n_jobs=min(self.workers, max(1, len(jobs))), return_as="generator_unordered"
        )
        finished: Iterator[tuple[int, Any]] = parallel(numbered)
        bar = track(finished, title, total=len(jobs), transient=True, disable=not self.progress)
        return [result for _, result in sorted(bar, key=lambda pair: pair[0])]


def _numbered(place: int, work: Callable[..., Any], given: tuple[Any, ...]) -> tuple[int, Any]:
    return place, work(*given)


@lru_cache(maxsize=2)
def _tables(path: Path) -> dict[str, Any]:
    """Return the shared tables; the file was written by the process that asked for the work."""
    tables: dict[str, Any] = pickle.loads(path.read_bytes())
    return tables


def _statistics(
    path: Path, task: str, judged: Collection[str], settings: dict[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute the metrics of one task, and the comparisons of its models on the same resamples."""
    rows = _tables(path)["predictions"]
    rows = rows[rows["task"] == task]
    resamples = Resamples(bootstraps=settings["bootstraps"], seed=settings["seed"])
    metrics = evaluate_predictions(rows, threshold=settings["threshold"], resamples=resamples)
    if rows["model"].nunique() == 1:
        return metrics, pd.DataFrame(columns=COMPARISON_COLUMNS)
    compared = compare_models(
        rows, threshold=settings["threshold"], resamples=resamples, judged=judged
    )
    return metrics, compared


def _in_order(table: pd.DataFrame, places: pd.DataFrame) -> pd.DataFrame:
    """Sort a table's blocks by their first appearance in the predictions.

    Args:
        table: With the columns of ``places``.
        places: Two columns of the predictions.
    """
    order = places.drop_duplicates().reset_index(drop=True).reset_index(names="place")
    placed = table.merge(order, on=list(places), how="left")
    placed = placed.sort_values("place", kind="stable").drop(columns="place")
    return placed.reset_index(drop=True)


def _draw(path: Path, name: str) -> FigureFiles:
    return draw(name, FIGURES[name], _tables(path))


def _tabulate(path: Path, name: str) -> TableFile:
    return tabulate(name, TABLES[name], _tables(path))
