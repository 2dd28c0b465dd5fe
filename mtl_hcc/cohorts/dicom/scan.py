"""Which DICOM files lie in a tree: every file is opened, headers only, in parallel."""

import logging
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from joblib import Parallel, delayed
from rich.progress import track

from mtl_hcc.cohorts.dicom.header import Header, read_header
from mtl_hcc.errors import CohortError

_logger = logging.getLogger(__name__)
_FILES_PER_CALL = 200
IMAGES = ("CT", "MR")


@dataclass
class Scan:
    """What was found in a tree.

    Attributes:
        root: The tree.
        headers: Images, segmentations and RT structure sets.
        damaged: DICOM files whose header cannot be read.
        ignored: How many files of each other kind were passed over.
    """

    root: Path
    headers: list[Header] = field(default_factory=list)
    damaged: list[Path] = field(default_factory=list)
    ignored: Counter[str] = field(default_factory=Counter)


def scan_tree(root: Path, *, workers: int = 1, progress: bool = True) -> Scan:
    """Open every file below ``root`` and keep the headers of images and segmentations.

    Hidden files and folders are passed over; what is not DICOM is counted, not an error. Only
    counts are logged: folder and file names may hold the names of patients.

    Args:
        root: Folder of any depth and any file names.
        workers: Processes that read headers, as in joblib.
        progress: Show a progress bar.

    Raises:
        CohortError: There is no such folder, or no DICOM image in it.
    """
    if not root.is_dir():
        raise CohortError("no such folder", where=str(root), remedy="Give the DICOM tree's root.")
    files = sorted(_files(root))
    chunks = [files[i : i + _FILES_PER_CALL] for i in range(0, len(files), _FILES_PER_CALL)]
    workers = min(workers, len(chunks)) if workers > 0 else workers
    results = Parallel(n_jobs=workers or 1, return_as="generator")(
        delayed(_read_some)(chunk, root) for chunk in chunks
    )
    scan = Scan(root)
    for headers, damaged, ignored in track(
        results, "Reading DICOM headers", total=len(chunks), disable=not progress
    ):
        scan.headers += headers
        scan.damaged += damaged
        scan.ignored += ignored
    _logger.info(
        "%d DICOM files of use, %d damaged, passed over: %s",
        len(scan.headers),
        len(scan.damaged),
        dict(scan.ignored),
    )
    if not any(header.modality in IMAGES for header in scan.headers):
        raise CohortError(
            f"no CT or MR image among {len(files)} files",
            where=str(root),
            expected="a folder that holds DICOM files at any depth",
            remedy="Check the path; unpack archives (.zip, .tar) first.",
        )
    return scan


def _files(root: Path) -> list[Path]:
    found = []
    for folder, folders, names in os.walk(root):  # Path.walk came with Python 3.12
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(folder) / name for name in names if not name.startswith(".")]
    return [path for path in found if path.is_file()]  # to open a pipe would wait for ever


def _read_some(files: list[Path], root: Path) -> tuple[list[Header], list[Path], Counter[str]]:
    headers: list[Header] = []
    damaged: list[Path] = []
    ignored: Counter[str] = Counter()
    for path in files:
        try:
            header = read_header(path, root)
        except Exception:  # pydicom raises many types on damaged files
            damaged.append(path)
            continue
        if header is None:
            ignored["not DICOM"] += 1
        elif header.modality in IMAGES and header.rows is None:
            damaged.append(path)  # cut off before the description of the pixels
        elif header.modality in (*IMAGES, "SEG", "RTSTRUCT"):
            headers.append(header)
        else:
            ignored[header.modality or "no modality"] += 1
    return headers, damaged, ignored
