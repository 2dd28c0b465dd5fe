"""The study file: what is accepted, and what a user reads when it is wrong."""

from pathlib import Path

import pytest

from mtl_hcc.ablation.study_file import read_study
from mtl_hcc.errors import ConfigError

ROOT = Path(__file__).parents[2]


def test_the_shipped_study_has_every_variant_of_the_plan():
    study = read_study(ROOT / "configs" / "ablation" / "ct_mtl.yaml")
    assert study.seeds == (0, 1, 2)
    assert [*study.variants] == [
        *("no_arterial", "no_portal_venous", "no_delayed"),
        *("no_region_stems", "no_regions", "no_moments", "no_rim", "loud_backbone"),
        *("masks_in_blocks", "percentiles", "best_epoch", "no_average", "slices_2d"),
        *("no_jitter", "no_rotation", "any_rotation", "half_rotated", "predicted_once"),
        *("equal_weights", "losses_as_they_are", "os_alone", "rfs_alone", "mvi_alone", "no_bank"),
    ]


def test_one_seed_is_enough_and_zero_without_any(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text("variants: {a: {data.rounds: 1}}")
    assert read_study(path).seeds == (0,)


@pytest.mark.parametrize(
    ("text", "messages"),
    [
        ("", ["study.yaml: no settings", "seeds and variants"]),
        ("variants: [", ["study.yaml: cannot be read", "line 1"]),
        ("- a", ["no settings"]),
        ("varants: {a: {data: 1}}", ["unknown key 'varants'", "Did you mean variants?"]),
        ("seeds: [0]", ["study.yaml, variants: variants is None", "names of variants"]),
        ("variants: {}", ["variants is {}"]),
        ("variants: [no_bank]", ["variants is ['no_bank']"]),
        ("seeds: 3\nvariants: {a: {data: 1}}", ["study.yaml, seeds: seeds is 3", "[0, 1, 2]"]),
        ("seeds: [0, 0]\nvariants: {a: {data: 1}}", ["seeds is [0, 0]", "different"]),
        ("seeds: [-1]\nvariants: {a: {data: 1}}", ["seeds is [-1]"]),
        ("seeds: [true]\nvariants: {a: {data: 1}}", ["seeds is [True]"]),
        ("seeds: []\nvariants: {a: {data: 1}}", ["seeds is []"]),
        ("variants: {full: {data: 1}}", ["variant 'full'", "the design of the config"]),
        ("variants: {no bank: {data: 1}}", ["variant 'no bank'", "name of a folder", "Rename"]),
        ("variants: {../a: {data: 1}}", ["variant '../a'", "name of a folder"]),
        ("variants: {1: {data: 1}}", ["variant 1", "name of a folder"]),
        ("variants: {no_bank: null}", ["variant 'no_bank'", "its settings are None"]),
        ("variants: {no_bank: {}}", ["its settings are {}", "data: {rounds: 1}"]),
        ("variants: {no_bank: model.risk_bank}", ["its settings are 'model.risk_bank'"]),
    ],
)
def test_a_wrong_file_is_named_with_what_is_wrong(text, messages, tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        read_study(path)
    assert str(path) in str(caught.value)
    for message in messages:
        assert message in str(caught.value)
    assert caught.value.remedy


def test_an_absent_file_is_named(tmp_path):
    with pytest.raises(ConfigError, match=r"nowhere.yaml: cannot be read"):
        read_study(tmp_path / "nowhere.yaml")
