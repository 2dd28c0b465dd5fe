import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import auc

from mtl_hcc.figures.canvas import caption_of
from mtl_hcc.figures.roc_at_horizons import in_years, roc_at_horizons, roc_points_at_horizon
from mtl_hcc.metrics.bootstrap import point_value
from mtl_hcc.metrics.evaluate_predictions import evaluate_predictions
from mtl_hcc.metrics.survival.censoring import CensoringWeights
from mtl_hcc.metrics.survival.discrimination import auc_at_horizon_statistic
from mtl_hcc.metrics.task_metric import TaskRows


def draw(predictions):
    return roc_at_horizons(predictions, evaluate_predictions(predictions, bootstraps=50))


def test_the_curves_have_the_area_and_the_legend_the_interval_of_the_metrics(predictions):
    metrics = evaluate_predictions(predictions, bootstraps=100)
    figure = roc_at_horizons(predictions, metrics)
    assert [axes.get_title() for axes in figure.axes] == ["OS, train", "OS, external"]
    metrics = metrics[(metrics["metric"] == "auc_td") & (metrics["split"] == "external")]
    axes = figure.axes[1]
    labels = [text.get_text() for text in axes.get_legend().get_texts()]
    expected = metrics[metrics["horizon_days"] <= 1095].itertuples()
    assert len(labels) == 3
    for line, label, row in zip(axes.lines[1:], labels, expected, strict=False):
        assert auc(line.get_xdata(), line.get_ydata()) == pytest.approx(row.value)
        assert label.endswith(f"{row.value:.2f} ({row.ci_low:.2f}-{row.ci_high:.2f})")
    assert "OS, external: 40 patients" in caption_of(figure)


def test_several_folds_give_a_curve_whose_area_is_the_auc_within_folds(predictions):
    rows = predictions[predictions["task"] == "os"].reset_index(drop=True)
    rows["fold"] = np.arange(len(rows)) % 2
    rows["risk"] += 10 * rows["fold"]
    sample = TaskRows(rows, rows.iloc[:0], "survival")
    statistic = auc_at_horizon_statistic(sample, CensoringWeights(sample.rows), 730)
    expected = point_value(statistic, len(rows))
    assert auc(*roc_points_at_horizon(sample, 730)) == pytest.approx(expected, abs=1e-6)


def test_other_models_are_gray_and_named(predictions):
    models = [predictions.assign(model=name) for name in ("network", "tumor size")]
    figure = draw(pd.concat(models))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["tumor size"]
    assert "gray lines, at the middle horizon: tumor size" in caption_of(figure)
    assert len(figure.axes[0].lines) == 1 + 3 + 1


def test_panels_without_a_curve_say_why(predictions):
    nobody = predictions["split"] == "external"
    predictions.loc[nobody, "time_days"] = np.nan
    figure = draw(predictions)
    assert "no patient" in figure.axes[1].texts[0].get_text()
    short = draw(predictions.assign(time_days=predictions["time_days"] / 100))
    assert "no horizon" in short.axes[0].texts[0].get_text()
    figure = draw(pd.DataFrame(predictions[predictions["task"] == "mvi"]))
    assert "no survival task" in figure.axes[0].texts[0].get_text()


def test_horizons_are_named_in_years_where_they_are_whole():
    assert [in_years(days) for days in (365, 730, 540)] == ["1 year", "2 years", "540 days"]
