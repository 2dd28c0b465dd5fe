"""`python -m mtl_hcc.ablate`: variants of a design on the same folds; what each part is worth."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from mtl_hcc.ablation.plan import Plan, plan_runs
from mtl_hcc.ablation.show import plan_table, printed_table, summary
from mtl_hcc.ablation.stores import prepare_stores
from mtl_hcc.ablation.study import FULL, read_study
from mtl_hcc.ablation.table import TABLE, TEXT, write_ablation
from mtl_hcc.ablation.train_study import train_study
from mtl_hcc.command_line.config import build_parser
from mtl_hcc.command_line.entry_point import report_errors
from mtl_hcc.errors import RunError
from mtl_hcc.metrics.results_table import print_results

DESCRIPTION = """Train variants of a design on the same folds, over several seeds.

  python -m mtl_hcc.ablate --config configs/ct_mtl.yaml --study configs/ablation/ct_mtl.yaml
All other flags are those of `fit` and hold for every variant, e.g. --data.cohort PATH. Give the
same command again after a kill: finished runs are kept, unfinished ones go on, runs whose
settings or data have changed are trained anew. Writes ablation.csv and ablation.md into the run
folder of the design, and each run into a folder of its own in ablation/ beside them."""

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


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
    made.add_argument("--jobs", type=whole_number, default=1, help="runs at a time (default: 1)")
    made.add_argument(
        "--backend", help="joblib backend of a cluster, e.g. dask (default: this machine)"
    )
    return made


@report_errors
def main(arguments: Sequence[str] | None = None) -> int | None:
    """Run the command line."""
    options, flags = parser().parse_known_args(arguments)
    of_fit = build_parser(DESCRIPTION, prog="python -m mtl_hcc.ablate")
    plan = plan_runs(of_fit, flags, read_study(options.study))
    chosen = plan.choose(options.only)
    console = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
    if options.list:
        print_results(plan_table(chosen))
        console.print(summary(plan, chosen, jobs=options.jobs))
        return None
    prepare_stores(of_fit, plan.runs[0], chosen)
    console.print(summary(plan, chosen, jobs=options.jobs))
    try:
        failed = train_study(chosen, jobs=options.jobs, backend=options.backend, console=console)
    except KeyboardInterrupt:
        print("Stopped. Give the same command again to go on.", file=sys.stderr)
        return INTERRUPTED
    write_table(plan, console)
    if failed:
        raise RunError(
            f"{len(failed)} of {len(chosen)} runs failed; the first: {failed[0].reason}",
            where=f"{failed[0].run.name}, {failed[0].run.log}",
            remedy="Mend what the log says, and give the command again: the others are kept.",
        )
    return None


def write_table(plan: Plan, console: Console) -> None:
    """Write and print the table of all runs that are finished by now."""
    finished = [run for run in plan.runs if run.state == "finished"]
    missing = [run.name for run in plan.runs if run not in finished]
    if missing:
        first = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        share = f"{len(missing)} of {len(plan.runs)} runs"
        console.print(f"Not in the table, for not finished: {share} ({first}).")
    if not any(run.variant == FULL for run in finished):
        console.print("No table yet: the full design is not finished.")
        return
    table = write_ablation(finished, plan.run, bootstraps=plan.bootstraps)
    print_results(printed_table(table))
    for name in (TABLE, TEXT):
        console.print(f"  {plan.run / name}")


def whole_number(text: str) -> int:
    """Read a positive whole number (argparse words the error)."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return number


if __name__ == "__main__":
    raise SystemExit(main())
