import subprocess
import sys
from itertools import chain
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import torch
from one_view import one_view
from outcome_tables import outcome_table
from pytorch_lightning import LightningModule, Trainer

from mtl_hcc.batch import PatientBatch
from mtl_hcc.data.augmentation import Rotation3D, TimeJitter
from mtl_hcc.data.datamodule import CohortDataModule
from mtl_hcc.data.draws import TrainingBatch
from mtl_hcc.data.network_covariates import covariate_names, encode_covariates
from mtl_hcc.data.resources import Loading, Preparing
from mtl_hcc.data.splits import KFold, RandomSplit, SplitByColumn
from mtl_hcc.errors import ConfigError, SplitError, StoreError
from mtl_hcc.store import prepared_store as store_module

PREPARATION = one_view(spacing_mm=4.0, field_of_view_mm=64.0, plausibility="remark")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return str(tmp_path_factory.mktemp("store"))


def with_images(cohort_folder, store, **changes):
    settings = {
        "cohort": str(cohort_folder),
        "store": store,
        "preparation": PREPARATION,
        "preparing": Preparing(workers=1),
        "augmentation": [Rotation3D(), TimeJitter()],
        "split": SplitByColumn(),
        "endpoints": ["os", "rfs", "mvi"],
        "batch_size": 3,
        "rounds": 2,
    }
    return ready(CohortDataModule(**{**settings, **changes}))


def table_only(tmp_path, **changes):
    if not (tmp_path / "cohort.csv").exists():
        outcome_table(60).to_csv(tmp_path / "cohort.csv")
    settings = {
        "cohort": str(tmp_path / "cohort.csv"),
        "store": str(tmp_path / "store"),
        "split": RandomSplit(),
        "endpoints": ["os", "rfs", "mvi"],
        "covariates": {"afp_ng_ml": "log"},
        "augmentation": [TimeJitter()],
        "batch_size": 8,
    }
    return ready(CohortDataModule(**{**settings, **changes}))


def ready(datamodule):
    datamodule.prepare_data()
    datamodule.setup()
    return datamodule


def check_contract(batch, datamodule, *, images=True):
    assert isinstance(batch, PatientBatch)
    assert len(set(batch.patient_id)) == len(batch)
    assert datamodule.table.index[batch.index.numpy()].tolist() == batch.patient_id
    assert batch.split == datamodule.splits[batch.patient_id].tolist()
    assert batch.center == datamodule.table["center"][batch.patient_id].tolist()
    assert list(batch.targets) == ["os_days", "os_event", "rfs_days", "rfs_event", "mvi"]
    assert all(target.dtype == torch.float32 for target in batch.targets.values())
    if images:
        view = batch.views["tumor"]
        assert view.images.shape == view.regions.shape == (len(batch), 3, 16, 16, 16)
        assert view.regions.dtype == torch.uint8
        assert view.images.min() >= 0
        assert view.images.max() <= 1
        assert view.phase_present.dtype == torch.bool
        assert view.slice_present.all()
        assert (view.spacing_mm == 4).all()


def test_training_batches_follow_the_contract_and_visit_everybody_each_round(cohort_folder, store):
    datamodule = with_images(cohort_folder, store)
    visits = []
    for batch in datamodule.train_dataloader():
        check_contract(batch, datamodule)
        assert isinstance(batch, TrainingBatch)
        assert batch.targets["os_event"].sum() >= 1
        turned = datamodule.on_after_batch_transfer(batch, 0)
        check_contract(turned, datamodule)
        assert type(turned) is PatientBatch
        assert turned.views["tumor"].images.dtype == torch.float32
        visits += batch.patient_id
    assert sorted(visits) == sorted([*datamodule.table.index[:7]] * 2)


def test_augmentation_changes_images_and_times_but_no_event(cohort_folder, store):
    datamodule = with_images(cohort_folder, store)
    batch = next(iter(datamodule.train_dataloader()))
    before = datamodule.on_after_batch_transfer(batch.plain(), 0)
    after = datamodule.on_after_batch_transfer(batch, 0)
    assert not torch.equal(before.views["tumor"].images, after.views["tumor"].images)
    moved = after.targets["os_days"] - before.targets["os_days"]
    assert 0 < moved.abs().max() <= 3
    assert torch.equal(before.targets["os_event"], after.targets["os_event"])


