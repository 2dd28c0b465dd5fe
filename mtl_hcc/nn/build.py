"""build_network: parts that ask for the width before them become one network."""

from collections.abc import Callable

from mtl_hcc.nn.aggregators import Aggregator
from mtl_hcc.nn.backbones import Backbone
from mtl_hcc.nn.clinical import ClinicalEncoder
from mtl_hcc.nn.fusion import Fusion
from mtl_hcc.nn.heads import TaskHead
from mtl_hcc.nn.network import ImageEncoder, PatientNetwork
from mtl_hcc.nn.stems import Stem


def build_network(
    heads: dict[str, Callable[[int], TaskHead]],
    fusion: Callable[[int], Fusion],
    stem: Stem | None,
    backbone: Callable[[int], Backbone] | None,
    aggregator: Callable[[int], Aggregator] | None,
    clinical: Callable[[int], ClinicalEncoder] | None,
    covariates: list[str],
) -> PatientNetwork:
    """Hand each part the width of the part before it.

    Args:
        heads: As in ``MultiTaskModule``, and so the others.
        fusion: Given the width of image and clinical vector together.
        stem: First convolutions.
        backbone: Given the stem's channels.
        aggregator: Given the backbone's width.
        clinical: Given the number of covariates.
        covariates: Names of the encoded covariates.

    Raises:
        ValueError: where the parts do not make a network.
    """
    if not heads:
        raise ValueError("the model has no heads: name at least one task in model.heads")
    parts = (stem, backbone, aggregator)
    if any(part is None for part in parts) and any(part is not None for part in parts):
        raise ValueError("stem, backbone and aggregator are given together, or none of them")
    image = None
    if stem is not None and backbone is not None and aggregator is not None:
        trunk = backbone(stem.out_channels)
        image = ImageEncoder(stem=stem, backbone=trunk, aggregator=aggregator(trunk.out_features))
    if (clinical is None) == bool(covariates):
        raise ValueError(
            "model.clinical and data.covariates go together: "
            f"model.clinical is {'not ' if clinical is None else ''}set, "
            f"data.covariates names {len(covariates)} columns"
        )
    encoder = clinical(len(covariates)) if clinical is not None else None
    if image is None and encoder is None:
        raise ValueError("the model needs images (stem, backbone, aggregator) or covariates")
    width = sum(part.out_features for part in (image, encoder) if part is not None)
    joined = fusion(width)
    return PatientNetwork(
        image=image,
        clinical=encoder,
        fusion=joined,
        heads={name: head(joined.out_features) for name, head in heads.items()},
    )
