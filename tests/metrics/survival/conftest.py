"""Studies that R looked at too: one whose patients are kept here, two real ones."""

import pytest
from group_studies import STUDIES, FoundByR, patients_of


@pytest.fixture(params=STUDIES)
def study(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def patients(study, clinical_tables):
    """Table with ``time, event, group, high``."""
    return patients_of(study, clinical_tables)


@pytest.fixture
def found_by_r(study):
    return FoundByR(study)
