"""build_network: parts that ask for the width before them become one network."""

from collections.abc import Callable, Mapping

from mtl_hcc.nn.clinical import ClinicalEncoder
from mtl_hcc.nn.encoder import EncoderParts
from mtl_hcc.nn.fusion import Fusion
from mtl_hcc.nn.heads import TaskHead
from mtl_hcc.nn.network import PatientNetwork


def build_network(
    heads: Mapping[str, Callable[[int], TaskHead]],
    fusion: Callable[[int], Fusion],
    encoders: Mapping[str, EncoderParts],
    clinical: Callable[[int], ClinicalEncoder] | None,
    covariates: list[str],
) -> PatientNetwork:
    """Hand each part the width of the part before it.

    Args:
        heads: As in ``MultiTaskModule``, and so the others.
        fusion: Given the width of all vectors together.
        encoders: Name of a view to the parts of its encoder.
        clinical: Given the number of covariates.
        covariates: Names of the encoded covariates.

    Raises:
        ValueError: where the parts do not make a network.
    """
    if not heads:
        raise ValueError("the model has no heads: name at least one task in model.heads")
    images = {name: parts.build() for name, parts in encoders.items()}
    if (clinical is None) == bool(covariates):
        raise ValueError(
            "model.clinical and data.covariates go together: "
            f"model.clinical is {'not ' if clinical is None else ''}set, "
            f"data.covariates names {len(covariates)} columns"
        )
    encoder = clinical(len(covariates)) if clinical is not None else None
    widths = [image.out_features for image in images.values()]
    widths += [encoder.out_features] if encoder is not None else []
    if not widths:
        raise ValueError("the model needs images (model.encoders) or covariates")
    joined = fusion(sum(widths))
    return PatientNetwork(
        encoders=images,
        clinical=encoder,
        fusion=joined,
        heads={name: head(joined.out_features) for name, head in heads.items()},
    )
