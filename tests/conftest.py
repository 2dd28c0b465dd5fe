"""What all tests share: where the openly licensed real data lie, and a quiet W&B."""

import os
from pathlib import Path

import pytest

# Before torch is imported: threads that wait for each other make tiny networks thirty times slower
# where tests run side by side.
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Return the folder of real data, or skip: set MTL_HCC_DATA, or put it beside the checkout."""
    beside = Path(__file__).parents[2] / "shared" / "data"
    root = Path(os.environ.get("MTL_HCC_DATA", beside))
    if not root.is_dir():
        pytest.skip(f"real data not found at {root}; set MTL_HCC_DATA to run this test")
    return root


@pytest.fixture(autouse=True)
def _private(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test may reach the network."""
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
