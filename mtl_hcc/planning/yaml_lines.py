"""Lines of a YAML with the reason above each: what is written is for people first."""

import textwrap
from typing import Any

import yaml

WIDTH = 100


class YamlLines:
    """A config that grows line by line; a new setting is one more call of :meth:`add`."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def say(self, text: str, *, level: int = 0) -> None:
        """Add a comment.

        Args:
            text: In one paragraph.
            level: Of indentation.
        """
        indent = "  " * level
        # A name of a center or a file may hold a line break, which would end the comment.
        plain = " ".join(text.split())
        self._lines += textwrap.wrap(
            plain,
            WIDTH,
            initial_indent=f"{indent}# ",
            subsequent_indent=f"{indent}# ",
            break_long_words=False,
            break_on_hyphens=False,
        )

    def add(self, key: str, value: Any = None, why: str = "", *, level: int = 0) -> None:
        """Add a setting, with its reason above it.

        Args:
            key: Its name.
            value: Plain values; None opens a section.
            why: The measured number and the rule.
            level: Of indentation.
        """
        if why:
            self.say(why, level=level)
        end = "" if value is None else f" {inline(value)}"
        self._lines.append(f"{'  ' * level}{inline(key)}:{end}")

    def item(self, value: Any, why: str = "", *, level: int) -> None:
        """Add an entry of a list, with its reason above it."""
        if why:
            self.say(why, level=level)
        self._lines.append(f"{'  ' * level}- {inline(value)}")

    def text(self) -> str:
        """Return the whole file."""
        return "\n".join(self._lines) + "\n"


def inline(value: Any) -> str:
    """Return plain values as YAML in one line, quoted where need be.

    Example:
        >>> inline({"class_path": "KFold", "init_args": {"folds": 5}})
        '{class_path: KFold, init_args: {folds: 5}}'
        >>> inline(["0", "A: b", "no"])
        "['0', 'A: b', 'no']"
    """
    text: str = yaml.safe_dump(
        value, default_flow_style=True, width=10**9, sort_keys=False, allow_unicode=True
    )
    return text.removesuffix("...\n").strip()
