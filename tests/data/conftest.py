"""The tiny cohorts of these tests."""

from tiny_cohorts import cohort_folder

__all__ = ["cohort_folder"]
