"""The tiny cohorts of these tests."""

from tiny_cohorts import write_patient

__all__ = ["write_patient"]
