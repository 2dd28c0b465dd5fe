"""A model from somebody else: nothing in it runs, and it cannot say where we write."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from hostile_models import EVIL, HOSTILE_MODELS, PACKAGE, PROOF, SHIPPED, lay_out
from tiny_runs import call

from mtl_hcc import predict
from mtl_hcc.command_line.config import config_text
from mtl_hcc.command_line.plain_yaml import read_plain_yaml
from mtl_hcc.errors import ConfigError, MtlHccError
from mtl_hcc.runs.checkpoint import load_model
from mtl_hcc.runs.model_config import build_data, only_imports_of


@pytest.fixture
def importable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a working folder whose packages Python imports, as `python -m` has it."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == PACKAGE]:
        del sys.modules[name]
    return tmp_path


@pytest.mark.parametrize("name", list(HOSTILE_MODELS))
def test_a_hostile_model_runs_nothing_and_is_refused_with_a_reason(name: str, importable: Path):
    case = HOSTILE_MODELS[name]
    path = lay_out(case, importable)
    if case.message:
        with pytest.raises(MtlHccError) as caught:
            load_model(path)
        assert case.message in str(caught.value)
        assert caught.value.remedy
    else:
        load_model(path)
    assert not list(importable.rglob(PROOF)), "its code ran"


@pytest.mark.slow
def test_the_code_would_run_if_its_package_were_trusted(importable: Path):
    path = lay_out(HOSTILE_MODELS["code as a head"], importable)
    done = call(predict.main, "--checkpoint", path, "--cohort", "absent")
    assert done.code == 2
    assert f"it names {EVIL}, which is outside mtl_hcc" in done.err
    assert f"--trust {PACKAGE}" in done.err
    # In a process of its own: the parser would list the class for all later tests.
    command = [sys.executable, "-m", "mtl_hcc.predict", "--checkpoint", path, "--cohort", "absent"]
    root = str(Path(__file__).parents[1])
    ended = subprocess.run(
        [*map(str, command), "--trust", PACKAGE],
        env={**os.environ, "PYTHONPATH": root},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "absent: no such file or folder" in ended.stderr, "the model was loaded"
    assert (path / PROOF).exists()


def test_what_may_be_imported_is_as_before_after_a_model_was_opened():
    from jsonargparse._common import parsing_settings

    before = dict(parsing_settings)
    with pytest.raises(ZeroDivisionError), only_imports_of("mtl_hcc"):
        1 / 0  # noqa: B018
    assert parsing_settings == before


@pytest.mark.parametrize("name", ["*", "jsonargparse", "no name"])
def test_only_packages_can_be_trusted(name: str):
    with pytest.raises(ConfigError, match="--trust"):
        load_model(SHIPPED, trusted=[name])


def test_a_model_cannot_say_where_we_write(importable: Path):
    shutil.copytree(SHIPPED, importable / "model")
    path = importable / "model" / "config.yaml"
    config = yaml.safe_load(path.read_text())
    theirs = str(importable / "mine")
    config["data"]["store"] = config["run"] = theirs
    config["data"]["source"] = {"class_path": "DicomTree", "init_args": {"output": theirs}}
    path.write_text(yaml.safe_dump(config))
    _, values = load_model(importable / "model")
    data = build_data(values, store="store", cohort="cohort")
    assert data.source is not None
    assert getattr(data.source, "output", "") is None
    assert (str(data.store_root), data.cohort) == ("store", "cohort")
    # explain takes the run's own store only where there already is one.
    from mtl_hcc import explain

    done = call(explain.main, "--checkpoint", importable / "model", "--cohort", "absent")
    assert done.code == 2
    assert not Path(theirs).exists()


def test_a_config_that_uses_a_part_twice_can_be_read_again(tmp_path: Path):
    shared = [365, 730]
    path = tmp_path / "config.yaml"
    path.write_text(config_text({"os": shared, "rfs": shared}))
    values = read_plain_yaml(path, error=ConfigError, remedy="")
    assert values == {"os": [365, 730], "rfs": [365, 730]}


def test_the_class_of_a_flag_is_asked_for():
    done = call(predict.main, "--checkpoint", SHIPPED, "--source.columns", '{"os_days": "OS"}')
    assert done.code == 2
    assert "--source NiftiFolder --source.columns" in done.err
    assert "Traceback" not in done.err


def test_a_reader_is_named_for_another_hospitals_table(phantom_run, tmp_path: Path):
    shutil.copytree(phantom_run.run / "model", tmp_path / "model")
    path = tmp_path / "model" / "config.yaml"
    config = yaml.safe_load(path.read_text())
    columns = {"os_days": "OS (d)", "os_event": "Death"}
    config["data"]["source"] = {"class_path": "NiftiFolder", "init_args": {"columns": columns}}
    path.write_text(yaml.safe_dump(config))
    store = tmp_path / "store"  # another reader renews it, and other tests use that of the run
    shutil.copytree(phantom_run.store, store, ignore=shutil.ignore_patterns("phantom-*"))
    flags = [
        *("--checkpoint", tmp_path / "model", "--cohort", phantom_run.cohort),
        *("--store", store, "--output", tmp_path / "out.csv"),
    ]
    done = call(predict.main, *flags)
    assert done.code == 2
    assert "no column 'OS (d)'" in done.err
    assert "names of the model's own cohort" in done.err
    assert "--source NiftiFolder" in done.err
    done = call(predict.main, *flags, "--source", "NiftiFolder")
    assert done.code == 0, done.err
    done = call(predict.main, *flags, "--source", "NiftiFolder", "--source.missing_values", "[x]")
    assert done.code == 0, done.err
