import torch
from batches import generators, views_of
from one_view import view_batch

from mtl_hcc.batch import PatientBatch
from mtl_hcc.data.augmentation import PhaseDropout
from mtl_hcc.data.augmentation.phase_dropout import drop_phases


def dropped(probability, *views, phases=("arterial", "portal_venous", "delayed", "dwi")):
    """Return (patient, phase) bool for each view: what is gone of what was there."""
    shown = {}
    for number, (present, names) in enumerate(views):
        images = torch.rand(*present.shape, 2, 2, 2)
        regions = torch.full(images.shape, 5, dtype=torch.uint8)
        shown[f"view_{number}"] = (view_batch(images, regions, present), names or phases)
    patients = len(present)
    batch = PatientBatch(
        patient_id=[f"P{row}" for row in range(patients)],
        center=["I"] * patients,
        split=["train"] * patients,
        index=torch.arange(patients),
        views={name: seen for name, (seen, _) in shown.items()},
        covariates=None,
        targets={},
    )
    recipes = {name: views_of(list(names)) for name, (_, names) in shown.items()}
    result = PhaseDropout(probability=probability)(batch, generators(patients), recipes)
    return [
        before.phase_present & ~result.views[name].phase_present
        for name, before in batch.views.items()
    ]


def test_one_present_phase_is_dropped_at_the_given_rate_and_each_equally_often():
    present = torch.tensor([True, True, False, True]).expand(4000, 4)
    (gone,) = dropped(0.3, (present, None))
    assert gone.sum(1).max() == 1
    rates = gone.float().mean(0)
    torch.testing.assert_close(rates, torch.tensor([0.1, 0.1, 0.0, 0.1]), atol=0.02, rtol=0)


def test_the_last_phase_is_never_dropped():
    present = torch.tensor([[False, True], [True, True]]).repeat(200, 1)
    (gone,) = dropped(1.0, (present, ("arterial", "delayed")))
    assert (present & ~gone).any(1).all()
    assert (gone.sum(1) == torch.tensor([0, 1]).repeat(200)).all()


def test_all_views_of_a_patient_lose_the_same_phase_and_none_its_last():
    everything = torch.ones(400, 3, dtype=torch.bool)
    names = ("arterial", "portal_venous", "delayed")
    one, two, alone = dropped(
        1.0,
        (everything, names),
        (everything[:, :2], ("delayed", "arterial")),
        (everything[:, :1], ("portal_venous",)),
    )
    assert (one.sum(1) == 1).all()
    assert torch.equal(one[:, [2, 0]], two)
    assert not alone.any(), "its only phase"
    assert not one[:, 1].any(), "which another view needs"


def test_a_dropped_phase_is_zero_and_absent_and_the_others_are_untouched():
    images = torch.rand(2, 3, 2, 2, 2)
    gone = torch.tensor([[False, True, False], [False, False, False]])
    regions = torch.full(images.shape, 5, dtype=torch.uint8)
    left = drop_phases(view_batch(images, regions), gone)
    assert (left.images[0, 1] == 0).all()
    assert left.regions[:, :, 0, 0, 0].tolist() == [[5, 0, 5], [5, 5, 5]]
    assert torch.equal(left.images[0, [0, 2]], images[0, [0, 2]])
    assert torch.equal(left.images[1], images[1])
    assert left.phase_present.tolist() == [[True, False, True], [True, True, True]]
