"""Activation maps of networks that are linear, so that the map is known by hand."""

import numpy as np
import pytest
import torch
from tiny_networks import EDGE, linear_network, one_patient

from mtl_hcc.batch import PatientBatch
from mtl_hcc.explanation.activation_map import (
    activation_maps,
    of_phases,
    on_image_grid,
    task_score,
    weigh,
)
from mtl_hcc.explanation.layers import MapLayer
from mtl_hcc.nn import AxialSlices, ClassHead, CoxHead, PatientNetwork, Stem, Volumes

VOXELS = EDGE**3


def stem_of(network: PatientNetwork) -> Stem:
    return network.encoder("tumor").stem


def image_of(batch: PatientBatch) -> torch.Tensor:
    return batch.views["tumor"].images[0]


STEM = [1.0, -2.0, 0.5]
OS = [0.3, -0.2, 0.4, -0.7, 0.1, 0.9]  # three channels of phase 1, three of phase 2
MVI = [[0.1, 0.2, 0.3, 0.0, 0.0, 0.0], [0.6, -0.1, 0.3, 0.2, 0.2, -0.5]]


@pytest.mark.parametrize("method", ["gradcam", "hirescam"])
def test_the_map_of_a_linear_network_is_the_image_times_its_weights(method):
    network, batch = linear_network(STEM, os=OS, mvi=MVI), one_patient()
    maps, outputs = activation_maps(network, batch, stem_of(network), method=method)
    image = image_of(batch).numpy()
    stem, heads = np.array(STEM), {"os": np.array(OS), "mvi": np.array(MVI[1]) - np.array(MVI[0])}
    for task, weights in heads.items():
        per_phase = weights.reshape(2, 3) @ stem  # how a phase's mean enters the score
        expected = np.maximum(per_phase[:, None, None, None] * image / VOXELS, 0)
        np.testing.assert_allclose(maps[task], expected, rtol=1e-5, atol=1e-9)
        score = task_score(network.heads[task], outputs[task])[0]
        whole = float((per_phase[:, None, None, None] * image).sum()) / VOXELS
        constant = network.heads["mvi"].layer.bias.diff().item() if task == "mvi" else 0.0
        assert float(score) == pytest.approx(whole + constant, rel=1e-5)


def test_a_map_is_seen_through_a_projection_and_empty_while_that_is_zero():
    os = [1.0, 0.5, -0.3, 0.8]  # two numbers of each phase
    network = linear_network(STEM, os=os, mvi=[[0.0] * 4, [1.0] * 4], width=2)
    batch, weight = one_patient(), np.array([[0.2, -0.4, 1.0], [0.7, 0.1, -0.6]])
    silent, _ = activation_maps(network, batch, stem_of(network), method="hirescam")
    assert (silent["os"] == 0).all()
    network.encoder("tumor").projection.weight.data = torch.tensor(weight, dtype=torch.float32)
    maps, _ = activation_maps(network, batch, stem_of(network), method="hirescam")
    per_phase = np.array(os).reshape(2, 2) @ weight @ np.array(STEM)
    image = image_of(batch).numpy()
    expected = np.maximum(per_phase[:, None, None, None] * image / VOXELS, 0)
    assert expected.any()
    np.testing.assert_allclose(maps["os"], expected, rtol=1e-5, atol=1e-9)


def test_without_the_floor_at_zero_hirescam_adds_up_to_the_score_of_a_linear_network():
    network, batch = (
        linear_network([1.0], os=[0.4, 0.2], mvi=[[0.0, 0.0], [1.0, 1.0]]),
        one_patient(),
    )
    maps, outputs = activation_maps(network, batch, stem_of(network), method="hirescam")
    assert maps["os"].sum() == pytest.approx(float(outputs["os"]), rel=1e-5)


def test_features_pooled_in_the_tumor_are_kept_apart_by_hirescam_only():
    network = linear_network([1.0], os=[1.0, 1.0], mvi=[[0.0, 0.0], [1.0, 1.0]], of_tumor=True)
    batch = one_patient()
    inside = (batch.views["tumor"].regions[0] & 2 > 0).numpy()
    fine, _ = activation_maps(network, batch, stem_of(network), method="hirescam")
    assert (fine["os"][~inside] == 0).all()
    np.testing.assert_allclose(fine["os"][inside], image_of(batch).numpy()[inside] / 8, rtol=1e-5)
    coarse, _ = activation_maps(network, batch, stem_of(network), method="gradcam")
    expected = image_of(batch).numpy() / VOXELS  # the mean gradient is the same everywhere
    np.testing.assert_allclose(coarse["os"], expected, rtol=1e-5)


