"""What the head of the page says about a study: facts of the config and of the tables."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

from mtl_hcc.covariates.column_names import readable_name
from mtl_hcc.reporting.reported_study import ReportedStudy
from mtl_hcc.split_names import in_split_order


def short(value: object) -> str:
    """Return a class or a value of the config in short: ``mtl_hcc.nn.DenseNet`` is ``DenseNet``.

    Example:
        >>> short({"class_path": "mtl_hcc.nn.DenseNet", "init_args": {"growth_rate": 12}})
        'DenseNet'
        >>> short(None), short(["arterial", "portal_venous"])
        ('none', 'arterial, portal venous')
    """
    if value is None:
        return "none"
    if isinstance(value, Mapping):
        if "class_path" in value:
            return str(value["class_path"]).rpartition(".")[2]
        return ", ".join(f"{name} {short(part)}" for name, part in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(short(part) for part in value)
    return str(value).replace("_", " ") if isinstance(value, str) else f"{value}"


def setting(config: Mapping[str, Any], path: str) -> Any:
    """Return a setting by its dotted name, ``None`` where any part is absent."""
    value: Any = config
    for part in path.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def summary(study: ReportedStudy) -> list[tuple[str, str]]:
    """Return name and value of what the reader should know first."""
    predictions = study.predictions
    main = predictions[predictions["model"] == study.networks[0]]
    centers = sorted(main["center"].replace("", "unknown").unique())
    others = [name for name in predictions["model"].unique() if name not in study.networks]
    folds = main["fold"].nunique()
    splits = main.groupby("split", sort=False)["patient_id"].nunique()
    facts = [
        ("Patients", f"{main['patient_id'].nunique()}"),
        ("Centers", f"{len(centers)}" + (f" ({', '.join(centers)})" if len(centers) <= 8 else "")),
        (
            "Splits",
            _splits({name: splits[name] for name in in_split_order(list(splits.index))}, folds),
        ),
        ("Outcomes", ", ".join(str(task).upper() for task in main["task"].unique())),
    ]
    if len(study.networks) > 1:
        facts.append(("Models", ", ".join(study.networks)))
        facts.append(("Curves, patients and settings", f"of {study.networks[0]}"))
    facts.append(("Compared with", ", ".join(map(str, others)) or "no other model"))
    return facts + _design(study.config)


def _splits(sizes: Mapping[Any, int], folds: int) -> str:
    if folds > 1:
        return f"{folds} folds: {', '.join(map(str, sizes))}"
    return ", ".join(f"{split} {number}" for split, number in sizes.items())


def _design(config: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what the config says of input and network."""
    if not config:
        return []
    views = setting(config, "data.preparation.views") or {}
    images = "; ".join(
        f"{name}: {short(view.get('phases'))} at {short(view.get('spacing_mm'))} mm"
        for name, view in views.items()
    )
    cohort = setting(config, "data.cohort")
    numbers = {
        "Clinical columns": setting(config, "data.covariates"),
        "Measured in the images": setting(config, "data.measured"),
    }
    return [
        ("Cohort", _cohort(cohort, setting(config, "data.source"))),
        ("Images", images or "none: clinical columns only"),
        *[
            (title, ", ".join(map(readable_name, columns)))
            for title, columns in numbers.items()
            if columns
        ],
        *(
            [("Estimator", estimator_in_words(config))]
            if config.get("estimator")
            else [
                ("Network", "; ".join(network_parts(config))),
                ("Task weights", short(setting(config, "model.weighting"))),
            ]
        ),
        ("Seed", _seeds(config)),
    ]


def _seeds(config: Mapping[str, Any]) -> str:
    """Return the seed, or how many networks are averaged and their seeds."""
    first, number = config.get("seed", "unknown"), config.get("seeds", 1)
    if number == 1:
        return str(first)
    return f"{first} to {first + number - 1}: the mean of {number} networks predicts"


def estimator_in_words(config: Mapping[str, Any]) -> str:
    """Return what an estimator on tables is, and what it reads.

    Args:
        config: Of the run, with ``estimator``.
    """
    features = setting(config, "estimator.init_args.features")
    columns = setting(config, "estimator.init_args.features.init_args.columns")
    read = ": " + ", ".join(map(readable_name, columns)) if columns else ""
    return f"{short(config['estimator'].get('class_path'))} on {short(features)}{read}"


def network_parts(config: Mapping[str, Any]) -> list[str]:
    """Return the parts of the network: those of each view's encoder, then what joins them.

    Args:
        config: Of a run that trained a network.
    """
    encoders = setting(config, "model.encoders") or {}
    return [
        f"{name}: {', '.join(_part(part) for part in parts.values() if part is not None)}"
        for name, parts in encoders.items()
    ] + [
        short(setting(config, f"model.{part}"))
        for part in ("clinical", "fusion")
        if setting(config, f"model.{part}") is not None
    ]


def _part(part: object) -> str:
    """Return a part of an encoder: its class, or how many instances go through at a time."""
    return f"{part} instances at a time" if isinstance(part, int) else short(part)


def _cohort(cohort: object, source: object) -> str:
    """Return the cohort's name without its folders, which may name a person, and its reader."""
    if cohort is None:
        return "phantom (simulated patients)"
    reader = f", read by {short(source)}" if source else ""
    return f"{PurePath(str(cohort)).name}{reader}"


def is_phantom(config: Mapping[str, Any]) -> bool:
    """Tell whether a run was trained on simulated patients."""
    return bool(config) and setting(config, "data.cohort") is None
