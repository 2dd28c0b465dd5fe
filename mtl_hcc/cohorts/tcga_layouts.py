"""How the GDC and cBioPortal publish TCGA clinical data, and how the contract's columns follow."""

from collections.abc import Mapping
from typing import Literal

import pandas as pd

from mtl_hcc.cohorts.column_map import missing_column
from mtl_hcc.cohorts.label_checks import to_numbers
from mtl_hcc.errors import TableError

Layout = Literal["merged", "gdc", "cbioportal"]
DAYS_PER_MONTH = 30.4375
"""365.25 / 12, which cBioPortal divides days by."""
MISSING = (
    *("'--", "--", "[Not Available]", "[Not Applicable]", "[Not Evaluated]", "[Unknown]"),
    *("[Discrepancy]", "[Completed]", "[Pending]"),
    *("Not Reported", "not reported", "Unknown", "unknown"),
)
"""What the publishers write for *not known*."""

MERGED_COLUMNS = {
    "patient_id": "patient_id",
    "afp_ng_ml": "afp",
    "albumin_g_dl": "albumin",
    "platelets_10e9_l": "platelets",
    "inr": "prothrombin_time_or_inr",
    "bilirubin_mg_dl": "bilirubin",
    "stage": "ajcc_stage",
}
"""One row per patient with the endpoints already derived; all other columns keep their names."""

GDC_COLUMNS = {
    "patient_id": ("case_submitter_id", "cases.submitter_id"),
    "vital_status": ("vital_status", "demographic.vital_status"),
    "days_to_death": ("days_to_death", "demographic.days_to_death"),
    "days_to_last_follow_up": (
        "days_to_last_follow_up",
        "diagnoses.days_to_last_follow_up",
    ),
    "days_to_recurrence": ("days_to_recurrence", "diagnoses.days_to_recurrence"),
    "recurrence": ("progression_or_recurrence", "diagnoses.progression_or_recurrence"),
    "vascular_invasion": (
        *("vascular_invasion_type", "pathology_details.vascular_invasion_type"),
        *("vascular_invasion_present", "pathology_details.vascular_invasion_present"),
    ),
    "age_years": ("age_at_index", "demographic.age_at_index"),
    "sex": ("gender", "demographic.gender", "demographic.sex_at_birth"),
    "race": ("race", "demographic.race"),
    "child_pugh": ("child_pugh_classification", "diagnoses.child_pugh_classification"),
    "ishak_fibrosis": ("ishak_fibrosis_score", "diagnoses.ishak_fibrosis_score"),
    "stage": ("ajcc_pathologic_stage", "diagnoses.ajcc_pathologic_stage"),
    "ajcc_t": ("ajcc_pathologic_t", "diagnoses.ajcc_pathologic_t"),
    "grade": ("tumor_grade", "diagnoses.tumor_grade"),
    "residual_tumor": ("residual_disease", "diagnoses.residual_disease"),
    "histology": ("primary_diagnosis", "diagnoses.primary_diagnosis"),
}
"""``clinical.tsv`` of the GDC data portal, older and newer (prefixed) spelling."""

CBIOPORTAL_COLUMNS = {
    "patient_id": ("PATIENT_ID", "Patient ID"),
    "os_months": ("OS_MONTHS", "Overall Survival (Months)"),
    "os_status": ("OS_STATUS", "Overall Survival Status"),
    "dfs_months": ("DFS_MONTHS", "Disease Free (Months)"),
    "dfs_status": ("DFS_STATUS", "Disease Free Status"),
    "vascular_invasion": ("VASCULAR_INVASION", "Vascular Invasion"),
    "age_years": ("AGE", "Diagnosis Age"),
    "sex": ("SEX", "GENDER", "Sex"),
    "race": ("RACE", "Race Category"),
    "afp_ng_ml": ("AFP_AT_PROCUREMENT",),
    "albumin_g_dl": ("SERUM_ALBUMIN_PRERESECTION",),
    "platelets_10e9_l": ("PLATELET_COUNT_PRERESECTION",),
    "inr": ("PROTHROMBIN_TIME_INR_AT_PROCUREMENT",),
    "bilirubin_mg_dl": ("BILIRUBIN_TOTAL",),
    "creatinine_mg_dl": ("CREATININE_LEVEL_PRERESECTION",),
    "child_pugh": ("CHILD_PUGH_CLASSIFICATION",),
    "ishak_fibrosis": ("ISHAK_FIBROSIS_SCORE",),
    "stage": ("AJCC_PATHOLOGIC_TUMOR_STAGE",),
    "ajcc_t": ("AJCC_TUMOR_PATHOLOGIC_PT",),
    "grade": ("GRADE",),
    "residual_tumor": ("RESIDUAL_TUMOR",),
    "histology": ("HISTOLOGICAL_DIAGNOSIS",),
}
"""``data_clinical_patient.txt`` of study ``lihc_tcga``; where known, the web page's spelling."""

