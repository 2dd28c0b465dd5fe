"""What a section of the page is made of: figures, tables, pictures, notes."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd

from mtl_hcc.reporting.figure_files import FigureFiles, TableFile
from mtl_hcc.reporting.outline import how_to_read, title_of
from mtl_hcc.tables.key_results_table import NO_VALUE

FEW_ROWS = 30
"""A longer table is folded."""
ALWAYS_OPEN = "table_one"
"""But for the table that every paper shows."""
MOST_ROWS = 200
"""Of a longer table the page shows the beginning; the CSV file holds all."""
CSS_INCH = 96
ZOOM = 1.3
"""Figures are made for print, where 7 points can be read; on a screen they are shown larger."""
LARGE_SVG = 700_000
"""Bytes of an SVG beyond which the page shows the PNG: so many points are not drawn as lines."""


@dataclass(frozen=True)
class Note:
    """A sentence; ``missing`` marks what could not be shown."""

    text: str
    missing: bool = False
    kind: str = "note"


@dataclass(frozen=True)
class Points:
    """A list of sentences under a small heading."""

    title: str
    items: Sequence[str]
    kind: str = "points"


@dataclass(frozen=True)
class Picture:
    """An image file: its content in the page, and links to the files beside it.

    Attributes:
        title: Heading, may be empty.
        caption: Also the text for readers who cannot see it.
        source: The picture itself, as a data URI.
        links: Name to file.
        reading: How to read it.
        width: In CSS pixels, if the page has room; 0 for the picture's own.
    """

    title: str
    caption: str
    source: str
    links: Mapping[str, str] = field(default_factory=dict)
    reading: str = ""
    width: int = 0
    kind: str = "picture"


@dataclass(frozen=True)
class Table:
    """A table as text, with the link to all of it."""

    title: str
    caption: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: Sequence[bool]
    link: str
    total: int
    folded: bool = False
    note: str = ""
    kind: str = "table"


@dataclass(frozen=True)
class Answers:
    """The checklist: items with an answer, or with what the authors have to write."""

    groups: Mapping[str, Sequence[Mapping[str, str]]]
    link: str
    caption: str = ""
    kind: str = "answers"


Block = Note | Points | Picture | Table | Answers


def figure_block(figure: FigureFiles) -> Block:
    """Return a figure as a block, or the reason why it could not be drawn."""
    title = title_of(figure.name)
    if figure.reason:
        return Note(f"{title}: not drawn, because {figure.reason}", missing=True)
    large = len(figure.svg) > LARGE_SVG
    kind, content = ("png", figure.png) if large else ("svg+xml", figure.svg)
    return Picture(
        title=title,
        caption=figure.caption or title,
        source=data_uri(content, kind),
        width=round(ZOOM * figure.width_inches * CSS_INCH),
        links={
            "SVG": f"figures/{figure.name}.svg",
            "PNG (300 dpi)": f"figures/{figure.name}.png",
        },
        reading=how_to_read(figure.name),
    )


def table_block(table: TableFile, *, folded: bool = False, beside_figure: bool = False) -> Block:
    """Return a table as a block, or the reason why it could not be made.

    Columns whose name begins with a capital are for print, or those that the table itself names in
    ``attrs["printed"]``; the others hold numbers behind them and stand in the CSV file only, unless
    there is no column for print.

    Args:
        table: The table.
        folded: Whether the reader has to open it, however short it is.
        beside_figure: Whether it follows the figure of the same name.
    """
    title = title_of(table.name) + (": the numbers" if beside_figure else "")
    if table.table is None:
        return Note(f"{title}: not made, because {table.reason}", missing=True)
    everything = table.table
    if everything.empty:
        return Note(f"{title}: {table.caption or 'nothing to show'}", missing=True)
    printed = everything.attrs.get("printed") or [
        name for name in everything if _is_printed(everything[name])
    ]
    shown = everything[everything.columns if table.whole else printed or everything.columns]
    shown = shown.head(MOST_ROWS)
    hidden = f"The first {MOST_ROWS} of {len(everything)} rows; the CSV file holds all."
    return Table(
        title=title,
        caption=table.caption,
        header=[str(name) for name in shown],
        rows=[[cell(value) for value in row] for row in shown.itertuples(index=False)],
        numbers=[_is_number(shown.iloc[:, place]) for place in range(shown.shape[1])],
        link=f"tables/{table.name}.csv",
        total=len(everything),
        folded=folded or (len(everything) > FEW_ROWS and not table.name.startswith(ALWAYS_OPEN)),
        note=hidden if len(everything) > MOST_ROWS else "",
    )


def data_uri(content: bytes, kind: str) -> str:
    """Return an image as part of the page: each SVG is a document of its own, so ids never meet."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def cell(value: object) -> str:
    """Return a cell as text: numbers with three significant digits, a dash where empty.

    Example:
        >>> cell(0.71234), cell(12.0), cell(1234.5), cell("a"), cell(float("nan"))
        ('0.712', '12', '1234', 'a', '-')
    """
    if value is None or value is pd.NA or value != value:  # NaN differs from itself
        return NO_VALUE
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() or abs(value) >= 1000 else f"{value:.3g}"
    return str(value)


def _is_printed(column: "pd.Series[str]") -> bool:
    """Tell whether a column is for print: its name has a capital, or is ``p`` and holds text."""
    name = str(column.name)
    return name[:1].isupper() or (name == "p" and not pd.api.types.is_numeric_dtype(column))


def _is_number(column: "pd.Series[float]") -> bool:
    """Tell whether a column is set to the right: numbers, or text that begins with one."""
    if pd.api.types.is_numeric_dtype(column):
        return True
    text = column.dropna().astype(str).str.strip()
    text = text[text != ""]
    return bool(len(text)) and bool(text.str.match(r"^[<>]?\s*-?\d|^-$").mean() > 0.8)
