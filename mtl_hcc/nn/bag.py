"""A bag: the instances of each patient, and what is known of each instance."""

from dataclasses import dataclass, replace

from torch import Tensor


@dataclass(frozen=True)
class Bag:
    """Vectors of all instances that the patients of a batch could have.

    Attributes:
        features: (patient, instance, feature); what is not present holds zeros.
        present: (patient, instance) bool; what is not present must not matter.
        phase: (patient, instance) int64, number of the phase that the instance shows.
        place_mm: (patient, instance) float32, position of its slice along z, 0 for a volume.
        phases: How many phases there could be.
    """

    features: Tensor
    present: Tensor
    phase: Tensor
    place_mm: Tensor
    phases: int

    @property
    def zeroed(self) -> Tensor:
        """The vectors, with zeros for what is not present, whatever stands there."""
        return self.features.where(self.present[..., None], 0.0)

    def with_features(self, features: Tensor) -> "Bag":
        """Return the same instances with other vectors."""
        return replace(self, features=features)

    def only(self, chosen: Tensor) -> "Bag":
        """Return the bag in which only some of the present instances are present.

        Args:
            chosen: (patient, instance) bool.
        """
        return replace(self, present=self.present & chosen)
