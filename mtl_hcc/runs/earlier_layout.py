"""Models of version 0.1 (one encoder, one view): config and weights in today's layout."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

VIEW = "tumor"
"""Name that the only view of an earlier model gets."""
_PARTS = ("stem", "backbone", "aggregator")
_OF_VIEW = ("phases", "spacing_mm", "field_of_view_mm", "center_on")


def is_earlier(config: Mapping[str, Any]) -> bool:
    """Return whether a config is of version 0.1 with images.

    Args:
        config: As plain values.
    """
    model = config.get("model")
    return isinstance(model, Mapping) and any(model.get(part) is not None for part in _PARTS)


def translated_config(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the same config in today's layout.

    Args:
        config: For which :func:`is_earlier` is true.
    """
    model, data = dict(config["model"]), dict(config.get("data") or {})
    model["encoders"] = {VIEW: {part: model.pop(part, None) for part in _PARTS}}
    recipe = data.get("preparation")
    if isinstance(recipe, Mapping) and "views" not in recipe:
        data["preparation"] = _translated_recipe(dict(recipe))
    return {**config, "model": model, "data": data}


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
