"""Question: how much of what can be seen on the images does a config recover?

The recovered share of a model in one split of one task is
``(C - 0.5) / (C of the visible ceiling - 0.5)``, with the AUC in place of Harrell's C for MVI. The
visible ceiling knows the phantom's truth as far as the phases of the run show it. Each seed is a
phantom cohort of its own and a training of its own.

Commands: ``python benchmarks/recovery.py --config configs/ct_mtl.yaml --seeds 0 1 2`` trains (what
is finished is not trained again), ``--overrides FILE.yaml ...`` adds variants that differ from the
config by what a file says, each compared with it. Choose by the validation split; the external
center is for the end (``--split external``).
"""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
from fit import _machine
from numpy.typing import NDArray

from mtl_hcc.metrics.classification.auc import auc
from mtl_hcc.metrics.predictions import with_outcome
from mtl_hcc.metrics.survival.concordance import concordance_harrell

RESULT = Path(__file__).parent / "results" / "recovery.md"
COHORT = {"I": 192, "II": 29, "III": 29, "IV": 29, "V": 29, "VI": 300}
"""The paper's cohort, with 300 external patients in place of 80."""
CEILING, STRONGEST = "visible ceiling", "region statistics"
BESIDE = (STRONGEST, "all clinical columns", "tumor size")
TASKS = ("os", "rfs", "mvi")


def main(arguments: list[str] | None = None) -> None:
    """Train what is not there, then write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--config", type=Path, default=Path("configs/ct_mtl.yaml"))
    parser.add_argument("--overrides", type=Path, nargs="*", default=[])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--split", default="validation", choices=["validation", "external"])
    parser.add_argument("--root", type=Path, default=Path("runs/recovery"))
    parser.add_argument("--resamples", type=int, default=1000)
    given = parser.parse_args(arguments)
    variants: dict[str, list[Path]] = {given.config.stem: []}
    variants |= {path.stem: [path] for path in given.overrides}
    scores = []
    for seed in given.seeds:
        for name, files in variants.items():
            run = given.root / f"{name}_{seed}"
            _train([given.config, *files], run, given.root / f"store_{seed}", seed)
            found = _scores(run, name, seed, given.split, given.resamples)
            # The simple models are those of the first variant: all see the same patients.
            scores += [one for one in found if one["model"] == name or name == given.config.stem]
    _write(pd.DataFrame(scores), list(variants), given)


def _train(configs: list[Path], run: Path, store: Path, seed: int) -> None:
    """Train one run in a process of its own; a finished one is left as it is."""
    flags = [part for path in configs for part in ("--config", str(path))]
    flags += ["--run", str(run), "--data.store", str(store), "--seed", str(seed)]
    flags += ["--data.phantom.seed", str(seed), "--data.phantom.patients", str(COHORT)]
    flags += ["--repeat", "never", "--bootstraps", "20", "--wandb", "disabled"]
    subprocess.run([sys.executable, "-m", "mtl_hcc.fit", *flags], check=True)


def _scores(run: Path, name: str, seed: int, split: str, resamples: int) -> list[dict[str, object]]:
    """Return the recovered share of each model and task, whole and of resampled patients."""
    own = pd.read_csv(run / "predictions.csv", dtype={"patient_id": str}).assign(model=name)
    others = pd.read_csv(run / "baselines.csv", dtype={"patient_id": str})
    rows = pd.concat([own, others[others["model"].isin([*BESIDE, CEILING])]])
    rows = rows[rows["split"] == split]
    found = []
    for task in TASKS:
        labelled = with_outcome(
            rows[rows["task"] == task], "binary" if task == "mvi" else "survival"
        )
        column = "probability" if task == "mvi" else "risk"
        wide = labelled.pivot(index="patient_id", columns="model", values=column)
        if wide.isna().any(axis=None) or CEILING not in wide:
            raise ValueError(f"{run}, {task}, {split}: not every model predicts every patient")
        who = labelled.drop_duplicates("patient_id").set_index("patient_id").loc[wide.index]
        random = np.random.default_rng(seed)
        drawn = [np.arange(len(wide)), *random.integers(len(wide), size=(resamples, len(wide)))]
        values = {
            model: np.array([_value(task, wide[model].to_numpy(), who, some) for some in drawn])
            for model in wide
        }
        for model, of_model in values.items():
            share = (of_model - 0.5) / (values[CEILING] - 0.5)
            found.append(
                {"model": model, "task": task, "seed": seed, "value": of_model[0]}
                | {"share": share[0], "resampled": share[1:], "patients": list(wide.index)}
            )
    return found


def _value(
    task: str, score: NDArray[np.float64], who: pd.DataFrame, rows: NDArray[np.int64]
) -> float:
    """Return Harrell's C, or the AUC of MVI, of some patients."""
    if task == "mvi":
        return auc(who["label"].to_numpy()[rows] > 0, score[rows])
    time, event = who["time_days"].to_numpy()[rows], who["event"].to_numpy()[rows] > 0
    return concordance_harrell(score[rows], time, event)


