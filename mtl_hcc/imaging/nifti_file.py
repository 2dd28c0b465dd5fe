"""What is checked of a NIfTI file before ITK reads it, in little memory.

ITK fills truncated files and NaN with zeros, takes a spacing of 0 for 1, and makes room for
whatever a header announces. So header and length are checked here, and packed files are unpacked
piece by piece: a small file that unpacks to gigabytes ends at what its header announces.
"""

import gzip
import math
import struct
import zlib
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

MOST_BYTES = 2 * 2**30
"""A volume larger than this is no scan: 512 x 512 x 4,000 voxels of 16 bits."""
_PIECE = 2**24
_SLACK = 2**20
"""Bytes that may follow the voxels."""
_MOST_PACKED = 1032
"""gzip packs to no less than 1/1032."""
_TYPES = {
    2: "u1",
    4: "i2",
    8: "i4",
    16: "f4",
    64: "f8",
    256: "i1",
    512: "u2",
    768: "u4",
    1024: "i8",
    1280: "u8",
}
_OTHER_TYPES = {
    1: "bit",
    32: "complex",
    128: "color",
    1536: "float128",
    1792: "complex",
    2304: "color",
}


_Unpacked = gzip.GzipFile | BufferedReader


class Fault(NamedTuple):
    """What is wrong with a file, in the words of an error."""

    found: str
    expected: str
    remedy: str


class _BadFileError(Exception):
    def __init__(self, found: str, expected: str, remedy: str) -> None:
        super().__init__(found)
        self.fault = Fault(found, expected, remedy)


@dataclass(frozen=True)
class Header:
    """What a NIfTI header announces.

    Attributes:
        dim: Lengths of the axes.
        kind: Code of the voxels' type.
        bits: Bits of a voxel.
        pixdim: Distances between voxels along the first three axes, in mm.
        offset: Where the voxels begin.
        scaling: Slope and intercept.
        place: Numbers that say where the volume lies (quaternion, offset, matrix), as far as used.
        order: Byte order as ``struct`` writes it.
    """

    dim: tuple[int, ...]
    kind: int
    bits: int
    pixdim: tuple[float, ...]
    offset: float
    scaling: tuple[float, float]
    place: tuple[float, ...]
    order: Literal["<", ">"]

    @property
    def voxel_bytes(self) -> int:
        """Length of the voxels' data; 0 where the header makes no sense."""
        count = math.prod(max(n, 0) for n in self.dim)
        return count * np.dtype(_TYPES.get(self.kind, "V0")).itemsize


def nifti_fault(path: Path) -> Fault | None:
    """Return what is wrong with a ``.nii`` or ``.nii.gz`` file, ``None`` if it may be read.

    Raises:
        OSError: The file cannot be opened.
    """
    try:
        with _unpacked(path) as file:
            _check(file, path)
    except _BadFileError as error:
        return error.fault
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        return Fault(
            f"truncated or damaged ({error})",
            "a complete .nii.gz",
            "Copy or convert the file again.",
        )
    return None


def read_header(path: Path) -> Header | None:
    """Return what a NIfTI file announces, ``None`` where it is none or cannot be opened."""
    try:
        with _unpacked(path) as file:
            return _parsed(file.read(540))
    except (OSError, EOFError, zlib.error):
        return None


def _unpacked(path: Path) -> _Unpacked:
    with path.open("rb") as file:
        packed = file.read(2) == b"\x1f\x8b"
    return gzip.open(path, "rb") if packed else path.open("rb")


def _parsed(start: bytes) -> Header | None:
    orders: tuple[Literal["<", ">"], ...] = ("<", ">")
    for order in orders:
        size = struct.unpack(f"{order}i", start[:4])[0] if len(start) >= 4 else 0
        if size == 348 and len(start) >= 348:
            dim = struct.unpack(f"{order}8h", start[40:56])
            kind, bits = struct.unpack(f"{order}2h", start[70:74])
            pixdim = struct.unpack(f"{order}8f", start[76:108])
            offset, slope, intercept = struct.unpack(f"{order}3f", start[108:120])
            codes = struct.unpack(f"{order}2h", start[252:256])
            place = struct.unpack(f"{order}18f", start[256:328])
        elif size == 540 and len(start) >= 540:  # NIfTI-2
            kind, bits = struct.unpack(f"{order}2h", start[12:16])
            dim = struct.unpack(f"{order}8q", start[16:80])
            pixdim = struct.unpack(f"{order}8d", start[104:168])
            offset = struct.unpack(f"{order}q", start[168:176])[0]
            slope, intercept = struct.unpack(f"{order}2d", start[176:192])
            codes = struct.unpack(f"{order}2i", start[344:352])
            place = struct.unpack(f"{order}18d", start[352:496])
        else:
            continue
        axes = dim[1 : dim[0] + 1] if 1 <= dim[0] <= 7 else ()
        used = (place[:6] if codes[0] > 0 else ()) + (place[6:] if codes[1] > 0 else ())
        scaling = (slope, intercept)
        return Header(axes, kind, bits, pixdim[1:4], float(offset), scaling, used, order)
    return None


