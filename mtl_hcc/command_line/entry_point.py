"""How an entry point ends: an error that the user can mend is a message, not a traceback."""

import errno
import functools
import sys
from collections.abc import Callable
from typing import ParamSpec

from mtl_hcc.errors import MtlHccError

P = ParamSpec("P")

_PLACES = (
    *(errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST),
    *(errno.ENOSPC, errno.EDQUOT, errno.ENAMETOOLONG),
)
"""What the system says when a folder cannot be used as asked."""
USER_ERROR = 2
"""Exit code when the input or the settings must be mended (argparse uses the same)."""
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


def report_errors(main: Callable[P, int | None]) -> Callable[P, int]:
    """Wrap ``main`` so that it returns an exit code and prints a user's error in one message.

    Any other exception keeps its traceback: it is our mistake, and the traceback helps to mend it.

    Example:
        >>> @report_errors
        ... def main() -> None:
        ...     raise MtlHccError("no delayed phase", where="patient P012")
        >>> main()
        2
    """

    @functools.wraps(main)
    def reporting(*args: P.args, **kwargs: P.kwargs) -> int:
        try:
            return main(*args, **kwargs) or 0
        except MtlHccError as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            return USER_ERROR
        except KeyboardInterrupt:
            print("Stopped. What was finished is kept; give the command again.", file=sys.stderr)
            return INTERRUPTED
        except OSError as error:
            if error.errno not in _PLACES:
                raise
            print(
                f"{type(error).__name__}: {error.filename}: {error.strerror}. "
                "Name another folder, or mend this one.",
                file=sys.stderr,
            )
            return USER_ERROR

    return reporting
