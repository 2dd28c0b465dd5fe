"""One process at a time makes or renews a prepared store; the others wait and say why."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

LOCK = "store.lock"
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
"""What file systems say that know no locks."""


@contextmanager
def store_lock(store: Path) -> Iterator[None]:
    """Hold a store while it is made or renewed; wait, and say so once, while another process does.

    The operating system frees the lock when its process ends, however it ends.

    Args:
        store: Folder of the store; made if absent.
    """
    store.mkdir(parents=True, exist_ok=True)
    lock = FileLock(store / LOCK)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        print(
            f"Another process is making or renewing {store}: waiting until it is done, to use what "
            "it makes.",
            flush=True,
        )
        lock.acquire()
    except (NotImplementedError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in _NO_LOCKS:
            raise
        print(
            f"The file system of {store} knows no locks: start one process at a time until the "
            "store is made.",
            flush=True,
        )
    try:
        yield
    finally:
        lock.release()
