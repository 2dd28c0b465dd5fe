"""`python -m mtl_hcc.plan`: a cohort is measured, and a config with its reasons is written."""

import importlib
import inspect
import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

from jsonargparse import ArgumentParser, Namespace
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from mtl_hcc.atomic import write_bytes
from mtl_hcc.cohorts.source import CohortSource
from mtl_hcc.command_line.config import build_parser, read_config
from mtl_hcc.command_line.entry_point import report_errors
from mtl_hcc.command_line.output_place import check_output_file
from mtl_hcc.data.splits.splits_csv import write_splits
from mtl_hcc.errors import ConfigError
from mtl_hcc.imaging.preparation import Preparation
from mtl_hcc.planning.cohort_plan import CohortPlan, PlanSettings, plan_cohort
from mtl_hcc.planning.config_text import config_text
from mtl_hcc.planning.data_lines import Places
from mtl_hcc.planning.machine import this_machine
from mtl_hcc.planning.summary import summary_rows, warnings_of
from mtl_hcc.store.renew import default_source

DESCRIPTION = """Measure a cohort and write a config for it, with the reason of every choice.

  python -m mtl_hcc.plan --cohort PATH --output configs/mine.yaml
  python -m mtl_hcc.fit --config configs/mine.yaml
A DICOM tree: add --source DicomTree. A clinical table alone: name the file as the cohort.
Measured are spacings, tumors, livers and intensities of training patients (60 at most); of all
others only labels and phases are counted. Chosen are phases, voxels, field of view, intensity
window, split or folds, endpoints, batch, epochs and precision. Read the file before you train."""


@report_errors
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = _parser()
    given = read_config(parser, arguments)
    settings = parser.instantiate(given)
    output, root = Path(settings.output), Path(settings.cohort)
    splits = output.with_name(f"{output.stem}_splits.csv")
    check_free(output, splits, overwrite=settings.overwrite)
    source = settings.source or guessed_source(root)
    cohort = source.read(root)
    plan = plan_cohort(
        cohort,
        this_machine(),
        PlanSettings(
            images=settings.images,
            seed=settings.seed,
            hours=settings.hours,
            modality=settings.modality,
            workers=settings.workers,
        ),
    )
    own_file = plan.split.value.kind == "center"
    places = Places(output, settings.cohort, as_settings(given.source), str(splits))
    text = config_text(plan, places)
    check_text(text)
    if own_file:
        write_splits(plan.splits, splits, made_by=f"python -m mtl_hcc.plan, seed {settings.seed}")
    write_bytes(output, text.encode())
    show(plan, output)


def guessed_source(root: Path) -> CohortSource:
    """Return the reader of a cohort that names none: a table alone, or the folder with images.

    Args:
        root: The cohort.
    """
    alone = root.is_file() or ((root / "patients.csv").is_file() and not (root / "images").exists())
    return default_source(None if alone else Preparation())


def check_free(output: Path, splits: Path, *, overwrite: bool) -> None:
    """Refuse to replace a config, or its file of splits, unless that is wanted.

    Args:
        output: The config.
        splits: The file beside it.
        overwrite: Whether both may be replaced.

    Raises:
        ConfigError: One of them is there, or cannot be written.
    """
    check_output_file(output, "--output")
    if output.suffix not in (".yaml", ".yml"):
        raise ConfigError(
            f"the name ends with {output.suffix or 'nothing'}",
            where=f"--output {output}",
            expected="the name of a config, ending with .yaml",
            remedy=f"Write --output {output.with_suffix('.yaml')}.",
        )
    taken = [path for path in (output, splits) if path.exists()]
    if taken and not overwrite:
        raise ConfigError(
            "the file is there already, and may have been edited",
            where=f"--output {taken[0]}",
            expected="a new file",
            remedy="Name another one, or add --overwrite.",
        )


def check_text(text: str) -> None:
    """See that `fit` would read the config: a mistake must not wait until then.

    Args:
        text: The YAML.
    """
    with TemporaryDirectory() as folder:
        path = Path(folder) / "plan.yaml"
        path.write_text(text, encoding="utf-8")
        read_config(build_parser(""), ["--config", str(path)])


def as_settings(source: Namespace | None) -> Any:
    """Return a reader as the config names it: class, and arguments that are not its defaults.

    Args:
        source: As the parser read it.
    """
    if source is None:
        return None
    module, _, name = source.class_path.rpartition(".")
    kind = getattr(importlib.import_module(module), name)
    defaults = inspect.signature(kind).parameters
    given = source.get("init_args") or Namespace()
    changed = {
        key: value
        for key, value in given.as_dict().items()
        if value not in (None, [], {}, defaults[key].default)
        and value != _as_list(defaults[key].default)
    }
    path = name if module.startswith("mtl_hcc.cohorts") else source.class_path
    if not changed:
        return path
    return {"class_path": path, "init_args": json.loads(json.dumps(changed, default=str))}


def _as_list(value: Any) -> Any:
    """Return a tuple as the parser reads it."""
    return list(value) if isinstance(value, tuple) else value


def show(plan: CohortPlan, output: Path) -> None:
    """Print what was found and chosen, what to look at, and the next command.

    Args:
        plan: What was chosen.
        output: The config.
    """
    table = Table(title=f"Plan for {plan.counts.patients} patients", title_justify="left")
    for column in ("", "found", "chosen"):
        table.add_column(column, overflow="fold")
    for row in summary_rows(plan):
        table.add_row(*map(escape, row))
    console = Console(markup=False, emoji=False)
    console.print(table)
    for warning in warnings_of(plan):
        console.print(f"Look at this: {warning}", style="yellow", markup=False, soft_wrap=True)
    print(f"Written, with the reason of each line: {output}")
    print(f"Next: python -m mtl_hcc.fit --config {output}")


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="python -m mtl_hcc.plan",
        description=DESCRIPTION,
        allow_abbrev=False,
        exit_on_error=False,
    )
    add = parser.add_argument
    add("--cohort", type=str, required=True, help="Folder or table of the cohort.")
    add("--output", type=str, required=True, help="Config to write, e.g. configs/mine.yaml.")
    add("--overwrite", action="store_true", help="Replace a config that is there already.")
    add("--source", type=CohortSource | None, help="How the cohort is read, e.g. DicomTree.")
    add(
        "--modality",
        type=Literal["ct", "mri"] | None,
        help="mri for MR images that have only phases that CT has, too (default: by the phases).",
    )
    add("--images", type=int, default=60, help="Training patients whose images are measured.")
    add("--hours", type=float, default=12.0, help="That all folds may train on a CPU.")
    add("--seed", type=int, default=0, help="Of splits, of the patients drawn, of the training.")
    add("--workers", type=int, default=-1, help="Processes that measure; -1 for all cores.")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
