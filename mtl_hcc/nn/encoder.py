"""ImageEncoder: from a view to one vector per patient."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from mtl_hcc.batch import ViewBatch
from mtl_hcc.nn.aggregators import Aggregator
from mtl_hcc.nn.backbones import Backbone
from mtl_hcc.nn.bag import Bag
from mtl_hcc.nn.instances import InstanceMaker, Volumes
from mtl_hcc.nn.stems import Stem


class ImageEncoder(nn.Module):
    """``aggregator(backbone(stem(instances(view))))``.

    All instances that are present go through stem and backbone in one call, weights shared. An
    absent one goes through neither, so that it cannot shift the batch norm of the others.

    Args:
        instances: What the backbone sees one by one.
        stem: First convolutions.
        backbone: Feature map to vector.
        aggregator: Instances to patient.
    """

    def __init__(
        self, *, instances: InstanceMaker, stem: Stem, backbone: Backbone, aggregator: Aggregator
    ) -> None:
        super().__init__()
        self.instances = instances
        self.stem, self.backbone, self.aggregator = stem, backbone, aggregator
        self.out_features = aggregator.out_features

    def bag(self, view: ViewBatch) -> Bag:
        """Return the vectors of all instances."""
        layout = self.instances.layout(view)
        present = layout.present
        rows = present.flatten().nonzero()[:, 0]  # of (patient * instance)
        if len(rows) == 0:
            # The call keeps all weights in the graph (the aggregator does not look), as
            # data-parallel training needs it.
            rows = torch.arange(present.numel(), device=present.device)
        found = self._vectors(view, rows)
        if len(rows) < present.numel():
            found = found.new_zeros(present.numel(), found.shape[1]).index_copy(0, rows, found)
        features = found.unflatten(0, present.shape)
        return Bag(features, present, layout.phase, layout.place_mm)

    def forward(self, view: ViewBatch) -> Tensor:
        """Return (patient, out_features)."""
        aggregated: Tensor = self.aggregator(self.bag(view))
        return aggregated

    def _vectors(self, view: ViewBatch, rows: Tensor) -> Tensor:
        """Return (row, feature) of the instances of these numbers."""
        images, regions = self.instances.take(view, rows)
        vectors: Tensor = self.backbone(self.stem(images, regions), regions)
        return vectors


@dataclass(kw_only=True)
class EncoderParts:
    """How a view becomes a vector: the parts of an :class:`ImageEncoder`.

    Args:
        stem: First convolutions; given the instances' channels.
        backbone: Given the stem's channels.
        aggregator: Given the backbone's width; joins the instances of a patient.
        instances: What the backbone sees one by one; each phase as a volume when not given.
    """

    stem: Callable[[int], Stem]
    backbone: Callable[[int], Backbone]
    aggregator: Callable[[int], Aggregator]
    instances: InstanceMaker | None = None

    def build(self) -> ImageEncoder:
        """Hand each part the width of the part before it."""
        instances = self.instances or Volumes()
        stem = self.stem(instances.channels)
        backbone = self.backbone(stem.out_channels)
        return ImageEncoder(
            instances=instances,
            stem=stem,
            backbone=backbone,
            aggregator=self.aggregator(backbone.out_features),
        )