def test_validation_and_prediction_are_as_prepared_and_in_order(cohort_folder, store):
    datamodule = with_images(cohort_folder, store)
    validation = [datamodule.on_after_batch_transfer(b, 0) for b in datamodule.val_dataloader()]
    assert list(chain(*(b.patient_id for b in validation))) == [*datamodule.table.index[7:10]]
    everybody = [datamodule.on_after_batch_transfer(b, 0) for b in datamodule.predict_dataloader()]
    assert list(chain(*(b.patient_id for b in everybody))) == [*datamodule.table.index]
    for batch in [*validation, *everybody]:
        check_contract(batch, datamodule)
        for name, images in zip(batch.patient_id, batch.views["tumor"].images, strict=True):
            prepared = datamodule._store.load(name).views["tumor"].images
            np.testing.assert_array_equal(images.numpy(), prepared.astype(np.float32))
    assert datamodule.phases == ("arterial", "portal_venous", "delayed")


def test_a_larger_stored_field_gives_evaluation_the_same_and_training_no_empty_corners(
    cohort_folder, store, tmp_path
):
    stored = one_view(
        spacing_mm=4.0, field_of_view_mm=40.0, stored_field_mm=72.0, keep="everything",
        plausibility="remark",
    )  # fmt: skip
    seen = one_view(spacing_mm=4.0, field_of_view_mm=40.0, keep="everything", plausibility="remark")
    larger, smaller = (
        with_images(cohort_folder, str(tmp_path / name), preparation=recipe)
        for name, recipe in (("larger", stored), ("smaller", seen))
    )
    for one, other in zip(larger.predict_dataloader(), smaller.predict_dataloader(), strict=True):
        assert one.views["tumor"].images.shape[2:] == (18, 18, 18)
        one, other = (larger.on_after_batch_transfer(batch, 0) for batch in (one, other))
        for name in ("images", "regions", "slice_present"):
            found = getattr(one.views["tumor"], name)
            assert torch.equal(found, getattr(other.views["tumor"], name)), name
    empty = [
        (module.on_after_batch_transfer(batch, 0).views["tumor"].regions == 0).float().mean()
        for module in (larger, smaller)
        for batch in [next(iter(module.train_dataloader()))]
    ]
    assert empty[1] > empty[0] + 0.05, "the field lies within the liver but for its corners"


def test_workers_give_the_same_batches(cohort_folder, store):
    alone = list(with_images(cohort_folder, store).train_dataloader())
    loaded = list(with_images(cohort_folder, store, loading=Loading(workers=1)).train_dataloader())
    for first, second in zip(alone, loaded, strict=True):
        assert first.patient_id == second.patient_id
        assert torch.equal(first.draw, second.draw)
        assert torch.equal(first.views["tumor"].images, second.views["tumor"].images)


def test_workers_check_each_file_in_their_first_epoch_only(
    cohort_folder, store, tmp_path, monkeypatch
):
    real, log = store_module.check_content, tmp_path / "checked"

    def logged(path, *arguments):
        with log.open("a") as file:
            file.write(f"{path.name}\n")
        real(path, *arguments)

    monkeypatch.setattr(store_module, "check_content", logged)
    monkeypatch.setattr(store_module, "_CHECKED", {})
    loader = with_images(cohort_folder, store, loading=Loading(workers=1)).train_dataloader()
    for epoch in range(3):
        loader.batch_sampler.set_epoch(epoch)
        assert list(loader)
    assert len(log.read_text().split()) == 7, "the patients in train"


def test_a_damaged_file_stops_training_with_its_name_and_is_made_again(cohort_folder, tmp_path):
    store = str(tmp_path / "store")
    path = with_images(cohort_folder, store)._store.path("P001")
    content = bytearray(path.read_bytes())
    content[-9] ^= 1
    path.write_bytes(content)
    with pytest.raises(StoreError, match=r"patient P001, .*P001.*Delete the file and run prepare"):
        list(with_images(cohort_folder, store).train_dataloader())
    path.unlink()
    assert list(with_images(cohort_folder, store).train_dataloader())


def test_a_table_alone_gives_covariates_and_targets(tmp_path):
    datamodule = table_only(tmp_path)
    for batch in chain(datamodule.train_dataloader(), datamodule.val_dataloader()):
        batch = datamodule.on_after_batch_transfer(batch, 0)
        check_contract(batch, datamodule, images=False)
        assert batch.views == {}
        expected = np.log10(datamodule.table.loc[batch.patient_id, "afp_ng_ml"] + 1)
        np.testing.assert_allclose(batch.covariates[:, 0].numpy(), expected, rtol=1e-6)
    assert datamodule.covariate_names == ["afp_ng_ml"]
    assert datamodule.train_covariates.shape == (36, 1)


