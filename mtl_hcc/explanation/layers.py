"""Which feature maps can be shown, where their cells lie in the patient, and which one is taken."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from mtl_hcc.batch import RegionMaps
from mtl_hcc.errors import ConfigError
from mtl_hcc.imaging.grid import Grid
from mtl_hcc.nn.encoder import ImageEncoder

USEFUL_MM = 10.0
"""By default the deepest map is taken whose cells are at most this wide: a surgical margin."""

Triple = tuple[float, float, float]
Place = tuple[tuple[float, ...], tuple[float, ...]]
"""Step and first center along each axis of an instance."""
RESIZING = (nn.Conv2d, nn.MaxPool2d, nn.AvgPool2d, nn.Conv3d, nn.MaxPool3d, nn.AvgPool3d)


@dataclass(frozen=True)
class MapLayer:
    """A feature map and the place of its cells on the image's voxels, axes in the order z, y, x.

    Attributes:
        name: For ``--layer``.
        module: What puts the map out.
        cells: Cells along each axis.
        step: Voxels from one cell center to the next.
        first: Voxel coordinate of the first cell's center.
    """

    name: str
    module: nn.Module
    cells: tuple[int, int, int]
    step: Triple
    first: Triple

    def cell_mm(self, grid: Grid) -> Triple:
        """Return the distance between cell centers in mm, (z, y, x)."""
        z, y, x = (s * mm for s, mm in zip(self.step, reversed(grid.spacing), strict=True))
        return (z, y, x)

    def describe(self, grid: Grid) -> str:
        """Return name and resolution in one line."""
        cells = " x ".join(map(str, self.cells))
        mm = " x ".join(f"{side:g}" for side in self.cell_mm(grid))
        return f"{self.name}: {cells} cells of {mm} mm"


def map_layers(
    encoder: ImageEncoder, shape: Sequence[int], region_bits: Mapping[str, int]
) -> list[MapLayer]:
    """Return the feature maps of stem and backbone in the order in which they are computed.

    Found by running the network once on an empty volume. Where a cell's center lies follows from
    kernel, stride and padding of what made the map smaller: center(j) = s j - p + (k - 1) / 2. So a
    strided convolution with padding looks at even voxels, and average pooling between voxels; maps
    that are simply stretched over the image are off by up to half a cell.

    Slices have maps in the plane; along z their cells are the slices of the stack.

    Args:
        encoder: Of the images; in evaluation mode.
        shape: (depth, height, width) of the images.
        region_bits: Region to its bit.
    """
    flat = encoder.instances.dimensions == "2d"
    seen = tuple(shape)[1:] if flat else tuple(shape)
    places: dict[tuple[int, ...], Place] = {seen: ((1.0,) * len(seen), (0.0,) * len(seen))}
    calls: dict[str, list[tuple[int, ...]]] = {}
    names = dict(_candidates(encoder))

    def place(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
        before, after = tuple(inputs[0].shape[2:]), tuple(output.shape[2:])
        if before in places and after not in places:
            places[after] = _composed(module, places[before])

    def note(name: str) -> Any:
        def noted(module: nn.Module, inputs: Any, output: Any) -> None:
            if isinstance(output, Tensor) and output.dim() == 2 + len(seen):
                calls.setdefault(name, []).append(tuple(output.shape[2:]))

        return noted

    with ExitStack() as hooks:
        for module in encoder.modules():
            if isinstance(module, RESIZING):
                hooks.callback(module.register_forward_hook(place).remove)
        for name, module in names.items():
            hooks.callback(module.register_forward_hook(note(name)).remove)
        parameter = next(encoder.parameters())
        images = torch.zeros(1, encoder.instances.channels, *seen, device=parameter.device)
        regions = RegionMaps(torch.zeros_like(images, dtype=torch.uint8), region_bits)
        with torch.no_grad():
            encoder.backbone(encoder.stem(images, regions), regions)
    return [
        _layer(name, names[name], found[0], tuple(shape), _place_of(found[0], seen, places))
        for name, found in calls.items()
        if len(found) == 1  # a module that is used twice has no map of its own
    ]


def choose_layer(layers: Sequence[MapLayer], grid: Grid, name: str | None) -> MapLayer:
    """Return the layer of that name; by default the deepest with cells of at most 10 mm.

    Args:
        layers: From :func:`map_layers`.
        grid: Of the prepared images.
        name: Of the wanted layer.

    Raises:
        ConfigError: No such layer; the message lists all with their resolution.
    """
    if name is None:
        fine = [layer for layer in layers if max(layer.cell_mm(grid)) <= USEFUL_MM]
        finest = min(max(layer.cell_mm(grid)) for layer in layers)
        return (fine or [layer for layer in layers if max(layer.cell_mm(grid)) == finest])[-1]
    for layer in layers:
        if layer.name == name:
            return layer
    listed = "; ".join(layer.describe(grid) for layer in layers)
    raise ConfigError(
        f"the network has no layer '{name}'",
        where="--layer",
        expected=f"one of: {listed}",
        remedy="Early layers show where, deep layers see more; leave the flag out for "
        f"the deepest with cells of at most {USEFUL_MM:g} mm.",
    )


def _candidates(encoder: ImageEncoder) -> Iterator[tuple[str, nn.Module]]:
    """Yield names and modules: the stem, and the trunk of the backbone (two levels at most)."""
    yield "stem", encoder.stem
    trunk = getattr(encoder.backbone, "features", None)
    if isinstance(trunk, nn.Sequential):  # side branches beside it see only a part
        for name, module in trunk.named_children():
            if not isinstance(module, nn.Identity):
                yield name, module
        return
    for name, module in encoder.backbone.named_modules():
        if name and name.count(".") <= 1 and not isinstance(module, nn.Identity):
            yield name, module


def _layer(
    name: str,
    module: nn.Module,
    cells: tuple[int, ...],
    shape: tuple[int, ...],
    place: Place,
) -> MapLayer:
    """Return the layer; along z the maps of slices have the slices as cells."""
    step, first = place
    if len(cells) == 2:
        cells, step, first = (shape[0], *cells), (1.0, *step), (0.0, *first)
    z, y, x = cells
    return MapLayer(name, module, (z, y, x), _three(step), _three(first))


def _place_of(
    cells: tuple[int, ...], seen: tuple[int, ...], places: Mapping[tuple[int, ...], Place]
) -> Place:
    """Return step and first center; a map made smaller in an unknown way is spread evenly."""
    if cells in places:
        return places[cells]
    step = tuple(n / m for n, m in zip(seen, cells, strict=True))
    return step, tuple((s - 1) / 2 for s in step)


def _composed(module: nn.Module, place: Place) -> Place:
    """Return step and first center behind a strided layer, in voxels of the image."""
    stride, kernel, padding, dilation = (
        _per_axis(getattr(module, name, 1), len(place[0]))
        for name in ("stride", "kernel_size", "padding", "dilation")
    )
    step, first = place
    axes = range(len(step))
    shift = [-padding[a] + dilation[a] * (kernel[a] - 1) / 2 for a in axes]
    return (
        tuple(step[a] * stride[a] for a in axes),
        tuple(first[a] + step[a] * shift[a] for a in axes),
    )


def _per_axis(value: Any, axes: int) -> tuple[int, ...]:
    return tuple(value) if isinstance(value, tuple) else (int(value),) * axes


def _three(values: Sequence[float]) -> Triple:
    z, y, x = values
    return (float(z), float(y), float(x))
