"""PatientNetwork: ``heads(fusion(encoder_1(view_1), ..., encoder_v(view_v), clinical))``."""

from collections.abc import Mapping

from torch import Tensor, nn

from mtl_hcc.batch import PatientBatch
from mtl_hcc.nn.clinical import ClinicalEncoder
from mtl_hcc.nn.encoder import ImageEncoder
from mtl_hcc.nn.fusion import Fusion
from mtl_hcc.nn.heads import TaskHead


class PatientNetwork(nn.Module):
    """All of a patient becomes the raw output of every task.

    Args:
        encoders: Name of a view to its encoder; none for a purely clinical network.
        clinical: Encoder of the covariates, or ``None`` for a purely imaging network.
        fusion: Joins their vectors, in the order of the encoders, the clinical one last.
        heads: Task name to head.
    """

    def __init__(
        self,
        *,
        encoders: Mapping[str, ImageEncoder],
        clinical: ClinicalEncoder | None,
        fusion: Fusion,
        heads: Mapping[str, TaskHead],
    ) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict(encoders)
        self.clinical, self.fusion = clinical, fusion
        self.heads = nn.ModuleDict(heads)

    def encoder(self, view: str) -> ImageEncoder:
        """Return the encoder of a view."""
        encoder = self.encoders[view]
        if not isinstance(encoder, ImageEncoder):
            raise TypeError(f"the encoder of '{view}' is a {type(encoder).__name__}")
        return encoder

    def embed(self, batch: PatientBatch) -> Tensor:
        """Return the (patient, feature) embedding that the heads share."""
        parts = []
        for name, encoder in self.encoders.items():
            if name not in batch.views:
                raise ValueError(
                    f"this network looks at the view '{name}', but the batch has "
                    f"{', '.join(batch.views) or 'no images'}"
                )
            parts.append(encoder(batch.views[name]))
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
