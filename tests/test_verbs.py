"""The verbs as a user types them, each in a process of its own."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from tiny_runs import BRIEF, PHANTOM, QUIET, ct_flags

from mtl_hcc.__main__ import VERBS

pytestmark = pytest.mark.xdist_group("phantom run")

FIT_SCRIPT = """
import sys
from mtl_hcc.fit import main
code = main(sys.argv[2:])
open(sys.argv[1], "w").write("\\n".join(sys.modules))
sys.exit(code)
"""


def run_python(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[1])}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=cwd, env=environment
    )


def test_python_m_mtl_hcc_lists_the_verbs_and_how_to_begin():
    done = run_python("-m", "mtl_hcc")
    assert done.returncode == 0
    for verb in VERBS:
        assert f"python -m mtl_hcc.{verb} " in done.stdout
    assert "python -m mtl_hcc.fit --config configs/ct_mtl.yaml" in done.stdout


def test_a_verb_written_with_a_space_is_pointed_to_its_command():
    done = run_python("-m", "mtl_hcc", "fit")
    assert done.returncode == 2
    assert "write python -m mtl_hcc.<verb>" in done.stdout


@pytest.mark.parametrize("verb", VERBS)
def test_each_verb_explains_itself_with_an_example(verb, capsys):
    main = importlib.import_module(f"mtl_hcc.{verb}").main
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    text = capsys.readouterr().out
    assert f"usage: python -m mtl_hcc.{verb}" in text
    explanation = " ".join(text.split("\n\n", 1)[1].split())
    assert f"python -m mtl_hcc.{verb} --" in explanation, "an example to copy"


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_without_what_it_needs_says_what_that_is(verb, capsys):
    main = importlib.import_module(f"mtl_hcc.{verb}").main
    try:
        code = main([])
    except SystemExit as ended:
        code = ended.code
    assert code == 2
    message = capsys.readouterr().err
    assert "required" in message
    assert "Traceback" not in message


def test_training_on_a_store_that_exists_never_loads_imaging_libraries(phantom_run, tmp_path):
    flags = [*ct_flags(phantom_run.run.parent), *BRIEF, *QUIET, "--run", str(tmp_path / "run")]
    script = tmp_path / "train.py"
    script.write_text(FIT_SCRIPT)
    modules = tmp_path / "modules.txt"
    done = run_python(script, modules, *flags, "--data.phantom.patients", PHANTOM, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    loaded = {name.partition(".")[0] for name in modules.read_text().splitlines()}
    assert "torch" in loaded
    # MONAI itself loads nibabel and pydicom where it finds them.
    assert not loaded & {"SimpleITK", "torchio", "highdicom"}
    # And the process of its own trains as the call in this one did.
    first, second = (
        pd.read_csv(run / "predictions.csv") for run in (phantom_run.run, tmp_path / "run")
    )
    pd.testing.assert_frame_equal(second, first, rtol=1e-4, atol=1e-6)
