"""TCGA-LIHC: 377 resected liver cancers with survival, recurrence and vascular invasion.

Where to get it (open access, no application):

- GDC: https://portal.gdc.cancer.gov, project TCGA-LIHC, *Clinical*, TSV; ``clinical.tsv`` is read
  with ``layout: gdc``. Vascular invasion is in ``pathology_detail.tsv``: join it first, else
  there is no ``mvi``.
- cBioPortal: https://www.cbioportal.org/study/summary?id=lihc_tcga, the archive's
  ``data_clinical_patient.txt`` is read with ``layout: cbioportal``. It has AFP and vascular
  invasion.
- A table with one row per patient and derived endpoints: ``layout: merged``.

Licence: TCGA clinical data of this kind are open access under the NIH Genomic Data Sharing policy.
Citation: The Cancer Genome Atlas Research Network, Cell 2017;169:1327-1341.

Endpoints, in days from the initial pathologic diagnosis: OS = death of any cause, else last
contact. RFS = first new tumor event or death; empty when a new tumor event has no date. ``mvi`` =
reported vascular tumor invasion: none 0, micro 1; macro is missing, since it says nothing about
microvascular invasion. ``center`` = tissue source site, the two characters after ``TCGA-``.

Units: AFP ng/mL, albumin g/dL, platelets 10^9/L, bilirubin and creatinine mg/dL, age years. Sites
mixed units; values outside :data:`LIMITS` are emptied and reported, none is converted.
``inr`` outside its limits is a prothrombin time in seconds.

What is set aside in the merged table (377 rows) with the default ``bad_labels: blank``: nobody is
left out; OS and RFS are emptied of one patient without follow-up time and of five with 0 days
(RFS of one of these is a recurrence at day 102, after the last contact), and RFS of one more whose
recurrence is dated after death. Ten patients are not plain HCC (column ``plain_hcc``).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from mtl_hcc.cohorts import tcga_layouts
from mtl_hcc.cohorts.clinical_table import ClinicalTable
from mtl_hcc.cohorts.column_map import recode_values
from mtl_hcc.cohorts.patient_table import BadLabels
from mtl_hcc.cohorts.table_file import read_table_file
from mtl_hcc.cohorts.tcga_layouts import Layout
from mtl_hcc.errors import TableError
from mtl_hcc.patient import Cohort

LIMITS: dict[str, tuple[float, float]] = {
    "albumin_g_dl": (1.0, 6.0),
    "platelets_10e9_l": (5.0, 1500.0),
    "inr": (0.5, 6.0),
    "creatinine_mg_dl": (0.1, 20.0),
    "bilirubin_mg_dl": (0.05, 50.0),
    "height_cm": (100.0, 230.0),
}
"""Smallest and largest value that the column's unit makes plausible."""

VALUES: dict[str, dict[str, float | str | None]] = {
    "sex": {"male": "male", "female": "female"},
    "stage": {
        f"stage {stage}{part}": stage.upper()
        for stage in ("i", "ii", "iii", "iv")
        for part in ("", "a", "b", "c")
    },
}
"""One spelling for all publishers; AJCC substages are joined, since four editions are mixed."""


class TcgaLihc(ClinicalTable):
    """Reads the clinical table of TCGA-LIHC; see the module for endpoints and units.

    Args:
        layout: Who published the file.
        only_hcc: Leave out mixed and fibrolamellar carcinomas instead of marking them.
        columns: Our name to the file's column, where the file differs from the published ones.
        values: Column to the file's words to numbers or other words, besides :data:`VALUES`.
        limits: Column to its plausible range, over :data:`LIMITS`.
        missing_values: Texts that mean *not known*, besides the publishers' own.
        bad_labels: Leave out a patient with a value that cannot be true, or empty that endpoint.
        table: File name to look for when the cohort is given as a folder.

    Example:
        >>> source = TcgaLihc(layout="cbioportal", table="data_clinical_patient.txt")
    """

    def __init__(
        self,
        *,
        layout: Layout = "merged",
        only_hcc: bool = False,
        columns: dict[str, str] | None = None,
        values: dict[str, dict[str, float | str | None]] | None = None,
        limits: dict[str, tuple[float, float]] | None = None,
        missing_values: Sequence[str] = (),
        bad_labels: BadLabels = "blank",
        table: str = "clinical.csv",
    ) -> None:
        super().__init__(
            columns=columns,
            values=values,
            limits=limits,
            missing_values=(*tcga_layouts.MISSING, *missing_values),
            bad_labels=bad_labels,
            table=table,
        )
        self.layout: Layout = layout
        self.only_hcc = only_hcc

    def read(self, root: Path) -> Cohort:
        """Return the cohort in the file ``root`` (or in ``root/<table>``)."""
        cohort = super().read(root)
        if not self.only_hcc:
            return cohort
        if "plain_hcc" not in cohort.table:
            raise TableError(
                "only_hcc is set, but no column tells the histology",
                where=cohort.root.name,
                remedy="Set columns.histology to the column that does, or only_hcc to false.",
            )
        other = cohort.table["plain_hcc"] != 1
        rows = pd.DataFrame(
            {
                "patient_id": cohort.table.index[other],
                "step": "table",
                "reason": [
                    f"column histology: {text!r} is not plain HCC; set only_hcc to false to keep"
                    for text in cohort.table.loc[other, "histology"]
                ],
            }
        )
        quarantine = pd.concat([cohort.quarantine, rows], ignore_index=True)
        return Cohort(cohort.root, cohort.table[~other], {}, quarantine)

    def text_cells(self, path: Path) -> pd.DataFrame:
        """Return the file's cells; cBioPortal describes its columns in lines that start with #."""
        return read_table_file(path, missing_values=self.missing_values, comment="#")

    def contract_cells(self, cells: pd.DataFrame, *, file: str) -> pd.DataFrame:
        """Return the contract's columns, derived from the publisher's."""
        cells = tcga_layouts.pick_columns(cells, self.layout, self.columns, file=file)
        if self.layout == "gdc":
            cells = tcga_layouts.derive_gdc(cells, file=file)
        elif self.layout == "cbioportal":
            cells = tcga_layouts.derive_cbioportal(cells, file=file)
        else:
            cells = tcga_layouts.with_invasion(cells)
        if "center" not in cells:
            site = cells["patient_id"].astype(object).str.extract(r"^TCGA-([A-Z0-9]{2})-")[0]
            cells = cells.assign(center=site)
        if "histology" in cells:
            text = cells["histology"].astype(object).str.casefold()
            plain = text.str.startswith("hepatocellular carcinoma") & ~text.str.contains(
                "fibrolamellar|cholangio", na=False
            )
            cells = cells.assign(plain_hcc=plain.where(text.notna()).astype(float))
        present = {column: words for column, words in VALUES.items() if column in cells}
        return recode_values(cells, present, file=file)

    def limits_of(self, table: pd.DataFrame) -> Mapping[str, tuple[float, float]]:
        """Return the configured limits, and the default ones of columns that exist."""
        present = {column: limit for column, limit in LIMITS.items() if column in table}
        return {**present, **self.limits}
