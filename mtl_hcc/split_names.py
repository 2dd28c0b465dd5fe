"""Names of splits with a meaning, their order, and which of them another spelling means."""

import difflib
import re
from collections.abc import Iterable

TRAIN = "train"
KNOWN_SPLITS = (TRAIN, "validation", "test", "external")
"""Cut-offs come from ``train``, ``validation`` stops a training; the rest is only looked at.
In the order of columns and rows, the most independent patients last."""
SYNONYMS = {
    "trn": "train",
    "learn": "train",
    "learning": "train",
    "training": "train",
    "val": "validation",
    "valid": "validation",
    "validate": "validation",
    "tuning": "validation",
    "tst": "test",
    "testing": "test",
    "holdout": "test",
    "ext": "external",
    "extern": "external",
    "externalvalidation": "external",
    "externaltest": "external",
}
FILLERS = r"(data)?set|split|cohort|group|part|sample|samples|patients|data"
ALIKE = 0.85


def split_place(split: str) -> int:
    """Return where a split stands in the order; those with a name of their own come last."""
    return KNOWN_SPLITS.index(split) if split in KNOWN_SPLITS else len(KNOWN_SPLITS)


def in_split_order(splits: Iterable[str]) -> list[str]:
    """Sort splits: train, validation, test, external, then the others as they came.

    Example:
        >>> in_split_order(["Hospital B", "external", "train", "Hospital A"])
        ['train', 'external', 'Hospital B', 'Hospital A']
    """
    return sorted(map(str, splits), key=split_place)


def meant_split(name: str) -> str | None:
    """Return the split that a name was probably meant to be; ``None`` if it is a name of its own.

    Example:
        >>> [meant_split(name) for name in ("Training", "TEST set", "vaildation", "ext.")]
        ['train', 'test', 'validation', 'external']
        >>> [meant_split(name) for name in ("train", "test_2", "internal", "Hospital B")]
        [None, None, None, None]
    """
    if name in KNOWN_SPLITS or any(sign.isdigit() for sign in name):
        return None
    words = [word for word in re.split(r"[^a-z]+", name.casefold()) if word]
    kept = [word for word in words if not re.fullmatch(FILLERS, word)]
    plain = re.sub(rf"({FILLERS})$", "", "".join(kept)) or "".join(kept)
    if plain in KNOWN_SPLITS:
        return plain
    close = difflib.get_close_matches(plain, KNOWN_SPLITS, n=1, cutoff=ALIKE)
    return SYNONYMS.get(plain) or (close[0] if close else None)