REQUIRED: dict[Layout, tuple[str, ...]] = {
    "merged": ("patient_id",),
    "gdc": ("patient_id", "vital_status", "days_to_death", "days_to_last_follow_up"),
    "cbioportal": ("patient_id", "os_months", "os_status"),
}
PUBLISHED: dict[Layout, dict[str, tuple[str, ...]]] = {
    "merged": {name: (column,) for name, column in MERGED_COLUMNS.items()},
    "gdc": GDC_COLUMNS,
    "cbioportal": CBIOPORTAL_COLUMNS,
}


def pick_columns(
    cells: pd.DataFrame, layout: Layout, columns: Mapping[str, str], *, file: str
) -> pd.DataFrame:
    """Return the layout's columns under our names, the first published spelling that exists.

    Args:
        cells: Cells under the publisher's names.
        layout: Who published the file.
        columns: Our name to the file's column, for files that differ; also for further columns.
        file: File name for messages.
    """
    picked: dict[str, pd.Series] = {}
    for name, column in columns.items():
        if column not in cells:
            raise missing_column(column, cells, where=file, setting=f"columns.{name}")
        picked[name] = cells[column]
    for name, spellings in PUBLISHED[layout].items():
        found = next((column for column in spellings if column in cells), None)
        if name in picked:
            continue
        if found is not None:
            picked[name] = cells[found]
        elif name in REQUIRED[layout]:
            raise _other_layout(cells, layout, file) or missing_column(
                spellings[0], cells, where=file, setting=f"columns.{name}"
            )
    if layout == "merged":
        used = {column for (column,) in PUBLISHED["merged"].values()} | set(columns.values())
        picked |= {str(c): cells[c] for c in cells if c not in used and c not in picked}
    return pd.DataFrame(picked, index=cells.index)


def _other_layout(cells: pd.DataFrame, layout: Layout, file: str) -> TableError | None:
    """Return the error that names the layout which the file has, if it has another one."""
    for other, required in REQUIRED.items():
        spellings = [PUBLISHED[other][name] for name in required]
        if other != layout and all(any(c in cells for c in names) for names in spellings):
            first = ", ".join(PUBLISHED[layout][name][0] for name in REQUIRED[layout])
            return TableError(
                f"the file does not have the layout {layout!r}",
                where=file,
                expected=f"the columns {first}",
                remedy=f"It looks like {other!r}: set data.source.layout to {other}.",
            )
    return None


def one_row_per_patient(cells: pd.DataFrame, latest: Mapping[str, str]) -> pd.DataFrame:
    """Join the rows of each patient (one per treatment or sample): first known cell of each column.

    Args:
        cells: Rows with ``patient_id``; the index is the line in the file.
        latest: Numeric columns that are joined otherwise, by ``"max"`` or ``"min"``.
    """
    rows = cells.reset_index()
    joined = {name: latest.get(str(name), "first") for name in rows if name != "patient_id"}
    patients = rows.groupby("patient_id", sort=False, dropna=False).agg(joined)
    return patients.reset_index().set_index(str(cells.index.name))


