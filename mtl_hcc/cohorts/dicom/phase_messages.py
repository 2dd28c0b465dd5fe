"""What a user reads when volumes cannot be told apart: the candidates, and what to set."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from mtl_hcc.cohorts.dicom.enhancement import Enhancement
from mtl_hcc.cohorts.dicom.volumes import Volume
from mtl_hcc.errors import ImageError

_MOST_PASSED_OVER = 12


@dataclass
class Sorting:
    """What is known of one patient's volumes while they are sorted into phases.

    Attributes:
        patient_id: For messages.
        told: Name of a volume to the phase that choice or header tell.
        measured: Name of a volume to what was measured.
        passed_over: Name of a volume to why it is no candidate.
    """

    patient_id: str
    told: dict[str, str] = field(default_factory=dict)
    measured: Mapping[str, Enhancement] = field(default_factory=dict)
    passed_over: dict[str, str] = field(default_factory=dict)

    def refuse(
        self, found: str, volumes: list[Volume], candidates: list[Volume], *, expected: str = ""
    ) -> ImageError:
        """Return the error that names the candidates and the settings that decide."""
        names = ", ".join(v.name for v in volumes)
        example = f'"{self.patient_id}/{volumes[0].name}": portal_venous'
        remedy = (
            f"Say which it is in the config, series_phases: {{{example}}} (a phase or ignore); for "
            "several reconstructions of one phase set several to thinnest or thickest; or extend "
            f"phase_rules.{self.ignored()}"
        )
        return ImageError(
            f"{found} series {names}; candidates are {self.listed(candidates)}",
            where=f"patient {self.patient_id}",
            expected=expected or "one volume per phase",
            remedy=remedy,
        )

    def nothing(self, volumes: list[Volume], phases: tuple[str, ...]) -> ImageError:
        """Return the error for a patient none of whose volumes shows a phase."""
        return ImageError(
            f"no volume shows {', '.join(phases)}",
            where=f"patient {self.patient_id}",
            expected=f"one among {self.listed(volumes) or 'its series'}",
            remedy="Check phase_rules, or name the phases by hand in series_phases."
            f"{self.ignored()}",
        )

    def ignored(self) -> str:
        """Say which series were passed over, and why."""
        if not self.passed_over:
            return ""
        texts = [f"{name} ({why})" for name, why in self.passed_over.items()]
        more = f" and {len(texts) - _MOST_PASSED_OVER} more" * (len(texts) > _MOST_PASSED_OVER)
        return f" Passed over: series {', '.join(texts[:_MOST_PASSED_OVER])}{more}."

    def listed(self, volumes: list[Volume]) -> str:
        """List volumes without names or dates: times count from the first of them."""
        start = min((v.seconds for v in volumes if v.seconds is not None), default=0.0)
        texts = []
        for volume in volumes:
            time = "no time" if volume.seconds is None else f"+{volume.seconds - start:.0f} s"
            kernel = f", kernel {volume.first.kernel}" if volume.first.kernel else ""
            measured = self.measured.get(volume.name)
            texts.append(
                f'"{self.patient_id}/{volume.name}" '
                f"({volume.first.description or 'no description'}, {len(volume.slices)} slices "
                f"every {volume.spacing_mm:.3g} mm{kernel}, {time}, "
                f"{'not measured' if measured is None else measured}, "
                f"{self.told.get(volume.name, 'unknown')})"
            )
        return "; ".join(texts)
