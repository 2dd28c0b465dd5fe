"""What is told of a figure or a table when it is added to the report."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Registered:
    """A figure or a table of the report, called as its function is.

    Attributes:
        make: Returns it. Its arguments are named after the tables that it needs; what it can do
            without has a default.
        section: Anchor of its section of the page (``mtl_hcc/reporting/outline.py``).
        title: Heading.
        how_to_read: Of a figure, in words for readers who do not draw such figures themselves.
    """

    make: Callable[..., Any]
    section: str
    title: str
    how_to_read: str = ""

    @property
    def name(self) -> str:
        """Its name, and that of its files."""
        return self.make.__name__