def derive_gdc(cells: pd.DataFrame, *, file: str) -> pd.DataFrame:
    """Return OS and RFS from vital status and days since diagnosis.

    ``os_days`` is ``days_to_death`` of the dead and ``days_to_last_follow_up`` of the living. RFS
    stays empty where the file does not say whether the tumor came back. Of several rows, the
    latest follow-up and the earliest recurrence count.
    """
    cells = cells.copy()
    join = {"days_to_death": "max", "days_to_last_follow_up": "max", "days_to_recurrence": "min"}
    join = {column: how for column, how in join.items() if column in cells}
    for column in join:
        cells[column] = _days(cells, column, file)
    if "recurrence" in cells:
        cells["recurrence"] = _words(cells["recurrence"], {"yes": 1.0, "no": 0.0})
        join["recurrence"] = "max"
    cells = one_row_per_patient(cells, join)
    dead = _words(cells["vital_status"], {"dead": 1.0, "alive": 0.0})
    cells["os_event"] = dead
    cells["os_days"] = cells["days_to_death"].where(dead == 1, cells["days_to_last_follow_up"])
    if {"recurrence", "days_to_recurrence"} <= set(cells):
        days = cells["days_to_recurrence"]
        _add_rfs(cells, cells["recurrence"].mask(days.notna(), 1.0), days)
    spent = ("vital_status", "days_to_death", "days_to_last_follow_up")
    return with_invasion(cells.drop(columns=list(spent)))


def derive_cbioportal(cells: pd.DataFrame, *, file: str) -> pd.DataFrame:
    """Return OS and RFS in days from months and statuses such as ``1:DECEASED``.

    cBioPortal's DFS counts recurrence only; a death without recurrence becomes an event here.
    """
    cells = one_row_per_patient(cells, {})
    cells["os_event"] = _status(cells["os_status"], {"deceased": 1.0, "living": 0.0})
    cells["os_days"] = (_days(cells, "os_months", file) * DAYS_PER_MONTH).round()
    if {"dfs_status", "dfs_months"} <= set(cells):
        recurred = _status(cells["dfs_status"], {"recurred/progressed": 1.0, "diseasefree": 0.0})
        _add_rfs(cells, recurred, (_days(cells, "dfs_months", file) * DAYS_PER_MONTH).round())
    spent = [
        name for name in cells if name in ("os_months", "os_status", "dfs_months", "dfs_status")
    ]
    return with_invasion(cells.drop(columns=spent))


def with_invasion(cells: pd.DataFrame) -> pd.DataFrame:
    """Add ``mvi`` (none 0, micro 1, macro and others missing) and ``any_vascular_invasion``."""
    if "vascular_invasion" not in cells or "mvi" in cells:
        return cells
    none = {"none": 0.0, "no": 0.0, "no vascular invasion": 0.0}
    kind = cells["vascular_invasion"]
    return cells.assign(
        mvi=_words(kind, {**none, "micro": 1.0}),
        any_vascular_invasion=_words(kind, {**none, "micro": 1.0, "macro": 1.0, "yes": 1.0}),
    )


def _add_rfs(cells: pd.DataFrame, recurred: pd.Series, days: pd.Series) -> None:
    """Write RFS: a dated recurrence, else death or last contact; empty if undated or unknown."""
    dated = (recurred == 1) & days.notna()
    free = recurred == 0
    event = cells["os_event"].where(free)
    cells["rfs_event"] = event.mask(dated, 1.0)
    cells["rfs_days"] = cells["os_days"].where(free).mask(dated, days)


def _words(cells: pd.Series, meaning: Mapping[str, float]) -> pd.Series:
    def number(cell: object) -> object:
        return meaning.get(cell.casefold(), float("nan")) if isinstance(cell, str) else cell

    return cells.astype(object).map(number).astype(float)


def _status(cells: pd.Series, meaning: Mapping[str, float]) -> pd.Series:
    """Read ``1:DECEASED``, ``DECEASED`` or ``1``."""
    codes = {"0": 0.0, "1": 1.0}
    code = cells.astype(object).str.partition(":")
    return _words(code[0], {**meaning, **codes})


def _days(cells: pd.DataFrame, column: str, file: str) -> pd.Series:
    numbers, faults = to_numbers(cells[column], file=file)
    if faults:
        raise TableError(
            f"line {faults[0].line}, {faults[0].reason}", where=f"{file}, column {column}"
        )
    return numbers
