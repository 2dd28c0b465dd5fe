"""build_network: parts that ask for the width before them become one network."""

from collections.abc import Callable, Mapping, Sequence

from mtl_hcc.nn.clinical import ClinicalEncoder
from mtl_hcc.nn.encoder_parts import EncoderParts
from mtl_hcc.nn.fusion import Fusion
from mtl_hcc.nn.heads import TaskHead
from mtl_hcc.nn.network import PatientNetwork, Pool


def build_network(
    heads: Mapping[str, Callable[[int], TaskHead]],
    fusion: Callable[[Sequence[int]], Fusion],
    encoders: Mapping[str, EncoderParts],
    clinical: Callable[[int], ClinicalEncoder] | None,
    covariates: list[str],
    pool: Pool = "embedding",
) -> PatientNetwork:
    """Hand each part the width of the part before it.

    Args:
        heads: As in ``MultiTaskModule``, and so the others.
        fusion: Given the width of each vector.
        encoders: Name of a view to the parts of its encoder.
        clinical: Given the number of covariates.
        covariates: Names of the encoded covariates.
        pool: What the mean over instances is taken of.

    Raises:
        ValueError: where the parts do not make a network.
    """
    if not heads:
        raise ValueError("the model has no heads: name at least one task in model.heads")
    _check_pool(pool, encoders)
    images = {name: parts.build(name) for name, parts in encoders.items()}
    if (clinical is None) == bool(covariates):
        raise ValueError(
            "model.clinical goes together with data.covariates and data.measured: "
            f"model.clinical is {'not ' if clinical is None else ''}set, "
            f"data.covariates and data.measured name {len(covariates)} columns"
        )
    encoder = clinical(len(covariates)) if clinical is not None else None
    widths = [image.out_features for image in images.values()]
    widths += [encoder.out_features] if encoder is not None else []
    if not widths:
        raise ValueError("the model needs images (model.encoders) or covariates")
    joined = fusion(widths)
    return PatientNetwork(
        encoders=images,
        clinical=encoder,
        fusion=joined,
        heads={name: head(joined.out_features) for name, head in heads.items()},
        pool=pool,
    )


def _check_pool(pool: Pool, encoders: Mapping[str, EncoderParts]) -> None:
    """Raise unless there are aggregators where they are used, and nowhere else."""
    if pool == "score" and len(encoders) != 1:
        raise ValueError(
            f"model.pool is score, but the model has {len(encoders)} encoders of images; the heads "
            "judge the instances of exactly one: set pool to embedding, or leave one encoder"
        )
    for name, parts in encoders.items():
        if (parts.aggregator is None) != (pool == "score"):
            raise ValueError(
                f"model.pool is {pool}, but model.encoders.{name} has "
                f"{'no' if parts.aggregator is None else 'an'} aggregator: an aggregator joins "
                "vectors (pool: embedding); with pool: score there is none"
            )
