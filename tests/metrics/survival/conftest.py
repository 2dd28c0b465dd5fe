"""Studies that R looked at too: one whose patients are kept here, two real ones."""

import pytest
from group_studies import STUDIES, FoundByR, patients_of


@pytest.fixture(params=STUDIES)
def study(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def patients(study, request):
    """Table with ``time, event, group, high``; skips when the real data are not there."""
    shared = None if study == "heavy" else request.getfixturevalue("shared_data")
    return patients_of(study, shared)


@pytest.fixture
def found_by_r(study):
    return FoundByR(study)
