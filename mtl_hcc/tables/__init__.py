"""One table of the paper per file: tables go in, a table comes out; nothing is written here."""

from collections.abc import Callable

import pandas as pd

from mtl_hcc.tables.ablation import ablation
from mtl_hcc.tables.against_baselines import against_baselines
from mtl_hcc.tables.by_center import by_center
from mtl_hcc.tables.outcome_nomograms import nomogram_mvi, nomogram_os
from mtl_hcc.tables.regression import regression
from mtl_hcc.tables.table_one import table_one_by_center, table_one_by_mvi

TABLES: dict[str, Callable[..., pd.DataFrame]] = {
    "table_one_by_center": table_one_by_center,
    "table_one_by_mvi": table_one_by_mvi,
    "regression": regression,
    "nomogram_mvi": nomogram_mvi,
    "nomogram_os": nomogram_os,
    "against_baselines": against_baselines,
    "by_center": by_center,
    "ablation": ablation,
}
"""Name to table. Arguments are named after the tables that they need: ``predictions``,
``patients``, ``metrics``, ``comparisons``, ``ablation``. A table's ``attrs["caption"]`` says n,
events and what was fitted where. Columns whose name begins with a capital are for print, the
others hold the numbers behind them."""

__all__ = ["TABLES"]
