"""PatientNetwork: the formula, and that a missing phase leaves no trace."""

from dataclasses import replace

import pytest
import torch
from one_view import view_batch
from torch import Tensor

from mtl_hcc.batch import PatientBatch, ViewBatch
from mtl_hcc.nn import (
    Attention,
    AxialSlices,
    ClassHead,
    ClinicalEncoder,
    Concatenate,
    CoxHead,
    DenseNet,
    EncoderParts,
    FullyConnected,
    GatedAttention,
    GatedFusion,
    ImageEncoder,
    Max,
    Mean,
    PatientNetwork,
    RegionStem,
    Transformer,
    build_network,
)

PATIENTS, PHASES, EDGE = 4, 3, 16
HEADS = {
    "os": lambda width: CoxHead(width, endpoint="os"),
    "mvi": lambda width: ClassHead(width, column="mvi"),
}


def one_view(generator: torch.Generator, present: Tensor | None = None) -> ViewBatch:
    shape = (PATIENTS, PHASES, EDGE, EDGE, EDGE)
    images = torch.rand(shape, generator=generator)
    bits = torch.randint(0, 8, shape, generator=generator, dtype=torch.uint8)
    return view_batch(images, bits, present)


def batch(present: Tensor | None = None, *, views: tuple[str, ...] = ("tumor",)) -> PatientBatch:
    generator = torch.Generator().manual_seed(0)
    return PatientBatch(
        patient_id=[f"P{i}" for i in range(PATIENTS)],
        center=["I"] * PATIENTS,
        split=["train"] * PATIENTS,
        index=torch.arange(PATIENTS),
        views={name: one_view(generator, present) for name in views},
        covariates=torch.randn(PATIENTS, 2, generator=generator),
        targets={},
    )


def parts(aggregator: type | None = Concatenate, *, flat: bool = False) -> EncoderParts:
    dimensions = "2d" if flat else "3d"
    return EncoderParts(
        instances=AxialSlices(of=["tumor"]) if flat else None,
        stem=lambda channels: RegionStem(channels, out_channels=4, dimensions=dimensions),
        backbone=lambda channels: DenseNet(
            channels, growth_rate=4, layers=(1, 1), dimensions=dimensions
        ),
        aggregator=aggregator,
    )


def network(
    aggregator: type | None = Concatenate,
    *,
    clinical: bool = True,
    flat: bool = False,
    views: tuple[str, ...] = ("tumor",),
    pool: str = "embedding",
    fusion=None,
) -> PatientNetwork:
    torch.manual_seed(0)
    return build_network(
        HEADS,
        fusion or (lambda widths: FullyConnected(widths, widths=(6,), dropout=0.0)),
        {view: parts(aggregator, flat=flat) for view in views},
        (lambda covariates: ClinicalEncoder(covariates, hidden=3)) if clinical else None,
        ["age_years", "afp_ng_ml"] if clinical else [],
        pool,
    )


def test_the_network_is_its_formula():
    model, patients = network().eval(), batch()
    image, seen = model.encoder("tumor"), patients.views["tumor"]
    of_phases = []
    for phase in range(PHASES):
        regions = seen.region_maps.map(lambda bits, phase=phase: bits[:, [phase]])
        of_phases.append(image.backbone(image.stem(seen.images[:, [phase]], regions)))
    bag = image.bag(seen).with_features(torch.stack(of_phases, dim=1))
    known = torch.ones(PATIENTS, 2, dtype=torch.bool)
    embedding = model.fusion([image.aggregator(bag), model.clinical(patients.covariates)], known)
    outputs = model(patients)
    for name, head in model.heads.items():
        torch.testing.assert_close(outputs[name], head(embedding), rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize(
    "aggregator", [Concatenate, Mean, Max, Attention, GatedAttention, Transformer]
)
def test_a_missing_phase_leaves_no_trace_also_in_the_batch_norm_of_training(aggregator: type):
    present = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0]], dtype=torch.bool)
    results = []
    for content in (0.0, 100.0):
        model, patients = network(aggregator).train(), batch(present)
        seen = patients.views["tumor"]
        seen.images[~present] = content
        seen.regions[~present] = int(content > 0)
        torch.manual_seed(1)  # of dropout
        outputs = model(patients)
        sum(output.sum() for output in outputs.values()).backward()
        gradients = {name: p.grad for name, p in model.named_parameters()}
        results.append((outputs, gradients, model.state_dict()))
    torch.testing.assert_close(results[0], results[1])


