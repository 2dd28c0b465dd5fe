"""Which volumes are reconstructions of one acquisition: thin and thick, soft and sharp."""

from collections.abc import Mapping
from dataclasses import dataclass

from mtl_hcc.cohorts.dicom.enhancement import Enhancement
from mtl_hcc.cohorts.dicom.phase_rules import agent_denied
from mtl_hcc.cohorts.dicom.volumes import Volume

_SAME_START_SECONDS = 3.0
_SAME_HU = 12.0
"""Kernels and slice thickness change the mean of a large region by less."""


@dataclass(frozen=True, eq=False)
class Acquisition:
    """Volumes that were reconstructed from one acquisition.

    Attributes:
        volumes: At least one, in the order of their series.
        told: The phase that one of them tells, if any.
        measured: What was measured in the first that could be measured.
    """

    volumes: tuple[Volume, ...]
    told: str | None
    measured: Enhancement | None

    @property
    def start(self) -> float | None:
        """When its first slice was acquired, in seconds."""
        return min((v.seconds for v in self.volumes if v.seconds is not None), default=None)

    @property
    def agent_denied(self) -> bool:
        """Whether the header says that no contrast agent was given."""
        return any(agent_denied(volume) for volume in self.volumes)


def group_acquisitions(
    volumes: list[Volume], told: Mapping[str, str], measured: Mapping[str, Enhancement]
) -> list[Acquisition]:
    """Put reconstructions of one acquisition together.

    Volumes belong together if they name the same irradiation, or were acquired at the same time
    and show the same enhancement. Volumes that tell different phases never do: times may be
    wrong after anonymization.

    Args:
        volumes: Candidates of one study.
        told: Name of a volume to the phase that it tells.
        measured: Name of a volume to what was measured.
    """
    groups: list[list[Volume]] = []
    for volume in volumes:
        home = next(
            (group for group in groups if all(_same(volume, v, told, measured) for v in group)),
            None,
        )
        if home is None:
            groups.append([volume])
        else:
            home.append(volume)
    return [
        Acquisition(
            tuple(group),
            next((told[v.name] for v in group if v.name in told), None),
            next(
                (
                    measured[v.name]
                    for v in group
                    if v.name in measured and not measured[v.name].unreadable
                ),
                None,
            ),
        )
        for group in groups
    ]


def _same(
    a: Volume, b: Volume, told: Mapping[str, str], measured: Mapping[str, Enhancement]
) -> bool:
    if a.name in told and b.name in told and told[a.name] != told[b.name]:
        return False
    if a.first.event and b.first.event:
        return a.first.event == b.first.event
    numbers = {a.first.acquisition_number, b.first.acquisition_number} - {None}
    if len(numbers) > 1 or not _same_time(a, b):
        return False
    one, other = measured.get(a.name), measured.get(b.name)
    if one is None or other is None:
        return _looks(a) != _looks(b)
    return _close(one.aorta, other.aorta) and _close(one.liver, other.liver)


def _same_time(a: Volume, b: Volume) -> bool:
    """Tell whether they start together, or one runs while the other does."""
    if a.span is None or b.span is None:
        return False
    if abs(a.span[0] - b.span[0]) <= _SAME_START_SECONDS:
        return True
    return min(a.span[1], b.span[1]) > max(a.span[0], b.span[0])


def _looks(volume: Volume) -> tuple[float, float | None, str]:
    return round(volume.spacing_mm, 1), volume.first.thickness, volume.first.kernel


def _close(one: float | None, other: float | None) -> bool:
    return one is None or other is None or abs(one - other) <= _SAME_HU
