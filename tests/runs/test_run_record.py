"""The fingerprint: what makes a finished run out of date, and what does not."""

from copy import deepcopy
from pathlib import Path

import pandas as pd
import pytest
from tiny_training import tiny_config

from mtl_hcc.command_line.config import instantiate_data, settled_config
from mtl_hcc.runs.run_record import NOT_IN_RESULTS, OF_RESULTS, fingerprint


@pytest.fixture
def values(tmp_path):
    parser, config = tiny_config(tmp_path)
    instantiate_data(config).prepare_data()
    return settled_config(parser, config)


def changed(values, key, value):
    other = deepcopy(values)
    *sections, name = key.split(".")
    inner = other
    for section in sections:
        inner = inner[section]
    inner[name] = value
    return other


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seed", 9),
        ("patience", 9),
        ("model.learning_rate", 0.5),
        ("model.risk_bank", None),
        ("data.batch_size", 9),
        ("data.augmentation", []),
        ("trainer.max_epochs", 9),
        ("trainer.precision", "bf16-mixed"),
    ],
)
def test_a_setting_of_the_result_changes_it(values, key, value):
    assert fingerprint(changed(values, key, value)) != fingerprint(values)


@pytest.mark.parametrize("key", [*NOT_IN_RESULTS, *OF_RESULTS])
def test_where_and_how_fast_does_not(values, key):
    assert fingerprint(changed(values, key, "another")) == fingerprint(values)


def test_the_order_of_settings_does_not_matter(values):
    turned = dict(reversed(list(values.items())))
    assert fingerprint(turned) == fingerprint(values)


@pytest.mark.parametrize("name", ["patients.csv", "splits.csv"])
def test_other_labels_or_folds_change_it(values, name):
    before = fingerprint(values)
    path = Path(values["data"]["store"]) / name
    text = path.read_text()
    path.write_text(text.replace("validation", "train", 1))
    assert fingerprint(values) != before
    path.write_text(text)
    assert fingerprint(values) == before


def test_other_images_change_it_but_their_measured_quality_does_not(values):
    path = Path(values["data"]["store"]) / "manifest.csv"
    manifest = pd.DataFrame({"patient_id": ["A", "B"], "fingerprint": ["x", "y"], "noise": [1, 2]})
    found = []
    for column, value in [("noise", 1), ("noise", 3), ("fingerprint", "z")]:
        manifest.assign(**{column: value}).to_csv(path, index=False)
        found.append(fingerprint(values))
    assert found[0] == found[1] != found[2]
