"""What all tests share: where real tables and real images lie, a finished run, a quiet W&B."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from tiny_runs import PhantomRun

# Before NumPy or torch is imported: threads that wait for each other make tiny arrays and networks
# thirty times slower where tests run side by side.
os.environ.setdefault("OMP_NUM_THREADS", "1")


# How long an example takes says how busy the machine is, nothing about the code.
settings.register_profile("any machine", deadline=None)
settings.load_profile("any machine")

SLOW_FIXTURES = {"phantom_run", "made"}
"""They train and report for more than ten seconds before the first test that asks for them."""


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests as slow that need a slow fixture."""
    for item in items:
        if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def clinical_tables() -> Path:
    """Return the folder of the real clinical tables that every clone holds."""
    return Path(__file__).parent / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real images, or skip: they are too large to be kept here.

    Set MTL_HCC_DATA, or put the folder beside the checkout.
    """
    beside = Path(__file__).parents[2] / "shared" / "data"
    root = Path(os.environ.get("MTL_HCC_DATA", beside))
    if not root.is_dir():
        pytest.skip(
            f"no folder {root} with real images (CT of CHAOS, CT and MR of TotalSegmentator, "
            "a leg of Soft-tissue-Sarcoma, segmentations of dcmqi): set MTL_HCC_DATA to it"
        )
    return root


@pytest.fixture(scope="session")
def phantom_run(tmp_path_factory: pytest.TempPathFactory) -> "PhantomRun":
    """Return a finished run of ``configs/ct_mtl.yaml`` on a tiny phantom; not to be changed."""
    from tiny_runs import BRIEF, PHANTOM, PhantomRun, call, ct_flags

    from mtl_hcc import fit  # it loads torch, which few tests need

    folder = tmp_path_factory.mktemp("phantom")
    os.environ["WANDB_DATA_DIR"] = str(folder / "wandb_data")  # where W&B keeps artifacts to send
    flags = ["--data.phantom.patients", PHANTOM]
    done = call(fit.main, *ct_flags(folder), *BRIEF, *flags)
    assert done.code == 0, done.err
    (cohort,) = (folder / "store").glob("phantom-*")
    return PhantomRun(folder / "run", folder / "store", cohort, done.out)


@pytest.fixture(autouse=True)
def _private(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may reach the network."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
