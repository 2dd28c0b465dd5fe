from functools import partial

import numpy as np
import torch
from outcome_tables import outcome_table

from mtl_hcc.batch import PatientBatch
from mtl_hcc.data import dataset as dataset_module
from mtl_hcc.data.array_cache import ArrayCache
from mtl_hcc.data.dataset import PatientDataset
from mtl_hcc.data.draws import Draw, TrainingBatch
from mtl_hcc.imaging.grid import Grid
from mtl_hcc.imaging.prepared_patient import PreparedPatient, PreparedView
from mtl_hcc.regions import region_bits

TABLE = outcome_table(6)
SPLITS = TABLE["center"].map({"I": "train", "II": "validation", "VI": "external"})


collate = partial(dataset_module.collate, region_bits=region_bits())


class FakeStore:
    """A store whose voxels tell the patient and the phase."""

    def __init__(self):
        self.loads = []

    def load(self, patient_id):
        self.loads.append(patient_id)
        number = int(patient_id[1:])
        values = (number + np.arange(3)[:, None, None, None] / 4) * np.ones(
            (3, self.slices(number), 3, 4)
        )
        images = values.astype(np.float16)
        images.flags.writeable = False  # as a memory map
        view = PreparedView(
            phases=("arterial", "portal_venous", "delayed"),
            images=images,
            regions=np.full(images.shape, 5, np.uint8),
            phase_present=np.array([True, False, True]),
            geometry=Grid(
                origin=(0, 0, 0), spacing=(0.8, 0.7, 5.0), size=(4, 3, self.slices(number))
            ),
        )
        return PreparedPatient(patient_id, {"tumor": view})

    def slices(self, number):
        return 2


def dataset(**changes):
    settings = {
        "table": TABLE,
        "patient_ids": ["P004", "P001"],
        "splits": SPLITS,
        "target_names": ["os_days", "rfs_event", "mvi"],
        "store": FakeStore(),
    }
    return PatientDataset(**{**settings, **changes})


def test_a_batch_holds_the_patients_of_the_table_in_the_order_asked_for():
    covariates = np.arange(12, dtype=np.float32).reshape(6, 2)
    patients = dataset(covariates=covariates)
    batch = collate([patients[0], patients[1]])
    assert type(batch) is PatientBatch
    assert batch.patient_id == ["P004", "P001"]
    assert batch.center == TABLE["center"][["P004", "P001"]].tolist()
    assert batch.split == SPLITS[["P004", "P001"]].tolist()
    assert batch.index.tolist() == [4, 1]
    view = batch.views["tumor"]
    assert view.images.shape == view.regions.shape == (2, 3, 2, 3, 4)
    assert view.images[:, :, 0, 0, 0].tolist() == [[4, 4.25, 4.5], [1, 1.25, 1.5]]
    assert view.images.dtype == torch.float16
    assert view.regions.dtype == torch.uint8
    assert view.phase_present.tolist() == [[True, False, True]] * 2
    assert view.slice_present.tolist() == [[True, True]] * 2
    torch.testing.assert_close(view.spacing_mm, torch.tensor([[0.8, 0.7, 5.0]] * 2))
    assert view.region_bits == region_bits()
    assert batch.covariates.tolist() == [[8, 9], [2, 3]]
    for name, values in batch.targets.items():
        expected = TABLE.loc[["P004", "P001"], name].to_numpy(np.float32)
        np.testing.assert_array_equal(values.numpy(), expected)


def test_a_training_visit_carries_its_epoch_and_round():
    patients = dataset()
    batch = collate([patients[Draw(1, 7, 2)], patients[Draw(0, 7, 2)]])
    assert isinstance(batch, TrainingBatch)
    assert batch.patient_id == ["P001", "P004"]
    assert batch.draw.tolist() == [[7, 2], [7, 2]]


def test_without_a_store_there_are_no_images():
    batch = collate([dataset(store=None)[0]])
    assert batch.views == {}
    assert batch.covariates is None


def test_shorter_stacks_of_slices_are_padded_with_zeros_that_are_marked(monkeypatch):
    monkeypatch.setattr(FakeStore, "slices", lambda self, number: number)
    patients = dataset()
    view = collate([patients[0], patients[1]]).views["tumor"]
    assert view.images.shape == view.regions.shape == (2, 3, 4, 3, 4)
    assert view.slice_present.tolist() == [[True] * 4, [True, False, False, False]]
    assert (view.images[1, :, 1:] == 0).all()
    assert (view.regions[1, :, 1:] == 0).all()
    assert (view.images[1, 0, 0] == 1).all()


def test_a_column_that_the_table_lacks_is_missing_for_everybody():
    batch = collate([dataset(target_names=["mvi_grade"])[0]])
    assert batch.targets["mvi_grade"].isnan().all()


def test_the_cache_reads_each_patient_once_and_batches_do_not_share_its_memory():
    patients = dataset(cache=ArrayCache())
    first = collate([patients[0], patients[1]])
    first.views["tumor"].images.zero_()
    second = collate([patients[0], patients[1]])
    assert patients.store.loads == ["P004", "P001"]
    assert second.views["tumor"].images[0, 0, 0, 0, 0] == 4


def test_a_full_cache_reads_the_others_from_the_store_with_the_same_result():
    patients = ["P004", "P001", "P002"]
    one = 3 * 2 * 3 * 4 * 3 + 3  # bytes of a patient: float16 and uint8 voxels, three flags
    none, some, every = (
        dataset(patient_ids=patients, cache=cache)
        for cache in (None, ArrayCache(2.5 * one), ArrayCache(100 * one))
    )
    for _ in range(3):
        for position in range(3):
            expected = none[position].views["tumor"]
            for sample in (some[position], every[position]):
                other = sample.views["tumor"]
                assert torch.equal(other.images, expected.images)
                assert torch.equal(other.regions, expected.regions)
                assert torch.equal(other.phase_present, expected.phase_present)
    assert every.store.loads == patients
    assert some.store.loads == [*patients, "P002", "P002"]


def test_datasets_share_one_cache_and_its_bound():
    cache = ArrayCache(1000)
    first, second = (dataset(patient_ids=["P004", "P001"], cache=cache) for _ in range(2))
    assert torch.equal(first[0].views["tumor"].images, second[0].views["tumor"].images)
    assert (first.store.loads, second.store.loads) == (["P004"], [])
    assert cache.used_bytes == 219


def test_a_cache_takes_half_of_what_is_free(monkeypatch):
    monkeypatch.setattr("mtl_hcc.data.array_cache.available_bytes", lambda: 4000)
    assert ArrayCache().most_bytes == 2000
    monkeypatch.setattr("mtl_hcc.data.array_cache.available_bytes", lambda: None)
    assert ArrayCache().most_bytes == float("inf")
