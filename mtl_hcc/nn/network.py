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

    Phases are stacked on the batch axis: one call of stem and backbone, weights shared.

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
        patients, phases = images.shape[:2]
        volumes = self.stem(images.flatten(0, 1)[:, None], regions.flatten(0, 1)[:, None])
        vectors = self.backbone(volumes)  # (patient * phase, feature)
        aggregated: Tensor = self.aggregator(vectors.view(patients, phases, -1), present)
        return aggregated


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
