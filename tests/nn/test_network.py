"""PatientNetwork: the formula, and that a missing phase leaves no trace."""

import pytest
import torch
from torch import Tensor

from mtl_hcc.batch import PatientBatch
from mtl_hcc.nn import (
    ClassHead,
    ClinicalEncoder,
    Concatenate,
    CoxHead,
    DenseNet,
    FullyConnected,
    GatedAttention,
    ImageEncoder,
    Mean,
    PatientNetwork,
    RegionStem,
    build_network,
)

PATIENTS, PHASES, EDGE = 4, 3, 16
HEADS = {
    "os": lambda width: CoxHead(width, endpoint="os"),
    "mvi": lambda width: ClassHead(width, column="mvi"),
}


def batch(present: Tensor | None = None, *, seed: int = 0) -> PatientBatch:
    generator = torch.Generator().manual_seed(seed)
    shape = (PATIENTS, PHASES, EDGE, EDGE, EDGE)
    return PatientBatch(
        patient_id=[f"P{i}" for i in range(PATIENTS)],
        center=["I"] * PATIENTS,
        split=["train"] * PATIENTS,
        index=torch.arange(PATIENTS),
        images=torch.rand(shape, generator=generator),
        regions=torch.randint(0, 8, shape, generator=generator, dtype=torch.uint8),
        phase_present=torch.ones(PATIENTS, PHASES, dtype=torch.bool)
        if present is None
        else present,
        covariates=torch.randn(PATIENTS, 2, generator=generator),
        targets={},
    )


def network(aggregator: type = Concatenate, *, clinical: bool = True) -> PatientNetwork:
    torch.manual_seed(0)
    return build_network(
        HEADS,
        lambda width: FullyConnected(width, widths=(6,), dropout=0.0),
        RegionStem(out_channels=4),
        lambda channels: DenseNet(channels, growth_rate=4, layers=(1, 1)),
        aggregator,
        (lambda covariates: ClinicalEncoder(covariates, hidden=3)) if clinical else None,
        ["age_years", "afp_ng_ml"] if clinical else [],
    )


def test_the_network_is_its_formula():
    model, patients = network().eval(), batch()
    image = model.image
    of_phases = [
        image.backbone(image.stem(patients.images[:, [phase]], patients.regions[:, [phase]]))
        for phase in range(PHASES)
    ]
    vectors = torch.stack(of_phases, dim=1)
    aggregated = image.aggregator(vectors, patients.phase_present)
    embedding = model.fusion([aggregated, model.clinical(patients.covariates)])
    outputs = model(patients)
    for name, head in model.heads.items():
        torch.testing.assert_close(outputs[name], head(embedding), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("aggregator", [Concatenate, Mean, GatedAttention])
def test_a_missing_phase_leaves_no_trace_also_in_the_batch_norm_of_training(aggregator: type):
    present = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0]], dtype=torch.bool)
    results = []
    for content in (0.0, 100.0):
        model, patients = network(aggregator).train(), batch(present)
        absent = ~present[..., None, None, None]
        patients.images = patients.images.masked_fill(absent, content)
        patients.regions = patients.regions.masked_fill(absent, int(content > 0))
        outputs = model(patients)
        sum(output.sum() for output in outputs.values()).backward()
        gradients = {name: p.grad for name, p in model.named_parameters()}
        results.append((outputs, gradients, model.state_dict()))
    torch.testing.assert_close(results[0], results[1])


@pytest.mark.parametrize("aggregator", [Concatenate, Mean, GatedAttention])
def test_a_batch_without_any_phase_is_finite_and_keeps_every_weight_in_the_graph(aggregator: type):
    model = network(aggregator).train()
    outputs = model(batch(torch.zeros(PATIENTS, PHASES, dtype=torch.bool)))
    sum(output.sum() for output in outputs.values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    assert all((p.grad == 0).all() for p in model.image.backbone.parameters())


def test_stem_and_backbone_are_called_once_for_all_phases():
    model, calls = network(), []
    model.image.backbone.register_forward_hook(lambda module, inputs, output: calls.append(output))
    model(batch())
    present = torch.ones(PATIENTS, PHASES, dtype=torch.bool)
    present[0, 1] = False
    model(batch(present))
    assert [len(vectors) for vectors in calls] == [PATIENTS * PHASES, PATIENTS * PHASES - 1]


def test_a_network_without_the_images_or_covariates_that_it_needs_says_so():
    patients = batch()
    patients.covariates = None
    with pytest.raises(ValueError, match="needs covariates"):
        network()(patients)
    patients.images = None
    with pytest.raises(ValueError, match="needs images"):
        network(clinical=False)(patients)


def test_widths_are_handed_on_from_part_to_part():
    model = network()
    image: ImageEncoder = model.image
    assert image.aggregator.out_features == PHASES * image.backbone.out_features
    assert model.fusion.layers[0].in_features == image.out_features + 3
    assert model.heads["mvi"].layer.in_features == 6


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"stem": None}, "given together"),
        ({"covariates": ["age_years"]}, "model.clinical is not set, data.covariates names 1"),
        ({"stem": None, "backbone": None, "aggregator": None}, "needs images .* or covariates"),
        ({"heads": {}}, "no heads"),
    ],
)
def test_parts_that_make_no_network_are_refused(changed: dict[str, object], message: str):
    parts = {
        "heads": HEADS,
        "fusion": FullyConnected,
        "stem": RegionStem(),
        "backbone": DenseNet,
        "aggregator": Mean,
        "clinical": None,
        "covariates": [],
    }
    with pytest.raises(ValueError, match=message):
        build_network(**parts | changed)
