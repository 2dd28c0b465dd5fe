import io

import pandas as pd
import pytest
from rich.console import Console

from mtl_hcc.metrics.comparisons import compare_models
from mtl_hcc.metrics.results_table import comparisons_table, dropped_patients


@pytest.fixture
def two(predictions):
    """A model, and one that ranks the other way round, with five patients fewer."""
    other = predictions.assign(
        risk=-predictions["risk"], probability=1 - predictions["probability"]
    )
    fewer = other[~other["patient_id"].isin([f"P{k:04d}" for k in range(225, 230)])]
    return pd.concat([predictions.assign(model="network"), fewer.assign(model="tumor size")])


def printed(comparisons: pd.DataFrame) -> list[str]:
    console = Console(file=io.StringIO(), width=100)
    console.print(comparisons_table(comparisons))
    return console.file.getvalue().splitlines()


def test_differences_and_p_are_shown_without_train(two):
    comparisons = compare_models(two, bootstraps=100)
    lines = printed(comparisons)
    assert not any(line.strip().startswith("train") for line in lines)
    wanted = (comparisons["split"] == "external") & (comparisons["metric"] == "auc")
    row = comparisons[wanted].iloc[0]
    (line,) = [line for line in lines if "external" in line and "MVI AUC" in line]
    assert f"{row['difference']:+.3f} (" in line
    assert "Holm" not in " ".join(lines), "one pair needs no correction"


def test_holms_p_is_shown_for_several_pairs(two, predictions):
    three = pd.concat([two, predictions.assign(model="again")])
    assert "p after Holm" in " ".join(printed(compare_models(three, bootstraps=20)))


def test_the_oracle_is_shown_without_p_and_does_not_make_the_others_be_corrected(two, predictions):
    comparisons = compare_models(
        pd.concat([two, predictions.assign(model="oracle")]), bootstraps=100
    )
    lines = printed(comparisons)
    assert "Holm" not in " ".join(lines)
    wanted = (comparisons["split"] == "external") & (comparisons["metric"] == "auc")
    size, oracle = (
        comparisons[wanted & (comparisons["model_b"] == name)].iloc[0]
        for name in ("tumor size", "oracle")
    )
    (line,) = [line for line in lines if "external" in line and "MVI AUC" in line]
    p = "<0.001" if size["p"] < 0.001 else f"{size['p']:.3f}"
    assert f"{size['difference']:+.3f} ({p})" in line
    assert line.rstrip().endswith(f"{oracle['difference']:+.3f}")


def test_dropped_patients_are_said_per_pair_and_split(two):
    (sentence,) = dropped_patients(compare_models(two, bootstraps=10))
    assert sentence == (
        "network and tumor size, external: compared on 45 common patients, 5 dropped"
    )


def test_only_train_rows_are_shown_when_there_is_nothing_else(two):
    lines = printed(compare_models(two[two["split"] == "train"], bootstraps=10))
    assert any("MVI AUC" in line for line in lines)
