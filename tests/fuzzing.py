"""How one damaged input ended; `fuzz_tables`, `fuzz_predictions` and `fuzz_configs` fill it in."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Tried:
    """How one damaged input ended.

    Attributes:
        seed: Makes the same input again.
        code: Exit code, 0 for a reader that read and 2 for one that refused; ``None`` after a
            traceback.
        said: The message, or the traceback.
        fault: What is wrong with the end; empty when nothing is.
        changed: What was damaged, where that is told.
    """

    seed: int
    code: int | None
    said: str
    fault: str
    changed: str = ""


def fault_of_refusal(message: str, left: bool) -> str:
    """Return what is wrong with a command that ended with exit code 2.

    Args:
        message: What it said.
        left: Whether results lie there all the same.
    """
    if len(message) < 40 or "Error: " not in message:
        return "no message"
    return "results although it was refused" if left else ""
