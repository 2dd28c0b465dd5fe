"""One table of the paper per file: tables go in, a table comes out; nothing is written here."""

from collections.abc import Callable

import pandas as pd

from mtl_hcc.tables.ablation import ablation
from mtl_hcc.tables.against_baselines import against_baselines
from mtl_hcc.tables.by_center import by_center
from mtl_hcc.tables.calibration_groups import calibration_groups
from mtl_hcc.tables.cohort_flow import cohort_flow
from mtl_hcc.tables.competing_risks import competing_risks
from mtl_hcc.tables.confusion_matrix import confusion_matrix
from mtl_hcc.tables.hazard_ratios import hazard_ratios
from mtl_hcc.tables.net_benefit import net_benefit
from mtl_hcc.tables.outcome_nomograms import nomogram_mvi, nomogram_os
from mtl_hcc.tables.regression import regression
from mtl_hcc.tables.survival_summary import survival_summary
from mtl_hcc.tables.table_one import table_one_by_center, table_one_by_mvi

TABLES: dict[str, Callable[..., pd.DataFrame]] = {
    "cohort_flow": cohort_flow,
    "table_one_by_center": table_one_by_center,
    "table_one_by_mvi": table_one_by_mvi,
    "regression": regression,
    "nomogram_mvi": nomogram_mvi,
    "nomogram_os": nomogram_os,
    "against_baselines": against_baselines,
    "confusion_matrix": confusion_matrix,
    "calibration_groups": calibration_groups,
    "net_benefit": net_benefit,
    "survival_summary": survival_summary,
    "hazard_ratios": hazard_ratios,
    "competing_risks": competing_risks,
    "by_center": by_center,
    "ablation": ablation,
}
"""Name to table. Arguments are named after the tables that they need: ``predictions``,
``patients``, ``metrics``, ``comparisons``, ``ablation``. A table's ``attrs["caption"]`` says n,
events and what was fitted where. Columns whose name begins with a capital are for print, the
others hold the numbers behind them; a table whose columns are called as the user calls centers or
splits names those for print in ``attrs["printed"]``."""

__all__ = ["TABLES"]
