"""A fitted table estimator as files that load without running code: JSON, and skops's archive.

``estimator.json`` says what is read and in which order; ``estimator.skops`` holds the scikit-learn
pipelines. Types are compared with :data:`TRUSTED` before anything is built: an archive that names
any other is refused unread.
"""

import io
import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from mtl_hcc.atomic import write_bytes
from mtl_hcc.errors import CheckpointError
from mtl_hcc.estimators.features import Columns
from mtl_hcc.estimators.table_estimator import FittedTask

DESCRIPTION = "estimator.json"
PIPELINES = "estimator.skops"
FORMAT = 1
_UNKNOWN_TO_SKOPS = (
    "numpy.dtype",
    "sksurv.functions.StepFunction",
    "sksurv.linear_model.coxph.BreslowEstimator",
    "sksurv.linear_model.coxph.CoxPHSurvivalAnalysis",
)
"""Types that skops does not know, and must be told to trust."""
TRUSTED = frozenset(
    {
        *_UNKNOWN_TO_SKOPS,
        *(f"builtins.{name}" for name in ("dict", "list", "tuple", "str")),
        *("numpy.ndarray", "numpy.float64", "numpy.int64", "numpy.bool"),
        "sklearn.pipeline.Pipeline",
        "sklearn.impute._base.SimpleImputer",
        "sklearn.preprocessing._data.StandardScaler",
        "sklearn.linear_model._logistic.LogisticRegression",
    }
)
"""All types that an archive may hold: data, and estimators whose methods only compute."""
LOADERS = frozenset(
    f"{name}Node"
    for name in ("Cached", "DType", "Dict", "Json", "List", "NdArray", "Object", "Tuple", "Type")
)
"""Ways of skops to build an object that call nothing but the type itself."""
MODELS = {"survival": "CoxPHSurvivalAnalysis", "class": "LogisticRegression"}
STEPS = ("SimpleImputer", "StandardScaler")
MOST_BYTES = 50_000_000
_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, OSError, EOFError, KeyError, IndexError, ValueError),
    *(TypeError, AttributeError, ImportError, RuntimeError, MemoryError, OverflowError),
)
"""What reading half an archive, or one of another hand, ends with."""


def write_estimator(fitted: Mapping[str, FittedTask], folder: Path) -> None:
    """Write both files.

    Args:
        fitted: Task to what was fitted.
        folder: Gets them.
    """
    import skops.io

    description = {
        "format": FORMAT,
        "tasks": {
            name: {
                "kind": task.kind,
                "features": list(task.features),
                "columns": {
                    "clinical": task.columns.clinical,
                    "measured": task.columns.measured,
                    "grouped": task.columns.grouped,
                    "left_out": task.columns.left_out,
                },
            }
            for name, task in fitted.items()
        },
    }
    write_bytes(folder / PIPELINES, skops.io.dumps({n: t.pipeline for n, t in fitted.items()}))
    write_bytes(folder / DESCRIPTION, (json.dumps(description, indent=1) + "\n").encode())


def read_estimator(folder: Path) -> dict[str, FittedTask]:
    """Return the fitted tasks of an exported folder. Nothing that comes with them is executed.

    Args:
        folder: With both files.

    Raises:
        CheckpointError: A file is absent, damaged, too large, or of another hand.
    """
    for name in (DESCRIPTION, PIPELINES):
        if not (folder / name).is_file():
            raise CheckpointError(
                f"no {name} in the folder",
                where=str(folder),
                expected=f"{DESCRIPTION} and {PIPELINES}, as fit writes them",
                remedy="Copy the whole model folder again.",
            )
    described = _read_description(folder / DESCRIPTION)
    pipelines = _read_pipelines(folder / PIPELINES)
    if set(pipelines) != set(described):
        raise _damaged(
            folder / PIPELINES,
            f"it holds models of {_listed(pipelines)}, but {DESCRIPTION} speaks of "
            f"{_listed(described)}",
        )
    fitted = {}
    for name, (kind, columns, features) in described.items():
        _check_pipeline(pipelines[name], name, kind, features, where=folder / PIPELINES)
        fitted[name] = FittedTask(kind, columns, features, pipelines[name])
    return fitted


