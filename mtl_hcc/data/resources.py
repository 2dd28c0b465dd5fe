"""What this machine may spend on preparing and loading: nothing of it changes a result."""

from dataclasses import dataclass

from mtl_hcc.data.array_cache import ArrayCache
from mtl_hcc.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Preparing:
    """How patients are prepared.

    Args:
        workers: Processes; -1 for all cores.
        backend: A joblib backend, e.g. ``dask`` or ``ray`` for a cluster that this process is
            connected to; local processes when it is not given.
    """

    workers: int = -1
    backend: str | None = None


@dataclass(frozen=True, kw_only=True)
class Loading:
    """How prepared patients are read in training.

    Args:
        workers: Processes that load patients; 0 loads in the training process.
        cache: Keep the arrays in memory once read. With ``workers`` the operating system's cache
            of the files does that, shared by all processes.
        cache_gb: Memory that may be kept for that, 0 or more; half of what is free when not given.
            Patients beyond it are read from the store each time, with the same result.
    """

    workers: int = 0
    cache: bool = True
    cache_gb: float | None = None

    def __post_init__(self) -> None:
        """Check the numbers."""
        check_least("data.loading", 0, workers=self.workers)
        if self.cache_gb is not None and not 0 <= self.cache_gb < float("inf"):
            raise ConfigError(
                f"cache_gb is {self.cache_gb}",
                where="data.loading.cache_gb",
                expected="0 or more gigabytes",
                remedy="Correct it, or leave it out for half of the free memory.",
            )

    def array_cache(self) -> ArrayCache | None:
        """Return an empty cache, for all datasets of a store; None where none is kept."""
        if not self.cache or self.workers > 0:
            return None
        return ArrayCache(None if self.cache_gb is None else self.cache_gb * 1e9)


def check_least(section: str, least: int, **numbers: int) -> None:
    """Raise :class:`ConfigError` for a number that is too small.

    Args:
        section: Of the config.
        least: Smallest that makes sense.
        **numbers: Setting to its value.
    """
    for name, value in numbers.items():
        if value < least:
            raise ConfigError(
                f"{name} is {value}",
                where=f"{section}.{name}",
                expected=f"{least} or more",
                remedy=f"Correct {section}.{name}.",
            )
