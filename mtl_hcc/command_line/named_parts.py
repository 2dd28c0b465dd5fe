"""Settings that are a table of named parts: views, zones, encoders.

Of two configs the parser takes the names of the later one only. Nobody expects to lose an encoder
that way, so it is an error, and a variant of an ablation is completed.
"""

from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any

from mtl_hcc.errors import ConfigError

NAMED = (
    ("model", "encoders"),
    ("data", "preparation", "views"),
    ("data", "preparation", "zones"),
)
"""Places of such tables in a config."""


def check_names_kept(configs: Iterable[Mapping[str, Any]], *, where: str) -> None:
    """Raise when a later config leaves out a part that an earlier one names.

    Args:
        configs: In the order in which they are given.
        where: For the message.

    Raises:
        ConfigError: Naming the parts.
    """
    known: dict[tuple[str, ...], list[str]] = {}
    for config in map(nested, configs):
        for place in NAMED:
            named = _at(config, place)
            if not isinstance(named, Mapping):
                continue
            lost = [name for name in known.get(place, []) if name not in named]
            if lost:
                setting = ".".join(place)
                raise ConfigError(
                    f"a later config names other {place[-1]}, so {', '.join(lost)} would be lost",
                    where=f"{setting}, {where}",
                    expected="all of them in the last config that names any",
                    remedy=f"Repeat them there, or set single values by flags: --{setting}."
                    f"{next(iter(named), 'NAME')}. ...",
                )
            known[place] = list(named)


def completed(settings: Mapping[str, Any], config: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings that name some parts, with the other parts of the config beside them.

    Args:
        settings: To be put over the config.
        config: Complete.
    """
    found = nested(settings)
    for place in NAMED:
        named, others = _at(found, place), _at(config, place)
        if isinstance(named, dict) and isinstance(others, Mapping):
            given = dict(named)
            named.clear()  # the order of the config: parts are made in it
            named |= {name: given.pop(name, value) for name, value in others.items()}
            named |= given
    return found


def nested(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return settings with dotted names (``data.rounds``) as tables within tables."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        inner = nested(value) if isinstance(value, Mapping) else deepcopy(value)
        *outer, last = str(name).split(".")
        table = found
        for part in outer:
            table = table.setdefault(part, {})
        if isinstance(inner, dict) and isinstance(table.get(last), dict):
            table[last] |= inner
        else:
            table[last] = inner
    return found


def _at(config: Mapping[str, Any], place: tuple[str, ...]) -> Any:
    value: Any = config
    for part in place:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value
