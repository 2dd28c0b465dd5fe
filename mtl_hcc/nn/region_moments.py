"""RegionMoments: mean, spread and volume of regions, measured on the image itself."""

import torch
from torch import Tensor, nn

from mtl_hcc.batch import RegionMaps

_BITS = 256
"""Values that the bits of a voxel can have."""


class RegionMoments(nn.Module):
    """Thirteen numbers on a card: what the intensities of each region are, and its volume.

    Of each region the mean (``against`` excepted, of the mean above that of ``against``), the
    standard deviation, and ``log(1 + volume in ml)``; measured on the image itself, before any
    convolution, so that the network need not learn them. Then standardized by the means and
    deviations of all training instances so far, which are part of the weights.

    Args:
        regions: Which, e.g. ``[background_liver, margin, tumor]``.
        against: The region whose mean is taken from those of the others: a bolus or a scanner
            moves both. None compares with nothing.
    """

    count: Tensor
    mean: Tensor
    variance: Tensor

    def __init__(
        self,
        *,
        regions: tuple[str, ...] = ("background_liver", "margin", "tumor"),
        against: str | None = "background_liver",
    ) -> None:
        super().__init__()
        self.regions, self.against = tuple(regions), against
        if not self.regions or (against is not None and against not in self.regions):
            raise ValueError(
                f"moments.regions are {list(self.regions)} and moments.against is {against}; "
                "expected at least one region, and against one of them or null"
            )
        self.out_features = 3 * len(self.regions)
        self.register_buffer("count", torch.zeros(()))
        self.register_buffer("mean", torch.zeros(self.out_features))
        self.register_buffer("variance", torch.ones(self.out_features))

    def measure(self, images: Tensor, regions: RegionMaps, voxel_ml: Tensor) -> Tensor:
        """Return (instance, number), float32: means, then deviations, then log volumes.

        An empty region has the mean of ``against`` and no spread.

        Args:
            images: (instance, channel, [depth,] height, width); of slices the middle channel.
            regions: Maps of the same shape.
            voxel_ml: (instance,) volume of a voxel.
        """
        voxels, total, squares = _sums(images, regions, self.regions)  # each (instance, region)
        filled = voxels.clamp(min=1)
        mean = total / filled
        spread = (squares / filled - mean.square()).clamp(min=0).sqrt()
        if self.against is not None:
            place = self.regions.index(self.against)
            above = torch.where(voxels > 0, mean - mean[:, [place]], 0.0)
            above[:, place] = mean[:, place]
            mean = above
        volume = (voxels * voxel_ml[:, None]).log1p()
        return torch.cat([mean, spread, volume], dim=1).float()

    def forward(self, numbers: Tensor) -> Tensor:
        """Return the numbers with mean 0 and deviation 1 over the training instances so far.

        Args:
            numbers: From :meth:`measure`.
        """
        if self.training and len(numbers):
            self._take_note(numbers.detach())
        return (numbers - self.mean) / (self.variance + 1e-6).sqrt()

    @torch.no_grad()
    def _take_note(self, numbers: Tensor) -> None:
        """Join the moments of these instances with those of the earlier ones (Chan 1979)."""
        new = len(numbers)
        total = self.count + new
        mean = numbers.mean(0)
        apart = mean - self.mean
        old = self.count / total
        self.variance.mul_(old).add_(
            (1 - old) * numbers.var(0, unbiased=False) + old * (1 - old) * apart.square()
        )
        self.mean.add_((1 - old) * apart)
        self.count.copy_(total)


@torch.no_grad()
def _sums(images: Tensor, regions: RegionMaps, names: tuple[str, ...]) -> tuple[Tensor, ...]:
    """Return (instance, region) float64: voxels, sum of intensities, sum of their squares.

    Sums over the voxels of equal bits first: each voxel is read once, however many regions there
    are, and no mask is made.
    """
    middle = images.shape[1] // 2
    image = images[:, middle].flatten().double()
    bits = regions.bits[:, middle].flatten(1).int()
    instance = torch.arange(len(bits), dtype=torch.int32, device=bits.device)
    place = (bits + _BITS * instance[:, None]).flatten()
    every = torch.arange(_BITS, dtype=torch.uint8, device=bits.device)
    table = RegionMaps(every, regions.names).masks(names, dtype=torch.float64)  # (bits, region)
    sums = []
    for values in (torch.ones_like(image), image, image.square()):
        of_bits = image.new_zeros(len(bits) * _BITS).index_add_(0, place, values)
        sums.append(of_bits.unflatten(0, (len(bits), _BITS)) @ table)
    return tuple(sums)
