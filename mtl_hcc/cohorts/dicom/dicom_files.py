"""Which DICOM files lie in a tree: every file is opened, headers only, in parallel."""

import logging
import os
import stat
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from joblib import Parallel, delayed
from rich.progress import track

from mtl_hcc.cohorts.dicom.header import DicomHeader, read_headers
from mtl_hcc.errors import CohortError

_logger = logging.getLogger(__name__)
_FILES_PER_CALL = 200
IMAGES = ("CT", "MR")


@dataclass
class DicomFiles:
    """What was found in a tree.

    Attributes:
        root: The tree.
        headers: Images, segmentations and RT structure sets.
        damaged: DICOM files whose header cannot be read.
        unreadable: Folders and files that the system does not let us open, and why.
        ignored: How many files of each other kind were passed over.
    """

    root: Path
    headers: list[DicomHeader] = field(default_factory=list)
    damaged: list[Path] = field(default_factory=list)
    unreadable: dict[Path, str] = field(default_factory=dict)
    ignored: Counter[str] = field(default_factory=Counter)


def find_dicom_files(root: Path, *, workers: int = 1, progress: bool = True) -> DicomFiles:
    """Open every file below ``root`` and keep the headers of images and segmentations.

    Hidden files and folders are passed over; what is not DICOM (or no plain file: a pipe would be
    waited for without end) is counted, not an error. Linked folders are followed, unless they lead
    back to a folder above. Only counts are logged: folder and file names may hold the names of
    patients.

    Args:
        root: Folder of any depth and any file names.
        workers: Processes that read headers, as in joblib.
        progress: Show a progress bar.

    Raises:
        CohortError: There is no such folder, or no DICOM image in it.
    """
    if not root.is_dir():
        raise CohortError("no such folder", where=str(root), remedy="Give the DICOM tree's root.")
    found = DicomFiles(root)
    files = sorted(_files(root, found))
    chunks = [files[i : i + _FILES_PER_CALL] for i in range(0, len(files), _FILES_PER_CALL)]
    workers = min(workers, len(chunks)) if workers > 0 else workers
    results = Parallel(n_jobs=workers or 1, return_as="generator")(
        delayed(_read_some)(chunk, root) for chunk in chunks
    )
    for some in track(results, "Reading DICOM headers", total=len(chunks), disable=not progress):
        found.headers += some.headers
        found.damaged += some.damaged
        found.unreadable.update(some.unreadable)
        found.ignored += some.ignored
    _logger.info(
        "%d DICOM images of use, %d damaged, %d not to be opened, passed over: %s",
        len(found.headers),
        len(found.damaged),
        len(found.unreadable),
        dict(found.ignored),
    )
    if not any(header.modality in IMAGES for header in found.headers):
        raise CohortError(
            f"no CT or MR image among {len(files)} files",
            where=str(root),
            expected="a folder that holds DICOM files at any depth",
            remedy="Check the path; unpack archives (.zip, .tar) first.",
        )
    return found


def _files(root: Path, seen: DicomFiles) -> list[Path]:
    """List the plain files below ``root``; note in ``seen`` what cannot be opened."""
    found: list[Path] = []
    folders: list[tuple[Path, frozenset[tuple[int, int]]]] = [(root, frozenset())]
    while folders:
        folder, above = folders.pop()
        try:
            status = folder.stat()
            here = above | {(status.st_dev, status.st_ino)}
            entries = [entry for entry in os.scandir(folder) if not entry.name.startswith(".")]
        except OSError as error:
            seen.unreadable[folder] = error.strerror or type(error).__name__
            continue
        for entry in entries:
            path = Path(entry.path)
            try:
                status = path.stat()
            except OSError as error:  # a link that leads nowhere, or in a circle
                seen.unreadable[path] = error.strerror or type(error).__name__
                continue
            if stat.S_ISDIR(status.st_mode):
                if (status.st_dev, status.st_ino) in here:
                    seen.ignored["a link to a folder above"] += 1
                else:
                    folders.append((path, here))
            elif stat.S_ISREG(status.st_mode):
                found.append(path)
            else:
                seen.ignored["no plain file"] += 1
    return found


def _read_some(files: list[Path], root: Path) -> DicomFiles:
    found = DicomFiles(root)
    for path in files:
        try:
            headers = read_headers(path, root)
        except OSError as error:
            found.unreadable[path] = error.strerror or type(error).__name__
            continue
        except Exception:  # pydicom raises many types on damaged files
            found.damaged.append(path)
            continue
        if headers is None:
            found.ignored["not DICOM"] += 1
        elif headers[0].modality in IMAGES and headers[0].rows is None:
            found.damaged.append(path)  # cut off before the description of the pixels
        elif headers[0].modality in (*IMAGES, "SEG", "RTSTRUCT"):
            found.headers += headers
        elif not headers[0].modality and not headers[0].is_directory:
            found.damaged.append(path)  # cut off before anything of use
        else:
            found.ignored[headers[0].modality or "DICOMDIR"] += 1
    return found
