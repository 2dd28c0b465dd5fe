"""The patients that tests/oracles/survival_groups/survival_groups.R looked at, and what R found."""

from pathlib import Path

import numpy as np
import pandas as pd

ORACLES = Path(__file__).parents[2] / "oracles"
STUDIES = ("heavy", "tcga_lihc", "hcc_tace_seg")
HORIZON = {"heavy": 3, "tcga_lihc": 1095, "hcc_tace_seg": 1095}
TERMS = {
    "heavy": ["x", "stratum"],
    "tcga_lihc": ["age_years", "sex", "log1p_afp"],
    "hcc_tace_seg": ["age", "child_pugh", "high"],
}


class FoundByR:
    """What R found for one study: ``found("survival log-log")`` maps places to values."""

    def __init__(self, study: str) -> None:
        table = pd.read_csv(ORACLES / "survival_groups" / "survival_groups.csv")
        self.table = table[table["data"] == study].set_index(["quantity", "which"])["value"]

    def __call__(self, quantity: str) -> dict[str, float]:
        return self.table.loc[quantity].to_dict()


def patients_of(study: str, clinical_tables: Path) -> pd.DataFrame:
    """Return ``time, event, group, high`` and perhaps ``cause``, prepared as the R script does."""
    if study == "heavy":
        rows = pd.read_csv(ORACLES / "cox" / "patients.csv").query("data == 'heavy'")
        cuts = rows["x"].quantile([1 / 3, 2 / 3])
        return rows.assign(
            group=np.searchsorted(cuts, rows["x"], side="right"),
            high=rows["x"] > 0,
            cause=np.where(rows["event"] == 0, 0, 1 + rows["patient"] % 2),
        )
    if study == "hcc_tace_seg":
        rows = pd.read_csv(clinical_tables / "hcc_tace_seg" / "clinical.csv")
        return rows.assign(
            time=7 * rows["OS"],
            event=rows["Death_1_StillAliveorLostToFU_0"],
            group=rows["BCLC"],
            high=rows["BCLC"].isin(["Stage-C", "Stage-D"]),
            child_pugh=rows["CPS"],
        )
    rows = pd.read_csv(clinical_tables / "tcga_lihc" / "clinical.csv")
    rows = rows.dropna(subset=["rfs_days", "rfs_event", "afp", "grade"])
    return rows.assign(
        time=rows["rfs_days"],
        event=rows["rfs_event"],
        group=rows["grade"],
        high=rows["afp"] > 20,
        log1p_afp=np.log1p(rows["afp"]),
    )
