"""HCC-TACE-Seg: 105 patients of one center with CT before chemoembolization (TACE), SEG masks, OS.

Where to get it: https://doi.org/10.7937/TCIA.5FNA-0924 (The Cancer Imaging Archive): the images
with the NBIA Data Retriever, the clinical sheet (version 2, saved as CSV) from the same page.
Licence: CC BY 4.0. Citation: Moawad et al., Scientific Data 2023;10:33. Put them together as
published::

    hcc_tace_seg/
      clinical.csv
      HCC-TACE-Seg/                                (or manifest-<number>/HCC-TACE-Seg/)
        HCC_001/
          <month-day-year>-NA-<study>-<number>/
            <series>.000000-<description>-<number>/1-001.dcm ...
            300.000000-Segmentation-<number>/1-1.dcm

The SEG of the study before TACE holds the segments liver, mass (and its necrosis), portal vein and
aorta, drawn on one of the phases; follow-up studies have none and are passed over. In about a fifth
of the patients one series holds several phases, told apart by AcquisitionNumber. Without the folder
of images only the table is read.

Endpoints, published in weeks, here in days (the sheet does not say from which day they count; the
imaging before treatment lies up to weeks earlier): ``os_days, os_event`` = death of any cause, else
last contact; ``ttp_days, ttp_event`` = progression by imaging, censored at death, switch of
treatment or last contact. Nobody was resected, so there is no recurrence and no ``rfs`` unless
asked for, and no specimen, so there is no ``mvi``: ``vascular_invasion`` and
``portal_vein_thrombosis`` are macroscopic, seen on imaging.

Units: AFP ng/mL, ages years, sizes mm. ``tumor_diameter_mm`` is the sheet's tumor size (cm there,
52 empty, often far from ``recist_sum_mm``, the sum of target diameters by reader 1).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from mtl_hcc.cohorts.column_map import map_columns, recode_values
from mtl_hcc.cohorts.dicom.own_files import check_table, write_table
from mtl_hcc.cohorts.dicom.tree import DicomTree, with_reasons
from mtl_hcc.cohorts.nifti_folder import NiftiFolder
from mtl_hcc.cohorts.patient_table import BadLabels, check_patient_table
from mtl_hcc.cohorts.source import CohortSource
from mtl_hcc.cohorts.table_file import read_table_file
from mtl_hcc.errors import CohortError, TableError
from mtl_hcc.patient import CT_PHASES, Cohort

COLUMNS: dict[str, str] = {
    "patient_id": "TCIA_ID",
    "os_weeks": "OS",
    "os_event": "Death_1_StillAliveorLostToFU_0",
    "ttp_weeks": "TTP",
    "ttp_event": "Censored_0_progressed_1",
    "age_years": "age",
    "sex": "Sex",
    "hepatitis": "hepatitis",
    "cirrhosis": "Evidence_of_cirh",
    "child_pugh": "CPS",
    "performance_status": "PS_bclc_0_0_1-2_1_3-4_3",
    "tumor_size_cm": "Tr_Size",
    "tumor_number": "tumor_nodul",
    "vascular_invasion": "Vascular invasion",
    "portal_vein_thrombosis": "Portal Vein Thrombosis",
    "metastasis": "Metastasis",
    "lymph_nodes": "Lymphnodes",
    "liver_involvement": "T_involvment",
    "afp_ng_ml": "AFP",
    "pathology_grade": "Pathology",
    "clip_score": "CLIP_Score",
    "okuda": "Okuda",
    "tnm": "TNM",
    "bclc": "BCLC",
    "recist_sum_mm": "1_RECIST_BL",
    "imaging_to_diagnosis_days": "Interval_BL",
}
"""Our name to the published column; the sheet's other columns are left out."""

VALUES: dict[str, dict[str, float | str | None]] = {
    "sex": {"1": "male", "2": "female"},
    "child_pugh": {"a": "A", "b": "B", "c": "C"},
    "pathology_grade": {"not stated": None, "no biopsy": None},
    "clip_score": {f"stage_{score}": score for score in range(7)},
    "okuda": {f"stage {stage}": stage.upper() for stage in ("i", "ii", "iii")},
    "tnm": {
        f"stage-{stage}": stage.upper()
        for stage in ("i", "ii", "iiia", "iiib", "iiic", "iva", "ivb")
    },
    "bclc": {f"stage-{stage}": stage.upper() for stage in "0abcd"},
}
_IMAGES = "HCC-TACE-Seg"
_CENTER = "MD Anderson"


