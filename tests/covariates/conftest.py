"""A cohort's table."""

import pandas as pd
import pytest
from drawn_tables import bare_table, draw_patients


@pytest.fixture(scope="session")
def patients() -> pd.DataFrame:
    """330 patients: MVI and OS follow a log hazard that size and AFP tell a part of."""
    return draw_patients()


@pytest.fixture
def bare() -> pd.DataFrame:
    """A cohort's table without any clinical column."""
    return bare_table()