@pytest.mark.parametrize(
    "aggregator", [Concatenate, Mean, Max, Attention, GatedAttention, Transformer]
)
def test_a_batch_without_any_phase_is_finite_and_keeps_every_weight_in_the_graph(aggregator: type):
    model = network(aggregator).train()
    outputs = model(batch(torch.zeros(PATIENTS, PHASES, dtype=torch.bool)))
    sum(output.sum() for output in outputs.values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
    assert all((p.grad == 0).all() for p in model.encoder("tumor").backbone.parameters())


def test_stem_and_backbone_are_called_once_for_all_phases():
    model, calls = network(), []
    model.encoder("tumor").backbone.register_forward_hook(
        lambda module, inputs, output: calls.append(output)
    )
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
    patients.views = {}
    with pytest.raises(ValueError, match="looks at the view 'tumor', but the batch has no images"):
        network(clinical=False)(patients)


def test_widths_are_handed_on_from_part_to_part():
    model = network()
    image: ImageEncoder = model.encoder("tumor")
    assert image.aggregator.out_features == PHASES * image.backbone.out_features
    assert model.fusion.layers[0].in_features == image.out_features + 3
    assert model.heads["mvi"].layer.in_features == 6


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"pool": "score"}, "pool is score, but model.encoders.tumor has an aggregator"),
        ({"encoders": {"a": parts(None)}}, "pool is embedding, but model.encoders.a has no aggre"),
        (
            {"pool": "score", "encoders": {"a": parts(None), "b": parts(None)}},
            "pool is score, but the model has 2 encoders",
        ),
        (
            {"covariates": ["age_years"]},
            "model.clinical is not set, data.covariates and data.measured name 1",
        ),
        ({"encoders": {}}, "needs images .* or covariates"),
        ({"heads": {}}, "no heads"),
    ],
)
def test_parts_that_make_no_network_are_refused(changed: dict[str, object], message: str):
    given = {
        "heads": HEADS,
        "fusion": FullyConnected,
        "encoders": {"tumor": parts()},
        "clinical": None,
        "covariates": [],
    }
    with pytest.raises(ValueError, match=message):
        build_network(**given | changed)


@pytest.mark.parametrize("fusion", [FullyConnected, GatedFusion])
def test_each_encoder_sees_its_own_view_and_their_vectors_are_joined(fusion: type):
    views = ("liver", "tumor")
    model = network(views=views, fusion=lambda widths: fusion(widths, dropout=0.0)).eval()
    patients = batch(views=views)
    before = model(patients)["os"]
    vectors = [model.encoder(view)(patients.views[view]) for view in views]
    known = torch.ones(PATIENTS, 3, dtype=torch.bool)
    embedding = model.fusion([*vectors, model.clinical(patients.covariates)], known)
    torch.testing.assert_close(model.heads["os"](embedding), before)
    changed = replace(patients.views["liver"], images=1 - patients.views["liver"].images)
    patients.views["liver"] = changed
    assert not torch.allclose(model(patients)["os"], before)
    assert model.encoder("tumor")(patients.views["tumor"]).equal(vectors[1])


@pytest.mark.parametrize("fusion", [FullyConnected, GatedFusion])
@pytest.mark.parametrize("aggregator", [Concatenate, Mean])
def test_a_view_that_shows_nothing_of_a_patient_is_finite_and_keeps_the_graph(
    fusion: type, aggregator: type
):
    views = ("liver", "tumor")
    model = network(aggregator, views=views, fusion=fusion).train()
    patients = batch(views=views)
    patients.views["liver"].phase_present[:] = False
    patients.views["tumor"].phase_present[0] = False
    outputs = model(patients)
    sum(output.square().sum() for output in outputs.values()).backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name


@pytest.mark.parametrize("flat", [False, True])
def test_with_scores_the_heads_judge_each_instance_and_the_mean_is_over_probabilities(flat: bool):
    present = torch.tensor([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0]], dtype=torch.bool)
    model, patients = network(None, pool="score", flat=flat).eval(), batch(present)
    outputs = model(patients)
    bag = model.encoder("tumor").bag(patients.views["tumor"])
    clinical = model.clinical(patients.covariates)
    for row in range(3):
        here = bag.features[row, bag.present[row]]
        known = torch.ones(len(here), 2, dtype=torch.bool)
        embedding = model.fusion([here, clinical[[row]].expand(len(here), -1)], known)
        torch.testing.assert_close(outputs["os"][row], model.heads["os"](embedding).mean(0))
        probability = model.heads["mvi"](embedding).softmax(1).mean(0)
        torch.testing.assert_close(outputs["mvi"][row].softmax(0), probability)
        said = model.heads["mvi"].to_table(outputs["mvi"], {"mvi": torch.zeros(PATIENTS)})
        torch.testing.assert_close(said["probability"][row], probability[1])
    assert all(output[3].isfinite().all() for output in outputs.values()), "nothing is seen of him"


def test_with_scores_absent_instances_leave_no_trace_and_every_weight_learns():
    results = []
    for content in (0.0, torch.nan):
        model = network(None, pool="score", fusion=lambda w: FullyConnected(w, norm=True)).train()
        patients = batch(torch.tensor([[1, 1, 1], [1, 0, 1], [0, 1, 0], [0, 0, 0]]).bool())
        seen = patients.views["tumor"]
        seen.images[~seen.phase_present] = content
        torch.manual_seed(1)
        outputs = model(patients)
        sum(output.square().sum() for output in outputs.values()).backward()
        gradients = {name: p.grad for name, p in model.named_parameters()}
        assert all(gradient is not None for gradient in gradients.values())
        results.append((outputs, gradients, model.state_dict()))
    torch.testing.assert_close(results[0], results[1])
