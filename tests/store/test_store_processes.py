"""Several processes and killed ones: a store ends as if one process had made it alone."""

import random
from pathlib import Path

import pytest
from filelock import FileLock
from store_processes import content, kill_at, make, start

from mtl_hcc.store.store_folder import LOCK, store_lock


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What a process that nobody disturbs makes."""
    store = tmp_path_factory.mktemp("whole") / "store"
    make(store)
    return content(store)


@pytest.mark.slow
def test_two_first_runs_make_the_phantom_once_and_end_alike(whole, tmp_path):
    store = tmp_path / "store"
    both = [start(store) for _ in range(2)]
    said = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], "\n".join(said)
    waiting = f"Another process is making or renewing {store}: waiting until it is done"
    assert sum(text.count("making a phantom in") for text in said) == 1
    assert sum(text.count("Prepared 5 patients, kept 0") for text in said) == 1
    assert sum(text.count(waiting) for text in said) <= 1, "said once, if the second came in time"
    assert content(store) == whole


@pytest.mark.slow
def test_a_second_process_waits_says_why_once_and_uses_what_is_there(tmp_path):
    store = tmp_path / "store"
    with store_lock(store):
        process = start(store)
        assert "Another process is making or renewing" in process.stdout.readline()
        make_inside = process.poll()
    rest = process.communicate()[0]
    assert make_inside is None
    assert process.returncode == 0
    assert "Another process" not in rest


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_after_kills_at_random_a_store_is_that_of_an_undisturbed_process(whole, tmp_path, seed):
    store, draw = tmp_path / "store", random.Random(seed)
    last = len(whole["files"])
    assert kill_at(store, files=draw.randrange(1, last // 2))  # phantom
    assert kill_at(store, files=draw.randrange(last // 2, last - 1))  # phantom, store or splits
    make(store)
    assert content(store) == whole


def test_a_lock_is_free_for_the_next_one(tmp_path, capsys):
    for _ in range(2):
        with store_lock(tmp_path / "store"):
            assert (tmp_path / "store" / LOCK).is_file()
    assert capsys.readouterr().out == ""


def test_a_file_system_without_locks_is_said_and_used(tmp_path, capsys, monkeypatch):
    def unknown(self, *arguments, **options):
        raise OSError(38, "Function not implemented")

    monkeypatch.setattr(FileLock, "acquire", unknown)
    with store_lock(tmp_path / "store"):
        pass
    assert "knows no locks: start one process at a time" in capsys.readouterr().out


def test_a_store_below_a_file_is_an_error_of_the_system(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(NotADirectoryError), store_lock(Path(tmp_path / "file" / "store")):
        pass
