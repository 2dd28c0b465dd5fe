"""One table of the paper per file: tables go in, a table comes out; nothing is written here."""

from collections.abc import Callable

import pandas as pd

from mtl_hcc.tables.ablation_table import ablation
from mtl_hcc.tables.against_baselines import against_baselines
from mtl_hcc.tables.by_center import by_center
from mtl_hcc.tables.calibration_groups import calibration_groups
from mtl_hcc.tables.cohort_flow_table import cohort_flow
from mtl_hcc.tables.competing_risks import competing_risks
from mtl_hcc.tables.confusion_table import confusion_matrix
from mtl_hcc.tables.hazard_ratios import hazard_ratios
from mtl_hcc.tables.net_benefit_table import net_benefit
from mtl_hcc.tables.outcome_nomograms import nomogram_mvi, nomogram_os
from mtl_hcc.tables.registered_tables import Registered
from mtl_hcc.tables.regression import regression
from mtl_hcc.tables.survival_summary import survival_summary
from mtl_hcc.tables.table_one import table_one_by_center, table_one_by_mvi

REGISTERED = (
    Registered(
        cohort_flow,
        section="flow",
        title="Cohort flow",
    ),
    Registered(
        table_one_by_center,
        section="patients",
        title="Table 1 by center",
    ),
    Registered(
        table_one_by_mvi,
        section="patients",
        title="Table 1 by MVI",
    ),
    Registered(
        regression,
        section="regression",
        title="Regression",
    ),
    Registered(
        nomogram_mvi,
        section="regression",
        title="Nomogram of MVI",
    ),
    Registered(
        nomogram_os,
        section="regression",
        title="Nomogram of OS",
    ),
    Registered(
        against_baselines,
        section="comparisons",
        title="Beside clinical baselines",
    ),
    Registered(
        confusion_matrix,
        section="discrimination",
        title="Confusion matrices",
    ),
    Registered(
        calibration_groups,
        section="calibration",
        title="Calibration by groups of predicted risk",
    ),
    Registered(
        net_benefit,
        section="decision",
        title="Net benefit",
    ),
    Registered(
        survival_summary,
        section="discrimination",
        title="Follow-up and survival",
    ),
    Registered(
        hazard_ratios,
        section="discrimination",
        title="High against low risk",
    ),
    Registered(
        competing_risks,
        section="competing",
        title="Competing risks",
    ),
    Registered(
        by_center,
        section="centers",
        title="By center",
    ),
    Registered(
        ablation,
        section="ablation",
        title="Ablation",
    ),
)
"""Arguments are named after the tables that they need: ``predictions``, ``patients``, ``metrics``,
``comparisons``, ``ablation``; ``bootstraps`` is the number that the user asked for. A table's
``attrs["caption"]`` says n, events and what was fitted where. Columns whose name begins with a
capital are for print, the others hold the numbers behind them; a table whose columns are called as
the user calls centers or splits names those for print in ``attrs["printed"]``."""
TABLES: dict[str, Callable[..., pd.DataFrame]] = {one.name: one.make for one in REGISTERED}
"""Name to table."""

__all__ = ["REGISTERED", "TABLES"]
