import numpy as np
import pandas as pd
import pytest

from mtl_hcc.metrics.comparisons import compare_models
from mtl_hcc.tables.against_baselines import against_baselines


def test_values_and_differences_are_those_of_metrics_and_comparisons(metrics, predictions):
    comparisons = compare_models(predictions, bootstraps=100)
    table = against_baselines(metrics, comparisons)
    assert table["Split"].unique().tolist() == ["train", "validation", "external"]
    assert table["Model"].tolist() == ["network", "AFP"] * 6
    row = table[(table["Split"] == "external") & (table["Task"] == "OS")].iloc[1]
    metric = metrics.query(
        "model == 'AFP' and split == 'external' and task == 'os' and center == 'all'"
        " and metric == 'concordance_harrell'"
    ).iloc[0]
    assert [row["value"], row["ci_low"]] == pytest.approx([metric["value"], metric["ci_low"]])
    difference = comparisons.query(
        "split == 'external' and task == 'os' and metric == 'concordance_harrell'"
    ).iloc[0]
    assert row["difference"] == pytest.approx(difference["difference"])
    assert row["difference_low"] == pytest.approx(difference["ci_low"])
    assert row["Events"] == str(metric["events"])


def test_a_comparison_the_other_way_round_changes_its_sign(metrics, predictions):
    comparisons = compare_models(predictions, bootstraps=100)
    swapped = comparisons.rename(columns={"model_a": "model_b", "model_b": "model_a"})
    one, two = (against_baselines(metrics, rows) for rows in (comparisons, swapped))
    np.testing.assert_allclose(one["difference"], -two["difference"])
    np.testing.assert_allclose(one["difference_low"], -two["difference_high"])


def test_without_comparisons_the_values_stand_alone(metrics):
    table = against_baselines(metrics)
    assert (table["Difference (95% CI)"] == "").all()
    assert (table["Value (95% CI)"] != "").all()


def test_without_a_main_metric_the_caption_says_so(metrics):
    table = against_baselines(metrics[metrics["metric"] == "f1"])
    assert table.empty
    assert table.attrs["caption"] == "No task has a C-index or an AUC."


def test_p_is_corrected_over_the_networks_pairs_only(metrics, predictions):
    afp = predictions[predictions["model"] == "AFP"]
    three = pd.concat([predictions, afp.assign(model="oracle")], ignore_index=True)
    shown = pd.concat([metrics, metrics[metrics["model"] == "AFP"].assign(model="oracle")])
    table = against_baselines(shown, compare_models(three, bootstraps=100))
    beside = table[table["Model"] == "AFP"]
    assert beside["p_holm"].to_numpy() == pytest.approx(beside["p"].to_numpy(), nan_ok=True)
    oracle = table[table["Model"] == "oracle"]
    assert (oracle["P-value"] != "").any()
    assert (oracle["P-value (Holm)"] == "").all()
    assert "nor with the oracle" in table.attrs["caption"]
