import pandas as pd
import pytest

from mtl_hcc.figures.canvas import caption_of
from mtl_hcc.figures.nomogram import draw_nomogram, nomogram_mvi, nomogram_os
from mtl_hcc.tables.nomogram_points import Nomogram, NomogramAxis

SUN2022 = Nomogram(
    (
        NomogramAxis("AFP > 20 ng/mL", ("no", "yes"), (0.0, 1.53)),
        NomogramAxis("Network", ("absent", "present"), (0.0, 3.58)),
    ),
    intercept=-3.51,
    predicts="Probability of MVI",
)


def texts(figure):
    return {text.get_text(): text.get_position() for text in figure.axes[0].texts}


def test_each_axis_has_a_line_at_its_points():
    figure = draw_nomogram(SUN2022)
    figure.draw_without_rendering()
    placed = texts(figure)
    for name in ("Points", "AFP > 20 ng/mL", "Network", "Total points", "Probability of MVI"):
        assert name in placed
    assert placed["yes"][0] == pytest.approx(1.53 / 3.58)
    assert placed["0.5"][0] == pytest.approx(3.51 / 3.58 * 100 / 150)  # total points up to 150


def test_labels_of_crowded_marks_do_not_overlap():
    labels = tuple(f"level {place}" for place in range(4))
    figure = draw_nomogram(Nomogram((NomogramAxis("stage", labels, (0.0, 0.01, 0.02, 1.0)),), 0.0))
    figure.draw_without_rendering()
    boxes = [
        text.get_window_extent() for text in figure.axes[0].texts if "level" in text.get_text()
    ]
    pairs = [(a, b) for place, a in enumerate(boxes) for b in boxes[:place]]
    assert not any(a.overlaps(b) for a, b in pairs)


def test_what_cannot_be_fitted_says_why_in_the_panel():
    bare = pd.DataFrame({"patient_id": ["a"], "os_days": [3.0], "os_event": [1.0]})
    for draw in (nomogram_mvi, nomogram_os):
        figure = draw(bare)
        figure.draw_without_rendering()
        assert caption_of(figure).startswith("No nomogram of")
