import os
import signal
from dataclasses import dataclass
from functools import partial

import pytest
from test_prepare_store import SMALL, prepare, write_cohort

from mtl_hcc.store import workers as preparation_workers
from mtl_hcc.store.workers import bounded_workers, patient_bytes, run_all


@dataclass
class Done:
    patient_id: str
    reason: str = ""


def finish(name):
    return Done(name)


def die(name):
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_worker_takes_no_other_patient_along(capsys):
    jobs = {name: partial(die if name == "B" else finish, name) for name in "ABC"}
    results = {done.patient_id: done.reason for done in run_all(jobs, 2, Done)}
    assert sorted(results) == ["A", "B", "C"]
    assert (results["A"], results["C"]) == ("", "")
    assert "patient B: the process that prepared it was killed by the system" in results["B"]
    assert "A worker process was killed" in capsys.readouterr().out


@pytest.fixture
def cohort(tmp_path):
    return write_cohort(tmp_path / "cohort", ["001", "002", "C3"])


def test_workers_are_as_many_as_memory_carries(cohort, monkeypatch, capsys):
    each = patient_bytes(cohort.patients["001"], SMALL)
    voxels = 20 * 24 * 24
    assert each == pytest.approx(400e6 + 2 * (2 * 2 + 2) * voxels + 12 * voxels)
    for free, expected in ((100e9, 3), (2.3 * each / 0.9, 2), (1e6, 1)):
        monkeypatch.setattr(preparation_workers, "available_bytes", lambda free=free: int(free))
        assert bounded_workers(cohort, SMALL, 8) == expected
    lines = capsys.readouterr().out.splitlines()
    assert lines == [
        "Preparing with 2 of 3 workers: a patient takes up to 0.4 GB, and 1.0 GB of memory are "
        "free.",
        "Preparing with 1 of 3 workers: a patient takes up to 0.4 GB, and 0.0 GB of memory are "
        "free.",
    ]
    assert bounded_workers(cohort, SMALL, None) is None
    assert bounded_workers(cohort, SMALL, 1) == 1


def test_a_header_that_announces_anything_does_not_lower_the_number(cohort, tmp_path):
    before = patient_bytes(cohort.patients["001"], SMALL)
    path = cohort.patients["001"].images["arterial"]
    path.write_bytes(b"nothing")
    assert patient_bytes(cohort.patients["001"], SMALL) < before
    path.unlink()
    assert len(prepare(cohort, tmp_path / "store", workers=2)) == 2