def _write(table: pd.DataFrame, variants: list[str], given: argparse.Namespace) -> None:
    """Write means over seeds, and the paired differences from the strongest simple model."""
    models = [*variants, *BESIDE]
    lines = [
        "# What is recovered of what can be seen\n",
        f"{(__doc__ or '').strip()}\n",
        f"Here: seeds {', '.join(map(str, given.seeds))}, split {given.split}, "
        f"{given.resamples} resamples of the patients, the same for all models.\n",
        "| model | " + " | ".join(f"{task.upper()} C or AUC | share" for task in TASKS) + " |",
        "|---|" + "---:|---:|" * len(TASKS),
    ]
    for model in [CEILING, *models]:
        cells = []
        for task in TASKS:
            part = table[(table["model"] == model) & (table["task"] == task)]
            cells += [f"{part['value'].mean():.3f}", f"{part['share'].mean():.2f}"]
        lines.append(f"| {model} | " + " | ".join(cells) + " |")
    pairs = [(name, STRONGEST) for name in variants] + [(v, variants[0]) for v in variants[1:]]
    lines += [
        "",
        "Difference of the recovered shares, mean over seeds (95% interval over patients):\n",
        "| | " + " | ".join(task.upper() for task in TASKS) + " |",
        "|---|" + "---:|" * len(TASKS),
    ]
    for one, other in pairs:
        cells = [_difference(table, one, other, task) for task in TASKS]
        lines.append(f"| {one} minus {other} | " + " | ".join(cells) + " |")
    lines += ["", "Each seed:\n", "| model | seed | OS | RFS | MVI |", "|---|---:|---:|---:|---:|"]
    for model in [CEILING, *models]:
        for seed in given.seeds:
            part = table[(table["model"] == model) & (table["seed"] == seed)].set_index("task")
            values = " | ".join(f"{part.loc[task, 'value']:.3f}" for task in TASKS)
            lines.append(f"| {model} | {seed} | {values} |")
    lines += ["", f"Machine: {_machine()}.\n"]
    RESULT.write_text("\n".join(lines))
    print("\n".join(lines))


def _difference(table: pd.DataFrame, one: str, other: str, task: str) -> str:
    """Return the mean over seeds and its interval, both models on the same resamples."""
    of_task = table[table["task"] == task].set_index(["model", "seed"])
    for seed, patients in of_task.loc[one]["patients"].items():
        if patients != of_task.loc[(other, seed), "patients"]:
            raise ValueError(f"{one} and {other}, seed {seed}, {task}: not the same patients")
    apart = of_task.loc[one]["share"] - of_task.loc[other]["share"]
    drawn = [
        of_task.loc[(one, seed), "resampled"] - of_task.loc[(other, seed), "resampled"]
        for seed in apart.index
    ]
    low, high = np.percentile(np.mean(drawn, axis=0), [2.5, 97.5])
    return f"{apart.mean():+.3f} ({low:+.3f} to {high:+.3f})"


if __name__ == "__main__":
    main()
