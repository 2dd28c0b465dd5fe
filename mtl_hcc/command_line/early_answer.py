"""A misspelt setting is answered before the networks' libraries are loaded, which takes seconds.

The names of the settings are read from the source of the constructors, without importing it. What
passes here is judged again by the real parser, which also knows the values and the classes.
"""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import field, make_dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jsonargparse import ArgumentError, ArgumentParser

from mtl_hcc.command_line.entry_point import report_errors
from mtl_hcc.command_line.misspelling import explained, settings_of
from mtl_hcc.command_line.what_is_trained import config_files, trains_table

# Where the constructors are whose arguments are the settings: module and class.
_GENERAL = ("mtl_hcc.command_line.fit_settings", "FitSettings")
_DATA = ("mtl_hcc.data.datamodule", "CohortDataModule")
_MODEL = ("mtl_hcc.training.module", "MultiTaskModule")
_TRAINER = ("pytorch_lightning.trainer.trainer", "Trainer")
TRAINER_SKIP = {"logger", "callbacks", "default_root_dir", "use_distributed_sampler"}
"""What `fit` itself hands to the trainer."""
_UNKNOWN = ("unrecognized arguments", "does not accept option", "is not accepted")
_PRINTS = ("-h", "--help", "--print_config")


def answer_early(arguments: Sequence[str]) -> None:
    """Leave the program with a message if a flag or file names a setting that does not exist.

    Args:
        arguments: Flags of the command line.
    """
    if code := report_errors(check_names)(arguments):
        raise SystemExit(code)


def check_names(arguments: Sequence[str]) -> None:
    """Raise as the real parser would, for names of settings that do not exist.

    Args:
        arguments: Flags of the command line.

    Raises:
        ConfigError: Naming the setting, and the closest known one.
    """
    if any(argument.partition("=")[0] in _PRINTS for argument in arguments):
        return
    parser = parser_of_names(table=trains_table(arguments))
    try:
        parser.parse_args(list(_without_inner_flags(parser, arguments)))
    except ArgumentError as error:
        if any(words in str(error) for words in _UNKNOWN):
            where = ", ".join(config_files(arguments))
            raise explained(parser, str(error), where=where) from error


def parser_of_names(*, table: bool) -> ArgumentParser:
    """Return a parser that knows the names of the settings, and takes any value.

    Args:
        table: Whether an estimator on tables is trained, else a network by a trainer.
    """
    parser = ArgumentParser(allow_abbrev=False, exit_on_error=False)
    parser.add_argument("--config", action="config")
    parser.add_class_arguments(_names_only(*_GENERAL))
    if table:
        parser.add_argument("--estimator", type=Any)
    else:
        parser.add_class_arguments(_names_only(*_MODEL), "model")
    parser.add_class_arguments(_names_only(*_DATA), "data")
    if not table:
        parser.add_class_arguments(_names_only(*_TRAINER), "trainer", skip=TRAINER_SKIP)
    return parser


def _without_inner_flags(parser: ArgumentParser, arguments: Sequence[str]) -> Iterator[str]:
    """Yield the flags, but those that reach into a class: its names are not known here."""
    known = set(settings_of(parser))
    parts = {name for name in known if not any(other.startswith(f"{name}.") for other in known)}
    inner = False
    for argument in arguments:
        if argument.startswith("--"):
            names = argument[2:].partition("=")[0].split(".")
            inner = any(".".join(names[:count]) in parts for count in range(1, len(names)))
        if not inner:
            yield argument


def _names_only(module: str, name: str) -> type:
    """Return a dataclass whose fields have the names of a class's arguments, and any value."""
    tree = ast.parse(_file(module).read_text(encoding="utf-8"))
    fields: list[tuple[str, Any, Any]] = []
    for argument in _arguments(_class(tree, name)):
        inner = _dataclass_of(module, tree, argument)
        default = field(default=None) if inner is Any else field(default_factory=inner)
        fields.append((argument.arg, inner, default))
    return make_dataclass(name, fields)


def _file(module: str) -> Path:
    """Return the file of a module of an installed package, without importing the package."""
    package, *inner = module.split(".")
    spec = find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(package)
    return Path(spec.origin).parent.joinpath(*inner).with_suffix(".py")


def _class(tree: ast.Module, name: str) -> ast.ClassDef | None:
    found = (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == name)
    return next(found, None)


def _arguments(kind: ast.ClassDef | None) -> list[ast.arg]:
    """Return the constructor's arguments: of ``__init__``, else the fields of a dataclass."""
    if kind is None:
        return []
    for node in kind.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            return [*node.args.args[1:], *node.args.kwonlyargs]
    return [
        ast.arg(node.target.id, node.annotation)
        for node in kind.body
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    ]


def _dataclass_of(module: str, tree: ast.Module, argument: ast.arg) -> Any:
    """Return the names of an argument that is a dataclass of ours: its fields are settings, too."""
    if not isinstance(argument.annotation, ast.Name):
        return Any
    wanted = argument.annotation.id
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and wanted in [alias.name for alias in node.names]:
            module = node.module or ""
    if not module.startswith("mtl_hcc.") or not _file(module).is_file():
        return Any
    kind = _class(ast.parse(_file(module).read_text(encoding="utf-8")), wanted)
    return _names_only(module, wanted) if kind and kind.decorator_list else Any
