"""ImageEncoder: from a view to the vectors of its instances, and to one vector per patient."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from mtl_hcc.batch import ViewBatch
from mtl_hcc.nn.aggregators import Aggregator
from mtl_hcc.nn.backbones import Backbone
from mtl_hcc.nn.bag import Bag
from mtl_hcc.nn.instances import InstanceMaker, Layout, Volumes
from mtl_hcc.nn.region_pooling import RegionMoments
from mtl_hcc.nn.stems import Stem

_CHANNELS_LAST = {4: torch.channels_last, 5: torch.channels_last_3d}
"""Axes of a map or kernel to how it lies in memory: all channels of a voxel side by side.

Convolutions and batch norms are written for it: on a processor the shipped network takes two thirds
of the time, and its numbers differ by rounding. An instance norm lays its maps out anew, and of a
single instance torch 2.13 gives it a wrong gradient in silence where what follows is channels last.
"""


class ImageEncoder(nn.Module):
    """``aggregator(backbone(stem(instances(view))))``.

    All instances that are present go through stem and backbone, weights shared. An absent one goes
    through neither, so that it cannot shift the batch norm of the others.

    Args:
        instances: What the backbone sees one by one.
        stem: First convolutions.
        backbone: Feature map to vector.
        aggregator: Instances to patient; ``None`` where the heads judge each instance.
        moments: What is measured of each instance beside the backbone's vector.
        instances_per_chunk: How many go through at once. With more, each chunk is computed a second
            time in the backward pass instead of being kept, so that memory does not grow with the
            length of the bag. ``None`` sends all through at once.
    """

    def __init__(
        self,
        *,
        instances: InstanceMaker,
        stem: Stem,
        backbone: Backbone,
        aggregator: Aggregator | None,
        moments: RegionMoments | None = None,
        instances_per_chunk: int | None = None,
    ) -> None:
        super().__init__()
        self.instances = instances
        self.moments = moments
        self.stem, self.backbone, self.aggregator = stem, backbone, aggregator
        self.channels_last = not any(
            isinstance(part, nn.InstanceNorm2d | nn.InstanceNorm3d) for part in self.modules()
        )
        if self.channels_last:
            self._lay_channels_last()
        self.instances_per_chunk = instances_per_chunk
        width = backbone.out_features + (0 if moments is None else moments.out_features)
        self.out_features = (
            instances.out_features(width) if aggregator is None else aggregator.out_features
        )

    def bag(self, view: ViewBatch) -> Bag:
        """Return the vectors of all instances."""
        layout = self.instances.layout(view)
        present = layout.present
        rows = layout.rows
        features = self._vectors(view, layout, rows)
        if len(rows) < present.numel():
            empty = features.new_zeros(present.numel(), features.shape[1])
            # A batch without any instance: the sum, zero, keeps all weights in the graph, as
            # data-parallel training needs it.
            features = empty.index_copy(0, rows, features) if len(rows) else empty + features.sum()
        phases = view.images.shape[1]
        features = features.unflatten(0, present.shape)
        return Bag(features, present, layout.phase, layout.place_mm, phases)

    def aggregate(self, bag: Bag) -> Tensor:
        """Return (patient, out_features) of the instances' vectors."""
        if self.aggregator is None:
            raise ValueError("this encoder has no aggregator: the heads judge each instance")
        aggregated: Tensor = self.aggregator(self.instances.combine(bag))
        return aggregated

    def attention(self, bag: Bag) -> Tensor | None:
        """Return (patient, instance), the weight of each; ``None`` if the aggregator has none."""
        if self.aggregator is None:
            return None
        weights = self.aggregator.attention(self.instances.combine(bag))
        return None if weights is None else self.instances.spread(weights, bag)

    def forward(self, view: ViewBatch) -> Tensor:
        """Return (patient, out_features)."""
        return self.aggregate(self.bag(view))

    def _lay_channels_last(self) -> None:
        """Lay kernels out in memory as maps are; names, shapes and values stay."""
        for part in (*self.stem.parameters(), *self.backbone.parameters()):
            if part.dim() in _CHANNELS_LAST:
                part.data = part.data.contiguous(memory_format=_CHANNELS_LAST[part.dim()])

    def _vectors(self, view: ViewBatch, layout: Layout, rows: Tensor) -> Tensor:
        """Return (row, feature) of the instances of these numbers."""
        if not len(rows):
            # Two, for a batch norm needs more than one; empty, whatever stands in the view.
            two = torch.zeros(2, dtype=torch.long, device=rows.device)
            vectors = 0 * self._seen(view.map(torch.zeros_like), layout, two)
            measured = 0 if self.moments is None else self.moments.out_features
            return functional.pad(vectors, (0, measured))
        seen = self._in_chunks(view, layout, rows)
        if self.moments is None:
            return seen
        return torch.cat([seen, self._measured(self.moments, view, layout, rows)], dim=1)

    def _measured(
        self, moments: RegionMoments, view: ViewBatch, layout: Layout, rows: Tensor
    ) -> Tensor:
        """Return (row, number) of the images themselves, as many at once as go through."""
        voxel_ml = view.spacing_mm.prod(1) / 1000  # (patient,)
        parts = []
        for some in rows.split(self.instances_per_chunk or len(rows)):
            images, regions = self.instances.take(view, layout, some)
            parts.append(
                moments.measure(images, regions, voxel_ml[some // layout.present.shape[1]])
            )
        measured: Tensor = moments(torch.cat(parts))
        return measured

    def _in_chunks(self, view: ViewBatch, layout: Layout, rows: Tensor) -> Tensor:
        """Return (row, feature) of stem and backbone."""
        chunk = self.instances_per_chunk
        if chunk is None or len(rows) <= chunk:
            return self._seen(view, layout, rows)
        parts = []
        for some in rows.split(chunk):
            if torch.is_grad_enabled():
                # The instances are taken inside, so that they are not kept either; the state of
                # the random generator is, so that dropout draws the same again.
                part = checkpoint(self._seen, view, layout, some, use_reentrant=False)
            else:
                part = self._seen(view, layout, some)
            parts.append(part)
        return torch.cat(parts)

    def _seen(self, view: ViewBatch, places: Layout, rows: Tensor) -> Tensor:
        """Send instances through stem and backbone."""
        images, regions = self.instances.take(view, places, rows)
        features = self.stem(images, regions)
        layout = _CHANNELS_LAST[features.dim()] if self.channels_last else torch.contiguous_format
        features = features.contiguous(memory_format=layout)
        vectors: Tensor = self.backbone(features, regions)
        return vectors


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
        instances: What the backbone sees one by one; each phase as a volume when not given.
        instances_per_chunk: How many instances go through stem and backbone at once; bounds the
            memory of long bags, for a second forward pass. Not with batch norm.
    """

    stem: Callable[[int], Stem]
    backbone: Callable[[int], Backbone]
    aggregator: Callable[[int], Aggregator] | None = None
    moments: RegionMoments | None = None
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
        width = instances.out_features(backbone.out_features + measured)
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
