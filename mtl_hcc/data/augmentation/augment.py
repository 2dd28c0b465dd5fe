"""What happens to a training batch on the device: the transforms of the list, one by one."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from mtl_hcc.batch import PatientBatch
from mtl_hcc.data.augmentation.transform import Transform
from mtl_hcc.data.draws import TrainingBatch, batch_generators
from mtl_hcc.imaging.view import View


class Augmentation:
    """Transforms in their order, each with random numbers of its own.

    A transform's numbers depend on the run's seed, the patient, the epoch and the round, on its
    class, and on how many of its class stand before it in the list; on nothing else in the list,
    and not on the batch.

    Args:
        transforms: In the order in which they are applied.
        seed: Seed of the draws.
        views: What each view shows.
    """

    def __init__(
        self, transforms: Sequence[Transform], *, seed: int, views: Mapping[str, View]
    ) -> None:
        self.transforms, self.seed, self.views = list(transforms), seed, views

    def __call__(self, batch: TrainingBatch) -> PatientBatch:
        """Return the augmented batch; images are float32 already.

        Args:
            batch: The batch, on the training device.
        """
        result = batch.plain()
        result.views = {name: replace(seen) for name, seen in result.views.items()}
        for place, transform in enumerate(self.transforms):
            twins = sum(type(other) is type(transform) for other in self.transforms[:place])
            generators = batch_generators(batch, transform.purpose, seed=self.seed, twin=twins)
            result = transform(result, generators, self.views)
        return result
