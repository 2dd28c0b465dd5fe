"""Both designs, under the settings of commit e5baf8b, predict what that commit predicted.

The numbers are those of the earlier package (``tests/oracles/earlier_version/make_values.py``).
What is compared: the prepared images, losses and weights of the tasks of every epoch, and the
predictions of the best epoch, which is the last one in ``ct_mtl``. Commit 877fd5d gives the same
nine digits on the same machine. Its recipe of preparation is version 2, for masks on oblique grids
(3dc73fd); the phantom has none, and its prepared arrays are the same to the bit.

To compare to the digit, run ``make_values.py`` with the present package into another folder, and
``diff`` the folders.
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
    "ct_mtl": {"predictions": 1e-2, "losses": 2e-3, "prepared": 1e-5}
    if LIKE_OURS
    else {"predictions": 0.3, "losses": 0.1, "prepared": 0.05},
}
"""Largest absolute difference of a number: at least six times the rounding that was measured.

TABLE
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
