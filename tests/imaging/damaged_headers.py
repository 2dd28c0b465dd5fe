"""Scans whose header, length or packing is damaged at random, from a seed."""

import gzip
import struct
from pathlib import Path

import numpy as np

_FIELDS = {40: "h", 42: "h", 44: "h", 46: "h", 48: "h", 70: "h", 72: "h"}
_FLOATS = (76, 80, 84, 88, 92, 108, 112, 116, 256, 260, 264, 268, 272, 276, 280, 296, 312)
_ODD = (np.nan, np.inf, -np.inf, 0.0, -1.0, 1e-40, 1e30, 3.4e38, 1e9, 0.5)
_ODD_INTEGERS = (0, -1, 1, 2, 7, 8, 32767, -32768, 128, 511, 2304, 32, 1536)


def damaged(content: bytes, seed: int) -> bytes:
    """Return a packed NIfTI file, damaged in one to three places.

    Args:
        content: The unpacked file.
        seed: Of the damage.
    """
    rng = np.random.default_rng(seed)
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        way = rng.integers(0, 5)
        if way == 0:
            place = int(rng.choice(list(_FIELDS)))
            struct.pack_into("<h", data, place, int(rng.choice(_ODD_INTEGERS)))
        elif way == 1:
            struct.pack_into("<f", data, int(rng.choice(_FLOATS)), float(rng.choice(_ODD)))
        elif way == 2:
            data[int(rng.integers(0, 352))] = int(rng.integers(0, 256))
        elif way == 3:
            start = int(rng.integers(0, 340))
            data[start : start + 8] = rng.bytes(8)
        elif rng.random() < 0.3:
            del data[int(rng.integers(0, len(data))) :]
        if not data:
            break
    packed = bytearray(gzip.compress(bytes(data), 1))
    if rng.random() < 0.1:
        packed[int(rng.integers(0, len(packed)))] ^= 0xFF
    if rng.random() < 0.05:
        del packed[int(rng.integers(0, len(packed))) :]
    return bytes(packed)


def write_damaged(path: Path, content: bytes, seed: int) -> None:
    """Write a damaged scan."""
    path.write_bytes(damaged(content, seed))
