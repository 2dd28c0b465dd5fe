"""Question: what does a view of the whole liver give beside the view of the tumor?

Compares two finished runs on the same patients and splits, paired, and writes
``benchmarks/results/two_views.md``.

Commands: ``python -m mtl_hcc.fit --config configs/ct_mtl.yaml``,
``python -m mtl_hcc.fit --config configs/ct_mtl_two_views.yaml``, then
``python benchmarks/two_views.py runs/ct_mtl runs/ct_mtl_two_views``.
"""

import sys
from math import prod
from pathlib import Path

import pandas as pd
from fit import _machine
from safetensors import safe_open

from mtl_hcc.metrics.comparisons import compare_models
from mtl_hcc.metrics.evaluate_predictions import evaluate_predictions
from mtl_hcc.metrics.predictions import read_predictions
from mtl_hcc.metrics.results_table import results_markdown

RESULT = Path(__file__).parent / "results" / "two_views.md"
SHOWN = {"concordance_harrell": "C-index", "auc": "AUC"}


def main(one: Path, two: Path) -> None:
    """Compare, and write the page.

    Args:
        one: Run folder of the design with one view.
        two: Of the design with two views, on the same splits.
    """
    names = {"tumor": one, "liver and tumor": two}
    read = [read_predictions(run / "predictions.csv", model=name) for name, run in names.items()]
    everything = pd.concat(read, ignore_index=True)
    metrics = evaluate_predictions(everything, bootstraps=1000, seed=0)
    pairs = compare_models(everything, bootstraps=1000)
    lines = [
        "# Two views beside one\n",
        f"Question: {(__doc__ or '').partition('Question: ')[2].partition(chr(10))[0]}\n",
        "Commands: `python -m mtl_hcc.fit --config configs/ct_mtl.yaml` (its view: 96 mm around",
        "the tumor at 2 mm), `python -m mtl_hcc.fit --config configs/ct_mtl_two_views.yaml` (the",
        "same, and the whole liver at 4 mm), `python benchmarks/two_views.py RUN RUN`.",
        "One run each, seed 0, the same phantom and splits: one seed is no evidence.\n",
        results_markdown(metrics),
        "Liver and tumor minus tumor, paired over patients:\n",
        _differences(pairs),
        _cost(names),
        f"Machine: {_machine()}.\n",
    ]
    RESULT.write_text("\n".join(lines))


def _differences(pairs: pd.DataFrame) -> str:
    """Return the paired differences as a table."""
    lines = ["| Split | Metric | difference (95% interval) | p |", "|---|---|---:|---:|"]
    for row in pairs[pairs["metric"].isin(list(SHOWN))].to_dict("records"):
        sign = 1 if row["model_a"] == "liver and tumor" else -1
        low, high = sorted((sign * row["ci_low"], sign * row["ci_high"]))
        lines.append(
            f"| {row['split']} | {row['task'].upper()} {SHOWN[row['metric']]} "
            f"| {sign * row['difference']:+.3f} ({low:+.3f} to {high:+.3f}) | {row['p']:.2f} |"
        )
    return "\n".join([*lines, ""])


def _cost(names: dict[str, Path]) -> str:
    """Return the number of weights and epochs of each design."""
    lines = ["| Design | weights | epochs |", "|---|---:|---:|"]
    for name, run in names.items():
        with safe_open(run / "model" / "model.safetensors", framework="np") as file:
            weights = sum(prod(file.get_slice(key).get_shape()) for key in file.keys())  # noqa: SIM118
        epochs = len(pd.read_csv(run / "history.csv"))
        lines.append(f"| {name} | {weights:,} | {epochs} |")
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
