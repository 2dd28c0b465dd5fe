"""The flow diagram says the numbers of its table."""

import pandas as pd

from mtl_hcc.figures.canvas import caption_of
from mtl_hcc.figures.cohort_flow import cohort_flow


def drawn(patients, quarantine):
    figure = cohort_flow(patients, quarantine)
    figure.draw_without_rendering()
    texts = [text.get_text() for text in figure.axes[0].texts]
    return figure, [text for text in texts if text]


def patients(number: int, folds: int = 1) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "patient_id": [f"P{place}" for place in range(number)],
            "center": "A",
            "split": "test" if folds > 1 else ["train", "external"] * (number // 2),
            "fold": [place % folds for place in range(number)],
            "os_days": 10.0,
            "os_event": 1.0,
        }
    )


def test_boxes_hold_screened_left_out_with_reasons_analyzed_and_splits():
    rows = [(f"X{place}", "prepare", f"reason {'abcdefgh'[place]}") for place in range(8)]
    quarantine = pd.DataFrame(rows, columns=["patient_id", "step", "reason"])
    figure, texts = drawn(patients(20), quarantine)
    assert texts[:2] == ["Screened", "n = 28"]
    assert "Left out: n = 8" in texts
    assert "2: other reasons (see the table)" in texts
    assert texts[texts.index("Analyzed") + 1] == "n = 20"
    for split in ("train", "external"):
        at = texts.index(split)
        assert texts[at + 1 : at + 4] == ["n = 10", "1 center: A", "OS events 10 of 10"]
    assert "28 screened, 8 left out, 20 analyzed" in caption_of(figure)


def test_boxes_lie_inside_the_figure_and_do_not_overlap():
    figure, _ = drawn(patients(20), None)
    boxes = [patch.get_bbox() for patch in figure.axes[0].patches if hasattr(patch, "get_boxstyle")]
    height = figure.axes[0].get_ylim()[1]
    assert all(box.y0 >= 0 and box.y1 <= height for box in boxes)
    assert all(
        not one.overlaps(other) for place, one in enumerate(boxes) for other in boxes[:place]
    )


def test_folds_are_said_and_unknown_screening_draws_no_box():
    _, texts = drawn(patients(20, folds=5), None)
    assert "in 5 folds" in texts
    assert "Screened" not in texts
