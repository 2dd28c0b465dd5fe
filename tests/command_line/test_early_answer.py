"""A misspelt setting is answered as the real parser would, but before torch is loaded."""

import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from tiny_training import tiny_config

from mtl_hcc.command_line.config import build_parser, read_config
from mtl_hcc.command_line.early_answer import check_names, parser_of_names
from mtl_hcc.command_line.misspelling import settings_of
from mtl_hcc.errors import ConfigError

CONFIGS = Path(__file__).parents[2] / "configs"
SHIPPED = sorted(CONFIGS.glob("*.yaml"))
CT_MTL = str(CONFIGS / "ct_mtl.yaml")
SECONDS = 2.0


@pytest.mark.parametrize("table", [False, True], ids=["network", "table"])
def test_the_names_are_those_of_the_real_parser(table: bool):
    real = settings_of(build_parser("", table=table))
    assert settings_of(parser_of_names(table=table)) == real


def with_key(folder: Path, dotted: str, value: Any) -> list[str]:
    values = yaml.safe_load(Path(CT_MTL).read_text(encoding="utf-8"))
    *sections, key = dotted.split(".")
    place = values
    for section in sections:
        place = place.setdefault(section, {})
    place[key] = value
    (folder / "misspelt.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return ["--config", str(folder / "misspelt.yaml")]


def message_of(call: Any, *arguments: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        call(*arguments)
    return str(caught.value)


@pytest.mark.parametrize(
    "key",
    [
        *("patiense", "modle.x", "model.learning_rat", "data.batchsize", "trainer.max_epoch"),
        *("data.loading.wrkers", "data.rotate", "data.workers", "model.stem"),
    ],
)
def test_a_key_of_a_file_is_answered_in_the_words_of_the_real_parser(key: str, tmp_path: Path):
    given = with_key(tmp_path, key, 3)
    expected = message_of(read_config, build_parser(""), given)
    assert message_of(check_names, given) == expected
    assert key.split(".")[-1] in expected


@pytest.mark.parametrize("flag", ["--model.learning_rat", "--pat", "--max_epochs", "--data.cache"])
@pytest.mark.parametrize("joined", [True, False], ids=["with =", "with a blank"])
def test_a_flag_is_answered_in_the_words_of_the_real_parser(flag: str, joined: bool):
    given = ["--config", CT_MTL, *([f"{flag}=3"] if joined else [flag, "3"])]
    assert message_of(check_names, given) == message_of(read_config, build_parser(""), given)


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.name)
def test_every_shipped_config_passes(path: Path):
    check_names(["--config", str(path), "--data.loading.workers", "2", "--run=runs/other"])


@pytest.mark.parametrize(
    "flags",
    [
        ["--model.fusion.init_args.widths", "[5, 4]", "--model.risk_bank.capacity", "9"],
        ["--data.split", "KFold", "--data.split.folds", "3"],
        ["--data.preparation.views.tumor.spacing_mm=3", "--trainer.max_epochs", "-1"],
        ["--model.heads.os.init_args.nothing", "3"],  # the class is asked by the real parser
        ["--data.batch_size", "many"],  # so is the value
        ["--config", "absent.yaml"],
        ["--patiense", "3", "--help"],
    ],
    ids=lambda flags: flags[0],
)
def test_what_it_cannot_judge_passes(flags: list[str]):
    check_names(["--config", CT_MTL, *flags])


def test_a_complete_saved_config_passes(tmp_path: Path):
    tiny_config(tmp_path)
    check_names(["--config", str(tmp_path / "config.yaml")])


def test_fit_answers_within_two_seconds_of_processor_time(tmp_path: Path):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    answer = subprocess.run(
        [sys.executable, "-m", "mtl_hcc.fit", *with_key(tmp_path, "model.learning_rat", 3)],
        capture_output=True,
        text=True,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert answer.returncode == 2
    assert "Did you mean model.learning_rate?" in answer.stderr
    assert "Traceback" not in answer.stderr
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    assert used < SECONDS, f"{used:.1f} s; about 0.4 s without the libraries of the networks"
