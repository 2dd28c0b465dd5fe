import numpy as np
import pandas as pd
import pytest

from mtl_hcc.metrics.pooling import pool_shares
from mtl_hcc.tables.by_center import by_center, center_values


def metrics_of(rows):
    columns = ["center", "n", "events", "value", "ci_low", "ci_high"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(
        model="network", split="external", task="os", metric="concordance_harrell",
        horizon_days=np.nan, method="",
    )  # fmt: skip


CENTERS = [
    ("all", 300, 90, 0.70, 0.65, 0.75),
    ("I", 100, 40, 0.75, 0.66, 0.82),
    ("II", 90, 30, 0.62, 0.51, 0.72),
    ("III", 80, 20, 0.70, 0.55, 1.00),
    ("IV", 30, 4, 0.90, 0.70, 0.98),
    ("V", 20, 17, 0.60, 0.40, 0.80),
    ("VI", 70, 25, 0.68, 0.56, 0.78),
]
PREDICTIONS = pd.DataFrame(
    {
        "patient_id": list("abcdef"),
        "split": "external",
        "center": ["I", "II", "III", "IV", "V", "VI"],
    }
)


def test_centers_with_an_estimate_are_pooled_and_the_others_say_why():
    (found,) = center_values(metrics_of(CENTERS), PREDICTIONS)
    assert found.centers.set_index("center")["reason"].to_dict() == {
        "I": "",
        "II": "",
        "III": "the interval reaches 0 or 1",
        "IV": "too few events (4)",
        "V": "too few without event (3)",
        "VI": "",
    }
    expected = pool_shares([0.75, 0.62, 0.68], [0.66, 0.51, 0.56], [0.82, 0.72, 0.78])
    assert found.pooled.value == pytest.approx(expected.value)
    assert found.centers["weight"].dropna().tolist() == pytest.approx(expected.weights.tolist())


def test_the_table_holds_a_row_per_center_and_the_pooled_value():
    table = by_center(metrics_of(CENTERS), PREDICTIONS)
    assert table["Center"].tolist() == ["I", "II", "III", "IV", "V", "VI", "Pooled (3 centers)"]
    pooled = table.iloc[-1]
    assert pooled["Patients"] == "260"
    assert pooled["Value (95% CI)"].startswith(f"{pooled['value']:.2f} (")
    assert "I2" in pooled["Note"]
    assert table.loc[3, "Value (95% CI)"] == "not estimable"
    assert "standard errors from the 95% intervals" in table.attrs["caption"]


@pytest.mark.parametrize("centers", [1, 2])
def test_fewer_than_three_centers_are_not_pooled_but_told_why(centers):
    table = by_center(metrics_of(CENTERS[: 1 + centers]), PREDICTIONS)
    last = table.iloc[-1]
    assert last["Center"] == "Not pooled"
    assert last["Note"] == "not pooled: fewer than three centers with an estimate"
    assert last["Value (95% CI)"] == "-"
    assert np.isnan(last["value"])
    assert (last["Patients"], last["Weight"]) == ("", "")
    assert table["Weight"].eq("").all()
    assert len(table) == centers + 1
    assert "fewer than three centers" in table.attrs["caption"]


def test_many_centers_without_an_estimate_share_a_row():
    small = [(f"S{place}", 5, 1, np.nan, np.nan, np.nan) for place in range(12)]
    table = by_center(metrics_of([*CENTERS, *small]), PREDICTIONS)
    assert table["Center"].tolist() == ["I", "II", "VI", "15 centers", "Pooled (3 centers)"]
    assert table.loc[3, "Patients"] == str(80 + 30 + 20 + 12 * 5)


def test_a_split_with_one_center_is_named_and_train_is_left_out(metrics, predictions):
    found = {values.task: values for values in center_values(metrics, predictions)}
    assert set(found) == {"os", "mvi"}
    assert found["os"].centers["center"].tolist() == ["II", "III", "IV"]
    assert found["os"].centers["n"].tolist() == [40, 40, 90]
    assert found["os"].splits == ("validation", "external")


def test_in_cross_validation_every_patient_counts_once(metrics, predictions):
    shared = predictions.assign(patient_id="one")
    found = center_values(metrics, shared)
    assert found[0].splits == ("external",)


def test_without_a_main_metric_the_caption_says_so(metrics, predictions):
    table = by_center(metrics[metrics["metric"] == "f1"], predictions)
    assert table.empty
    assert "No unseen center" in table.attrs["caption"]
