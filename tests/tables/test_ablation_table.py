"""The printed table of an ablation: what stands in its cells and its caption."""

import numpy as np
import pandas as pd
import pytest

from mtl_hcc.tables.ablation_table import ablation, main_rows, shown_split


def table_of_ablation() -> pd.DataFrame:
    """Return three variants on two splits, OS and MVI; one variant has MVI only."""
    rows = []
    values = {"full": 0.71, "no_bank": 0.702, "mvi_alone": 0.66}
    for variant, value in values.items():
        for split in ("validation", "external"):
            for task, metric in (("os", "concordance_harrell"), ("mvi", "auc"), ("mvi", "brier")):
                if (variant, task) == ("mvi_alone", "os"):
                    continue
                for seed in ("0", "1", "all"):
                    row = {"variant": variant, "seed": seed, "split": split, "task": task}
                    row |= {"metric": metric, "value": value + (split == "external") / 10}
                    row |= {"n": 80, "events": 32, "spread": 0.0123 if seed == "all" else np.nan}
                    row |= {"method": "mean of 2 seeds; paired bootstrap of 9"}
                    if variant != "full":
                        row |= {"difference": value - 0.71, "ci_low": value - 0.76}
                        row |= {"ci_high": value - 0.69, "p": 0.01, "p_holm": 0.02}
                    rows.append(row)
    return pd.DataFrame(rows)


def test_a_row_holds_mean_spread_difference_and_interval():
    table = ablation(table_of_ablation())
    assert table.to_numpy().tolist() == [
        ["OS C-index", "full", "0.810 (0.012)", "-", ""],
        ["OS C-index", "no bank", "0.802 (0.012)", "-0.008 (-0.058 to 0.012)", "0.020"],
        ["MVI AUC", "full", "0.810 (0.012)", "-", ""],
        ["MVI AUC", "no bank", "0.802 (0.012)", "-0.008 (-0.058 to 0.012)", "0.020"],
        ["MVI AUC", "mvi alone", "0.760 (0.012)", "-0.050 (-0.100 to -0.030)", "0.020"],
    ]


def test_the_caption_says_split_sizes_seeds_and_what_the_interval_is():
    said = ablation(table_of_ablation()).attrs["caption"]
    for part in ("external split", "OS: n = 80, 32 events", "MVI: n = 80", "mean of 2 seeds"):
        assert part in said
    assert "paired bootstrap over patients" in said
    assert "Holm" in said


def test_another_split_can_be_shown():
    table = ablation(table_of_ablation(), split="validation")
    assert table.loc[0, "Mean (SD over seeds)"] == "0.710 (0.012)"


@pytest.mark.parametrize(
    ("splits", "shown"),
    [
        (["train", "validation", "external"], "external"),
        (["train", "validation", "test"], "test"),
        (["validation", "train"], "validation"),
        (["center II"], "center II"),
        ([], ""),
    ],
)
def test_the_split_shown_says_most_about_new_patients(splits, shown):
    assert shown_split(splits) == shown


def test_one_seed_has_no_spread_and_no_value_is_a_dash():
    one = table_of_ablation().assign(spread=np.nan)
    one.loc[one["variant"] == "no_bank", ["value", "difference", "ci_low", "ci_high", "p"]] = np.nan
    cells = ablation(one).iloc[:, 2:4].to_numpy().tolist()
    assert cells[:2] == [["0.810", "-"], ["-", "-"]]


def test_the_table_is_the_same_after_it_was_a_file(tmp_path):
    table_of_ablation().to_csv(tmp_path / "ablation.csv", index=False)
    read = pd.read_csv(tmp_path / "ablation.csv")
    pd.testing.assert_frame_equal(ablation(read), ablation(table_of_ablation()))


def test_a_table_without_a_main_metric_is_empty_and_says_so():
    brier = table_of_ablation().query("metric == 'brier'")
    table = ablation(brier)
    assert table.empty
    assert table.attrs["caption"].startswith("No ablation")


def test_an_unmeasured_event_count_is_left_out_of_the_caption():
    said = ablation(table_of_ablation().assign(events=np.nan)).attrs["caption"]
    assert "OS: n = 80;" in said
    assert len(main_rows(table_of_ablation())) == 5
