import pytest
import torch
from one_view import view_batch

from mtl_hcc.data.augmentation import Augmentation
from mtl_hcc.data.draws import TrainingBatch

OFF = {"rotate": False, "time_jitter_days": 0.0, "phase_dropout": 0.0, "seed": 3}


def batch(rows, *, epoch=0, round_=0) -> TrainingBatch:
    """Return patients whose voxels depend on their row only."""
    volumes = torch.stack([torch.rand(3, 8, 8, 8, generator=_seeded(row)) for row in rows])
    return TrainingBatch(
        patient_id=[f"P{row}" for row in rows],
        center=["I"] * len(rows),
        split=["train"] * len(rows),
        index=torch.tensor(rows),
        views={"tumor": view_batch(volumes, (volumes * 15).to(torch.uint8))},
        covariates=None,
        targets={"os_days": torch.tensor([100.0 + row for row in rows])},
        draw=torch.tensor([[epoch, round_]] * len(rows)),
    )


def _first_phase_everywhere(tensor):
    return tensor[:, :1].expand(1, 3, 8, 8, 8).contiguous() if tensor.ndim == 5 else tensor


def _seeded(row):
    return torch.Generator().manual_seed(row)


def test_everything_off_gives_the_batch_as_it_is():
    result = Augmentation(**OFF)(batch([0, 1]))
    assert not isinstance(result, TrainingBatch)
    assert torch.equal(result.views["tumor"].images, batch([0, 1]).views["tumor"].images)
    assert torch.equal(result.targets["os_days"], torch.tensor([100.0, 101.0]))


@pytest.mark.parametrize(
    "part", [{"rotate": True}, {"time_jitter_days": 3.0}, {"phase_dropout": 0.7}]
)
def test_a_patient_is_augmented_alike_in_any_batch_and_otherwise_in_another_round(part):
    augment = Augmentation(**{**OFF, **part})
    together = augment(batch([5, 6, 7, 8, 9, 10]))
    apart = augment(batch([9, 5]))
    later = augment(batch([5, 6, 7, 8, 9, 10], round_=1))

    def of(result, place):
        seen = result.views["tumor"]
        return seen.images[place], seen.phase_present[place], result.targets["os_days"][place]

    torch.testing.assert_close(of(together, 4), of(apart, 0))
    torch.testing.assert_close(of(together, 0), of(apart, 1))
    same = torch.equal(together.views["tumor"].images, later.views["tumor"].images)
    assert not (same and torch.equal(together.targets["os_days"], later.targets["os_days"]))


def test_all_phases_and_regions_of_a_patient_turn_together():
    turned = Augmentation(**{**OFF, "rotate": True})
    one = batch([2])
    one.views["tumor"] = one.views["tumor"].map(_first_phase_everywhere)
    result = turned(one).views["tumor"]
    assert torch.equal(result.images[:, 0], result.images[:, 2])
    assert torch.equal(result.regions[:, 0], result.regions[:, 2])
