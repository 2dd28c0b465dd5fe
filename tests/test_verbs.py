"""The verbs as a user types them: their list, their help, and what they miss."""

import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from mtl_hcc.__main__ import VERBS


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
