"""Stores of a study: one per preparation, all with the folds of the full design."""

import pandas as pd
import pytest
from tiny_runs import PHANTOM, PhantomRun, ct_flags
from tiny_study import write_study

from mtl_hcc.ablation.plan import plan_runs
from mtl_hcc.ablation.stores import check_same_folds, prepare_stores
from mtl_hcc.ablation.study import read_study
from mtl_hcc.errors import SplitError
from mtl_hcc.store.prepared_store import PreparedStore

pytestmark = pytest.mark.xdist_group("phantom run")


def written(phantom_run: PhantomRun) -> dict[str, int]:
    """Return when each prepared patient was written."""
    files = phantom_run.store.rglob("*.safetensors")
    return {path.name: path.stat().st_mtime_ns for path in files}


def test_a_variant_with_another_preparation_gets_its_store_and_the_same_splits(
    phantom_run: PhantomRun, parser, tmp_path
):
    coarse = {"data.preparation.spacing_mm": 12.0, "data.preparation.margin_mm": 6.0}
    study = read_study(write_study(tmp_path, {"coarse": coarse}, seeds=[0]))
    flags = [*ct_flags(phantom_run.run.parent), "--data.phantom.patients", PHANTOM]
    plan = plan_runs(parser, flags, study)
    full, variant = plan.runs
    before = written(phantom_run)
    prepare_stores(parser, full, plan.runs)
    assert written(phantom_run) == before, "the full design's store was fresh"
    made = PreparedStore(variant.values["data"]["store"])
    assert made.load("I-001").images.shape == (3, 8, 8, 8)
    assert not list(made.root.glob("phantom-*")), "the phantom is not made again"
    ours, theirs = (
        pd.read_csv(root / "splits.csv", comment="#") for root in (made.root, phantom_run.store)
    )
    pd.testing.assert_frame_equal(ours, theirs)


@pytest.fixture
def splits() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "patient_id": ["A", "B", "C"] * 2,
            "fold": [0, 0, 0, 1, 1, 1],
            "split": ["train", "train", "test", "test", "train", "train"],
        }
    )


def test_equal_folds_pass_in_any_order_and_with_patients_missing_on_either_side(splits):
    check_same_folds(splits, splits.iloc[::-1], where="variant x")
    check_same_folds(splits, splits[splits["patient_id"] != "B"], where="variant x")
    check_same_folds(splits[splits["patient_id"] != "B"], splits, where="variant x")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({1: "test"}, "variant x, patient B: 1 of 6 patients are in another split"),
        ({0: "test", 5: "test"}, "variant x, patient A: 2 of 6"),
    ],
)
def test_a_patient_in_another_split_is_named(splits, change, message):
    other = splits.copy()
    for place, split in change.items():
        other.loc[place, "split"] = split
    with pytest.raises(SplitError) as caught:
        check_same_folds(splits, other, where="variant x")
    assert message in str(caught.value)
    assert "the same folds for all variants" in str(caught.value)


def test_other_folds_and_other_patients_are_refused(splits):
    with pytest.raises(SplitError, match=r"folds \[0\] instead of \[0, 1\]"):
        check_same_folds(splits, splits[splits["fold"] == 0], where="variant x")
    with pytest.raises(SplitError, match="0 of 0 patients"):
        check_same_folds(splits, splits.assign(patient_id="Z" + splits["patient_id"]), where="x")
