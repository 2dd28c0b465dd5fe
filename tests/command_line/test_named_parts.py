from pathlib import Path

import pytest
import yaml

from mtl_hcc.command_line.config import build_parser, read_config
from mtl_hcc.command_line.named_parts import completed, nested
from mtl_hcc.errors import ConfigError

TWO_VIEWS = Path(__file__).parents[2] / "configs" / "ct_mtl_two_views.yaml"


def read(*texts):
    given = ["--config", str(TWO_VIEWS)]
    for text in texts:
        given += ["--config", text]
    return read_config(build_parser(""), given)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "model: {encoders: {tumor: {aggregator: {init_args: {phases: 2}}}}}\n",
            "other encoders, so liver would be lost",
        ),
        (
            "data: {preparation: {views: {tumor: {spacing_mm: 3.0}}}}\n",
            "other views, so liver would be lost",
        ),
        (
            "data.preparation.zones: {shell: {outward_mm: 10.0}}\n",
            "other zones, so margin would be lost",
        ),
    ],
)
def test_a_later_config_does_not_drop_a_part_without_a_word(text, message):
    with pytest.raises(ConfigError, match=message):
        read(text)


def test_a_flag_and_a_config_that_names_all_parts_are_taken():
    values = yaml.safe_load(TWO_VIEWS.read_text(encoding="utf-8"))
    views = values["data"]["preparation"]["views"]
    views["tumor"]["spacing_mm"] = 3.0
    config = read(yaml.safe_dump({"data": {"preparation": {"views": views}}}))
    assert config.data.preparation.views["tumor"].spacing_mm == 3.0
    flag = ["--config", str(TWO_VIEWS), "--data.preparation.views.tumor.spacing_mm", "3"]
    config = read_config(build_parser(""), flag)
    assert list(config.data.preparation.views) == ["liver", "tumor"]
    assert config.data.preparation.views["liver"].spacing_mm == 4.0


def test_settings_of_one_part_are_completed_with_the_others_in_the_config_s_order():
    config = {"model": {"encoders": {"liver": {"stem": "a"}, "tumor": {"stem": "b"}}}}
    changed = completed({"model.encoders.tumor": {"stem": "c"}, "data.rounds": 1}, config)
    encoders = {"liver": {"stem": "a"}, "tumor": {"stem": "c"}}
    assert changed == {"model": {"encoders": encoders}, "data": {"rounds": 1}}
    assert list(changed["model"]["encoders"]) == ["liver", "tumor"]


def test_dotted_names_become_tables_within_tables():
    assert nested({"a.b": 1, "a": {"c": {"d.e": 2}}}) == {"a": {"b": 1, "c": {"d": {"e": 2}}}}
