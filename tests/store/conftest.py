"""The tiny cohorts of these tests."""

from tiny_cohorts import cohort_folder, write_patient

__all__ = ["cohort_folder", "write_patient"]