def _check(file: _Unpacked, path: Path) -> None:
    start = file.read(540)
    header = _parsed(start)
    if header is None:
        raise _BadFileError(
            f"cannot be read (no NIfTI header in {len(start) or 'no'} bytes)",
            "a 3D image as .nii.gz, .nii, .nrrd or .mha",
            "Open it in a viewer; if that fails too, export it again.",
        )
    _check_header(header)
    end = max(348, int(header.offset)) + header.voxel_bytes
    if header.voxel_bytes > MOST_BYTES or end > path.stat().st_size * _MOST_PACKED + _SLACK:
        size = " x ".join(map(str, header.dim))
        raise _BadFileError(
            f"the header announces {size} voxels, {end / 1e9:.3g} GB, in a file of "
            f"{path.stat().st_size / 1e6:.3g} MB",
            f"at most {MOST_BYTES / 1e9:.2g} GB, and no more than the file can hold",
            "Convert the series again; store CT as 16-bit integers.",
        )
    _check_voxels(file, start, header, end)


def _check_header(header: Header) -> None:
    again = "Convert the series again; the header is damaged."
    if not header.dim or min(header.dim) < 1:
        size = " x ".join(map(str, header.dim)) or "no axes"
        raise _BadFileError(f"the header announces {size}", "a volume", again)
    if header.kind not in _TYPES:
        name = _OTHER_TYPES.get(header.kind, "unknown")
        raise _BadFileError(
            f"{'an' if name[0] in 'aeiou' else 'a'} {name} image (voxels of type {header.kind})",
            "one intensity per voxel",
            "Export the original series, not a screenshot or an overlay.",
        )
    if header.bits != 8 * np.dtype(_TYPES[header.kind]).itemsize:
        raise _BadFileError(
            f"bitpix is {header.bits} for voxels of type {header.kind}",
            f"{8 * np.dtype(_TYPES[header.kind]).itemsize} bits",
            again,
        )
    if not all(math.isfinite(s) and 1e-3 <= s <= 100 for s in header.pixdim):
        raise _BadFileError(
            f"voxel size {' x '.join(f'{s:g}' for s in header.pixdim)} mm",
            "three positive numbers",
            "Convert the series again; the header has lost its spacing.",
        )
    if not 0 <= header.offset <= MOST_BYTES:  # NaN and infinity, too.
        raise _BadFileError(f"vox_offset is {header.offset:g}", "352, or a little more", again)
    if not all(map(math.isfinite, header.place)):  # ITK takes 0 for them.
        raise _BadFileError(
            f"the place in patient space is ({', '.join(f'{n:g}' for n in header.place[:6])})",
            "finite numbers",
            again,
        )
    if not all(map(math.isfinite, header.scaling)):
        raise _BadFileError(
            f"the scaling of intensities is {header.scaling[0]:g} x + {header.scaling[1]:g}",
            "two finite numbers",
            "Convert the series again; without them HU are not known.",
        )


def _check_voxels(file: _Unpacked, start: bytes, header: Header, end: int) -> None:
    """Read on to the end, piece by piece; check length, and that every voxel is finite."""
    offset = max(348, int(header.offset))  # As ITK reads an offset of 0.
    dtype = np.dtype(_TYPES[header.kind]).newbyteorder(header.order)
    rest = start[offset:end]
    position, bad = len(start), 0
    while True:
        if dtype.kind == "f":
            whole = len(rest) // dtype.itemsize * dtype.itemsize
            values = np.frombuffer(rest[:whole], dtype)
            bad += int(values.size - np.count_nonzero(np.isfinite(values)))
            rest = rest[whole:]
        else:
            rest = b""
        piece = file.read(_PIECE)
        if not piece:
            break
        rest += piece[max(0, offset - position) : max(0, end - position)]
        position += len(piece)
        if position > end + _SLACK:
            raise _BadFileError(
                f"more than the {end} bytes that the header announces",
                "a file as long as its header says",
                "Convert the series again.",
            )
    if position < end:
        raise _BadFileError(
            f"truncated: {position} bytes of {end}",
            "a complete file",
            "Copy or convert the file again.",
        )
    if bad:
        raise _BadFileError(*not_finite(bad))


def not_finite(count: int) -> Fault:
    """Return the fault of an image with so many voxels that are no numbers."""
    return Fault(
        f"{count} voxels are NaN or infinite",
        "finite intensities",
        "Convert the series again, or set these voxels to -1000 HU (air).",
    )
