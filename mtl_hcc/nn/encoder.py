"""ImageEncoder: from a view to the vectors of its instances, and to one vector per patient."""

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from mtl_hcc.batch import ViewBatch
from mtl_hcc.nn.aggregators import Aggregator
from mtl_hcc.nn.backbones import Backbone
from mtl_hcc.nn.bag import Bag
from mtl_hcc.nn.instances import InstanceMaker, Layout
from mtl_hcc.nn.region_moments import RegionMoments
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
        width: Width to which a linear layer brings the backbone's vector; none leaves it as it is.
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
        width: int | None = None,
        instances_per_chunk: int | None = None,
    ) -> None:
        super().__init__()
        self.instances = instances
        self.moments = moments
        self.projection = None if width is None else Projection(backbone.out_features, width)
        self.stem, self.backbone, self.aggregator = stem, backbone, aggregator
        self.channels_last = not any(
            isinstance(part, nn.InstanceNorm2d | nn.InstanceNorm3d) for part in self.modules()
        )
        if self.channels_last:
            self._lay_channels_last()
        self.instances_per_chunk = instances_per_chunk
        width = (width or backbone.out_features) + (0 if moments is None else moments.out_features)
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
        with _right_precision(images.device):
            features = self.stem(images, regions)
            last = self.channels_last
            layout = _CHANNELS_LAST[features.dim()] if last else torch.contiguous_format
            vectors: Tensor = self.backbone(features.contiguous(memory_format=layout), regions)
            return vectors if self.projection is None else self.projection(vectors)


def _right_precision(device: torch.device) -> AbstractContextManager[object]:
    """Return a context in which convolutions are right.

    On processors that compute in bfloat16, torch's 3D convolutions give wrong values and gradients
    for some small maps, in silence (pytorch/pytorch#169688): there they stay in float32.
    """
    if device.type == "cpu":
        return torch.autocast("cpu", enabled=False)
    return nullcontext()


class Projection(nn.Linear):
    """A linear layer without a bias that is zero at first, and not drawn.

    What the backbone sees begins without a voice and gets one as far as it lowers the losses: with
    some hundred patients, a few measured numbers beside hundreds of features would go unheard.
    """

    def __init__(self, in_features: int, out_features: int) -> None:
        with torch.random.fork_rng(devices=[]):  # the parts after it are drawn as without it
            super().__init__(in_features, out_features, bias=False)
        nn.init.zeros_(self.weight)
