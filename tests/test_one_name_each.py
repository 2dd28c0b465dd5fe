"""A file name and a class name stand for one thing in the whole package."""

import ast
from collections import defaultdict
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "mtl_hcc"


def places(names_of) -> dict[str, list[str]]:
    """Return name to the files that hold it."""
    found = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for name in names_of(path):
            found[name].append(str(path.relative_to(PACKAGE)))
    return found


def file_name(path):
    return [] if path.name == "__init__.py" else [path.name]


def public_classes(path):
    tree = ast.parse(path.read_text("utf-8"))
    names = [part.name for part in tree.body if isinstance(part, ast.ClassDef)]
    return [name for name in names if not name.startswith("_")]


@pytest.mark.parametrize("names_of", [file_name, public_classes])
def test_no_name_is_used_twice(names_of):
    found = places(names_of)
    assert len(found) > 100
    assert {name: files for name, files in found.items() if len(files) > 1} == {}
