"""What a check of plausibility found: a sure error, or something for a surgeon to judge."""

from dataclasses import dataclass

from mtl_hcc.errors import ImageError


@dataclass(frozen=True)
class Finding:
    """One thing that does not look as it should.

    Attributes:
        where: Patient, phase and file.
        found: What was measured, as one clause.
        expected: What real patients measure, as one clause.
        remedy: What to look at next, as one sentence.
        sure: Whether no surgeon could disagree; else it is a remark in ``quality.csv``.
    """

    where: str
    found: str
    expected: str
    remedy: str
    sure: bool

    def as_error(self) -> ImageError:
        """Return the error that sets the patient aside."""
        way_out = (
            "If it is right as it is, add --data.preparation.plausibility remark (for predict, "
            "--plausibility remark)."
        )
        return ImageError(
            self.found,
            where=self.where,
            expected=self.expected,
            remedy=f"{self.remedy} {way_out}",
        )
