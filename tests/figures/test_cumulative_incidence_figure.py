import numpy as np
import pandas as pd
import pytest
from lifelines import AalenJohansenFitter

from mtl_hcc.figures.canvas import caption_of
from mtl_hcc.figures.cumulative_incidence import cumulative_incidence
from mtl_hcc.figures.risk_group_panels import DAYS_PER_YEAR
from mtl_hcc.metrics.survival.first_events import first_event


@pytest.fixture
def both(predictions):
    """OS of the small table, and an RFS that a recurrence ends early for some."""
    os = predictions[predictions["task"] == "os"].reset_index(drop=True)
    rng = np.random.default_rng(2)
    recurrence = np.ceil(rng.exponential(900 * np.exp(-os["risk"])))
    recurs = recurrence < os["time_days"]
    rfs = os.assign(
        task="rfs",
        time_days=np.where(recurs, recurrence, os["time_days"]),
        event=np.where(recurs, 1.0, os["event"]),
    )
    return pd.concat([os, rfs], ignore_index=True)


def test_the_curves_drawn_are_those_of_lifelines(both):
    figure = cumulative_incidence(both)
    panels = [axes for axes in figure.axes if axes.get_title()]
    names = [axes.get_title().splitlines()[0] for axes in panels]
    assert names == [
        f"{name}, {split}"
        for name in ("Recurrence", "Death without recurrence")
        for split in ("train", "external")
    ]
    os, rfs = (both[both["task"] == task].reset_index(drop=True) for task in ("os", "rfs"))
    cause = first_event(rfs["time_days"], rfs["event"], os["time_days"], os["event"])
    train = (rfs["split"] == "train").to_numpy()
    high = (rfs["risk"] > rfs.loc[train, "risk"].median()).to_numpy()
    for axes, of in zip(panels[::2], (1, 2), strict=True):
        lines = [line for line in axes.lines if line.get_drawstyle() == "steps-post"]
        for line, group in zip(lines, (train & ~high, train & high), strict=True):
            days = rfs.loc[group, "time_days"].to_numpy()
            untied = days + 1e-4 * np.argsort(np.argsort(days, kind="stable"))
            fitter = AalenJohansenFitter(calculate_variance=False).fit(untied, cause[group], of)
            curve = fitter.cumulative_density_
            at = np.asarray(line.get_xdata()) * DAYS_PER_YEAR + 0.1
            place = np.searchsorted(curve.index.to_numpy(), at, side="right") - 1
            expected = curve.iloc[place, 0].to_numpy()
            assert line.get_ydata() == pytest.approx(expected, abs=0.01), "ties were broken"


def test_the_test_and_the_ratio_stand_in_each_panel_and_the_rest_in_the_caption(both):
    figure = cumulative_incidence(both)
    for axes in figure.axes[::2]:
        (text,) = [text.get_text() for text in axes.texts]
        assert text.startswith("Gray p")
        assert "HR" in text
    caption = caption_of(figure)
    assert "Recurrence, train: n = 60" in caption
    assert "Rows left out" not in caption


def test_patients_without_a_known_first_event_are_counted_in_the_caption(both):
    both.loc[(both["task"] == "os") & (both["patient_id"] == "P3"), "time_days"] = np.nan
    assert "OS is unknown or contradicts RFS: 1" in caption_of(cumulative_incidence(both))


def test_repeated_patients_bring_no_bands_and_a_missing_task_a_note(both):
    twice = pd.concat([both, both.assign(fold=1)])
    figure = cumulative_incidence(twice)
    assert not figure.axes[0].collections
    assert "left out" in caption_of(figure)
    (text,) = cumulative_incidence(both[both["task"] == "rfs"]).axes[0].texts
    assert text.get_text().startswith("no task os among the predictions")
