"""The overlay shows each place where it lies, and says what is predicted."""

import numpy as np
import pytest

from mtl_hcc.figures.canvas import caption_of
from mtl_hcc.figures.overlay import LETTERS, middle, overlay

SHAPE = (2, 20, 24, 28)  # phase, depth, height, width
TUMOR = (slice(None), slice(8, 13), slice(9, 15), slice(10, 19))


def volumes():
    images = np.full(SHAPE, 0.4, np.float16)
    heat = np.zeros(SHAPE, np.float32)
    tumor = np.zeros(SHAPE, bool)
    tumor[TUMOR] = True
    return images, heat, tumor


def drawn(heat, **changes):
    images, _, tumor = volumes()
    arguments = {
        "phases": ["arterial", "portal_venous"],
        "spacing_mm": (4.0, 2.0, 2.0),
        "title": "Patient P1",
        "quantity": "Grad-CAM (denseblock1)",
        "survival": {"os": {365: 0.9, 1095: 0.6}, "rfs": {365: 0.7, 1095: 0.3}},
        "facts": ["OS log hazard +0.50"],
    }
    return overlay(images, heat, tumor, **arguments | changes)


def panels(figure):
    """Return the slices' axes by plane and phase."""
    with_images = [axes for axes in figure.axes if len(axes.images) == 2]
    planes = ("axial", "coronal", "sagittal")
    return {
        (plane, phase): with_images[2 * row + phase]
        for row, plane in enumerate(planes)
        for phase in range(2)
    }


@pytest.mark.parametrize(
    ("voxel", "seen"),
    [
        ((10, 0, 14), {"axial": "A"}),  # anterior of the middle
        ((10, 23, 14), {"axial": "P"}),
        ((10, 11, 27), {"axial": "L", "coronal": "L"}),  # the patient's left is on the right
        ((10, 11, 0), {"axial": "R", "coronal": "R"}),
        ((19, 11, 14), {"coronal": "S", "sagittal": "S"}),
        ((0, 11, 14), {"coronal": "I", "sagittal": "I"}),
    ],
)
def test_a_hot_place_is_drawn_at_the_edge_with_its_letter(voxel, seen):
    _, heat, _ = volumes()
    heat[(1, *voxel)] = 3.0
    shown = panels(drawn(heat))
    sides = {"axial": {}, "coronal": {}, "sagittal": {}}
    for plane, letters in LETTERS.items():
        left, right, top, bottom = letters
        sides[plane] = {left: (1, 0), right: (1, -1), top: (0, 0), bottom: (0, -1)}
    for plane, letter in seen.items():
        opacity = shown[plane, 1].images[1].get_array()[..., 3]
        axis, edge = sides[plane][letter]
        assert opacity.max() > 0.5
        assert np.take(opacity, edge, axis=axis).max() == opacity.max()
        texts = {text.get_text(): text.get_position() for text in shown[plane, 1].texts}
        across, up = texts[letter]
        assert (across, 1 - up)[1 - axis] == pytest.approx(0.02 if edge == 0 else 0.98)
        assert shown[plane, 0].images[1].get_array()[..., 3].max() == 0, "of the other phase"


def test_voxels_keep_their_shape_in_millimeters():
    shown = panels(drawn(volumes()[1]))
    assert shown["axial", 0].get_aspect() == 1
    assert shown["coronal", 0].get_aspect() == shown["sagittal", 0].get_aspect() == 2
    (bar,) = shown["axial", 0].lines
    assert np.ptp(bar.get_xdata()) * 2.0 == pytest.approx(20)


def test_the_tumor_is_outlined_in_every_panel():
    shown = panels(drawn(volumes()[1]))
    for axes in shown.values():
        assert len(axes.collections) == 1
    edge = shown["axial", 0].collections[0].get_paths()[0].vertices
    assert edge[:, 0].min() == pytest.approx(9.5)
    assert edge[:, 0].max() == pytest.approx(18.5)


def test_the_middle_is_a_voxel_of_the_tumor():
    assert middle(volumes()[2]) in [(10, 11, 14), (10, 12, 14)]
    shell = volumes()[2]
    shell[:, 9:12, 10:14, 11:18] = False
    assert shell[(0, *middle(shell))]
    assert middle(np.zeros(SHAPE, bool)) == (10, 12, 14)


def test_the_predicted_curves_begin_at_one_and_pass_the_horizons():
    figure = drawn(volumes()[1])
    (axes,) = [axes for axes in figure.axes if axes.get_title() == "Predicted survival"]
    curves = {line.get_label(): line for line in axes.lines}
    np.testing.assert_allclose(curves["OS"].get_xdata(), np.array([0, 365, 1095]) / 365.25)
    np.testing.assert_allclose(curves["OS"].get_ydata(), [1, 0.9, 0.6])
    np.testing.assert_allclose(curves["RFS"].get_ydata(), [1, 0.7, 0.3])
    assert "OS log hazard +0.50" in [
        t.get_text().split("\n")[0] for a in figure.axes for t in a.texts
    ]
    assert "one scale for all phases" in caption_of(figure)


def test_without_a_baseline_hazard_the_panel_says_so():
    figure = drawn(volumes()[1], survival={"os": {365: float("nan")}})
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert any("no survival curves" in text for text in texts)
    assert any("zero everywhere" in text for text in texts), "so is an empty map"


def test_eight_phases_and_a_phase_without_tumor_can_be_drawn(tmp_path):
    images, heat, tumor = (np.repeat(array, 4, axis=0) for array in volumes())
    tumor[3] = False
    phases = [f"phase_{n}" for n in range(8)]
    figure = overlay(
        images, heat, tumor, phases=phases, spacing_mm=(4.0, 2.0, 2.0), title="P", quantity="q",
        survival={},
    )  # fmt: skip
    assert figure.get_size_inches()[0] > 12
    figure.savefig(tmp_path / "wide.png")
