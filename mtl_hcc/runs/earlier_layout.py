"""Models of version 0.1 (one encoder, one view): config and weights in today's layout."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

VIEW = "tumor"
"""Name that the only view of an earlier model gets."""
_PARTS = ("stem", "backbone", "aggregator")
_OF_VIEW = ("phases", "spacing_mm", "field_of_view_mm", "center_on")
_AUGMENTATION = {"rotate": True, "time_jitter_days": 3.0, "phase_dropout": 0.0}
"""Settings that were flat under ``data``, and their defaults."""
_MACHINE = {
    "workers": ("loading", "workers"),
    "cache": ("loading", "cache"),
    "cache_gb": ("loading", "cache_gb"),
    "preparation_workers": ("preparing", "workers"),
    "preparation_backend": ("preparing", "backend"),
}


def is_earlier(config: Mapping[str, Any]) -> bool:
    """Return whether a config is of version 0.1.

    Args:
        config: As plain values.
    """
    model, data = config.get("model"), config.get("data")
    return (isinstance(model, Mapping) and any(part in model for part in _PARTS)) or (
        isinstance(data, Mapping) and any(name in data for name in (*_AUGMENTATION, *_MACHINE))
    )


def translated_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same config in today's layout.

    Args:
        config: For which :func:`is_earlier` is true.
    """
    model, data = dict(config.get("model") or {}), dict(config.get("data") or {})
    parts = {part: model.pop(part) for part in _PARTS if part in model}
    if any(part is not None for part in parts.values()):
        model["encoders"] = {VIEW: _translated_parts(parts)}
    recipe = data.get("preparation")
    if isinstance(recipe, Mapping) and "views" not in recipe:
        data["preparation"] = _translated_recipe(dict(recipe))
    return {**config, "model": model, "data": _translated_data(data)}


def _translated_parts(parts: dict[str, Any]) -> dict[str, Any]:
    """Return the parts of the encoder; means over regions stay where they were taken."""
    backbone = parts.get("backbone")
    arguments = backbone.get("init_args") if isinstance(backbone, Mapping) else None
    if isinstance(arguments, Mapping) and arguments.get("pooled_regions"):
        blocks = {**arguments, "mask_pooling": "adaptive"}
        parts = {**parts, "backbone": {**backbone, "init_args": blocks}}  # type: ignore[dict-item]
    return parts


def _translated_data(data: dict[str, Any]) -> dict[str, Any]:
    """Return the settings under ``data`` with a list of transforms, and those of the machine."""
    rotate, days, dropout = (data.pop(name, value) for name, value in _AUGMENTATION.items())
    transforms = {
        "Rotation3D": {} if rotate else None,
        "TimeJitter": {"days": days} if days else None,
        "PhaseDropout": {"probability": dropout} if dropout else None,
    }
    data["augmentation"] = [
        {"class_path": f"mtl_hcc.data.augmentation.{name}", "init_args": arguments}
        for name, arguments in transforms.items()
        if arguments is not None
    ]
    for name, (group, setting) in _MACHINE.items():
        if name in data:
            data[group] = {**data.get(group, {}), setting: data.pop(name)}
    return data


def _translated_recipe(recipe: dict[str, Any]) -> dict[str, Any]:
    view = {name: recipe.pop(name) for name in _OF_VIEW if name in recipe}
    low, high = recipe.pop("clip_percentiles", (2.5, 97.5))
    intensity = {
        "class_path": "mtl_hcc.imaging.intensity.Percentiles",
        "init_args": {"low": low, "high": high},
    }
    kept = {"remove": "regions", "keep": "everything"}[recipe.pop("background", "remove")]
    margin = recipe.pop("margin_mm", 2.0)
    return {
        "views": {VIEW: {**view, "keep": kept, "intensity": intensity}},
        "zones": {"margin": {"inward_mm": margin, "outward_mm": margin}},
        **recipe,
    }


def translated_weights(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the same weights under today's names.

    Args:
        weights: Of the network.
    """
    return {
        name.replace("image.", f"encoders.{VIEW}.", 1) if name.startswith("image.") else name: value
        for name, value in weights.items()
    }
