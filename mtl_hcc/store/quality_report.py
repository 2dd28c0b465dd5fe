"""The quality report of a prepared store: what was prepared, who was left out, what looks odd."""

import re

import pandas as pd
from rich.console import Console
from rich.markup import escape

from mtl_hcc.store.prepared_store import PreparedStore

TUMOR_CUT = 0.95
"""Share of the tumor inside the field of view below which somebody should look."""
LOW_OVERLAP = 0.7
"""Dice of the liver between phases below which breathing or a wrong map is likely."""
_SHOWN = 10
_SHARE = re.compile(r"(?:(\w+)_)?(tumor|liver|loat)_inside_share")
"""With several views the view's name stands first."""
_NAMES = {"tumor": "tumor", "liver": "liver", "loat": "LOAT"}


def warnings(manifest: pd.DataFrame) -> list[str]:
    """Return one line per patient and remark that somebody should look at."""
    lines = []
    for row in manifest.to_dict("records"):
        who = row["patient_id"]
        overlap = row.get("liver_overlap")
        if pd.notna(overlap) and overlap < LOW_OVERLAP:
            lines.append(f"{who}: the livers of two phases overlap by a Dice of only {overlap:.2f}")
        for column, share in row.items():
            found = _SHARE.fullmatch(str(column))
            if found and pd.notna(share) and share < TUMOR_CUT:
                view = f" of {found[1]}" if found[1] else ""
                outside = f"{1 - share:.0%} of the {_NAMES[found[2]]}"
                lines.append(f"{who}: {outside} lies outside the field of view{view}")
        for column in (name for name in map(str, row) if name.endswith("slices_interpolated")):
            if isinstance(row[column], str) and row[column]:
                lines.append(f"{who}: slices are interpolated, as {row[column]}")
        for column, text in _REMARKS.items():
            if isinstance(row.get(column), str) and row[column]:
                lines.append(f"{who}: {text} {row[column]}")
    return lines


def registrations(manifest: pd.DataFrame) -> list[str]:
    """Return one line per phase that was registered: shifts, and likeness before and after."""
    lines = []
    for column in manifest.columns[manifest.columns.str.endswith("_shift_mm")]:
        phase = column.removesuffix("_shift_mm")
        rows = manifest[manifest[column].notna()]
        shift = rows[column]
        farthest = rows["patient_id"].iloc[int(shift.to_numpy().argmax())]
        before, after = (
            rows[f"{phase}_similarity_{when}"].median() for when in ("before", "after")
        )
        lines.append(
            f"registered the {phase} phase of {len(rows)} patients: the liver moved by "
            f"{shift.median():.1f} mm (median), at most {shift.max():.1f} mm "
            f"({farthest}); mutual information {before:.2f} before, "
            f"{after:.2f} after"
        )
    return lines


_REMARKS = {
    "missing_phases": "no image of",
    "registration_refused": "not registered, left where the scanner put it:",
    "implausible": "please check:",
    "mask_resampled": "the label map was resampled from another grid for",
}


def print_report(store: PreparedStore, *, kept: int, console: Console | None = None) -> None:
    """Print a summary of the store.

    Args:
        store: The store.
        kept: How many patients were kept from an earlier run.
        console: Where to print.
    """
    console = console or Console(emoji=False)
    console.print(
        f"Prepared {len(store) - kept} patients, kept {kept} from before, "
        f"left out {left_out(store.quarantine)}: [bold]{escape(str(store.root))}[/bold]",
        highlight=False,
    )
    print_quarantine(store.quarantine, console=console)
    _print_some(console, registrations(store.manifest))
    _print_some(console, warnings(store.manifest))


def left_out(quarantine: pd.DataFrame) -> int:
    """Return how many patients are left out; of some, only a label or a value was emptied.

    Args:
        quarantine: ``patient_id, step, reason``.
    """
    gone = ~quarantine["reason"].astype(str).str.startswith("kept: ")
    return int(quarantine.loc[gone, "patient_id"].nunique())


def print_quarantine(quarantine: pd.DataFrame, *, console: Console | None = None) -> None:
    """Print the reasons, one line each.

    Args:
        quarantine: ``patient_id, step, reason``.
        console: Where to print.
    """
    lines = [f"{row.patient_id}: {row.reason}" for row in quarantine.itertuples()]
    _print_some(console or Console(emoji=False), lines)


def _print_some(console: Console, lines: list[str]) -> None:
    for line in lines[:_SHOWN]:
        console.print(f"  {escape(line)}", highlight=False, soft_wrap=True)
    if len(lines) > _SHOWN:
        console.print(f"  ... and {len(lines) - _SHOWN} more, see quality.csv and quarantine.csv")
