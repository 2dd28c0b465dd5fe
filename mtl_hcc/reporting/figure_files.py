"""Figures and tables as files: each is made by itself, and its failure is a reason, not an end."""

import inspect
import io
import logging
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import pandas as pd

from mtl_hcc.errors import MtlHccError
from mtl_hcc.figures.canvas import caption_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Made = TypeVar("Made")
log = logging.getLogger(__name__)
DOTS_PER_INCH = 300
"""Of the PNG files: what journals ask for."""


@dataclass(frozen=True)
class FigureFiles:
    """One figure of the report.

    Attributes:
        name: As in ``FIGURES``; the files are called so.
        caption: n, events, and what was fitted where.
        svg: The file's content; empty when the figure could not be drawn.
        png: Likewise.
        width_inches: In print.
        reason: Why it could not be drawn, in one sentence.
        absent: Whether the reason is that a table that it needs is not there.
    """

    name: str
    caption: str = ""
    svg: bytes = b""
    png: bytes = b""
    width_inches: float = 7.1
    reason: str = ""
    absent: bool = False


@dataclass(frozen=True)
class TableFile:
    """One table of the report.

    Attributes:
        name: As in ``TABLES``; the file is called so.
        caption: n, events, and what was fitted where.
        table: As made; ``None`` when it could not be made.
        reason: Why it could not be made.
        absent: Whether the reason is that a table that it needs is not there.
        whole: Whether the page shows all columns, also those whose names begin with a small letter.
    """

    name: str
    caption: str = ""
    table: pd.DataFrame | None = None
    reason: str = ""
    absent: bool = False
    whole: bool = False


def needed(make: Callable[..., Any]) -> list[str]:
    """Return the tables that a figure or a table cannot do without: arguments without default."""
    parameters = inspect.signature(make).parameters
    return [name for name, p in parameters.items() if p.default is inspect.Parameter.empty]


def arguments(make: Callable[..., Any], sources: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return a figure's or a table's arguments, ``None`` when a table that it needs is absent.

    Args:
        make: Named after its arguments' tables.
        sources: Name to table; ``bootstraps`` to the number of resamples.
    """
    if not set(needed(make)) <= set(sources):
        return None
    return {name: sources[name] for name in inspect.signature(make).parameters if name in sources}


def draw(name: str, make: "Callable[..., Figure]", sources: Mapping[str, Any]) -> FigureFiles:
    """Draw one figure and save it in both formats.

    Args:
        name: Of the figure.
        make: Draws it.
        sources: Name to table; ``bootstraps`` to the number of resamples.
    """
    given = arguments(make, sources)
    if given is None:
        return FigureFiles(name, reason=_absent(make, sources), absent=True)
    files = attempt(name, lambda: _files(name, make(**given)))
    return FigureFiles(name, reason=files) if isinstance(files, str) else files


def tabulate(name: str, make: Callable[..., pd.DataFrame], sources: Mapping[str, Any]) -> TableFile:
    """Make one table.

    Args:
        name: Of the table.
        make: Makes it.
        sources: Name to table; ``bootstraps`` to the number of resamples.
    """
    given = arguments(make, sources)
    if given is None:
        return TableFile(name, reason=_absent(make, sources), absent=True)
    table = attempt(name, lambda: make(**given))
    if isinstance(table, str):
        return TableFile(name, reason=table)
    return TableFile(name, str(table.attrs.get("caption", "")), table)


def drawn_figures(
    figures: "Mapping[str, Callable[..., Figure]]", sources: Mapping[str, Any]
) -> "dict[str, Figure]":
    """Return those of some figures whose tables are there and that can be drawn.

    Args:
        figures: Name to figure.
        sources: Name to table; ``bootstraps`` to the number of resamples.
    """
    drawn = {}
    for name, make in figures.items():
        given = arguments(make, sources)
        if given is not None:
            figure = attempt(name, partial(_laid_out, make, given))
            if not isinstance(figure, str):
                drawn[name] = figure
    return drawn


def attempt(name: str, work: Callable[[], Made]) -> Made | str:
    """Return what ``work`` makes, or the reason why it cannot, as text.

    Whatever goes wrong with one figure is logged and must not take the others along.

    Args:
        name: Of the figure or table.
        work: Makes it.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return work()
    except MtlHccError as error:
        log.warning("%s: %s: %s", name, type(error).__name__, error)
        return str(error)
    except Exception as error:  # a figure of somebody else's making may raise anything
        log.warning("%s: %s: %s", name, type(error).__name__, error, exc_info=True)
        return f"{type(error).__name__}: {error}"


def _absent(make: Callable[..., Any], sources: Mapping[str, Any]) -> str:
    absent = [table for table in needed(make) if table not in sources]
    return f"needs the table {' and '.join(absent)}, which is not there"


def _laid_out(make: "Callable[..., Figure]", given: Mapping[str, Any]) -> "Figure":
    """Draw a figure and lay it out, which is when some mistakes show."""
    figure = make(**given)
    figure.draw_without_rendering()
    return figure


def _files(name: str, figure: "Figure") -> FigureFiles:
    content = _svg(figure, name), _png(figure)
    return FigureFiles(name, caption_of(figure), *content, figure.get_figwidth())


def _svg(figure: "Figure", name: str) -> bytes:
    """Return the figure as SVG; ids are derived from its name, so that two never collide."""
    from matplotlib import rc_context

    content = io.BytesIO()
    with rc_context({"svg.hashsalt": name, "svg.fonttype": "path"}):
        figure.savefig(content, format="svg", metadata={"Date": None})
    return content.getvalue()


def _png(figure: "Figure") -> bytes:
    content = io.BytesIO()
    figure.savefig(content, format="png", dpi=DOTS_PER_INCH)
    return content.getvalue()
