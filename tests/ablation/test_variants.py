"""From config and study to runs: what each variant gets, and what is refused before the first."""

from pathlib import Path

import pytest
import yaml
from tiny_runs import CONFIGS

from mtl_hcc.ablation.study_file import read_study
from mtl_hcc.ablation.variants import plan_ablation
from mtl_hcc.command_line.config import build_parser, config_from_dict, instantiate, plain_config
from mtl_hcc.errors import ConfigError

SHIPPED = [CONFIGS / "ct_mtl.yaml", CONFIGS / "ablation" / "ct_mtl.yaml"]


@pytest.fixture(scope="module")
def shipped():
    study = read_study(SHIPPED[1])
    return plan_ablation(build_parser(""), ["--config", str(SHIPPED[0])], study)


def designs(plan):
    """Return the values of each variant with the first seed."""
    return {run.variant: run.values for run in plan.runs if run.seed == plan.runs[0].seed}


def test_the_shipped_study_plans_every_variant_with_every_seed(shipped):
    assert len(shipped.runs) == 25 * 3
    assert shipped.runs[0].variant == "full"
    assert len({run.folder for run in shipped.runs}) == len(shipped.runs)
    for run in shipped.runs:
        assert run.values["seed"] == run.seed
        assert run.values["run"] == str(run.folder) == f"runs/ct_mtl/ablation/{run.name}"
        assert run.values["ckpt_path"] is None
        assert (run.values["baselines"], run.values["bootstraps"]) == ({}, 0)
        assert run.values["wandb_group"] == "ct_mtl-ct_mtl"
        own = run.variant == "percentiles"  # prepared in another way
        assert (run.values["data"]["store"] == "prepared/ct_mtl") == (not own)


def test_each_shipped_variant_changes_what_its_name_says(shipped):
    values = designs(shipped)
    of_data = {name: v["data"] for name, v in values.items()}
    of_model = {name: v["model"] for name, v in values.items()}
    encoder = {name: model["encoders"]["tumor"] for name, model in of_model.items()}
    assert of_data["no_arterial"]["phases"] == ["portal_venous", "delayed"]
    assert encoder["no_arterial"]["aggregator"]["init_args"]["phases"] == 2
    assert encoder["no_region_stems"]["stem"]["class_path"].endswith("PlainStem")
    pooled = encoder["no_region_stems"]["backbone"]["init_args"]["pooled_regions"]
    assert pooled == encoder["full"]["backbone"]["init_args"]["pooled_regions"]
    assert encoder["no_regions"]["backbone"]["init_args"]["pooled_regions"] == []
    flat = encoder["slices_2d"]
    assert flat["instances"]["class_path"].endswith("AxialSlices")
    assert [flat[part]["init_args"]["dimensions"] for part in ("stem", "backbone")] == ["2d"] * 2
    assert flat["aggregator"]["init_args"]["within"]["class_path"].endswith("Mean")
    for name, left in (("no_jitter", "RightAngleRotation"), ("no_rotation", "TimeJitter")):
        (transform,) = of_data[name]["augmentation"]
        assert transform["class_path"].endswith(left)
    assert of_model["equal_weights"]["weighting"]["class_path"].endswith("EqualWeights")
    for task in ("os", "rfs", "mvi"):
        assert [*of_model[f"{task}_alone"]["heads"]] == [task]
        assert of_data[f"{task}_alone"]["endpoints"] == [task]
    assert encoder["no_moments"]["moments"] is None
    assert encoder["loud_backbone"]["width"] is None
    assert encoder["masks_in_blocks"]["backbone"]["init_args"]["mask_pooling"] == "adaptive"
    seen = of_data["percentiles"]["preparation"]["views"]["tumor"]
    assert seen["intensity"]["class_path"].endswith("Percentiles")
    for name in ("best_epoch", "no_average"):
        assert of_model[name]["weight_average"] is None
    assert values["best_epoch"]["keep"]["which"] == "best"
    assert of_data["half_rotated"]["augmentation"][0]["init_args"]["probability"] == 0.5
    assert of_data["predicted_once"]["prediction_rotations"] == 1
    assert of_model["losses_as_they_are"]["normalize_losses"] is False
    assert of_model["no_bank"]["risk_bank"] is None
    assert of_model["full"]["risk_bank"] is not None


def test_a_run_s_process_reads_exactly_the_values_that_were_planned(shipped, parser):
    """Else it would write another fingerprint than the study looks for."""
    for run in shipped.runs[:25]:
        again = plain_config(
            parser, config_from_dict(parser, yaml.safe_load(yaml.dump(run.values)))
        )
        assert again == run.values, run.name


def test_a_variant_keeps_everything_that_it_does_not_name(shipped):
    values = designs(shipped)
    full, changed = values["full"], values["no_rotation"]
    jitter = full["data"]["augmentation"][1:]
    once = {"augmentation": jitter, "prediction_rotations": 1}
    assert changed["data"] == full["data"] | once
    assert (changed["model"], changed["trainer"]) == (full["model"], full["trainer"])


