"""Configs as plain YAML: written as a tree; what somebody else wrote is read within bounds."""

from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import yaml

from mtl_hcc.errors import MtlHccError

MOST_BYTES = 1_000_000
"""Of a config; the longest that we ship has 6 kB."""
MOST_VALUES = 20_000
MOST_LEVELS = 40
_PLAIN = (str, int, float, bool, type(None))


class _WithoutAliases(yaml.SafeLoader):
    """A safe loader for which a document is a tree.

    With references (``*name``) a few lines can stand for billions of values, the "YAML bomb".
    """

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise ValueError("it holds references (*name), which a config of mtl_hcc never has")
        node: yaml.Node | None = super().compose_node(parent, index)
        return node


class _AsTree(yaml.SafeDumper):
    """Writes a part that is used twice twice, so that the file can be read again."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def plain_yaml(values: Mapping[str, Any]) -> str:
    """Return values as YAML text without references.

    Args:
        values: dict, list, str and number.
    """
    text: str = yaml.dump(dict(values), Dumper=_AsTree, sort_keys=False)
    return text


def read_plain_yaml(path: Path, *, error: type[MtlHccError], remedy: str) -> dict[str, Any]:
    """Read a YAML file into dict, list, str and number.

    Args:
        path: The file.
        error: What is raised.
        remedy: What the user can do when the file is damaged.

    Raises:
        MtlHccError: of the kind ``error``: not YAML, no settings in it, too large, or with
            references.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"{path.stat().st_size / 1e6:.1f} MB are no config")
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=_WithoutAliases)
        if not isinstance(values, dict):
            raise ValueError("no settings in it")
    # A number of 5,000 digits is a ValueError, a thousand brackets are a RecursionError.
    except (yaml.YAMLError, ValueError, RecursionError) as problem:
        found = next(iter(str(problem).splitlines()), type(problem).__name__)
        raise error(f"it is damaged ({found})", where=str(path), remedy=remedy) from problem
    check_plain(values, where=str(path), error=error)
    return values


def check_plain(values: Any, *, where: str, error: type[MtlHccError]) -> None:
    """Raise unless values are dict, list, str and number, and not more than a config can hold.

    Args:
        values: To check; shared or circular parts count each time that they are met.
        where: Their file.
        error: What is raised.

    Raises:
        MtlHccError: of the kind ``error``.
    """
    seen = 0
    waiting: list[tuple[Any, int]] = [(values, 0)]
    while waiting:
        value, level = waiting.pop()
        seen += 1
        found = _not_plain(value)
        if seen > MOST_VALUES or level > MOST_LEVELS:
            found = f"more than {MOST_VALUES} values or {MOST_LEVELS} levels"
        if found:
            raise error(
                f"its config holds {found}",
                where=where,
                expected="settings as mtl_hcc writes them",
                remedy="Do not use it unless you trust who made it; ask for the original.",
            )
        if isinstance(value, dict):
            waiting += [(part, level + 1) for pair in value.items() for part in pair]
        elif isinstance(value, list):
            waiting += [(part, level + 1) for part in value]


def _not_plain(value: Any) -> str:
    """Return what is wrong with a value, if anything."""
    if isinstance(value, dict):
        odd = next((key for key in value if not isinstance(key, _PLAIN)), None)
        return f"a key of type {type(odd).__name__}" if odd is not None else ""
    if isinstance(value, str):
        return "references (*name) in a text" if _has_references(value) else ""
    return "" if isinstance(value, (list, *_PLAIN)) else f"a {type(value).__name__}"


def _has_references(text: str) -> bool:
    """Tell whether a text is YAML with references: the parser reads some texts as YAML again."""
    if "&" not in text or "*" not in text:
        return False
    try:
        events: list[Hashable] = list(yaml.parse(text, Loader=yaml.SafeLoader))
    except yaml.YAMLError:
        return False
    return any(isinstance(event, yaml.AliasEvent) for event in events)
