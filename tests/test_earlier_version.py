"""Both designs, under the settings of commit e5baf8b, predict what that commit predicted.

The numbers are those of the earlier package (``tests/oracles/earlier_version/make_values.py``).
What is compared: the prepared images, losses and weights of the tasks of every epoch, and the
predictions of the best epoch, which is the last one in ``ct_mtl``. Commit 877fd5d gives the same
nine digits on the same machine. Its recipe of preparation is version 2, for masks on oblique grids
(3dc73fd); the phantom has none, and its prepared arrays are the same to the bit.

To compare to the digit, run ``make_values.py`` with the present package into another folder, and
``diff`` the folders. In ``ct_mtl`` the network's numbers differ by rounding since its kernels lie
channels last in memory.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from earlier_version import FOLDER, KEYS, DesignRun, losses, predictions, prepared, run_design

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("earlier version")]

LIKE_OURS = torch.backends.cpu.get_cpu_capability() in ("AVX2", "AVX512")
"""Whether the processor rounds much as the one that made the numbers."""
TOLERANCES = {
    "clinical_mtl": {"predictions": 1e-5, "losses": 1e-5},
    "ct_mtl": {"predictions": 1e-2, "losses": 2.5e-3, "prepared": 1e-5}
    if LIKE_OURS
    else {"predictions": 0.3, "losses": 0.1, "prepared": 0.05},
}
"""Largest absolute difference of a number from the earlier version.

What was measured in ``ct_mtl``, risk (log hazard) and losses of all epochs, over the numbers made
with AVX-512 and one thread:

- rounding: two threads 0.0003 and 0.00007; without oneDNN 0.0015 and 0.0005; everything with AVX2
  0.0015 and 0.0005; the network with SSE4.1 0.0019 and 0.0005. The images stay the same to nine
  digits, and ``clinical_mtl`` within 5e-7.
- everything with SSE4.1, images too: 0.08 and 0.03, because some images differ (their mean by 7e-5,
  their place by 0.015 voxel). The tolerances for such processors tell other seeds, a lost rotation
  or risk bank, and little more. ARM was not tried.
- other draws or settings, about: another seed 2.7 and 0.44; no rotation 2.2 and 2.4; no risk
  bank 0.36 and 2.1; no time jitter 0.052 and 0.023; equal task weights 0.012 and 0.005 (the weights
  themselves 0.09).

Changes below the tolerance (a weight decay of 0.04 instead of 0.05: 0.0007 in ``ct_mtl``, but
0.0005 in ``clinical_mtl``, which notices it) need the comparison to the digit.
"""


@pytest.fixture(scope="module")
def ct_run(tmp_path_factory: pytest.TempPathFactory) -> DesignRun:
    return run_design("ct_mtl", tmp_path_factory.mktemp("ct_mtl"))


@pytest.fixture(scope="module")
def clinical_run(tmp_path_factory: pytest.TempPathFactory) -> DesignRun:
    return run_design("clinical_mtl", tmp_path_factory.mktemp("clinical_mtl"))


def differences(found: pd.DataFrame, design: str, kind: str) -> pd.Series:
    """Return the largest difference from the earlier version in each column.

    It is infinite where only one of both has a number.
    """
    earlier = pd.read_csv(FOLDER / f"{design}_{kind}.csv", dtype={"patient_id": str})
    keys = KEYS[kind]
    pd.testing.assert_frame_equal(found[keys], earlier[keys])
    numbers = earlier.columns.drop(keys)
    assert list(found.columns.drop(keys)) == list(numbers)
    apart = (found[numbers] - earlier[numbers]).abs()
    one_empty = found[numbers].isna() != earlier[numbers].isna()
    return apart.mask(one_empty, np.inf).max()


def assert_same(found: pd.DataFrame, design: str, kind: str) -> None:
    apart = differences(found, design, kind)
    assert (apart <= TOLERANCES[design][kind]).all(), apart.to_string()


def test_the_phantom_is_prepared_as_by_the_earlier_version(ct_run: DesignRun) -> None:
    assert_same(prepared(ct_run), "ct_mtl", "prepared")


def test_the_ct_design_has_the_losses_and_task_weights_of_the_earlier_version(
    ct_run: DesignRun,
) -> None:
    assert_same(losses(ct_run), "ct_mtl", "losses")


def test_the_ct_design_predicts_as_the_earlier_version(ct_run: DesignRun) -> None:
    assert_same(predictions(ct_run), "ct_mtl", "predictions")


def test_the_clinical_design_has_the_losses_and_task_weights_of_the_earlier_version(
    clinical_run: DesignRun,
) -> None:
    assert_same(losses(clinical_run), "clinical_mtl", "losses")


def test_the_clinical_design_predicts_as_the_earlier_version(clinical_run: DesignRun) -> None:
    assert_same(predictions(clinical_run), "clinical_mtl", "predictions")


def test_other_random_numbers_would_be_noticed(ct_run: DesignRun, tmp_path: Path) -> None:
    other = run_design("ct_mtl", tmp_path, "--seed", "1", "--data.store", str(ct_run.store))
    for kind, table in (("predictions", predictions(other)), ("losses", losses(other))):
        assert differences(table, "ct_mtl", kind).max() > 2 * TOLERANCES["ct_mtl"][kind]