MEASURED = {"tumor_volume_mm3": "log", "lesions": "linear", "portal_venous_tumor_mean": "linear"}


def test_measurements_stand_behind_the_columns_under_names_of_their_own(cohort_folder, store):
    columns = {"afp_ng_ml": "log"}
    measured = {"tumor_diameter_mm": "linear", **MEASURED}
    datamodule = with_images(cohort_folder, store, covariates=columns, measured=measured)
    names = ["afp_ng_ml", *(f"measured {name}" for name in measured)]
    assert datamodule.covariate_names == names == covariate_names(columns, measured)
    batches = list(datamodule.predict_dataloader())
    patients = list(chain(*(batch.patient_id for batch in batches)))
    values = torch.cat([batch.covariates for batch in batches]).numpy()
    quality = pd.read_csv(Path(store) / "quality.csv").set_index("patient_id").loc[patients]
    expected = {
        0: np.log10(datamodule.table.loc[patients, "afp_ng_ml"] + 1),
        1: quality["tumor_diameter_mm"],
        2: np.log10(quality["tumor_volume_mm3"] + 1),
        3: 1.0,
        4: quality["portal_venous_tumor_mean"],
    }
    for place, numbers in expected.items():
        np.testing.assert_allclose(values[:, place], numbers, rtol=1e-6)
    z, y, x = np.indices((24, 24, 24)) - 11.5
    voxels = np.count_nonzero(np.sqrt((x - 2) ** 2 + y**2 + z**2) < 4)
    np.testing.assert_allclose(10 ** values[:, 2] - 1, voxels * 4**3, rtol=1e-5)
    np.testing.assert_allclose(values[:, 4], 60 + 40 * 2, atol=8)  # blurred at its rim
    assert datamodule.train_covariates.shape == (7, 5)


@pytest.mark.parametrize(
    ("measured", "message"),
    [
        (
            {"tumour_volume": "log"},
            r"no measurement tumour_volume.*some of .*tumor_volume_mm3.*Correct data\.measured",
        ),
        ({"missing_phases": "linear", "arterial_spacing_mm": "linear"}, "arterial_spacing_mm"),
        ({"sha256": "linear"}, "no measurement sha256"),
    ],
)
def test_what_was_not_measured_is_refused_with_what_was(cohort_folder, store, measured, message):
    with pytest.raises(StoreError, match=message) as refused:
        with_images(cohort_folder, store, measured=measured)
    assert not {"fingerprint", "slices_of"} & set(str(refused.value).split(", "))


def test_measurements_need_images(tmp_path):
    with pytest.raises(ConfigError, match=r"lesions would be measured in images, and no images"):
        table_only(tmp_path, measured={"lesions": "linear"})


def test_a_measurement_that_a_patient_or_everybody_lacks_is_missing():
    table = pd.DataFrame({"age_years": [50.0, 60.0]}, index=["a", "b"])
    quality = pd.DataFrame(
        {"missing_phases": ["delayed", "arterial delayed"], "arterial_tumor_mean": [80.0, np.nan]},
        index=["b", "a"],
    )
    measured = {"arterial_tumor_mean": "linear", "delayed_tumor_mean": "linear"}
    values, _ = encode_covariates(table, {"age_years": "linear"}, quality, measured)
    np.testing.assert_array_equal(values, [[50, np.nan, np.nan], [60, 80, np.nan]])
    with pytest.raises(StoreError, match="no measurement portal_venous_tumor_mean"):
        encode_covariates(table, {}, quality, {"portal_venous_tumor_mean": "linear"})


def test_each_fold_tests_other_patients_and_every_design_gets_the_same_folds(tmp_path):
    folds = [table_only(tmp_path, split=KFold(folds=3), fold=fold) for fold in range(3)]
    tested = [set(one.splits.index[one.splits == "test"]) for one in folds]
    assert set.union(*tested) == set(folds[0].table.index)
    assert sum(map(len, tested)) == 60
    other = table_only(tmp_path, split=KFold(folds=3), fold=1, endpoints=["mvi"], covariates={})
    assert other.splits.equals(folds[1].splits)


def test_an_unknown_fold_is_named(tmp_path):
    with pytest.raises(SplitError, match=r"data\.fold: no fold 3\. Expected one of 0, 1, 2"):
        table_only(tmp_path, split=KFold(folds=3), fold=3)


def test_a_batch_larger_than_the_training_split_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="batch of 50 patients, but only 36"):
        table_only(tmp_path, batch_size=50).train_dataloader()


