"""The documents promise nothing that the code does not keep."""

import importlib
import re
import shlex
import tomllib
from collections import Counter
from pathlib import Path

import pytest
import yaml

from mtl_hcc import __version__, cohorts
from mtl_hcc.__main__ import VERBS
from mtl_hcc.ablation.study_file import read_study
from mtl_hcc.cohorts.column_map import CONTRACT_COLUMNS
from mtl_hcc.command_line.config import parser_for, read_config
from mtl_hcc.errors import ConfigError
from mtl_hcc.patient import CLASS_COLUMNS, SURVIVAL_ENDPOINTS

ROOT = Path(__file__).parents[1]
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "GLOSSARY.md", "CHANGELOG.md")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def fenced(text, language):
    return re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.M | re.S)


def mtl_hcc_commands():
    lines = "\n".join(fenced(README, "bash")).splitlines()
    parts = [part.strip() for line in lines for part in line.split("&&")]
    return [part for part in parts if part.startswith("python -m mtl_hcc.")]


def parse(command):
    """Parse a command as its verb would, and return the settings."""
    _, _, module, *arguments = shlex.split(command)
    verb = module.removeprefix("mtl_hcc.")
    main = importlib.import_module(f"mtl_hcc.{verb}")
    if verb in ("evaluate", "report", "agreement", "dashboard"):
        return vars(main.parser().parse_args(arguments))
    if verb in ("plan", "predict", "explain"):
        return read_config(main._parser(), arguments)
    if verb == "ablate":
        options, arguments = main.parser().parse_known_args(arguments)
        assert read_study(options.study).variants
    return read_config(parser_for(arguments, "", prog=verb), arguments)


@pytest.fixture(autouse=True)
def _in_the_checkout(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_every_link_to_a_file_leads_somewhere(document):
    text = (ROOT / document).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)\)", text)
    local = [target for target in targets if not target.startswith("http")]
    assert [target for target in local if not (ROOT / target).exists()] == []


def test_the_readme_shows_each_verb():
    shown = {command.split()[2].removeprefix("mtl_hcc.") for command in mtl_hcc_commands()}
    assert shown == set(VERBS)


@pytest.mark.parametrize("command", mtl_hcc_commands())
def test_a_command_of_the_readme_is_understood_by_its_verb(command):
    parse(command)


def test_a_misspelt_flag_would_be_noticed_here():
    with pytest.raises(ConfigError, match="batchsize"):
        parse("python -m mtl_hcc.fit --config configs/ct_mtl.yaml --data.batchsize 8")


def test_the_yaml_of_the_readme_is_accepted(tmp_path):
    (block,) = fenced(README, "yaml")
    own = tmp_path / "own.yaml"
    own.write_text(block, encoding="utf-8")
    config = parse(f"python -m mtl_hcc.fit --config configs/ct_mtl.yaml --config {own}")
    written = yaml.safe_load(block)["data"]["source"]["init_args"]
    assert config.data.source.init_args.columns == written["columns"]
    assert config.data.split.class_path.endswith("RandomSplit")


def test_the_columns_of_the_table_are_those_of_the_contract():
    table = README.split("| column | meaning |")[1].split("\n\n")[0]
    told = re.findall(r"^\| `(\w+)` \|", table, flags=re.M)
    assert sorted(told) == sorted(CONTRACT_COLUMNS)
    labels = [f"{name}_{part}" for name in SURVIVAL_ENDPOINTS for part in ("days", "event")]
    assert told[-6:] == [*labels, *CLASS_COLUMNS]


def test_the_table_of_readers_names_every_reader():
    table = README.split("| `data.source` |")[1].split("\n\n")[0]
    told = set(re.findall(r"^\| `(\w+)`", table, flags=re.M))
    exported = {name: getattr(cohorts, name) for name in cohorts.__all__}
    known = {name for name, kind in exported.items() if isinstance(kind, type)}
    assert told == known - {"CohortSource"}
    assert all(issubclass(exported[name], cohorts.CohortSource) for name in told)


def test_the_messages_of_the_readme_are_those_of_the_code():
    table = README.split("| message |")[1].split("\n\n")[0]
    quoted = [
        cell
        for row in table.splitlines()[2:]
        for cell in re.findall("`(.+?)`", row[: row.index("|", 2)])
    ]
    told = [part.strip() for message in quoted for part in message.split("...") if part.strip()]
    code = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "mtl_hcc").rglob("*.py")))
    ours = [part for part in told if not part.startswith(("unrecognized", "no column"))]
    assert len(ours) >= 7
    assert [part for part in ours if part not in code] == []


def test_a_glossary_heading_occurs_once():
    headings = re.findall(r"^### (.+)$", (ROOT / "GLOSSARY.md").read_text("utf-8"), flags=re.M)
    assert len(headings) >= 45
    assert [name for name, times in Counter(map(str.casefold, headings)).items() if times > 1] == []


def test_a_glossary_entry_explains_itself():
    entries = (ROOT / "GLOSSARY.md").read_text("utf-8").split("\n### ")[1:]
    short = [entry.splitlines()[0] for entry in entries if len(entry.split()) < 8]
    assert short == []


def test_the_changelog_knows_this_version():
    assert f"## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_contributing_shows_the_layers_of_the_import_contract():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    layers = project["tool"]["importlinter"]["contracts"][0]["layers"]
    (diagram,) = [
        block
        for block in fenced((ROOT / "CONTRIBUTING.md").read_text("utf-8"), "")
        if "training" in block
    ]
    told = [re.split(r"\s{2,}", line)[0] for line in diagram.splitlines()]
    expected = [layer.replace("mtl_hcc.", "") for layer in layers]
    assert [set(line.split(" | ")) for line in told] == [set(x.split(" | ")) for x in expected]
