"""A cohort's table, with splits, and the predictions of a network that is better than AFP."""

import pandas as pd
import pytest
from drawn_tables import bare_table, draw_patients, draw_predictions


@pytest.fixture(scope="session")
def patients() -> pd.DataFrame:
    """330 patients: MVI and OS follow a log hazard that size and AFP tell a part of."""
    return draw_patients()


@pytest.fixture(scope="session")
def predictions(patients) -> pd.DataFrame:
    """OS and MVI as in predictions.csv: the network, then a baseline."""
    return draw_predictions(patients)


@pytest.fixture(scope="session")
def metrics(predictions) -> pd.DataFrame:
    """As metrics.csv, with few resamples."""
    from mtl_hcc.metrics.evaluate_predictions import evaluate_predictions

    return evaluate_predictions(predictions, bootstraps=100)


@pytest.fixture
def bare() -> pd.DataFrame:
    """A cohort's table without any clinical column."""
    return bare_table()