def _read_description(path: Path) -> dict[str, tuple[Any, Columns, tuple[str, ...]]]:
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError("it is too large")
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["format"] != FORMAT:
            raise ValueError(f"its format is {content['format']!r}, not {FORMAT}")
        found = {}
        for name, task in content["tasks"].items():
            given = task["columns"]
            columns = Columns(
                clinical=_kinds(given["clinical"]),
                measured=_kinds(given["measured"]),
                grouped=bool(given["grouped"]),
                left_out={str(k): str(v) for k, v in given["left_out"].items()},
            )
            if task["kind"] not in MODELS or not columns.all:
                raise ValueError(f"task {name!r} has no kind or no columns that are known")
            found[str(name)] = (task["kind"], columns, tuple(map(str, task["features"])))
        if not found:
            raise ValueError("no task in it")
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise _damaged(path, f"it is damaged ({type(error).__name__}: {error})") from error
    return found


def _kinds(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return columns with their kinds, refusing kinds that do not exist."""
    for column, kind in values.items():
        levels = isinstance(kind, list) and kind and all(isinstance(k, str) for k in kind)
        if kind not in ("linear", "log") and not levels:
            raise ValueError(f"column {column!r} is read as {kind!r}")
    return dict(values)


def _read_pipelines(path: Path) -> dict[str, Any]:
    """Return the archive's pipelines, its types looked at before anything is built."""
    import skops.io
    from skops.io.exceptions import UntrustedTypesFoundException

    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"{path.stat().st_size / 1e6:.0f} MB are no table estimator")
        content = path.read_bytes()
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(part.file_size for part in archive.infolist()) > 2 * len(content):
                raise ValueError("a few bytes that unpack to many")
            schema = json.loads(archive.read("schema.json"))
        foreign = sorted({name for name in _types(schema) if name not in TRUSTED})
        if foreign:
            raise _untrusted(path, ", ".join(foreign[:5]))
        found = skops.io.loads(content, trusted=list(_UNKNOWN_TO_SKOPS))
        if not isinstance(found, dict):
            raise ValueError("no tasks in it")
    except UntrustedTypesFoundException as error:
        raise _untrusted(path, str(error)) from error
    except (*_DAMAGE, RecursionError) as error:
        raise _damaged(path, f"it cannot be read ({type(error).__name__}: {error})") from error
    return found


def _types(schema: Any) -> Iterator[str]:
    """Yield every type in an archive's schema, and each way to build one that calls code."""
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            if "__class__" in node or "__module__" in node:
                name = f"{node.get('__module__')}.{node.get('__class__')}"
                yield name
                if node.get("__loader__") not in LOADERS:
                    yield f"{name} by {node.get('__loader__')}"
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _check_pipeline(
    pipeline: Any, task: str, kind: str, features: tuple[str, ...], *, where: Path
) -> None:
    """Refuse what is no pipeline of ours, or does not fit its features."""
    try:
        names = tuple(type(step).__name__ for _, step in pipeline.steps)
        sizes = {int(step.n_features_in_) for _, step in pipeline.steps}
        numbers = [
            np.asarray(values, dtype=np.float64)
            for values in (
                pipeline[0].statistics_,
                pipeline[1].mean_,
                pipeline[1].scale_,
                pipeline[-1].coef_,
            )
        ]
    except (AttributeError, TypeError, ValueError, IndexError, KeyError) as error:
        raise _damaged(where, f"the model of {task} is no fitted pipeline ({error})") from error
    if names != (*STEPS, MODELS[kind]):
        raise _damaged(where, f"the model of {task} is {' + '.join(names)}")
    if sizes != {len(features)}:
        raise _damaged(
            where, f"the model of {task} takes {max(sizes)} features, {len(features)} are named"
        )
    if not all(np.isfinite(values).all() for values in numbers):
        raise _damaged(where, f"the model of {task} holds values that are no numbers")


def _untrusted(path: Path, found: str) -> CheckpointError:
    return CheckpointError(
        f"it holds types that could run code: {found}",
        where=str(path),
        expected="pipelines of scikit-learn and scikit-survival as mtl_hcc writes them",
        remedy="Do not load it with other tools unless you trust who made it.",
    )


def _damaged(path: Path, found: str) -> CheckpointError:
    return CheckpointError(
        found,
        where=str(path),
        expected="a table estimator as fit writes it",
        remedy="Copy the model folder again, or train anew.",
    )


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(map(str, names)) or "nothing"
