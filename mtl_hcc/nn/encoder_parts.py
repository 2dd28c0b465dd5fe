"""EncoderParts: the settings of an encoder, put together as far as they fit."""

from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from mtl_hcc.nn.aggregators import Aggregator
from mtl_hcc.nn.backbones import Backbone
from mtl_hcc.nn.encoder import ImageEncoder
from mtl_hcc.nn.instances import InstanceMaker, Volumes
from mtl_hcc.nn.region_moments import RegionMoments
from mtl_hcc.nn.stems import Stem


@dataclass(kw_only=True)
class EncoderParts:
    """How a view becomes a vector: the parts of an :class:`ImageEncoder`.

    Args:
        stem: First convolutions; given the instances' channels.
        backbone: Given the stem's channels.
        aggregator: Given the backbone's width; joins the instances of a patient. Left out with
            ``pool: score``, where the heads judge each instance.
        moments: Means, deviations and volumes of regions, measured on the image and joined to the
            backbone's vector; none when not given.
        width: Width to which a linear layer, zero at first, brings the backbone's vector.
        instances: What the backbone sees one by one; each phase as a volume when not given.
        instances_per_chunk: How many instances go through stem and backbone at once; bounds the
            memory of long bags, for a second forward pass. Not with batch norm.
    """

    stem: Callable[[int], Stem]
    backbone: Callable[[int], Backbone]
    aggregator: Callable[[int], Aggregator] | None = None
    moments: RegionMoments | None = None
    width: int | None = None
    instances: InstanceMaker | None = None
    instances_per_chunk: int | None = None

    def build(self, name: str) -> ImageEncoder:
        """Hand each part the width of the part before it.

        Args:
            name: Of the view, for messages.

        Raises:
            ValueError: where the parts do not make an encoder.
        """
        where = f"model.encoders.{name}"
        instances = self.instances or Volumes()
        stem = self.stem(instances.channels)
        backbone = self.backbone(stem.out_channels)
        for part, made_for in (("stem", stem.dimensions), ("backbone", backbone.dimensions)):
            if made_for != instances.dimensions:
                raise ValueError(
                    f"{where}.{part} works in {made_for}, but {type(instances).__name__} are "
                    f"{instances.dimensions}: set {where}.{part}.init_args.dimensions to "
                    f"{instances.dimensions}, or choose other instances"
                )
        measured = 0 if self.moments is None else self.moments.out_features
        if self.width is not None and self.width < 1:
            raise ValueError(f"{where}.width is {self.width}; expected 1 or more, or null")
        width = instances.out_features((self.width or backbone.out_features) + measured)
        aggregator = None if self.aggregator is None else self.aggregator(width)
        if aggregator is not None and aggregator.one_per_phase and not instances.one_per_phase:
            raise ValueError(
                f"{where}.aggregator {type(aggregator).__name__} takes one vector for each phase, "
                f"but {type(instances).__name__} give many: put it into Nested(within=..., "
                f"over={type(aggregator).__name__}), or choose another aggregator"
            )
        self._check_chunk(where, nn.ModuleList([stem, backbone]))
        return ImageEncoder(
            instances=instances,
            stem=stem,
            backbone=backbone,
            aggregator=aggregator,
            moments=self.moments,
            width=self.width,
            instances_per_chunk=self.instances_per_chunk,
        )

    def _check_chunk(self, where: str, parts: nn.Module) -> None:
        if self.instances_per_chunk is None:
            return
        if self.instances_per_chunk < 1:
            raise ValueError(
                f"{where}.instances_per_chunk is {self.instances_per_chunk}; expected 1 or more"
            )
        batch_norms = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d | nn.SyncBatchNorm
        if any(isinstance(part, batch_norms) for part in parts.modules()):
            raise ValueError(
                f"{where}.instances_per_chunk with a batch norm: its statistics would be those of "
                "a chunk, so the setting of memory would change the result. Set norm to group or "
                "instance in the backbone, or leave instances_per_chunk out"
            )
