"""The sanity test of the maps (Adebayo 2018): other weights, other maps."""

import numpy as np
import pytest
import torch

from mtl_hcc.explanation.randomization import STAGES, randomized, rank_correlation
from mtl_hcc.nn import (
    Concatenate,
    CoxHead,
    DenseNet,
    EncoderParts,
    FullyConnected,
    Nested,
    PatientNetwork,
    RegionStem,
    Transformer,
    build_network,
)


def network(*, width: int | None = None) -> PatientNetwork:
    torch.manual_seed(0)
    parts = EncoderParts(
        stem=lambda channels: RegionStem(channels, out_channels=8),
        backbone=lambda channels: DenseNet(channels, growth_rate=4, layers=(1, 1)),
        aggregator=lambda features: Concatenate(features, phases=2),
        width=width,
    )
    made = build_network(
        {"os": lambda width: CoxHead(width, endpoint="os")},
        lambda widths: FullyConnected(widths, widths=(4,)),
        {"tumor": parts},
        None,
        [],
    )
    for module in made.modules():
        if isinstance(module, torch.nn.BatchNorm3d):
            module.running_mean.normal_()
    return made.eval()


def changed(one: PatientNetwork, other: PatientNetwork) -> set[str]:
    parts = {"heads": "heads", "fusion": "fusion", "encoders.tumor.backbone": "backbone"}
    parts["encoders.tumor.projection"] = "backbone"
    found = set()
    for name, value in one.state_dict().items():
        if not torch.equal(value, other.state_dict()[name]):
            (part,) = [
                said
                for prefix, said in {**parts, "encoders.tumor.stem": "stem"}.items()
                if name.startswith(prefix)
            ]
            found.add(part)
    return found


def test_the_weights_are_drawn_anew_from_the_heads_down():
    trained = network()
    before = {name: value.clone() for name, value in trained.state_dict().items()}
    seen = []
    for stage, copy in randomized(trained, "tumor", seed=1):
        seen.append(stage)
        assert changed(trained, copy) == set(seen)
    assert tuple(seen) == STAGES
    assert all(torch.equal(before[name], value) for name, value in trained.state_dict().items())


def test_a_projection_is_drawn_with_the_backbone_and_not_left_at_zero():
    trained = network(width=3)
    torch.nn.init.ones_(trained.encoder("tumor").projection.weight)
    found = {
        stage: copy.encoder("tumor").projection.weight
        for stage, copy in randomized(trained, "tumor", seed=1)
    }
    assert (found["heads"] == 1).all()
    assert (found["fusion"] == 1).all()
    for stage in ("backbone", "stem"):
        assert found[stage].unique().numel() == found[stage].numel()
        assert found[stage].abs().min() > 0
    for stage, copy in randomized(trained, "tumor", seed=1):
        assert changed(trained, copy) == set(STAGES[: STAGES.index(stage) + 1])


def test_no_weight_of_an_aggregator_stays():
    trained = network()
    encoder = trained.encoder("tumor")
    width = encoder.backbone.out_features
    encoder.aggregator = Nested(width, within=Transformer, over=Concatenate)
    for parameter in encoder.aggregator.parameters():
        torch.nn.init.normal_(parameter.data)
    copy = dict(randomized(trained, "tumor", seed=1))["fusion"].encoder("tumor")
    for name, weight in encoder.aggregator.named_parameters():
        assert not weight.equal(copy.aggregator.get_parameter(name)), name


def test_the_same_seed_draws_the_same_weights_and_leaves_the_generator_alone():
    trained = network()
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    first, again, other = (
        [copy for _, copy in randomized(trained, "tumor", seed=seed)][-1].state_dict()
        for seed in (1, 1, 2)
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["heads.os.layer.weight"], other["heads.os.layer.weight"])
    assert torch.equal(torch.rand(3), expected)


def test_rank_correlation_is_that_of_spearman():
    one = np.array([1, 2, 3, 4, 5], np.float32)
    assert rank_correlation(one, one**3) == pytest.approx(1)
    assert rank_correlation(one, -one) == pytest.approx(-1)
    swapped = np.array([2, 1, 3, 4, 5], np.float32)
    assert rank_correlation(one, swapped) == pytest.approx(1 - 6 * 2 / (5 * 24))
    assert rank_correlation(one, np.zeros(5, np.float32)) == 0
