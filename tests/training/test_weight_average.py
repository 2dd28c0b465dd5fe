"""Averaged weights: by value, in validation, in checkpoints and exported, and after a kill."""

import copy
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from repeated_training import history, train
from safetensors.torch import load_file
from tiny_training import IMAGE_SETTINGS, write_image_store
from torch import Tensor, nn

from mtl_hcc.data.datamodule import CohortDataModule
from mtl_hcc.errors import CheckpointError, ConfigError
from mtl_hcc.runs.checkpoint import load_model, read_checkpoint
from mtl_hcc.training.module import MultiTaskModule
from mtl_hcc.training.weight_average import RunningAverage, WeightAverage

BOTH = {"exponential": {"decay": 0.9}, "equal from half": {"decay": None, "start": 0.5}}


class PowerCutError(Exception):
    """Stands for whatever ends a run."""


def networks(number: int) -> list[nn.Module]:
    """Return a network with a batch norm after each of some steps."""
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2))
    found = []
    for _ in range(number):
        network(torch.randn(5, 3))
        with torch.no_grad():
            network[0].weight.add_(torch.randn(2, 3))
        found.append(copy.deepcopy(network))
    return found


def averaged(steps: list[nn.Module], **settings: Any) -> dict[str, Tensor]:
    average = RunningAverage(nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2)), **settings)
    for network in steps:
        average.update_parameters(network)
    return dict(average.module.state_dict())


def test_the_decay_warms_up_and_statistics_of_norms_are_averaged_too():
    steps = networks(30)
    for decay in (0.5, 0.99):
        expected = {name: value.clone() for name, value in steps[0].state_dict().items()}
        for t, network in enumerate(steps[1:], start=1):
            d = min(decay, (1 + t) / (10 + t))
            for name, value in network.state_dict().items():
                expected[name] = d * expected[name] + (1 - d) * value
        found = averaged(steps, decay=decay)
        assert found.pop("1.num_batches_tracked") == 30
        torch.testing.assert_close(found, {name: expected[name] for name in found})


def test_without_a_decay_it_is_the_mean_of_all_steps():
    steps = networks(7)
    found = averaged(steps, decay=None)
    for name in ("0.weight", "1.running_mean", "1.running_var"):
        mean = torch.stack([network.state_dict()[name] for network in steps]).mean(0)
        torch.testing.assert_close(found[name], mean)


def test_torch_gives_the_same_without_warm_up():
    steps = networks(7)
    expected = torch.optim.swa_utils.AveragedModel(
        steps[0], multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(0.8), use_buffers=True
    )
    for network in steps:
        expected.update_parameters(network)
    found = averaged(steps, decay=0.8, warm_up=False)
    for name in ("0.weight", "1.running_mean", "1.running_var"):
        assert torch.equal(found[name], expected.module.state_dict()[name])


def test_an_exchange_is_undone_by_another_and_nothing_happens_before_the_first_step():
    one, two = networks(2)
    average = RunningAverage(one, decay=0.5)
    average.exchange(two)
    assert torch.equal(two[0].weight, networks(2)[1][0].weight)
    average.follow(two)
    average.update_parameters(one)
    average.exchange(two)
    assert torch.equal(two[0].weight, one[0].weight), "what it followed does not count"
    average.exchange(two)
    assert torch.equal(two[0].weight, networks(2)[1][0].weight)


@pytest.mark.parametrize("setting", [{"decay": 1.0}, {"decay": 0.0}, {"start": 1.0}, {"start": -1}])
def test_settings_that_cannot_work_are_refused(setting: dict[str, float]):
    (name,) = setting
    with pytest.raises(ValueError, match=rf"model.weight_average.{name} is .*; expected"):
        WeightAverage(**setting)


