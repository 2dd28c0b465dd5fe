"""What a message of the parser is about, and which setting or class was probably meant."""

import ast
import difflib
import inspect
import re
from collections.abc import Iterable, Iterator
from importlib import import_module
from typing import Any, get_args

from jsonargparse import ArgumentParser

from mtl_hcc.errors import ConfigError

_AUGMENTATION = "data.augmentation, a list: "
_VIEW = "data.preparation.views.<view>"
_MOVED = {
    **{
        f"data.preparation.{name}": f"{_VIEW}.{name}"
        for name in ("phases", "spacing_mm", "field_of_view_mm", "center_on")
    },
    "data.preparation.margin_mm": "data.preparation.zones.margin: {inward_mm: ..., outward_mm: "
    "...}",
    "data.preparation.clip_percentiles": f"{_VIEW}.intensity: {{class_path: Percentiles, "
    "init_args: {low: ..., high: ...}}",
    "data.preparation.background": f"{_VIEW}.keep (remove: regions, keep: everything)",
    "data.rotate": _AUGMENTATION + "[{class_path: Rotation3D}]",
    "data.time_jitter_days": _AUGMENTATION + "[{class_path: TimeJitter, init_args: {days: 3}}]",
    "data.phase_dropout": _AUGMENTATION
    + "[{class_path: PhaseDropout, init_args: {probability: 0.1}}]",
    "data.workers": "data.loading: {workers: 8}",
    "data.cache": "data.loading: {cache: false}",
    "data.cache_gb": "data.loading: {cache_gb: 16}",
    "data.preparation_workers": "data.preparing: {workers: 4}",
    "data.preparation_backend": "data.preparing: {backend: dask}",
    **{
        f"model.{part}": f"model.encoders.<view>.{part}"
        for part in ("stem", "backbone", "aggregator")
    },
}
"""Settings of version 0.1 to where they stand, or what says the same, now."""


def explained(parser: ArgumentParser, message: str, *, where: str = "") -> ConfigError:
    """Name the unknown key and the closest one that exists.

    Args:
        parser: That complained.
        message: Of its ``ArgumentError``.
        where: The configs that were given.
    """
    if moved := moved_settings(message):
        return ConfigError(
            "settings stand where version 0.1 had them",
            where=where or "config",
            expected="the layout of this version",
            remedy=f"{'; '.join(moved)}. See configs/ct_mtl.yaml.",
        )
    if nested := re.search(r'Parser key "([\w.]+)":[\s\S]*NestedArg\(key=\'(\w+)\'', message):
        flag, argument = nested.groups()
        return ConfigError(
            f"--{flag}.{argument} sets an argument of a class that is not named",
            where=where or "command line",
            expected=f"--{flag} CLASS before it",
            remedy=f"Write for instance --{flag} NiftiFolder --{flag}.{argument} ...",
        )
    if "Option 'estimator" in message and "model.heads" in settings_of(parser):
        return ConfigError(
            "the config trains an estimator on tables (key estimator)",
            where=where,
            expected="a network here: keys model and trainer",
            remedy="Name the config of a network. fit, prepare, predict and report take both.",
        )
    close = suggestions(parser, message)
    remedy = f"Did you mean {' or '.join(close)}? " if close else ""
    if "arguments are required" in message and not where:
        remedy = "Start from a config: --config configs/ct_mtl.yaml. "
    return ConfigError(
        message.strip(),
        where=where,
        remedy=f"{remedy}See --help for all settings, --print_config for these.",
    )