def test_the_seed_reaches_model_and_data(make_plan):
    plan = make_plan(seeds=[5])
    parser = build_parser("")
    parts = instantiate(parser, config_from_dict(parser, plan.runs[0].values))
    assert (parts.model.seed, parts.data.seed) == (5, 5)


def test_flags_hold_for_all_variants_but_a_variant_beats_them(make_plan):
    variants = {"slow": {"model.learning_rate": 0.001}, "no_bank": {"model.risk_bank": None}}
    plan = make_plan(variants, "--model.learning_rate", "0.5", "--bootstraps", "77")
    rates = {name: values["model"]["learning_rate"] for name, values in designs(plan).items()}
    assert rates == {"full": 0.5, "slow": 0.001, "no_bank": 0.5}
    assert plan.bootstraps == 77


def test_dotted_and_nested_settings_are_the_same(make_plan):
    plan = make_plan({"a": {"data.rounds": 1, "patience": 3}, "b": {"data": {"rounds": 1}}})
    values = designs(plan)
    assert values["a"]["data"] == values["b"]["data"]
    assert plan.runs[1].change == "data.rounds: 1, patience: 3"
    assert plan.runs[2].change == "data.rounds: 1"


def test_another_preparation_gets_a_store_of_its_own_with_the_same_splits(tmp_path):
    variants = "variants: {coarse: {data: {preparation: {views: {tumor: {spacing_mm: 3.0}}}}}}"
    (tmp_path / "study.yaml").write_text(variants)
    study = read_study(tmp_path / "study.yaml")
    plan = plan_ablation(build_parser(""), ["--config", str(SHIPPED[0])], study)
    full, coarse = (run.values["data"] for run in plan.runs)
    assert coarse["store"] == "prepared/ct_mtl_coarse"
    assert coarse["split"]["class_path"].endswith("SplitFile")
    assert coarse["split"]["init_args"] == {"path": "prepared/ct_mtl/splits.csv"}
    assert Path(coarse["cohort"]).parent == Path(full["store"]), "the phantom is made once"


@pytest.mark.parametrize(
    ("settings", "messages"),
    [
        (
            {"data": {"round": 1}},
            ["Group 'data' does not accept option 'round'", "data.rounds"],
        ),
        ({"data.round": 1}, ["does not accept option 'round'", "Did you mean data.rounds"]),
        ({"modl": 3}, ["modl", "Did you mean model"]),
        ({"model": {"weighting": "EqualWeight"}}, ["EqualWeight", "Did you mean EqualWeights"]),
        ({"data": {"rounds": "sometimes"}}, ["data.rounds", "int", "sometimes"]),
        ({"seed": 7}, ["may not change seed", "the seeds of the study"]),
        ({"run": "elsewhere"}, ["may not change run", "a folder of its own"]),
        ({"repeat": "never"}, ["may not change repeat", "what is finished is kept"]),
        ({"ckpt_path": "last"}, ["may not change ckpt_path", "go on by themselves"]),
        ({"data.store": "elsewhere"}, ["may not change data.store"]),
        ({"data.cohort": "elsewhere"}, ["may not change data.cohort", "the same patients"]),
        ({"data.split": {"class_path": "KFold"}}, ["change data.split", "the same folds"]),
        ({"data.rounds": 2}, ["it changes nothing", "data.rounds: 2"]),
        ({"model.risk_bank.endpoints": ["oss"]}, ["oss", "0 Cox heads"]),
        (
            {"data.endpoints": ["os"]},
            ["model.heads, data.endpoints", "which data.endpoints does not give", "remove"],
        ),
        (
            {"model.heads": {"mvi": {"class_path": "ClassHead", "init_args": {"column": "mvi"}}}},
            ["the risk bank remembers 'os', which 0 Cox heads predict"],
        ),
    ],
)
def test_a_variant_that_cannot_be_is_named_before_any_run(settings, messages, make_plan, tmp_path):
    with pytest.raises(ConfigError) as caught:
        make_plan({"no_bank": {"model.risk_bank": None}, "wrong": settings})
    text = str(caught.value)
    assert f"{tmp_path / 'study.yaml'}, variant 'wrong'" in text
    for message in messages:
        assert message in text
    assert caught.value.remedy
    assert not (tmp_path / "run").exists()


def test_a_checkpoint_to_go_on_from_is_refused(make_plan):
    with pytest.raises(ConfigError, match="unfinished runs go on"):
        make_plan(None, "--ckpt_path", "last")


def test_runs_are_chosen_by_variant_or_by_name(make_plan):
    plan = make_plan()
    assert plan.choose(None) == plan.runs
    assert [run.name for run in plan.choose(["no_bank"])] == ["no_bank_seed0", "no_bank_seed1"]
    assert [run.name for run in plan.choose(["full", "mvi_alone_seed1"])] == [
        "full_seed0",
        "full_seed1",
        "mvi_alone_seed1",
    ]
    with pytest.raises(ConfigError, match=r"--only: no variant or run 'no_banc'.*no_bank"):
        plan.choose(["no_banc"])
