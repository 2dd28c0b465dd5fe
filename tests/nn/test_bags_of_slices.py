"""A bag of slices trains: one slice carries the label, and gated attention finds it."""

from functools import partial

import pytest
import torch
import yaml
from one_view import view_batch
from tiny_training import tiny_config
from torch import Tensor

from mtl_hcc.batch import PatientBatch
from mtl_hcc.command_line.config import config_from_dict, instantiate, plain_config
from mtl_hcc.errors import ConfigError
from mtl_hcc.nn import (
    AxialSlices,
    ClassHead,
    DenseNet,
    EncoderParts,
    FullyConnected,
    GatedAttention,
    Nested,
    PatientNetwork,
    PlainStem,
    ResNet,
    SliceCombinations,
    build_network,
)

PATIENTS, DEPTH, EDGE = 48, 8, 12
SLICES = """
tumor:
  instances: {class_path: AxialSlices, init_args: {neighbors: 1, of: [tumor, margin]}}
  stem: {class_path: RegionStem, init_args: {out_channels: 8, dimensions: 2d}}
  backbone: {class_path: ResNet, init_args: {depth: 18, width: 8, norm: group, dimensions: 2d}}
  aggregator:
    class_path: Nested
    init_args:
      within: {class_path: GatedAttention, init_args: {hidden: 16}}
      over: {class_path: Concatenate, init_args: {phases: 3}}
  instances_per_chunk: 32
"""


def patients(*, seed: int) -> tuple[PatientBatch, Tensor]:
    """Return patients of noise, half of them with one bright spot, and the number of its slice."""
    generator = torch.Generator().manual_seed(seed)
    images = 0.3 * torch.rand(PATIENTS, 1, DEPTH, EDGE, EDGE, generator=generator)
    level = torch.randint(DEPTH, (PATIENTS,), generator=generator)
    label = torch.arange(PATIENTS) % 2
    for row in range(1, PATIENTS, 2):
        images[row, 0, level[row], 4:8, 4:8] += 0.7
    batch = PatientBatch(
        patient_id=[f"P{row}" for row in range(PATIENTS)],
        center=["I"] * PATIENTS,
        split=["train"] * PATIENTS,
        index=torch.arange(PATIENTS),
        views={"tumor": view_batch(images, torch.zeros_like(images, dtype=torch.uint8))},
        covariates=None,
        targets={"mvi": label.float()},
    )
    return batch, level


def network() -> PatientNetwork:
    parts = EncoderParts(
        instances=AxialSlices(),
        stem=lambda channels: PlainStem(channels, out_channels=8, dimensions="2d"),
        backbone=lambda channels: DenseNet(
            channels, growth_rate=4, layers=(1,), norm="group", dimensions="2d"
        ),
        aggregator=GatedAttention,
    )
    heads = {"mvi": lambda width: ClassHead(width, column="mvi")}
    return build_network(heads, partial(FullyConnected, widths=()), {"tumor": parts}, None, [])


def test_attention_finds_the_slice_that_carries_the_label():
    torch.manual_seed(0)
    model, (batch, _) = network(), patients(seed=1)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        model.heads["mvi"].loss(model(batch)["mvi"], batch.targets).backward()
        optimizer.step()
    model.eval()
    unseen, level = patients(seed=2)
    with torch.no_grad():
        right = model(unseen)["mvi"].argmax(1) == unseen.targets["mvi"]
        bag = model.encoder("tumor").bag(unseen.views["tumor"])
        attention = model.encoder("tumor").attention(bag)
    assert right.float().mean() > 0.95
    there = unseen.targets["mvi"] == 1
    found = attention[there].gather(1, level[there, None])
    assert found.mean() > 0.5, "chance is an eighth"


def test_a_design_of_slices_is_a_few_lines_of_yaml(tmp_path):
    zones = {"views": {"tumor": {"spacing_mm": 1.0}}, "zones": {"margin": {"outward_mm": 2.0}}}
    parser, config = tiny_config(
        tmp_path, model__encoders=yaml.safe_load(SLICES), data__preparation=zones
    )
    values = plain_config(parser, config)
    again = instantiate(parser, config_from_dict(parser, values)).model
    encoder = again.network.encoder("tumor")
    assert isinstance(encoder.instances, AxialSlices)
    assert encoder.instances.channels == 3
    assert encoder.instances.regions == ("tumor", "margin")
    assert isinstance(encoder.backbone, ResNet)
    assert isinstance(encoder.aggregator, Nested)
    assert encoder.aggregator.phases == 3
    assert encoder.instances_per_chunk == 32
    wrong = config_from_dict(parser, values)
    wrong["model"]["encoders"]["tumor"]["instances"]["init_args"]["of"] = ["spleen"]
    with pytest.raises(ConfigError, match="unknown region spleen") as caught:
        instantiate(parser, wrong)
    assert "model.encoders.tumor.instances.of" in str(caught.value)
    values["model"]["pool"] = "score"
    values["model"]["encoders"]["tumor"] |= {
        "aggregator": None,  # the heads judge each combination
        "instances": {"class_path": "SliceCombinations", "init_args": {"slices": 2}},
    }
    scored = instantiate(parser, config_from_dict(parser, values)).model.network
    assert isinstance(scored.encoder("tumor").instances, SliceCombinations)
    assert scored.encoder("tumor").out_features == 3 * 64
