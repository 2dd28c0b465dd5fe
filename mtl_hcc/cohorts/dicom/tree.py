"""A cohort of DICOM files in any folders: series become phases, SEG objects become label maps."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pandas as pd

from mtl_hcc.cohorts.dicom.own_files import check_table, write_table
from mtl_hcc.cohorts.nifti_folder import NiftiFolder
from mtl_hcc.cohorts.patient_table import BadLabels
from mtl_hcc.cohorts.source import CohortSource
from mtl_hcc.cohorts.table_file import unreadable
from mtl_hcc.errors import CohortError, ConfigError
from mtl_hcc.patient import CT_PHASES, KEPT, Cohort

if TYPE_CHECKING:
    from mtl_hcc.cohorts.dicom.patient_volumes import ReadingRules


class DicomTree(CohortSource):
    """Converts a tree of DICOM files to the contract's NIfTI folder, then reads that.

    Names and depth of the folders do not matter. A second call converts only patients whose files
    or rules changed; what another hand put into the output, or changed there, is never replaced or
    removed. Names and dates of patients are neither written nor logged; the output holds
    the patient_id, image files, and a record of what each was made from. A patient that cannot be
    read is put in quarantine with the reason; RT structure sets are out of scope and refused with
    what to do instead.

    Args:
        output: The NIfTI folder to write; ``<root>_nifti`` beside the tree if not given.
        table: The clinical table: a file name inside the tree, or a path.
        columns: Contract name (``os_days``) to the user's column (``"OS (d)"``).
        missing_values: Texts that mean *not known*, besides the empty cell and NA.
        bad_labels: Leave out a patient with a value that cannot be true, or empty that endpoint.
        patient_from: Take the patient_id from the PatientID ``tag``, or from the first ``folder``
            below the root.
        phases: Phases wanted, in the order in which they are acquired.
        phase_rules: Phase (or ``ignore``) to a regular expression for SeriesDescription; replaces
            the rule of that phase in ``mtl_hcc.cohorts.dicom.phases.PHASE_RULES``.
        phase_seconds: Phase to a range of seconds after the start of the contrast injection.
        series_phases: ``<patient_id>/<series>`` (as listed in messages) to its phase, or
            ``ignore``; overrules everything else.
        segmented_phase: Phase of the volume that the segmentation was drawn on when nothing
            tells it; other untold volumes are then passed over.
        several: When several volumes show one phase and the segmentation was drawn on none: refuse
            the patient, or take the one whose slices are closest together or farthest apart (mm).
        study: Which study counts when a patient has several.
        segment_rules: ``liver``, ``tumor``, ``loat`` or ``ignore`` to a regular expression for
            the segments' labels, descriptions or coded types; overrules what these say.
        reader: Whose segmentations count when several readers drew: a regular expression for a
            segmentation as listed in messages (series, descriptions, file).
        masks: Folder with ``<patient_id>/regions.nii.gz`` instead of SEG objects.
        smallest_volume: Volumes with fewer slices are passed over.
        largest_gap: Slices may leave this fraction of their thickness unseen between them.
        workers: Processes (-1: one per core).
        progress: Show progress bars.

    Example:
        >>> source = DicomTree(
        ...     table="clinic.csv", series_phases={"P012/4-2": "delayed"}, study="earliest"
        ... )
    """

    def __init__(
        self,
        *,
        output: str | None = None,
        table: str = "patients.csv",
        columns: dict[str, str] | None = None,
        missing_values: Sequence[str] = (),
        bad_labels: BadLabels = "quarantine",
        patient_from: Literal["tag", "folder"] = "tag",
        phases: Sequence[str] = CT_PHASES,
        phase_rules: dict[str, str] | None = None,
        phase_seconds: dict[str, list[float]] | None = None,
        series_phases: dict[str, str] | None = None,
        segmented_phase: str | None = None,
        several: Literal["quarantine", "thinnest", "thickest"] = "quarantine",
        study: Literal["only", "earliest", "segmented"] = "only",
        segment_rules: dict[str, str] | None = None,
        reader: str | None = None,
        masks: str | None = None,
        smallest_volume: int = 3,
        largest_gap: float = 0.5,
        workers: int = 1,
        progress: bool = True,
    ) -> None:
        self.output = output
        self.table = table
        self.columns = dict(columns or {})
        self.missing_values = tuple(missing_values)
        self.bad_labels: BadLabels = bad_labels
        self.patient_from: Literal["tag", "folder"] = patient_from
        self.phases = tuple(phases)
        self.phase_rules = dict(phase_rules or {})
        self.phase_seconds = dict(phase_seconds or {})
        self.series_phases = dict(series_phases or {})
        self.segmented_phase = segmented_phase
        self.several = several
        self.study: Literal["only", "earliest", "segmented"] = study
        self.segment_rules = dict(segment_rules or {})
        self.reader = reader
        self.masks = masks
        self.smallest_volume = smallest_volume
        self.largest_gap = largest_gap
        self.workers = workers
        self.progress = progress

    def read(self, root: Path) -> Cohort:
        """Convert the tree at ``root`` where needed, and return the cohort."""
        root = Path(root)
        table = root / self.table
        if not table.is_file():
            raise CohortError(
                unreadable(table) or f"no clinical table {self.table}",
                where=str(root),
                remedy="Put it into the tree, or set table to its path.",
            )
        output, content = self.output_of(root), table.read_bytes()
        check_table(output, content, origin=table)
        output, reasons = self.convert(root)
        write_table(output, content)
        folder = NiftiFolder(
            columns=self.columns,
            missing_values=self.missing_values,
            bad_labels=self.bad_labels,
            phases=self.phases,
        )
        return with_reasons(folder.read(output), reasons)

    def output_of(self, root: Path) -> Path:
        """Return the NIfTI folder of the tree at ``root``."""
        return Path(self.output) if self.output else root.with_name(f"{root.name}_nifti")

    def reads(self, root: Path) -> list[Path]:
        """Return the table, and the folder of masks when there is one."""
        return [*super().reads(root), *([Path(self.masks)] if self.masks else [])]

    def convert(self, root: Path) -> tuple[Path, list[tuple[str, str]]]:
        """Convert the images only.

        Returns:
            The NIfTI folder, and ``(patient_id, reason)`` of those that could not be converted, or
            ``(patient_id, "kept: ...")`` with a remark.

        Raises:
            CohortError: There is no DICOM image, or no patient could be converted.
        """
        # pydicom, highdicom and SimpleITK are loaded when a tree is read, not to name the class
        from mtl_hcc.cohorts.dicom.convert import convert_tree
        from mtl_hcc.cohorts.dicom.dicom_files import find_dicom_files

        rules = self._rules()
        output = self.output_of(root)
        found = find_dicom_files(root, workers=self.workers, progress=self.progress)
        reasons = convert_tree(
            found,
            output,
            rules,
            patient_from=self.patient_from,
            masks=Path(self.masks) if self.masks else None,
            workers=self.workers,
            progress=self.progress,
        )
        refused = {name for name, reason in reasons if not reason.startswith(KEPT)}
        folders = {path.name for path in (output / "images").iterdir() if path.is_dir()}
        if not folders - refused:
            raise CohortError(
                f"no patient could be converted; the first reason: {reasons[0][1]}",
                where=str(root),
                remedy="The other patients' reasons are often the same.",
            )
        return output, reasons

    def _rules(self) -> "ReadingRules":
        from mtl_hcc.cohorts.dicom.patient_volumes import ReadingRules
        from mtl_hcc.cohorts.dicom.phase_rules import PHASE_RULES, PHASE_SECONDS, PhaseRules
        from mtl_hcc.cohorts.dicom.segment_meaning import RULES

        for setting, keys, allowed in (
            ("phase_rules", self.phase_rules, (*self.phases, "ignore")),
            ("phase_seconds", self.phase_seconds, self.phases),
            ("series_phases", self.series_phases.values(), (*self.phases, "ignore")),
            ("segment_rules", self.segment_rules, RULES),
            ("segmented_phase", filter(None, [self.segmented_phase]), self.phases),
        ):
            for key in keys:
                if key not in allowed:
                    raise ConfigError(
                        f"{setting} names {key!r}", expected=f"one of {', '.join(allowed)}"
                    )
        for setting, rules in (
            ("phase_rules", self.phase_rules.values()),
            ("segment_rules", self.segment_rules.values()),
            ("reader", filter(None, [self.reader])),
        ):
            _check_expressions(setting, rules)
        descriptions = {**PHASE_RULES, **self.phase_rules}
        seconds = {**PHASE_SECONDS, **self.phase_seconds}
        return ReadingRules(
            phases=PhaseRules(
                phases=self.phases,
                descriptions={
                    k: v for k, v in descriptions.items() if k in (*self.phases, "ignore")
                },
                seconds={k: v for k, v in seconds.items() if k in self.phases},
                chosen=self.series_phases,
                smallest=self.smallest_volume,
                segmented=self.segmented_phase,
                several=self.several,
            ),
            segments=self.segment_rules,
            reader=self.reader,
            study=self.study,
            largest_gap=self.largest_gap,
        )


def _check_expressions(setting: str, rules: Iterable[str]) -> None:
    for rule in rules:
        try:
            re.compile(rule)
        except re.error as error:
            raise ConfigError(
                f"{setting}: {rule!r} is no regular expression ({error})",
                remedy="Put a backslash before characters such as ( ) [ ] + * ? that mean "
                "themselves.",
            ) from error


def with_reasons(cohort: Cohort, reasons: list[tuple[str, str]]) -> Cohort:
    """Put the reasons of the conversion in place of *no folder images/...*.

    A patient who was not converted is left out, whatever another hand put into the folder.

    Args:
        cohort: The NIfTI folder as it was read.
        reasons: As from :meth:`DicomTree.convert`.

    Raises:
        CohortError: Nobody is left.
    """
    refused = {name for name, reason in reasons if not reason.startswith(KEPT)}
    patients = {name: each for name, each in cohort.patients.items() if name not in refused}
    if not patients:
        raise CohortError(
            f"no patient of the table can be used; the first reason: {reasons[0][1]}",
            where=str(cohort.root),
            remedy="The other patients' reasons are often the same.",
        )
    of_folders = cohort.quarantine["step"] == "images"
    kept = cohort.quarantine[~(cohort.quarantine["patient_id"].isin(refused) & of_folders)]
    rows = pd.DataFrame(
        [(name, "dicom", reason) for name, reason in reasons],
        columns=["patient_id", "step", "reason"],
    )
    quarantine = pd.concat([kept, rows], ignore_index=True)
    return Cohort(cohort.root, cohort.table.loc[list(patients)], patients, quarantine)
