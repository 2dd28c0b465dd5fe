"""Some of the prepared phases: which are read, in which order, and what is refused."""

import numpy as np
import pytest
import torch
from one_view import one_view

from mtl_hcc.data.datamodule import CohortDataModule
from mtl_hcc.data.phase_selection import chosen_phases
from mtl_hcc.data.resources import Preparing
from mtl_hcc.data.splits import SplitByColumn
from mtl_hcc.errors import ConfigError

PREPARED = ("arterial", "portal_venous", "delayed")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return str(tmp_path_factory.mktemp("store"))


def datamodule(cohort_folder, store, **changes) -> CohortDataModule:
    made = CohortDataModule(
        cohort=str(cohort_folder),
        store=store,
        preparation=one_view(spacing_mm=8.0, field_of_view_mm=64.0, plausibility="remark"),
        preparing=Preparing(workers=1),
        split=SplitByColumn(),
        endpoints=["os", "mvi"],
        batch_size=3,
        **changes,
    )
    made.prepare_data()
    made.setup()
    return made


@pytest.mark.parametrize("wanted", [["delayed", "arterial"], ["portal_venous"], [*PREPARED]])
def test_batches_hold_the_chosen_phases_in_the_order_of_the_store(cohort_folder, store, wanted):
    whole, some = datamodule(cohort_folder, store), datamodule(cohort_folder, store, phases=wanted)
    assert some.phases == tuple(phase for phase in PREPARED if phase in wanted)
    axis = [PREPARED.index(phase) for phase in some.phases]
    for all_phases, chosen in zip(
        whole.predict_dataloader(), some.predict_dataloader(), strict=True
    ):
        assert chosen.patient_id == all_phases.patient_id, "the patients stay the same"
        for name in ("images", "regions", "phase_present"):
            expected = getattr(all_phases.views["tumor"], name)[:, axis]
            found = getattr(chosen.views["tumor"], name)
            torch.testing.assert_close(found, expected, rtol=0, atol=0)


def test_the_same_store_serves_every_choice_of_phases(cohort_folder, store):
    whole = datamodule(cohort_folder, store)
    before = {path: path.stat().st_mtime_ns for path in whole.store_root.rglob("*.safetensors")}
    some = datamodule(cohort_folder, store, phases=["delayed"])
    assert {path: path.stat().st_mtime_ns for path in some.store_root.rglob("*.safetensors")} == (
        before
    )
    assert np.array_equal(whole.splits, some.splits)


@pytest.mark.parametrize(
    ("wanted", "prepared", "message"),
    [
        (["arteriel"], PREPARED, "data.phases: phase 'arteriel'. Expected some of the prepared"),
        (["delayed"], ("arterial",), "ones: arterial. Add it to a view of data.preparation.views"),
        ([], PREPARED, "data.phases: no phase. Expected one or more of arterial, portal_venous"),
        (["arterial"], (), "none, no images"),
    ],
)
def test_a_choice_that_cannot_be_is_refused(wanted, prepared, message):
    with pytest.raises(ConfigError) as caught:
        chosen_phases(wanted, prepared)
    assert message in str(caught.value)