def test_a_split_without_events_is_refused_in_training_but_predicted(tmp_path):
    outcome_table(60).assign(rfs_event=0.0, rfs_days=5.0).to_csv(tmp_path / "cohort.csv")
    with pytest.raises(SplitError, match="no event of rfs"):
        table_only(tmp_path)
    datamodule = CohortDataModule(
        store=str(tmp_path / "store"),
        cohort=str(tmp_path / "cohort.csv"),
        split=RandomSplit(),
        endpoints=["rfs"],
    )
    datamodule.setup("predict")
    assert sum(len(batch) for batch in datamodule.predict_dataloader()) == 60


@pytest.mark.slow
def test_a_fresh_store_is_trained_on_without_simpleitk_and_torchio(cohort_folder, store):
    with_images(cohort_folder, store)
    code = (
        "import sys\n"
        "from mtl_hcc.data.datamodule import CohortDataModule\n"
        "from mtl_hcc.data.augmentation import BiasField, Rotation3D, TimeJitter\n"
        "from mtl_hcc.data.splits import SplitByColumn\n"
        "sys.path.insert(0, sys.argv[3])\n"
        "from one_view import one_view\n"
        "module = CohortDataModule(store=sys.argv[2], cohort=sys.argv[1], endpoints=['os'],\n"
        "    split=SplitByColumn(), batch_size=3,\n"
        "    augmentation=[Rotation3D(), BiasField(), TimeJitter()],\n"
        "    preparation=one_view(spacing_mm=4.0, field_of_view_mm=64.0,\n"
        "        plausibility='remark'))\n"
        "module.prepare_data(); module.setup()\n"
        "module.on_after_batch_transfer(next(iter(module.train_dataloader())), 0)\n"
        "sys.exit(', '.join({'SimpleITK', 'torchio', 'monai'} & set(sys.modules)) or 0)\n"
    )
    tests = str(Path(__file__).parents[1])
    command = [sys.executable, "-c", code, str(cohort_folder), store, tests]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class Recorder(LightningModule):
    """Writes down which patients come in which epoch, and how they were turned."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(()))
        self.seen = []

    def training_step(self, batch, batch_index):
        assert type(batch) is PatientBatch
        days = [round(float(value), 4) for value in batch.targets["os_days"]]
        self.seen.append((self.current_epoch, tuple(batch.patient_id), tuple(days)))
        return self.weight * 0

    def validation_step(self, batch, batch_index):
        assert set(batch.split) == {"validation"}

    def predict_step(self, batch, batch_index):
        return batch.patient_id

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), lr=0.1)


def trainer(folder, epochs):
    return Trainer(
        max_epochs=epochs,
        accelerator="cpu",
        logger=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        default_root_dir=folder,
        use_distributed_sampler=False,
        log_every_n_steps=1,
    )


@pytest.mark.filterwarnings("ignore")
def test_epochs_differ_and_a_resumed_run_sees_what_an_uninterrupted_one_sees(tmp_path):
    whole, first, rest = Recorder(), Recorder(), Recorder()
    trainer(tmp_path, 4).fit(whole, table_only(tmp_path))
    early = trainer(tmp_path, 2)
    early.fit(first, table_only(tmp_path))
    early.save_checkpoint(tmp_path / "early.ckpt")
    trainer(tmp_path, 4).fit(
        rest, table_only(tmp_path), ckpt_path=tmp_path / "early.ckpt", weights_only=True
    )
    assert [epoch for epoch, *_ in whole.seen] == list(np.repeat(range(4), 3 * 5))
    assert first.seen + rest.seen == whole.seen
    epochs = {epoch: [seen[1:] for seen in whole.seen if seen[0] == epoch] for epoch in range(4)}
    assert all(epochs[0] != epochs[later] for later in range(1, 4))


def test_one_process_gets_everybody_also_where_ranks_share_the_patients(tmp_path):
    datamodule = table_only(tmp_path)
    connector = SimpleNamespace(use_distributed_sampler=False)
    datamodule.trainer = SimpleNamespace(
        predicting=True, world_size=2, global_rank=1, _accelerator_connector=connector
    )
    share = list(chain(*(batch.patient_id for batch in datamodule.predict_dataloader())))
    assert share == [*datamodule.table.index[30:]]
    everybody = list(chain(*(batch.patient_id for batch in datamodule.everybody())))
    assert everybody == [*datamodule.table.index]


@pytest.mark.filterwarnings("ignore")
def test_lightning_predicts_everybody_once(tmp_path):
    datamodule = table_only(tmp_path)
    predictions = trainer(tmp_path, 1).predict(Recorder(), datamodule)
    assert list(chain(*predictions)) == [*datamodule.table.index]
