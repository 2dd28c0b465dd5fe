from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from mtl_hcc.metrics.comparisons import holm, holm_by

FOLDER = Path(__file__).parents[1] / "oracles" / "classification"


def test_holm_equals_r_p_adjust():
    expected = pd.read_csv(FOLDER / "unpaired.csv", index_col="name")["value"]
    found = holm([0.012, 0.04, 0.003, 0.2, 0.04, 0.9])
    assert found == pytest.approx([expected[f"holm_{k}"] for k in range(1, 7)])


def test_a_missing_test_stays_missing_and_does_not_count():
    assert holm([0.01, np.nan, 0.04]) == pytest.approx([0.02, np.nan, 0.04], nan_ok=True)
    assert len(holm([])) == 0


def test_families_are_corrected_apart():
    tests = pd.DataFrame(
        {"metric": ["auc", "auc", "f1"], "horizon": np.nan, "p": [0.02, 0.5, 0.02]}
    )
    assert holm_by(tests, ["metric", "horizon"]).tolist() == [0.04, 0.5, 0.02]
