"""The clinical tables of others in tests/data/: as their README says, to the last byte."""

import re
from hashlib import sha256
from pathlib import Path

import pandas as pd
import pytest

TABLES = Path(__file__).parent / "data"
FOLDERS = ("hcc_tace_seg", "tcga_lihc")


def told(name):
    return (TABLES / name / "README.md").read_text("utf-8")


def test_every_folder_of_tables_has_a_readme():
    assert {path.parent.name for path in TABLES.glob("*/*.csv")} == set(FOLDERS)
    assert {path.parent.name for path in TABLES.glob("*/README.md")} == set(FOLDERS)


@pytest.mark.parametrize("name", FOLDERS)
def test_every_table_has_the_checksum_of_its_readme(name):
    lines = re.findall(r"^([0-9a-f]{64})  (\S+)$", told(name), flags=re.M)
    expected = {file: checksum for checksum, file in lines}
    files = sorted(path for path in (TABLES / name).iterdir() if path.name != "README.md")
    assert {path.name: sha256(path.read_bytes()).hexdigest() for path in files} == expected


@pytest.mark.parametrize("name", FOLDERS)
def test_source_licence_citation_and_changes_are_told(name):
    rows = dict(re.findall(r"^\| (\w+) \| (.+) \|$", told(name), flags=re.M))
    assert {"source", "licence", "citation", "changed"} <= set(rows)
    assert all(len(text) > 10 for text in rows.values())


@pytest.mark.parametrize(("name", "shape"), [("hcc_tace_seg", (105, 57)), ("tcga_lihc", (377, 36))])
def test_the_readme_counts_patients_and_columns(name, shape):
    assert pd.read_csv(TABLES / name / "clinical.csv").shape == shape
    assert "{} patients, {} columns".format(*shape) in told(name)
