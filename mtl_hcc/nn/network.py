"""PatientNetwork: ``heads(fusion(aggregator(backbone(stem(phases, regions))), clinical))``."""

from collections.abc import Mapping

from torch import Tensor, nn

from mtl_hcc.batch import PatientBatch
from mtl_hcc.nn.aggregators import Aggregator
from mtl_hcc.nn.backbones import Backbone
from mtl_hcc.nn.clinical import ClinicalEncoder
from mtl_hcc.nn.fusion import Fusion
from mtl_hcc.nn.heads import TaskHead
from mtl_hcc.nn.stems import Stem


class ImageEncoder(nn.Module):
    """Images and region maps of all phases become one vector per patient.

    The present phases are stacked on the batch axis: one call of stem and backbone, weights shared.
    A missing phase goes through neither, so that it cannot shift the batch norm of the others.

    Args:
        stem: First convolutions.
        backbone: Feature map to vector.
        aggregator: Phases to patient.
    """

    def __init__(self, *, stem: Stem, backbone: Backbone, aggregator: Aggregator) -> None:
        super().__init__()
        self.stem, self.backbone, self.aggregator = stem, backbone, aggregator
        self.out_features = aggregator.out_features

    def forward(self, images: Tensor, regions: Tensor, present: Tensor) -> Tensor:
        """Return (patient, out_features) from (patient, phase, depth, height, width)."""
        rows = present.flatten().nonzero()[:, 0]  # of (patient * phase)
        if len(rows) in (0, present.numel()):
            # Nothing to leave out; or nothing at all, and then the call keeps all weights in the
            # graph (the aggregator does not look), as data-parallel training needs it.
            vectors = self._vectors(images.flatten(0, 1), regions.flatten(0, 1))
        else:
            found = self._vectors(images.flatten(0, 1)[rows], regions.flatten(0, 1)[rows])
            vectors = found.new_zeros(present.numel(), found.shape[1]).index_copy(0, rows, found)
        aggregated: Tensor = self.aggregator(vectors.unflatten(0, present.shape), present)
        return aggregated

    def _vectors(self, images: Tensor, regions: Tensor) -> Tensor:
        """Return (volume, feature) from (volume, depth, height, width)."""
        images, regions = images[:, None], regions[:, None]
        vectors: Tensor = self.backbone(self.stem(images, regions), regions)
        return vectors


class PatientNetwork(nn.Module):
    """All of a patient becomes the raw output of every task.

    Args:
        image: Encoder of the images, or ``None`` for a purely clinical network.
        clinical: Encoder of the covariates, or ``None`` for a purely imaging network.
        fusion: Joins both.
        heads: Task name to head.
    """

    def __init__(
        self,
        *,
        image: ImageEncoder | None,
        clinical: ClinicalEncoder | None,
        fusion: Fusion,
        heads: Mapping[str, TaskHead],
    ) -> None:
        super().__init__()
        self.image, self.clinical, self.fusion = image, clinical, fusion
        self.heads = nn.ModuleDict(heads)

    def embed(self, batch: PatientBatch) -> Tensor:
        """Return the (patient, feature) embedding that the heads share."""
        parts = []
        if self.image is not None:
            if batch.images is None or batch.regions is None or batch.phase_present is None:
                raise ValueError("this network needs images, but the batch has none")
            parts.append(self.image(batch.images, batch.regions, batch.phase_present))
        if self.clinical is not None:
            if batch.covariates is None:
                raise ValueError("this network needs covariates, but the batch has none")
            parts.append(self.clinical(batch.covariates))
        embedding: Tensor = self.fusion(parts)
        return embedding

    def forward(self, batch: PatientBatch) -> dict[str, Tensor]:
        """Return task name to (patient, outputs)."""
        embedding = self.embed(batch)
        return {name: head(embedding) for name, head in self.heads.items()}
