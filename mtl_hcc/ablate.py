"""`python -m mtl_hcc.ablate`: variants of a design on the same folds; what each part is worth."""

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml
from rich.console import Console

from mtl_hcc.ablation.ablation_results import (
    TABLE,
    TEXT,
    printed_table,
    result_line,
    runs_table,
    write_ablation,
)
from mtl_hcc.ablation.study_file import FULL, read_study
from mtl_hcc.ablation.variants import Ablation, plan_ablation
from mtl_hcc.command_line.config import build_parser
from mtl_hcc.command_line.entry_point import report_errors
from mtl_hcc.errors import RunError
from mtl_hcc.metrics.results_table import print_results
from mtl_hcc.runs.run_many import prepare_stores, run_many

DESCRIPTION = """Train variants of a design on the same folds, over several seeds.

  python -m mtl_hcc.ablate --config configs/ct_mtl.yaml --study configs/ablation/ct_mtl.yaml
All other flags are those of `fit` and hold for every variant, e.g. --data.cohort PATH. Give the
same command again after a kill: finished runs are kept, unfinished ones go on, runs whose
settings or data have changed are trained anew. Writes ablation.csv and ablation.md into the run
folder of the design, and each run into a folder of its own in ablation/ beside them."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the flags that `fit` does not have."""
    made = argparse.ArgumentParser(
        prog="python -m mtl_hcc.ablate",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    made.add_argument("--study", type=Path, required=True, help="YAML file: seeds and variants")
    made.add_argument("--list", action="store_true", help="print the runs and stop")
    made.add_argument(
        "--only", nargs="+", metavar="NAME",
        help="train these variants or single runs, as --list names them: one job each on a cluster",
    )  # fmt: skip
    made.add_argument(
        "--jobs", type=whole_number,
        help="runs at a time (default: 1 on this machine, as many as SLURM gives)",
    )  # fmt: skip
    made.add_argument(
        "--backend", help="joblib backend of a cluster, e.g. dask (default: this machine)"
    )
    made.add_argument(
        "--slurm", nargs="+", type=setting, metavar="NAME=VALUE",
        help="a SLURM job for each run, e.g. --slurm partition=gpu timeout_min=240 gpus_per_node=1 "
        "(names of submitit or sbatch; pip install 'mtl_hcc[slurm]')",
    )  # fmt: skip
    return made


@report_errors
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    options, flags = parser().parse_known_args(arguments)
    of_fit = build_parser(DESCRIPTION, prog="python -m mtl_hcc.ablate")
    study = plan_ablation(of_fit, flags, read_study(options.study))
    chosen = study.choose(options.only)
    console = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
    if options.list:
        print_results(runs_table(chosen))
    else:
        prepare_stores(of_fit, [study.runs[0], *chosen])
    finished = sum(run.state == "finished" for run in chosen)
    left = len(chosen) - finished
    console.print(f"{len(chosen)} runs, {finished} finished, {left} to train.")
    if options.list:
        return
    failed = run_many(
        chosen,
        jobs=options.jobs,
        backend=options.backend,
        slurm=None if options.slurm is None else dict(options.slurm),
        console=console,
        found=result_line,
    )
    write_table(study, console)
    if failed:
        first = next(run for run in chosen if run.name in failed)
        raise RunError(
            f"{len(failed)} of {len(chosen)} runs failed; the first: {failed[first.name]}",
            where=f"{first.name}, {first.log}",
            remedy="Mend what the log says, and give the command again: the others are kept.",
        )


def write_table(study: Ablation, console: Console) -> None:
    """Write and print the table of all runs that are finished by now."""
    finished = [run for run in study.runs if run.state == "finished"]
    missing = [run.name for run in study.runs if run not in finished]
    if missing:
        first = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        share = f"{len(missing)} of {len(study.runs)} runs"
        console.print(f"Not in the table, for not finished: {share} ({first}).")
    if not any(run.variant == FULL for run in finished):
        console.print("No table yet: the full design is not finished.")
        return
    table = write_ablation(finished, study.folder, bootstraps=study.bootstraps)
    print_results(printed_table(table))
    for name in (TABLE, TEXT):
        console.print(f"  {study.folder / name}")


def whole_number(text: str) -> int:
    """Read a positive whole number (argparse words the error)."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


def setting(text: str) -> tuple[str, Any]:
    """Read ``name=value``, the value as in YAML (argparse words the error)."""
    name, equals, value = text.partition("=")
    if not equals:
        raise argparse.ArgumentTypeError(f"{text} is not name=value")
    return name.strip(), yaml.safe_load(value)


if __name__ == "__main__":
    raise SystemExit(main())
