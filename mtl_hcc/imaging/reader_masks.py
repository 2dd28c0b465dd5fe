"""Masks of several readers: which files belong together, and how well each pair agrees."""

from collections.abc import Iterator
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import SimpleITK as sitk  # noqa: N813 - the name that SimpleITK's own documentation gives it

from mtl_hcc.errors import CohortError, ImageError
from mtl_hcc.imaging.read_image import Place, read_labels, same_grid
from mtl_hcc.metrics.agreement.masks import mask_agreement
from mtl_hcc.regions import Label

ENDINGS = (".nii.gz", ".nii", ".nrrd", ".mha")
REGIONS = "regions"
IMAGES = "images"
WHO = ["patient_id", "file", "reader_a", "reader_b"]
MASK_COLUMNS = [
    *WHO,
    "label",
    "dice",
    "hausdorff_95_mm",
    "assd_mm",
    "volume_a_ml",
    "volume_b_ml",
    "reason",
]
QUARANTINE_COLUMNS = [*WHO, "reason"]
MEASURES = ("dice", "hausdorff_95_mm", "assd_mm")
Row = dict[str, object]


def compare_readers(folders: list[Path]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compare the masks of every two readers, file by file and label by label.

    Files of one relative path belong together: ``images/<patient_id>/<phase>_regions.nii.gz`` as in
    a cohort, or any other layout. Where files are called ``*regions*``, only these are masks.

    Args:
        folders: One per reader (or per session of one reader); its name is the reader's.

    Labels are called by their regions in such files, else by their numbers.

    Returns:
        A row per pair of readers, file and label that either drew, and those left out with the
        reason: the file of one reader only, one that cannot be read, another grid.

    Raises:
        CohortError: A folder is absent, no file could be compared, or two readers share no label.
    """
    masks = {name: _masks(folder) for name, folder in _names(folders).items()}
    rows: list[Row] = []
    left_out: list[Row] = []
    for first, second in combinations(masks, 2):
        for file in sorted(set(masks[first]) | set(masks[second])):
            who = dict(zip(WHO, (_patient(file), file, first, second), strict=True))
            try:
                pair = [_read(name, file, masks[name]) for name in (first, second)]
                if not same_grid(*pair):
                    raise ImageError(_grids(*pair), where=f"patient {who['patient_id']}, {file}")
            except ImageError as error:
                left_out.append({**who, "reason": str(error)})
                continue
            rows += [{**who, **row} for row in _labels(*pair, named=REGIONS in file)]
        _check_numbering(first, second, rows)
    if not any(set(a) & set(b) for a, b in combinations(masks.values(), 2)):
        raise CohortError(
            "no file is in two folders",
            where=", ".join(map(str, folders)),
            expected="the same relative paths, e.g. images/<patient_id>/arterial_regions.nii.gz",
            remedy="Name the folders in which the paths begin alike.",
        )
    if not rows and left_out:
        raise CohortError(
            f"none of the {len(left_out)} pairs of files could be compared; the first: "
            f"{left_out[0]['reason']}",
            where=", ".join(map(str, folders)),
            remedy="Mend the files, or name other folders.",
        )
    compared = pd.DataFrame(rows, columns=MASK_COLUMNS)
    return compared, pd.DataFrame(left_out, columns=QUARANTINE_COLUMNS)


def pooled_agreement(masks: pd.DataFrame) -> pd.DataFrame:
    """Return median, quartiles and extremes of each measure by pair of readers and label.

    Args:
        masks: As from :func:`compare_readers`.
    """
    records: list[Row] = []
    for (first, second, label), rows in masks.groupby(["reader_a", "reader_b", "label"]):
        for measure in MEASURES:
            values = rows[measure].dropna()
            record: Row = {"reader_a": first, "reader_b": second, "label": label}
            record |= {"measure": measure, "n": len(values), "empty": len(rows) - len(values)}
            if len(values):
                record |= {
                    "median": values.median(),
                    "q1": values.quantile(0.25),
                    "q3": values.quantile(0.75),
                    "mean": values.mean(),
                    "min": values.min(),
                    "max": values.max(),
                }
            records.append(record)
    names = ["reader_a", "reader_b", "label", "measure", "n", "empty"]
    names += ["median", "q1", "q3", "mean", "min", "max"]
    return pd.DataFrame(records, columns=names)


def _names(folders: list[Path]) -> dict[str, Path]:
    """Return the folders by the shortest names that tell them apart."""
    named = {folder.resolve().name: folder for folder in folders}
    if len(named) < len(folders):
        named = {str(folder): folder for folder in folders}
    if len(named) < len(folders):
        raise CohortError(
            "one folder twice",
            where=", ".join(map(str, folders)),
            remedy="Name a folder for each reader.",
        )
    return named


def _masks(folder: Path) -> dict[str, Path]:
    """Return the masks of a folder by relative path."""
    files = {
        path.relative_to(folder).as_posix(): path
        for path in sorted(folder.rglob("*"))
        if path.name.endswith(ENDINGS) and not path.name.startswith(".")
    }
    if not files:
        raise CohortError(
            "no masks",
            where=str(folder),
            expected=f"files that end with {', '.join(ENDINGS)}",
            remedy="Name the folder of one reader's masks.",
        )
    regions = {name: path for name, path in files.items() if REGIONS in path.name}
    return regions or files


def _patient(file: str) -> str:
    """Return whose mask it is: the folder that it lies in, else the name of the file."""
    folders = [part for part in file.split("/")[:-1] if part != IMAGES]
    name = file.rpartition("/")[2]
    for ending in ENDINGS:
        name = name.removesuffix(ending)
    return folders[-1] if folders else name


def _read(reader: str, file: str, files: dict[str, Path]) -> sitk.Image:
    if file not in files:
        raise ImageError(f"{reader} has no such file", where=file, remedy="Draw it, or ignore it.")
    return read_labels(Place(_patient(file), reader, files[file]))


def _grids(first: sitk.Image, second: sitk.Image) -> str:
    sizes = [" x ".join(map(str, image.GetSize())) for image in (first, second)]
    spacings = [" x ".join(f"{mm:.3g}" for mm in image.GetSpacing()) for image in (first, second)]
    return (
        f"different grids: {sizes[0]} voxels of {spacings[0]} mm and {sizes[1]} of {spacings[1]} mm"
        " (or another origin or direction)"
    )


def _check_numbering(first: str, second: str, rows: list[Row]) -> None:
    """Refuse two readers who share no label at all: 0 and 1 against 0 and 255, for instance."""
    ours = [row for row in rows if (row["reader_a"], row["reader_b"]) == (first, second)]
    used = [
        {str(row["label"]) for row in ours if row[volume]}
        for volume in ("volume_a_ml", "volume_b_ml")
    ]
    if all(used) and not used[0] & used[1]:
        raise CohortError(
            f"{first} uses the labels {', '.join(sorted(used[0]))}, {second} "
            f"{', '.join(sorted(used[1]))}: no label is in both",
            where=f"{first}, {second}",
            expected="the same numbers for the same regions",
            remedy="Renumber the masks of one reader.",
        )


def _labels(first: sitk.Image, second: sitk.Image, *, named: bool) -> Iterator[Row]:
    """Yield the agreement of each label that either reader drew.

    Args:
        first: Label map.
        second: Label map on the same grid.
        named: Whether the numbers mean regions, as in a cohort; else nobody knows what 1 is.
    """
    a, b = (sitk.GetArrayFromImage(image) for image in (first, second))
    spacing = first.GetSpacing()[::-1]  # of (plane, row, column)
    milliliters = float(np.prod(spacing)) / 1000
    for value in sorted((set(np.unique(a)) | set(np.unique(b))) - {0}):
        inside = (a == value, b == value)
        found = mask_agreement(*inside, spacing)
        volumes = [int(np.count_nonzero(mask)) * milliliters for mask in inside]
        yield {
            "label": _label_name(int(value)) if named else str(int(value)),
            "dice": found.dice,
            "hausdorff_95_mm": found.hausdorff_95_mm,
            "assd_mm": found.assd_mm,
            "volume_a_ml": volumes[0],
            "volume_b_ml": volumes[1],
            "reason": found.reason,
        }


def _label_name(value: int) -> str:
    known = {int(label): label.name.lower() for label in Label}
    return known.get(value, str(value))