def test_a_start_needs_an_end():
    assert WeightAverage(start=0.7).first_epoch(16) == 12
    assert WeightAverage().first_epoch(-1) == 0
    with pytest.raises(ConfigError, match=r"trainer.max_epochs, which is not set"):
        WeightAverage(start=0.5).first_epoch(-1)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of runs on images (batch norms), with and without an average."""
    folder = tmp_path_factory.mktemp("averages")
    write_image_store(folder / "store")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(CohortDataModule, "prepare_data", lambda self: None)
        train(folder, "plain", **IMAGE_SETTINGS)
        for name, settings in BOTH.items():
            trained = train(folder, name, **IMAGE_SETTINGS, model__weight_average=settings)
            trained.predictions.to_csv(folder / f"{name}.csv", index=False)
    return folder


@pytest.mark.parametrize("name", BOTH)
def test_training_goes_on_with_its_own_weights_and_validation_has_the_average(
    name: str, runs: Path
):
    plain, found = history(runs / "plain"), history(runs / name)
    of_training = [c for c in plain if c.startswith(("train/", "weights/"))]
    pd.testing.assert_frame_equal(found[of_training], plain[of_training], check_exact=True)
    differs = (found["validation/loss"] != plain["validation/loss"]).tolist()
    assert differs == ([True] * 5 if name == "exponential" else [False, False, False, True, True])


@pytest.mark.parametrize("name", BOTH)
def test_checkpoint_exported_model_and_predictions_have_the_average(name: str, runs: Path):
    last = read_checkpoint(runs / name / "checkpoints" / "last.ckpt")["state_dict"]
    raw = read_checkpoint(runs / "plain" / "checkpoints" / "last.ckpt")["state_dict"]
    weights = [key.removeprefix("network.") for key in raw if key.startswith("network.")]
    assert all(torch.equal(last[f"average.module.{w}"], raw[f"network.{w}"]) for w in weights)
    assert not torch.equal(
        last["network.heads.os.layer.weight"], raw["network.heads.os.layer.weight"]
    )
    best = read_checkpoint(runs / name / "checkpoints" / "best.ckpt")["state_dict"]
    exported = load_file(runs / name / "model" / "model.safetensors")
    grown = ("baseline_time", "baseline_hazard")
    assert all(
        torch.equal(exported[w], best[f"network.{w}"]) for w in weights if not w.endswith(grown)
    )
    module, _ = load_model(runs / name / "checkpoints" / "best.ckpt")
    assert module.average is None
    assert torch.equal(module.network.heads["os"].layer.weight, exported["heads.os.layer.weight"])


@pytest.mark.parametrize("when", [(3, 0), (2, 1)])
@pytest.mark.parametrize("name", BOTH)
def test_a_run_that_was_cut_goes_on_to_the_bit(
    name: str, when: tuple[int, int], runs: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(CohortDataModule, "prepare_data", lambda self: None)
    real = MultiTaskModule.training_step

    def step(module: MultiTaskModule, batch: Any, batch_idx: int) -> dict[str, Any]:
        if (module.current_epoch, batch_idx) == when:
            raise PowerCutError
        return real(module, batch, batch_idx)

    cut, settings = f"{name}_{when[0]}", IMAGE_SETTINGS | {"model__weight_average": BOTH[name]}
    with monkeypatch.context() as patched:
        patched.setattr(MultiTaskModule, "training_step", step)
        with pytest.raises(PowerCutError):
            train(runs, cut, **settings)
    resumed = train(runs, cut, "--ckpt_path", "last", **settings)
    pd.testing.assert_frame_equal(history(runs / cut), history(runs / name), check_exact=True)
    for file in ("best", "last"):
        one, other = (
            read_checkpoint(runs / run / "checkpoints" / f"{file}.ckpt")["state_dict"]
            for run in (cut, name)
        )
        torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
    assert resumed.predictions.to_csv(index=False) == (runs / f"{name}.csv").read_text()


def test_a_run_without_averages_does_not_go_on_with_them(
    runs: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(CohortDataModule, "prepare_data", lambda self: None)
    settings = IMAGE_SETTINGS | {"model__weight_average": BOTH["exponential"]}
    with pytest.raises(CheckpointError, match=r"weight 'average.module.* is absent in the checkp"):
        train(runs, "plain", "--ckpt_path", "last", "--trainer.max_epochs", "6", **settings)
