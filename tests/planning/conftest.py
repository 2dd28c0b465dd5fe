"""The small cohort that plans are made for."""

import pytest
from planned_cohort import write_cohort


@pytest.fixture(scope="session")
def liver_cohort(tmp_path_factory):
    """Return a folder of 32 patients with a tumor of 30 mm; not to be changed."""
    root = tmp_path_factory.mktemp("plan") / "cohort"
    write_cohort(root)
    return root
