"""One table of the paper per file: tables go in, a table comes out; nothing is written here."""

from collections.abc import Callable

import pandas as pd

TABLES: dict[str, Callable[..., pd.DataFrame]] = {}
"""Name to table. Arguments are named after the tables that they need: ``predictions``,
``patients``, ``metrics``, ``comparisons``. A table's ``attrs["caption"]`` says n, events and what
was fitted where."""

__all__ = ["TABLES"]
