"""PatientNetwork: ``pool(heads(fusion(encoder_1(view_1), ..., encoder_v(view_v), clinical)))``."""

from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn

from mtl_hcc.batch import PatientBatch
from mtl_hcc.nn.bag import Bag
from mtl_hcc.nn.clinical import ClinicalEncoder
from mtl_hcc.nn.encoder import ImageEncoder
from mtl_hcc.nn.fusion import Fusion
from mtl_hcc.nn.heads import TaskHead

Pool = Literal["embedding", "score"]
"""What the mean over instances is taken of: their vectors (by the aggregator), or the outputs."""


class PatientNetwork(nn.Module):
    """All of a patient becomes the raw output of every task.

    Args:
        encoders: Name of a view to its encoder; none for a purely clinical network.
        clinical: Encoder of the covariates, or ``None`` for a purely imaging network.
        fusion: Joins their vectors, in the order of the encoders, the clinical one last.
        heads: Task name to head.
        pool: With ``score`` each instance of the only encoder goes through fusion and heads, and
            their outputs are averaged (probabilities, log hazards).
    """

    def __init__(
        self,
        *,
        encoders: Mapping[str, ImageEncoder],
        clinical: ClinicalEncoder | None,
        fusion: Fusion,
        heads: Mapping[str, TaskHead],
        pool: Pool = "embedding",
    ) -> None:
        super().__init__()
        self.encoders = nn.ModuleDict(encoders)
        self.clinical, self.fusion = clinical, fusion
        self.heads = nn.ModuleDict(heads)
        self.pool: Pool = pool

    def encoder(self, view: str) -> ImageEncoder:
        """Return the encoder of a view."""
        encoder = self.encoders[view]
        if not isinstance(encoder, ImageEncoder):
            raise TypeError(f"the encoder of '{view}' is a {type(encoder).__name__}")
        return encoder

    def bags(self, batch: PatientBatch) -> dict[str, Bag]:
        """Return name of a view to the vectors of its instances."""
        for name in self.encoders:
            if name not in batch.views:
                raise ValueError(
                    f"this network looks at the view '{name}', but the batch has "
                    f"{', '.join(batch.views) or 'no images'}"
                )
        return {name: self.encoder(name).bag(batch.views[name]) for name in self.encoders}

    def shows_nothing(self, batch: PatientBatch) -> dict[str, Tensor]:
        """Return name of a view to (patient,) bool: whether the bag is empty there.

        No network is run for it.
        """
        return {
            name: ~self.encoder(name).instances.layout(batch.views[name]).present.any(1)
            for name in self.encoders
        }

    def embed(self, bags: Mapping[str, Bag], covariates: Tensor | None) -> Tensor:
        """Return the (patient, feature) embedding that the heads share."""
        parts = [self.encoder(name).aggregate(bag) for name, bag in bags.items()]
        known = [bag.present.any(1) for bag in bags.values()]
        if self.clinical is not None:
            parts.append(self._clinical_vector(covariates))
            known.append(torch.ones(len(parts[-1]), dtype=torch.bool, device=parts[-1].device))
        embedding: Tensor = self.fusion(parts, torch.stack(known, dim=1))
        return embedding

    def judge(self, bags: Mapping[str, Bag], covariates: Tensor | None) -> dict[str, Tensor]:
        """Return task name to (patient, outputs), from the vectors of the instances on.

        Args:
            bags: From :meth:`bags`.
            covariates: (patient, covariate), if the network has a clinical encoder.
        """
        if self.pool == "score":
            return self._mean_of_instances(bags, covariates)
        embedding = self.embed(bags, covariates)
        return {name: head(embedding) for name, head in self.heads.items()}

    def forward(self, batch: PatientBatch) -> dict[str, Tensor]:
        """Return task name to (patient, outputs)."""
        return self.judge(self.bags(batch), batch.covariates)

    def _clinical_vector(self, covariates: Tensor | None) -> Tensor:
        if self.clinical is None or covariates is None:
            raise ValueError("this network needs covariates, but the batch has none")
        vector: Tensor = self.clinical(covariates)
        return vector

    def _mean_of_instances(
        self, bags: Mapping[str, Bag], covariates: Tensor | None
    ) -> dict[str, Tensor]:
        """Return the means of what the heads say of each instance."""
        ((name, bag),) = bags.items()
        bag = self.encoder(name).instances.combine(bag)
        patients, instances = bag.present.shape
        # Of a patient without any instance a single empty one is judged.
        first = torch.arange(instances, device=bag.present.device) == 0
        judged = bag.present | (~bag.present.any(1, keepdim=True) & first)
        rows = judged.flatten().nonzero()[:, 0]
        parts = [bag.zeroed.flatten(0, 1)[rows]]
        known = [bag.present.flatten()[rows]]
        if self.clinical is not None:
            parts.append(self._clinical_vector(covariates)[rows // instances])
            known.append(torch.ones_like(known[0]))
        embedding = self.fusion(parts, torch.stack(known, dim=1))
        outputs = {}
        for task, head in self.heads.items():
            if not isinstance(head, TaskHead):
                raise TypeError(f"the head '{task}' is a {type(head).__name__}")
            said = head(embedding)
            each = said.new_zeros(judged.numel(), said.shape[1]).index_copy(0, rows, said)
            outputs[task] = head.mean_over(each.unflatten(0, (patients, instances)), judged)
        return outputs
