"""A cohort whose truth is known."""

import pandas as pd
import pytest
from drawn_tables import draw_cohort, draw_patients, draw_predictions


@pytest.fixture(scope="session")
def cohort() -> tuple[pd.DataFrame, pd.DataFrame]:
    """120 train, 60 validation of two centers, 50 external, with their truth."""
    return draw_cohort(3, {"train": 120, "validation": 60, "external": 50})


@pytest.fixture(scope="session")
def patients() -> pd.DataFrame:
    """330 patients: MVI and OS follow a log hazard that size and AFP tell a part of."""
    return draw_patients()


@pytest.fixture(scope="session")
def predictions(patients) -> pd.DataFrame:
    """OS and MVI as in predictions.csv: the network, then a baseline."""
    return draw_predictions(patients)