class HccTaceSeg(CohortSource):
    """Reads the published folder, or the clinical sheet alone; see the module for definitions.

    Args:
        table: File name of the clinical sheet.
        output: NIfTI folder to write; ``<root>_nifti`` beside the folder if not given.
        rfs: ``progression_or_death`` fills ``rfs_days, rfs_event`` with progression-free survival:
            progression, or death of patients without it. Deaths after a switch of treatment
            count, so it is close to OS.
        columns: Our name to the sheet's column, over :data:`COLUMNS`.
        bad_labels: Leave out a patient with a value that cannot be true, or empty that endpoint.
        phases: Phases wanted, in the order in which they are acquired.
        phase_rules: As in ``DicomTree``.
        series_phases: ``<patient_id>/<series>`` (as listed in messages) to its phase.
        segmented_phase: Phase of the volume that the masks were drawn on where neither the
            description nor the time tells it. Without it such patients go to quarantine.
        several: When several volumes show one phase and the masks were drawn on none.
        segment_rules: As in ``DicomTree``.
        workers: Processes (-1: one per core).
        progress: Show progress bars.

    Example:
        >>> source = HccTaceSeg(phases=["portal_venous"], segmented_phase="portal_venous")
    """

    def __init__(
        self,
        *,
        table: str = "clinical.csv",
        output: str | None = None,
        rfs: Literal["none", "progression_or_death"] = "none",
        columns: dict[str, str] | None = None,
        bad_labels: BadLabels = "quarantine",
        phases: Sequence[str] = CT_PHASES,
        phase_rules: dict[str, str] | None = None,
        series_phases: dict[str, str] | None = None,
        segmented_phase: str | None = None,
        several: Literal["quarantine", "thinnest", "thickest"] = "quarantine",
        segment_rules: dict[str, str] | None = None,
        workers: int = 1,
        progress: bool = True,
    ) -> None:
        self.table = table
        self.output = output
        self.rfs: Literal["none", "progression_or_death"] = rfs
        self.columns = {**COLUMNS, **(columns or {})}
        self.bad_labels: BadLabels = bad_labels
        self.phases = tuple(phases)
        self.images = DicomTree(
            output=output,
            phases=phases,
            phase_rules=phase_rules,
            series_phases=series_phases,
            segmented_phase=segmented_phase,
            several=several,
            study="segmented",
            segment_rules=segment_rules,
            workers=workers,
            progress=progress,
        )

    def read(self, root: Path) -> Cohort:
        """Return the cohort in the folder ``root``, or of the sheet ``root`` alone."""
        root = Path(root)
        path = root / self.table if root.is_dir() else root
        cells = self.contract_cells(path)
        images = _find_images(root) if root.is_dir() else None
        if images is None:
            table, quarantine = check_patient_table(
                cells, file=path.name, bad_labels=self.bad_labels
            )
            return Cohort(path, table, {}, quarantine)
        self.images.output = self.output or str(root.with_name(f"{root.name}_nifti"))
        content = cells.to_csv(index=False).encode()
        check_table(self.images.output_of(images), content, origin=path)
        output, reasons = self.images.convert(images)
        write_table(output, content)
        cohort = NiftiFolder(bad_labels=self.bad_labels, phases=self.phases).read(output)
        return with_reasons(cohort, reasons)

    def contract_cells(self, path: Path) -> pd.DataFrame:
        """Return the sheet under the contract's names, in days and millimeters, unchecked."""
        cells = map_columns(read_table_file(path), self.columns, file=path.name)
        cells = cells[list(self.columns)].copy()
        cells = recode_values(cells, _present(VALUES, cells), file=path.name)
        for endpoint in ("os", "ttp"):
            weeks = _numbers(cells, f"{endpoint}_weeks", path.name)
            cells[f"{endpoint}_days"] = (weeks * 7).round()
        cells["tumor_diameter_mm"] = _numbers(cells, "tumor_size_cm", path.name) * 10
        if self.rfs == "progression_or_death":
            progressed = _numbers(cells, "ttp_event", path.name) == 1
            days = cells["ttp_days"].where(progressed, cells["os_days"])
            event = _numbers(cells, "os_event", path.name).where(~progressed, 1.0)
            cells["rfs_days"] = np.minimum(days, cells["os_days"])
            cells["rfs_event"] = event
        cells["center"] = _CENTER
        return cells.drop(columns=["os_weeks", "ttp_weeks", "tumor_size_cm"])


def _present(
    values: Mapping[str, dict[str, float | str | None]], cells: pd.DataFrame
) -> dict[str, dict[str, float | str | None]]:
    return {column: words for column, words in values.items() if column in cells}


def _numbers(cells: pd.DataFrame, column: str, file: str) -> "pd.Series[float]":
    numbers = pd.to_numeric(cells[column], errors="coerce")
    wrong = numbers.isna() & cells[column].notna()
    if wrong.any():
        line, cell = next(iter(cells.loc[wrong, column].items()))
        raise TableError(
            f"{cell!r} is not a number",
            where=f"{file}, line {line}, column {column} (as named in columns)",
            remedy="Correct the cell, or empty it if the value is not known.",
        )
    return numbers.astype(float)


def _find_images(root: Path) -> Path | None:
    """Return the folder of patients, wherever the NBIA Data Retriever put it."""
    if any(root.glob("HCC_[0-9][0-9][0-9]")):
        raise CohortError(
            "the folder holds the patients themselves",
            where=str(root),
            expected=f"the clinical sheet beside the folder {_IMAGES}",
            remedy=f"Give the folder above, with the sheet in it, and name this one {_IMAGES}.",
        )
    found = [path for pattern in (_IMAGES, f"*/{_IMAGES}") for path in root.glob(pattern)]
    found = [path for path in found if path.is_dir()]
    if len(found) > 1:
        raise CohortError(
            f"{len(found)} folders {_IMAGES}",
            where=str(root),
            expected="one folder with all patients",
            remedy="Move the patients of all manifests into one folder.",
        )
    return found[0] if found else None
