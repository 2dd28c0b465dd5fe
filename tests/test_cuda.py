"""What must hold on a GPU: bfloat16 training ends as float32 on a CPU does, and turns are the same.

The same lines run on a CPU first, so that a machine without a GPU sees that they are sound.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny_training import IMAGE_SETTINGS, tiny_config, write_image_store

from mtl_hcc.data.augmentation.affine import resample
from mtl_hcc.data.augmentation.rotation_3d import draw_rotations
from mtl_hcc.data.datamodule import CohortDataModule
from mtl_hcc.runs.train_fold import TrainedFold, train_fold

CUDA = pytest.param(
    "cuda",
    marks=[
        pytest.mark.gpu,
        pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
    ],
)


# Dropout draws from the device's own generator, so it would differ between devices.
EXACT: dict[str, Any] = IMAGE_SETTINGS | {
    "model__clinical": {"class_path": "ClinicalEncoder", "init_args": {"hidden": 8, "dropout": 0}},
    "model__fusion": {"class_path": "FullyConnected", "init_args": {"widths": [8], "dropout": 0}},
    "data__augmentation": [{"class_path": "Rotation3D"}],
}


def trained_on(folder: Path, accelerator: str, precision: str) -> TrainedFold:
    """Train two epochs on turned images, from the same seed."""
    folder.mkdir()
    write_image_store(folder / "store")
    flags = ["--trainer.accelerator", accelerator, "--trainer.devices", "1"]
    flags += ["--trainer.precision", precision, "--trainer.max_epochs", "2"]
    parser, config = tiny_config(folder, *flags, **EXACT)
    with pytest.MonkeyPatch.context() as patched:  # the store is there, the images never were
        patched.setattr(CohortDataModule, "prepare_data", lambda self: None)
        trained = train_fold(parser, config, folder / "run", fold=0)
    assert trained is not None
    return trained


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> TrainedFold:
    return trained_on(tmp_path_factory.mktemp("cuda") / "cpu", "cpu", "32-true")


@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_training_in_bfloat16_predicts_as_in_float32_on_a_cpu(device, reference, tmp_path):
    trained = trained_on(tmp_path / device, device, "bf16-mixed")
    found, expected = trained.predictions, reference.predictions
    assert found["patient_id"].tolist() == expected["patient_id"].tolist()
    for column in ("risk", "probability"):
        values, wanted = found[column].dropna(), expected[column].dropna()
        assert np.isfinite(values).all()
        np.testing.assert_allclose(values, wanted, atol=0.05)
    assert {weight.dtype for weight in trained.module.parameters()} == {torch.float32}


@pytest.mark.parametrize("device", ["cpu", CUDA])
def test_a_rotation_on_any_device_is_that_on_a_cpu(device):
    images = torch.rand(3, 3, 14, 16, 18)
    regions = torch.randint(0, 16, images.shape, dtype=torch.uint8)
    matrices = draw_rotations([np.random.default_rng([7, row]) for row in range(3)])
    expected, expected_regions = resample(images, regions, matrices)
    with torch.autocast(device, dtype=torch.bfloat16):
        turned, turned_regions = resample(images.to(device), regions.to(device), matrices)
    assert turned.dtype is torch.float32
    torch.testing.assert_close(turned.cpu(), expected, atol=1e-4, rtol=0)
    # Nearest voxels: a point midway between two may fall to either side.
    assert (turned_regions.cpu() != expected_regions).float().mean() < 1e-3
