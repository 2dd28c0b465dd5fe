"""The folder of a prepared store: where it may lie, and one process at a time in it."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from mtl_hcc.errors import StoreError

_TABLES = ("patients.csv", "quarantine.csv", "quality.csv")
"""What a store writes and a cohort's folder may hold as well."""
_SIGNS = ("source.json", "preparation.json", "patients/*.safetensors")
"""What only a store holds."""
LOCK = "store.lock"
_NO_LOCKS = (errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP)
"""What file systems say that know no locks."""


def check_store_place(cohort: Path, store: Path) -> None:
    """Refuse a store that would write into the cohort, or over tables that are no store's.

    Args:
        cohort: Folder or file of the cohort.
        store: Folder of the store.

    Raises:
        StoreError: The store is the cohort's folder, holds it, or lies among its images; or its
            folder has tables that another hand wrote.
    """
    place, root = store.resolve(), cohort.resolve()
    if place == root:
        raise _error(store, "the store is the cohort's own folder", cohort)
    if place in root.parents and not _is_phantom(root, place) and cohort.is_dir():
        raise _error(store, f"the store's folder holds the cohort {cohort}", cohort)
    if root.parent == place and root.name in _TABLES:
        raise _error(store, f"the store's own {root.name} is the cohort", cohort)
    if root / "images" in (place, *place.parents):
        raise _error(store, f"the store lies among the images of {cohort}", cohort)
    if any(any(place.glob(sign)) for sign in _SIGNS):
        return
    found = [name for name in _TABLES if (place / name).exists()]
    if found:
        raise _error(store, f"{', '.join(found)} in the folder, which is no store", cohort)


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


def _is_phantom(cohort: Path, store: Path) -> bool:
    """Tell whether the cohort is a phantom, which is made inside its store."""
    return cohort.parent == store and cohort.name.startswith("phantom-")


def _error(store: Path, found: str, cohort: Path) -> StoreError:
    return StoreError(
        f"{found}, whose files would be replaced",
        where=str(store),
        expected="a folder of the store's own",
        remedy=f"Set data.store (predict: --store) to a free folder, e.g. {_free(cohort)}.",
    )


def _free(cohort: Path) -> Path:
    """Return a folder beside the cohort that is not there yet."""
    name = cohort.stem if cohort.is_file() else cohort.resolve().name
    beside = [cohort.resolve().with_name(f"{name}_prepared{end}") for end in ("", "_2", "_3", "_4")]
    return next((path for path in beside if not path.exists()), beside[-1])
