"""Whether model and data of a config match: endpoints, views, regions, phases, covariates."""

from mtl_hcc.data.datamodule import CohortDataModule
from mtl_hcc.errors import ConfigError
from mtl_hcc.regions import BACKGROUND_LIVER
from mtl_hcc.training.module import MultiTaskModule


def check_parts(model: MultiTaskModule, data: CohortDataModule) -> None:
    """Raise :class:`ConfigError` when the data do not give what the model needs."""
    for name, head in model.heads.items():
        if absent := [column for column in head.columns if column not in data.target_names]:
            raise ConfigError(
                f"head '{name}' needs {', '.join(absent)}, which data.endpoints does not give",
                where="model.heads, data.endpoints",
                expected=f"one head or more for {', '.join(data.endpoints)} only",
                remedy="Add the endpoint to data.endpoints, or remove the head.",
            )
    _check_views(model, data)
    given = bool(data.covariates or data.measured)
    if (model.network.clinical is not None) != given:
        raise ConfigError(
            "data.covariates or data.measured is set, but model.clinical is not"
            if given
            else "model.clinical is set, but neither data.covariates nor data.measured is",
            where="model.clinical, data.covariates, data.measured",
            expected="covariates and the encoder that takes them, or neither",
            remedy="Set the other one too, or remove this one.",
        )


def _check_views(model: MultiTaskModule, data: CohortDataModule) -> None:
    """Raise :class:`ConfigError` when an encoder asks for what no view shows."""
    views = {} if data.preparation is None else data.preparation.views
    for name, encoder in model.network.encoders.items():
        where = f"model.encoders.{name}"
        if name not in views:
            raise ConfigError(
                f"the model has an encoder of the view '{name}', which is not prepared",
                where=f"{where}, data.preparation.views",
                expected=f"one of {', '.join(views)}" if views else "images, in data.preparation",
                remedy="Name the encoder after its view, or add the view.",
            )
        bits = data.preparation.region_bits if data.preparation is not None else {}
        named = ("instances.regions", "stem.regions", "backbone.pooled_regions", "moments.regions")
        for part in named:
            asked = getattr(getattr(encoder, part.split(".")[0]), part.split(".")[1], ())
            if absent := [r for r in asked if r not in (*bits, BACKGROUND_LIVER)]:
                raise ConfigError(
                    f"unknown region {', '.join(absent)}",
                    where=f"{where}.{part.replace('instances.regions', 'instances.of')}",
                    expected=f"some of {', '.join([BACKGROUND_LIVER, *bits])}",
                    remedy="Correct it, or derive the region in data.preparation.zones.",
                )
        _check_stem_sees_the_liver(encoder.stem, data, where)
        used = [phase for phase in views[name].phases if phase in data.phases]
        if not used:
            raise ConfigError(
                f"the view '{name}' has none of the phases {', '.join(data.phases)}",
                where=f"data.preparation.views.{name}.phases, data.phases",
                remedy="Add one of its phases to data.phases, or remove the encoder.",
            )
        for part in ("instances", "aggregator"):
            made_for = getattr(getattr(encoder, part), "phases", len(used))
            if made_for != len(used):
                raise ConfigError(
                    f"the {part} {'are' if part == 'instances' else 'is'} made for {made_for} "
                    f"phases, but {len(used)} are used: {', '.join(used)}",
                    where=f"{where}.{part}, data.preparation.views.{name}.phases, data.phases",
                    remedy=f"Set {where}.{part}.init_args.phases to {len(used)}.",
                )


def _check_stem_sees_the_liver(stem: object, data: CohortDataModule, where: str) -> None:
    """Raise where liver around the tumor belongs to a zone that no region of the stem covers."""
    regions = getattr(stem, "regions", ())
    if BACKGROUND_LIVER not in regions or data.preparation is None:
        return
    zones = data.preparation.zones
    seen_mm = max((zone.outward_mm for name, zone in zones.items() if name in regions), default=0.0)
    if unseen := [name for name, zone in zones.items() if zone.outward_mm > seen_mm]:
        raise ConfigError(
            f"the stem does not see the zone {', '.join(unseen)}: {BACKGROUND_LIVER} is the liver "
            "outside the tumor and outside of all zones",
            where=f"{where}.stem, data.preparation.zones",
            expected="the widest zone around the tumor among the regions of the stem",
            remedy=f"Add {', '.join(unseen)} to {where}.stem.init_args.regions.",
        )
