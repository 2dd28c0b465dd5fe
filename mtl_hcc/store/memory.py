"""How much memory may be taken: what the machine has left, or the container's limit."""

from pathlib import Path

_CGROUPS = (
    ("memory.max", "memory.current"),
    ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
)
"""Limit and use of a container, in version 2 and version 1 of control groups."""


def available_bytes(
    meminfo: Path = Path("/proc/meminfo"), cgroup: Path = Path("/sys/fs/cgroup")
) -> int | None:
    """Return how many bytes can be taken without swapping; ``None`` where that is not known.

    Args:
        meminfo: The machine's memory, as Linux tells it.
        cgroup: The limits of the container that this process runs in.
    """
    left = [_machine(meminfo)]
    for limit, used in _CGROUPS:
        values = [_number(cgroup / name) for name in (limit, used)]
        if values[0] is not None and values[1] is not None:
            left.append(max(0, values[0] - values[1]))
    known = [value for value in left if value is not None]
    return min(known) if known else None


def _machine(meminfo: Path) -> int | None:
    try:
        lines = meminfo.read_text(encoding="ascii").splitlines()
    except OSError:  # Not Linux.
        return None
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return int(found[0]) * 1024 if found else None


def _number(path: Path) -> int | None:
    """Return the number in a file; ``None`` without the file, or where it says ``max``."""
    try:
        return int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