def test_an_absent_phase_has_no_map_and_does_not_change_that_of_the_other():
    network = linear_network(STEM, os=OS, mvi=MVI)
    both, _ = activation_maps(network, one_patient(), stem_of(network), method="gradcam")
    one, _ = activation_maps(
        network, one_patient(present=[False, True]), stem_of(network), method="gradcam"
    )
    assert one["os"].shape == (1, EDGE, EDGE, EDGE)
    np.testing.assert_allclose(one["os"][0], both["os"][1], rtol=1e-6)


def test_no_hook_is_left_behind():
    network, batch = linear_network(STEM, os=OS, mvi=MVI), one_patient()
    before = network(batch)["os"]
    activation_maps(network, batch, stem_of(network), method="gradcam")
    assert not stem_of(network)._forward_hooks
    torch.testing.assert_close(network(batch)["os"], before)


def test_grad_cam_weighs_channels_by_their_mean_gradient():
    features = torch.tensor([[[[[1.0, 2.0]]], [[[-1.0, 5.0]]]]])  # (1, 2, 1, 1, 2)
    gradient = torch.tensor([[[[[0.0, 2.0]]], [[[3.0, -1.0]]]]])
    assert weigh(features, gradient, "gradcam").flatten().tolist() == [0.0, 7.0]
    assert weigh(features, gradient, "hirescam").flatten().tolist() == [0.0, 0.0]
    assert weigh(features, -gradient, "hirescam").flatten().tolist() == [3.0, 1.0]


def test_the_score_is_the_log_hazard_or_the_log_odds_of_any_class_above_zero():
    cox, two = CoxHead(2, endpoint="os"), ClassHead(2, column="mvi")
    three = ClassHead(2, column="mvi_grade", classes=3)
    assert task_score(cox, torch.tensor([[1.5]])).item() == 1.5
    assert task_score(two, torch.tensor([[1.0, 3.5]])).item() == pytest.approx(2.5)
    logits = torch.tensor([[0.2, 1.0, -0.4]])
    p = logits.softmax(dim=1)[0]
    expected = torch.log((p[1] + p[2]) / p[0]).item()
    assert task_score(three, logits).item() == pytest.approx(expected, rel=1e-5)


def test_cells_come_to_lie_where_the_layer_says():
    layer = MapLayer("some", torch.nn.Identity(), (3, 3, 3), (4.0, 4.0, 2.0), (0.0, 1.5, 0.0))
    cells = np.zeros((3, 3, 3), np.float32)
    cells[1, 2, 1] = 1
    values = on_image_grid(cells, layer, (12, 12, 6))
    np.testing.assert_allclose(values[4, :, 2][[5, 7, 9]], [0, 0.375, 0.875], atol=1e-6)
    np.testing.assert_allclose(values[4, 10:, 2], 1, err_msg="beyond the last center, at 9.5")
    np.testing.assert_allclose(values[[0, 2, 4, 6, 8], 10, 2], [0, 0.5, 1, 0.5, 0], atol=1e-6)
    np.testing.assert_allclose(values[4, 10, :5], [0, 0.5, 1, 0.5, 0], atol=1e-6)


def test_maps_of_slices_are_put_back_to_their_places():
    view = one_patient(present=[True, False]).views["tumor"]
    cells = np.arange(2 * 9, dtype=np.float32).reshape(2, 3, 3)
    arterial, delayed = of_phases(cells, view, AxialSlices(of=["tumor"]))
    assert arterial.shape == (EDGE, 3, 3)
    np.testing.assert_array_equal(arterial[2:4], cells)
    assert not arterial[[0, 1, 4, 5]].any()
    assert not delayed.any()
    volume = np.ones((1, 3, 3, 3), np.float32)
    assert [m.mean() for m in of_phases(volume, view, Volumes())] == [1, 0]
