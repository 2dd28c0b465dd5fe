"""The parser: every shipped YAML, misspelt keys and flags, what beats what, and the way back."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonargparse import ArgumentParser, Namespace
from tiny_training import IMAGE_SETTINGS, tiny_config

from mtl_hcc.command_line.config import (
    build_parser,
    config_from_dict,
    config_text,
    instantiate,
    parser_for,
    plain_config,
    read_config,
)
from mtl_hcc.data.network_covariates import covariate_names
from mtl_hcc.data.splits import KFold
from mtl_hcc.errors import ConfigError
from mtl_hcc.estimators.ridge import RIDGES
from mtl_hcc.nn import CoxHead

SHIPPED = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


@pytest.fixture(scope="module", params=SHIPPED, ids=lambda path: path.name)
def shipped(request: pytest.FixtureRequest) -> tuple[ArgumentParser, Namespace]:
    arguments = ["--config", str(request.param)]
    parser = parser_for(arguments, "", prog="fit")
    return parser, read_config(parser, arguments)


def without_file(config: Namespace) -> dict[str, Any]:
    values: dict[str, Any] = config.clone().as_dict()
    values.pop("config")
    return values


def test_there_are_shipped_configs():
    tables = {"clinical_cox.yaml", "region_statistics.yaml"}
    assert {"ct_mtl.yaml", "clinical_mtl.yaml", *tables} <= {path.name for path in SHIPPED}


def test_every_shipped_config_builds_its_model_and_its_data(
    shipped: tuple[ArgumentParser, Namespace],
):
    parts = instantiate(*shipped)
    if "estimator" in parts:
        assert parts.data.endpoints == ["os", "rfs", "mvi"]
        assert parts.estimator.ridges == list(RIDGES)
        return
    assert set(parts.model.heads) == {"os", "rfs", "mvi"}
    assert set(parts.model.target_columns) <= set(parts.data.target_names)
    views = parts.data.preparation.views if parts.data.preparation is not None else {}
    assert set(parts.model.network.encoders) == set(views)


def test_a_network_s_parser_says_that_a_config_trains_an_estimator_on_tables():
    path = next(path for path in SHIPPED if path.name == "clinical_cox.yaml")
    with pytest.raises(ConfigError, match=r"clinical_cox\.yaml: the config trains an estimator"):
        read_config(build_parser(""), ["--config", str(path)])


def test_the_saved_config_of_every_shipped_one_parses_back_to_the_same(
    shipped: tuple[ArgumentParser, Namespace], tmp_path: Path
):
    parser, config = shipped
    plain = plain_config(parser, config)
    path = tmp_path / "config.yaml"
    path.write_text(config_text(plain))
    again = read_config(parser, ["--config", str(path)])
    assert without_file(again) == without_file(config)
    assert plain_config(parser, again) == plain
    text = config_text(plain)
    assert plain_config(parser, config_from_dict(parser, plain)) == plain
    assert config_text(plain) == text, "reading the values did not change them"


def test_the_plain_config_is_complete_and_of_plain_values_only(tmp_path: Path):
    parser, config = tiny_config(tmp_path)
    plain = plain_config(parser, config)
    assert plain["trainer"]["gradient_clip_val"] is None, "defaults are written too"
    assert plain["model"]["weight_decay"] == 0.01
    assert yaml.safe_load(yaml.safe_dump(plain)) == plain
    assert "config" not in plain


def edited(tmp_path: Path, dotted: str, value: Any) -> Path:
    """Return a YAML like that of ``tiny_config`` with one key more."""
    tiny_config(tmp_path)
    values = yaml.safe_load((tmp_path / "config.yaml").read_text())
    *sections, key = dotted.split(".")
    place = values
    for section in sections:
        place = place[section]
    place[key] = value
    path = tmp_path / "edited.yaml"
    path.write_text(yaml.safe_dump(values))
    return path


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("patiense", "patience"),
        ("model.learning_rat", "model.learning_rate"),
        ("data.batchsize", "data.batch_size"),
        ("trainer.max_epoch", "trainer.max_epochs"),
        ("model.fusion.init_args.dropot", "dropout"),
        ("model.heads.os.init_args.endpont", "endpoint"),
        ("model.risk_bank.max_age", "max_age_steps"),
    ],
)
def test_a_misspelt_key_of_the_yaml_is_named_with_the_right_one(
    key: str, meant: str, tmp_path: Path
):
    path = edited(tmp_path, key, 3)
    with pytest.raises(ConfigError) as caught:
        read_config(build_parser(""), ["--config", str(path)])
    assert key.split(".")[-1] in str(caught.value)
    assert f"Did you mean {meant}" in str(caught.value)


@pytest.mark.parametrize(
    ("flag", "meant"),
    [
        ("--model.learning_rat", "model.learning_rate"),
        ("--trainer.max_epoch", "trainer.max_epochs"),
        ("--max_epochs", "trainer.max_epochs"),
        ("--pat", "patience"),  # an abbreviation is no flag either
        ("--data.batch", "data.batch_size"),
        ("--model.fusion.init_args.dropot", "dropout"),
    ],
)
@pytest.mark.parametrize("joined", [True, False], ids=["with =", "with a blank"])
def test_a_misspelt_or_abbreviated_flag_is_named_with_the_right_one(
    flag: str, meant: str, joined: bool, tmp_path: Path
):
    with pytest.raises(ConfigError) as caught:
        tiny_config(tmp_path, *([f"{flag}=3"] if joined else [flag, "3"]))
    assert flag.split(".")[-1].strip("-") in str(caught.value)
    assert f"Did you mean {meant}" in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value", "meant"),
    [("data.split", "KFolds", "KFold"), ("model.weighting", "DynamicWeights", "DynamicWeightAv")],
)
def test_a_misspelt_class_is_named_with_the_right_one(
    key: str, value: str, meant: str, tmp_path: Path
):
    with pytest.raises(ConfigError) as caught:
        read_config(build_parser(""), ["--config", str(edited(tmp_path, key, value))])
    assert value in str(caught.value)
    assert f"Did you mean {meant}" in str(caught.value)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--data.batch_size", "many"], r'"data.batch_size".*\n.*int.*many'),
        (["--model.schedule", "linear"], r"'cosine', 'constant'.*linear"),
        (["--config", "absent.yaml"], r"File does not exist: .*absent.yaml"),
        (["--model.seed", "3"], r'"model.seed" must be given via "seed"'),
    ],
)
def test_a_bad_value_is_named_with_what_was_expected(
    flags: list[str], message: str, tmp_path: Path
):
    with pytest.raises(ConfigError, match=message):
        tiny_config(tmp_path, *flags)


def test_what_is_required_is_named():
    with pytest.raises(ConfigError, match=r"required: model\.heads, model\.fusion, data\.store"):
        read_config(build_parser(""), [])


def test_parts_that_do_not_fit_are_a_config_error(tmp_path: Path):
    images = {"model__encoders": {"liver": IMAGE_SETTINGS["model__encoders"]["tumor"]}}
    with pytest.raises(ConfigError, match="encoder of the view 'liver', which is not prepared"):
        instantiate(*tiny_config(tmp_path, **IMAGE_SETTINGS | images))


def test_liver_that_no_region_of_the_stem_covers_is_a_config_error(tmp_path: Path):
    zones = {"margin": {"inward_mm": 2.0, "outward_mm": 2.0}, "rim": {"outward_mm": 10.0}}
    recipe = IMAGE_SETTINGS["data__preparation"] | {"zones": zones}
    (encoder,) = IMAGE_SETTINGS["model__encoders"].values()
    images = IMAGE_SETTINGS | {"data__preparation": recipe}
    with pytest.raises(ConfigError, match="the stem does not see the zone rim: background_liver"):
        instantiate(*tiny_config(tmp_path, **images))
    regions = ["background_liver", "rim", "tumor"]  # the rim holds what is outside of the margin
    stem = {"class_path": "RegionStem", "init_args": {"out_channels": 4, "regions": regions}}
    images["model__encoders"] = {"tumor": encoder | {"stem": stem}}
    instantiate(*tiny_config(tmp_path, **images))


def test_a_flag_beats_the_file_wherever_it_stands(tmp_path: Path):
    tiny_config(tmp_path)
    path = str(tmp_path / "config.yaml")
    parser = build_parser("")
    for flags in (
        ["--config", path, "--trainer.max_epochs", "7", "--data.split", "KFold"],
        ["--config", path, "--data.split=KFold", "--trainer.max_epochs=7"],
    ):
        config = read_config(parser, [*flags, "--data.split.folds", "3"])
        assert config.trainer.max_epochs == 7
        assert config.model.learning_rate == 0.01, "the file's value stays where no flag speaks"
        parts = instantiate(parser, config)
        assert isinstance(parts.data.split, KFold)
        assert parts.data.split.folds == 3


def test_a_flag_reaches_into_a_part_and_into_a_head(tmp_path: Path):
    flags = ["--model.fusion.init_args.widths", "[5, 4]", "--model.risk_bank.capacity", "9"]
    parts = instantiate(*tiny_config(tmp_path, *flags))
    assert parts.model.network.fusion.out_features == 4
    assert parts.model.risk_bank.capacity == 9
    head = parts.model.heads["os"]
    assert isinstance(head, CoxHead)
    assert head.layer.in_features == 4


def test_one_seed_reaches_model_and_data(tmp_path: Path):
    parts = instantiate(*tiny_config(tmp_path, "--seed", "11"))
    assert parts.model.seed == parts.data.seed == 11


def test_the_covariates_of_the_data_are_those_of_the_model(tmp_path: Path):
    covariates = {"age_years": "linear", "stage": ["I", "II", "III"]}
    parser, config = tiny_config(tmp_path, data__covariates=covariates)
    assert config.model.covariates == ["age_years", "stage=I", "stage=II", "stage=III"]
    assert instantiate(parser, config).model.network.clinical.median.shape == (4,)
    assert covariate_names(None) == []
    names = ["age_years", "measured lesions"]
    assert covariate_names({"age_years": "linear"}, {"lesions": "linear"}) == names


def test_the_saved_config_says_which_versions_made_it(tmp_path: Path):
    text = config_text(plain_config(*tiny_config(tmp_path)))
    for package in ("python", "mtl_hcc", "torch", "monai", "torchsurv", "SimpleITK"):
        assert f"# {package} " in text


@pytest.mark.parametrize(
    "recipe",
    [{"views": {"tumor": {"spacing_mm": 4.0}}}, {"registration": "rigid"}],
    ids=["zones left out", "views and zones left out"],
)
def test_views_and_zones_that_a_config_leaves_out_are_written_whole_and_read_back(
    tmp_path: Path, recipe: dict[str, Any]
):
    parser, config = tiny_config(tmp_path, **IMAGE_SETTINGS | {"data__preparation": recipe})
    written = plain_config(parser, config)
    margin = {"inward_mm": 2.0, "outward_mm": 2.0, "cut_at_liver": False}
    assert written["data"]["preparation"]["zones"] == {"margin": margin}
    again = instantiate(parser, config_from_dict(parser, written)).data.preparation
    assert again == instantiate(parser, config).data.preparation


@pytest.mark.parametrize(
    ("name", "value", "now"),
    [
        ("rotate", "true", "[{class_path: Rotation3D}]"),
        ("time_jitter_days", "3", "{class_path: TimeJitter, init_args: {days: 3}}"),
        ("phase_dropout", "0.1", "{class_path: PhaseDropout"),
        ("workers", "8", "data.workers is now data.loading: {workers: 8}"),
        ("preparation_workers", "4", "data.preparing: {workers: 4}"),
    ],
)
def test_an_earlier_setting_is_answered_with_what_says_the_same_now(
    tmp_path: Path, name: str, value: str, now: str
):
    parser, _ = tiny_config(tmp_path)
    path = tmp_path / "config.yaml"
    with pytest.raises(ConfigError) as of_flag:
        read_config(parser, ["--config", str(path), f"--data.{name}", value])
    values = yaml.safe_load(path.read_text())
    values["data"][name] = yaml.safe_load(value)
    path.write_text(yaml.safe_dump(values))
    with pytest.raises(ConfigError) as of_file:
        read_config(parser, ["--config", str(path)])
    for caught in (of_flag, of_file):
        assert now in str(caught.value)
        assert "version 0.1" in str(caught.value)


@pytest.mark.parametrize(
    ("flags", "place"),
    [
        (["--data.preparation.margin_mm", "3"], "preparation.zones.margin: {inward_mm: ..."),
        (["--data.preparation.background", "keep"], "views.<view>.keep (remove: regions,"),
        (["--data.preparation.phases", "[arterial]"], "data.preparation.views.<view>.phases"),
        (["--model.stem", "RegionConvolution"], "model.stem is now model.encoders.<view>.stem"),
        (["--model.backbone.init_args.blocks", "3"], "model.encoders.<view>.backbone"),
    ],
)
def test_a_setting_of_the_earlier_version_is_told_its_new_place(flags: list[str], place: str):
    given = ["--config", str(SHIPPED[0].with_name("ct_mtl.yaml")), *flags]
    with pytest.raises(ConfigError) as caught:
        read_config(build_parser(""), given)
    assert place in str(caught.value)


def test_a_whole_recipe_of_the_earlier_version_is_told_all_new_places(tmp_path: Path):
    values = yaml.safe_load(SHIPPED[0].with_name("ct_mtl.yaml").read_text(encoding="utf-8"))
    earlier = {"spacing_mm": 2.0, "margin_mm": 2.0, "clip_percentiles": [2.5, 97.5]}
    values["data"]["preparation"] = earlier
    (tmp_path / "earlier.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_config(build_parser(""), ["--config", str(tmp_path / "earlier.yaml")])
    for name in earlier:
        assert f"data.preparation.{name} is now data.preparation." in str(caught.value)


def test_a_misspelt_setting_of_a_view_is_not_taken_for_an_earlier_one(tmp_path: Path):
    values = yaml.safe_load(SHIPPED[0].with_name("ct_mtl.yaml").read_text(encoding="utf-8"))
    values["data"]["preparation"]["views"]["tumor"]["spacing"] = 2.0
    (tmp_path / "misspelt.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        read_config(build_parser(""), ["--config", str(tmp_path / "misspelt.yaml")])
    assert "is now" not in str(caught.value)
    assert "spacing" in str(caught.value)
