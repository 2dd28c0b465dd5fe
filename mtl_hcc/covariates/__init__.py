"""Columns of a cohort's table as numbers: read the same way for networks, baselines and tables."""
