"""What looks odd in a whole clinical table though no cell is wrong: unit of times, names of splits.

A remark stands in the quarantine under the name *(all patients)*: everybody is kept, and the user
is told wherever the quarantine is shown (terminal, ``quarantine.csv``, report).
"""

import pandas as pd

from mtl_hcc.metrics.time_units import unit_doubts
from mtl_hcc.patient import EVERYBODY, SURVIVAL_ENDPOINTS
from mtl_hcc.split_names import meant_split


def table_remarks(table: pd.DataFrame, *, file: str) -> pd.DataFrame:
    """Return one quarantine row with all remarks about a table, or none.

    Args:
        table: Checked, with ``center``.
        file: Its name, for messages.
    """
    said = []
    for endpoint in SURVIVAL_ENDPOINTS:
        column = f"{endpoint}_days"
        if column in table:
            doubts = unit_doubts(table[column], table["center"])
            said += [f"column {column}: {doubt}" for doubt in doubts]
    if "split" in table:
        for name, number in table["split"].dropna().astype(str).value_counts().items():
            if meant := meant_split(str(name)):
                said.append(
                    f"column split: {str(name)!r} ({number} patients) is not {meant}; rename it "
                    f"if {meant} is meant"
                )
    reasons = [f"kept: {file}, {'; also '.join(said)}"] if said else []
    rows = {"patient_id": [EVERYBODY] * len(reasons), "step": "table", "reason": reasons}
    return pd.DataFrame(rows, dtype=object)
