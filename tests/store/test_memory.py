import pytest

from mtl_hcc.store.memory import available_bytes


@pytest.fixture
def system(tmp_path):
    """Return a machine with 8 GB free."""
    (tmp_path / "meminfo").write_text("MemTotal: 16000000 kB\nMemAvailable:    8000000 kB\n")
    return tmp_path


def test_it_is_what_the_machine_has_left(system):
    assert available_bytes(system / "meminfo", system) == 8_192_000_000
    assert available_bytes(system / "absent", system) is None
    assert available_bytes() is None or available_bytes() > 1e6


@pytest.mark.parametrize(
    ("limit", "used"),
    [
        ("memory.max", "memory.current"),
        ("memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes"),
    ],
)
def test_a_container_has_a_limit_of_its_own(system, limit, used):
    (system / "memory").mkdir()
    (system / used).write_text("1000000000\n")
    (system / limit).write_text("max\n")
    assert available_bytes(system / "meminfo", system) == 8_192_000_000
    (system / limit).write_text("3000000000\n")
    assert available_bytes(system / "meminfo", system) == 2_000_000_000
