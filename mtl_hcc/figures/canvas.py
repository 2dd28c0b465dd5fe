"""How all figures look: colors that everybody can tell apart, a figure without a screen."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

BLACK = "#000000"
ORANGE = "#E69F00"
SKY_BLUE = "#56B4E9"
GREEN = "#009E73"
YELLOW = "#F0E442"
BLUE = "#0072B2"
VERMILION = "#D55E00"
PURPLE = "#CC79A7"
OKABE_ITO = (BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY_BLUE, BLACK, YELLOW)
"""Okabe and Ito's palette, told apart also by color-blind readers; the strongest first."""
SPLIT_COLORS = {
    "train": BLACK,
    "validation": ORANGE,
    "test": BLUE,
    "external": VERMILION,
}


def empty_figure(width: float, height: float) -> "Figure":
    """Return a figure of this size in inches, tied to no window (pyplot is never touched)."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def plain_axes(axes: "Axes") -> "Axes":
    """Take away the frame's upper and right sides."""
    axes.spines[["top", "right"]].set_visible(False)
    return axes


def note(axes: "Axes", text: str) -> None:
    """Say in an empty panel why it is empty."""
    axes.text(0.5, 0.5, text, transform=axes.transAxes, ha="center", va="center", wrap=True)


def split_color(split: str, place: int) -> str:
    """Return the color of a split; an unknown one takes the palette's color at ``place``."""
    return SPLIT_COLORS.get(split, OKABE_ITO[place % len(OKABE_ITO)])


def describe(figure: "Figure", caption: str) -> "Figure":
    """Give a figure its caption: what it shows, n, events, and what was fitted where."""
    figure.set_label(caption)
    return figure


def caption_of(figure: "Figure") -> str:
    """Return a figure's caption, empty when it has none."""
    return str(figure.get_label() or "")
