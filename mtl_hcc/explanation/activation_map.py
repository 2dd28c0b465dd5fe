"""Activation maps of every task: which places of a phase raise the patient's score."""

from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import affine_transform
from torch import Tensor, nn

from mtl_hcc.batch import PatientBatch, ViewBatch
from mtl_hcc.explanation.layers import MapLayer
from mtl_hcc.nn import InstanceMaker, TaskHead
from mtl_hcc.nn.network import PatientNetwork

Method = Literal["gradcam", "hirescam"]
FloatMap = NDArray[np.float32]


def activation_maps(
    network: PatientNetwork, batch: PatientBatch, layer: nn.Module, *, method: Method
) -> tuple[dict[str, FloatMap], dict[str, Tensor]]:
    """Return the map of every task for each instance that went through, and the outputs.

    The instances share the weights, but each has a map of its own, made of its own activations and
    of the gradients that reach it through the aggregator.

    Args:
        network: In evaluation mode.
        batch: One patient.
        layer: Whose output is the feature map.
        method: See :func:`weigh`.

    Returns:
        Task to (instance, [depth',] height', width') at the layer's own resolution, zero or more,
        in the unit of the score; task to (1, outputs).
    """
    kept: list[Tensor] = []

    def keep(module: nn.Module, inputs: object, output: Tensor) -> Tensor:
        # A leaf: nothing before the layer needs a gradient, which spares most of the memory.
        kept.append(output.detach().requires_grad_())
        return kept[-1]

    handle = layer.register_forward_hook(keep)
    try:
        with torch.enable_grad():
            outputs: dict[str, Tensor] = network(batch)
    finally:
        handle.remove()
    (features,) = kept
    maps = {}
    for name, head in network.heads.items():
        if not isinstance(head, TaskHead):
            continue
        score = task_score(head, outputs[name]).sum()
        (gradient,) = torch.autograd.grad(
            score, features, retain_graph=True, allow_unused=True, materialize_grads=True
        )
        maps[name] = weigh(features.detach(), gradient, method).float().cpu().numpy()
    return maps, {name: output.detach() for name, output in outputs.items()}


def weigh(features: Tensor, gradient: Tensor, method: Method) -> Tensor:
    r"""Return the map of a feature map A with the gradient G of the score.

    Grad-CAM (Selvaraju 2017, eq. 1 and 2): :math:`\mathrm{ReLU}(\sum_k \bar G_k A_k)`, with the
    mean of G over the cells as the weight of channel k. HiResCAM (Draelos and Carin 2020, eq. 3):
    :math:`\mathrm{ReLU}(\sum_k G_k \odot A_k)`, cell by cell. Both agree where everything behind
    the layer is a mean over the field of view; where features are pooled by region
    (``pooled_regions``) only HiResCAM keeps the regions apart.

    Args:
        features: (instance, channel, [depth,] height, width).
        gradient: Same shape.
        method: Which of the two.

    Returns:
        (instance, [depth,] height, width).
    """
    if method == "gradcam":
        gradient = gradient.mean(dim=tuple(range(2, gradient.dim())), keepdim=True)
    return (gradient * features).sum(dim=1).relu()


def task_score(head: TaskHead, output: Tensor) -> Tensor:
    r"""Return the score that maps and occlusion explain, (patient,).

    Survival: the log hazard. Classes: the log odds of any class above 0,
    :math:`\log \sum_{k>0} e^{z_k} - z_0`; with two classes that is the logit of the positive class
    minus the other one, with M0, M1, M2 the log odds of any invasion.

    Args:
        head: Of the task.
        output: (patient, outputs) of the head.
    """
    if head.kind == "survival":
        return output[:, 0]
    return output[:, 1:].logsumexp(dim=1) - output[:, 0]


def of_phases(cells: FloatMap, view: ViewBatch, instances: InstanceMaker) -> list[FloatMap]:
    """Return the map of each phase, (depth', height', width'), of one patient's instances.

    Maps of slices are put back to their places in the stack; a slice that did not go through the
    network has zeros, as it raises nobody's score.

    Args:
        cells: (instance, [depth',] height', width') of the present instances.
        view: Of the one patient.
        instances: Made of it.
    """
    layout = instances.layout(view)
    present = layout.present[0].cpu().numpy()
    phase, level = (n[0].cpu().numpy()[present] for n in (layout.phase, layout.level))
    phases, depth = view.images.shape[1:3]
    if instances.dimensions == "3d":
        found = np.zeros((phases, *cells.shape[1:]), np.float32)
        found[phase] = cells
    else:
        found = np.zeros((phases, depth, *cells.shape[1:]), np.float32)
        found[phase, level] = cells
    return list(found)


def on_image_grid(cells: FloatMap, layer: MapLayer, shape: tuple[int, ...]) -> FloatMap:
    """Return one phase's map on the voxels of the image: linear between cell centers.

    Args:
        cells: (depth', height', width').
        layer: Says where the cells lie.
        shape: (depth, height, width) of the image.
    """
    step, first = np.array(layer.step), np.array(layer.first)
    values = affine_transform(
        cells, 1 / step, offset=-first / step, output_shape=shape, order=1, mode="nearest"
    )
    return np.asarray(values, dtype=np.float32)
