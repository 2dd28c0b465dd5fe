"""Temporary files: whole or not at all, and only those of processes that are gone are removed."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from mtl_hcc import atomic
from mtl_hcc.atomic import remove_leftovers, temporary_path, write_bytes


@pytest.fixture
def dead(tmp_path: Path) -> Path:
    """What a killed process left."""
    code = (
        "import os, sys\n"
        "from pathlib import Path\n"
        "from mtl_hcc.atomic import temporary_path\n"
        "temporary_path(Path(sys.argv[1])).write_text('half')\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "table.csv")], check=False)
    (left,) = tmp_path.iterdir()
    return left


def test_a_written_file_leaves_nothing_beside_it(tmp_path):
    write_bytes(tmp_path / "a" / "table.csv", b"whole")
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["table.csv"]


def test_what_a_killed_process_left_is_removed(dead):
    assert remove_leftovers(dead.parent) == 1
    assert not dead.exists()


def test_what_a_running_process_writes_stays(tmp_path):
    mine = temporary_path(tmp_path / "table.csv")
    mine.write_text("being written")
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as other:
        theirs = mine.with_name(mine.name.replace(str(os.getpid()), str(other.pid)))
        theirs.write_text("being written")
        folder = theirs.with_name(theirs.name.replace("table.csv", ".P1"))
        folder.mkdir()
        assert remove_leftovers(tmp_path) == 0
        other.kill()
    assert remove_leftovers(tmp_path) == 2
    assert list(tmp_path.iterdir()) == [mine]


def test_files_of_users_and_of_other_machines_stay(tmp_path, dead, monkeypatch):
    dead.unlink()
    (tmp_path / "notes.tmp").write_text("precious")
    monkeypatch.setattr(atomic, "_HOST", "other")
    theirs = temporary_path(tmp_path / "table.csv")
    theirs.write_text("being written over there")
    monkeypatch.undo()
    assert remove_leftovers(tmp_path) == 0
    old = time.time() - 2 * 24 * 3600
    os.utime(theirs, (old, old))
    assert remove_leftovers(tmp_path) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["notes.tmp"]
