"""Every exported source can be named in a YAML by its short name."""

import pytest
from jsonargparse import ArgumentParser

from mtl_hcc import cohorts
from mtl_hcc.cohorts import CohortSource

SETTINGS: dict[str, dict[str, object]] = {
    "NiftiFolder": {"columns": {"os_days": "OS (d)"}, "missing_values": ["?"]},
    "ClinicalTable": {"values": {"mvi": {"none": 0, "macro": None}}, "limits": {"inr": [0.5, 6]}},
    "TcgaLihc": {"layout": "gdc", "only_hcc": True},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_a_source_is_built_from_a_short_name_and_its_settings(name: str) -> None:
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("--source", type=CohortSource)
    config = {"source": {"class_path": name, "init_args": SETTINGS[name]}}
    parsed = parser.parse_object(config)
    source = getattr(cohorts, name)(**parsed.source.init_args.as_dict())
    assert isinstance(source, CohortSource)
    assert parser.parse_string(parser.dump(parsed)) == parsed
    for setting in SETTINGS[name]:
        assert hasattr(source, setting)


def test_every_exported_name_exists() -> None:
    assert [name for name in cohorts.__all__ if not hasattr(cohorts, name)] == []
