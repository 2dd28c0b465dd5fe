"""Configs of models of version 0.1 in today's layout."""

import pytest

from mtl_hcc.command_line.config import build_parser, config_from_dict, instantiate
from mtl_hcc.runs.earlier_layout import is_earlier, translated_config

IMAGES = {
    "seed": 0,
    "model": {
        "stem": {"class_path": "mtl_hcc.nn.RegionStem", "init_args": {"out_channels": 4}},
        "backbone": {
            "class_path": "mtl_hcc.nn.DenseNet",
            "init_args": {"growth_rate": 4, "layers": [1, 1]},
        },
        "aggregator": {"class_path": "mtl_hcc.nn.Mean"},
        "fusion": {"class_path": "mtl_hcc.nn.FullyConnected"},
        "heads": {"os": {"class_path": "mtl_hcc.nn.CoxHead", "init_args": {"endpoint": "os"}}},
    },
    "data": {
        "store": "store",
        "split": {"class_path": "mtl_hcc.data.splits.SplitByColumn"},
        "endpoints": ["os"],
        "preparation": {
            "phases": ["arterial", "delayed"],
            "spacing_mm": 2.0,
            "field_of_view_mm": 96.0,
            "clip_percentiles": [1.0, 99.0],
            "margin_mm": 3.0,
            "background": "remove",
        },
        "rotate": True,
        "time_jitter_days": 2.0,
        "phase_dropout": 0.2,
        "workers": 4,
        "preparation_workers": 2,
        "preparation_backend": None,
        "cache": False,
    },
}


def built(config):
    parser = build_parser("")
    return instantiate(parser, config_from_dict(parser, translated_config(config)))


def test_an_image_model_gets_an_encoder_a_view_and_a_list_of_transforms():
    assert is_earlier(IMAGES)
    parts = built(IMAGES)
    assert [*parts.model.network.encoders] == ["tumor"]
    data = parts.data
    assert data.phases == ("arterial", "delayed")
    transforms = data.augmentation.transforms
    assert [type(one).__name__ for one in transforms] == [
        "Rotation3D",
        "TimeJitter",
        "PhaseDropout",
    ]
    assert (transforms[1].days, transforms[2].probability) == (2.0, 0.2)
    assert (data.loading.workers, data.loading.cache) == (4, False)
    assert (data.preparing.workers, data.preparing.backend) == (2, None)
    assert not is_earlier(translated_config(IMAGES)), "nothing is translated twice"


@pytest.mark.parametrize(
    ("settings", "names"),
    [
        ({"rotate": False, "time_jitter_days": 0, "phase_dropout": 0.0}, []),
        ({"rotate": False}, ["TimeJitter"]),
        ({"workers": 0}, ["Rotation3D", "TimeJitter"]),
    ],
)
def test_a_clinical_model_is_translated_too_and_left_out_settings_had_defaults(settings, names):
    config = {
        "seed": 0,
        "model": {
            **dict.fromkeys(("stem", "backbone", "aggregator")),
            "clinical": {"class_path": "mtl_hcc.nn.ClinicalEncoder"},
            "fusion": {"class_path": "mtl_hcc.nn.FullyConnected"},
            "heads": IMAGES["model"]["heads"],
        },
        "data": {
            "store": "store",
            "split": IMAGES["data"]["split"],
            "endpoints": ["os"],
            "covariates": {"age_years": "linear"},
            **settings,
        },
    }
    assert is_earlier(config)
    transforms = built(config).data.augmentation.transforms
    assert [type(one).__name__ for one in transforms] == names