def moved_settings(message: str) -> list[str]:
    """Return, for each setting of version 0.1 that a parser's message shows, where it stands now.

    Args:
        message: Of the parser's ``ArgumentError``.
    """
    found = re.findall(r"unrecognized arguments: -*([\w.]+)", message)
    found += re.findall(r"^(data\.preparation\.\w+)", message, flags=re.MULTILINE)
    for group, option in re.findall(r"Group '([\w.]+)' does not accept option '([\w.]+)'", message):
        found.append(f"{group}.{option}")
    if flag := re.search(r'Parser key "(data\.preparation|model)(?:\.\w+)*"', message):
        options = re.findall(r"Option '([\w.]+)' is not accepted", message)
        given = re.search(r"Given value: ({.*})", message, flags=re.DOTALL)
        options += _keys(given[1]) if given and options else []
        options += re.findall(r"NestedArg\(key='(\w+)'", message)
        found += [f"{flag[1]}.{option}" for option in options]
    moved = {old: new for old, new in _MOVED.items() for name in found if _begins(name, old)}
    return [f"{old} is now {new}" for old, new in moved.items()]


def _keys(printed: str) -> list[str]:
    """Return the keys of a printed dict, not of those inside it."""
    try:
        return [str(name) for name in ast.literal_eval(printed)]
    except (ValueError, SyntaxError):
        return []


def _begins(name: str, setting: str) -> bool:
    return name == setting or name.startswith(f"{setting}.")


def suggestions(parser: ArgumentParser, message: str) -> list[str]:
    """Return the known names closest to the one that a parser's message complains about.

    Args:
        parser: That complained.
        message: Of its ``ArgumentError``.
    """
    settings = settings_of(parser)
    if found := re.search(r"unrecognized arguments: -*([\w.]+)", message):
        return _closest(found[1], settings)
    if found := re.search(r"Group '([\w.]+)' does not accept option '([\w.]+)'", message):
        group = f"{found[1]}."
        return _closest(group + found[2], [name for name in settings if name.startswith(group)])
    if found := re.search(r"Expected a dot import path string: (\w+)", message):
        return _closest(found[1], _class_names(parser, message))
    if found := re.search(r"Option '([\w.]+)' is not accepted", message):
        of_class = re.search(r"class_path(?:=| )'([\w.]+)'", message)
        return _closest(found[1], _arguments(of_class[1]) if of_class else settings)
    return []


def settings_of(parser: ArgumentParser) -> list[str]:
    """Return the dotted names of all settings.

    Args:
        parser: Whose settings they are.
    """
    return [name for name in _settings(parser) if not name.endswith(".help")]


def _settings(parser: ArgumentParser) -> dict[str, Any]:
    """Return the settings of a parser by name, each as its action.

    Neither argparse nor jsonargparse has a public way to list them (python/cpython#144932).
    """
    return {action.dest: action for action in parser._actions if action.dest}


def _closest(name: str, known: Iterable[str]) -> list[str]:
    """Return the names that this one abbreviates, else up to two similar ones, closest first."""
    known = list(known)
    longer = [other for other in known if other.startswith(name)]
    return longer or difflib.get_close_matches(name, known, n=2, cutoff=0.7)


def _arguments(class_path: str) -> list[str]:
    """Return the constructor's arguments of a class."""
    module, name = class_path.rsplit(".", 1)
    return list(inspect.signature(getattr(import_module(module), name)).parameters)


def _class_names(parser: ArgumentParser, message: str) -> set[str]:
    """Return the short names of the classes that the setting named in the message accepts."""
    setting = re.search(r"Parser key \"([\w.]+)\"", message)
    kinds: list[Any] = [
        getattr(action, "_typehint", None)
        for name, action in _settings(parser).items()
        if setting and name == setting[1]
    ]
    return {kind.__name__ for hint in kinds for kind in _subclasses(hint)}


def _subclasses(hint: Any) -> Iterator[type]:
    """Yield the classes inside a type hint and all that derive from them, but abstract ones."""
    for part in hint if isinstance(hint, list) else get_args(hint):
        yield from _subclasses(part)
    if inspect.isclass(hint) and hint.__module__.startswith("mtl_hcc."):
        if not inspect.isabstract(hint):
            yield hint
        for derived in hint.__subclasses__():
            yield from _subclasses(derived)
