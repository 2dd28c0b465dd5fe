"""A W&B project to a saved workspace and a report page: ``python -m mtl_hcc.dashboard``."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from mtl_hcc.command_line.entry_point import report_errors
from mtl_hcc.errors import ConfigError

DESCRIPTION = """Make the dashboards of a W&B project: learning curves per task, task weights, the
leaderboard of all runs and their figures. Patients' data are not read; the panels show what
`fit --wandb online` (or `wandb sync`) has sent before."""


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    made = argparse.ArgumentParser(
        prog="python -m mtl_hcc.dashboard",
        description=DESCRIPTION,
        epilog="Example: python -m mtl_hcc.dashboard --entity my-team --project mtl_hcc",
        allow_abbrev=False,
    )
    made.add_argument("--entity", required=True, help="W&B user or team")
    made.add_argument("--project", default="mtl_hcc", help="W&B project (default: mtl_hcc)")
    made.add_argument(
        "--config", type=Path, default=Path("configs/ct_mtl.yaml"), metavar="YAML",
        help="config whose tasks are shown, e.g. RUN/config.yaml (default: configs/ct_mtl.yaml)",
    )  # fmt: skip
    made.add_argument(
        "--specification", type=Path, metavar="FOLDER",
        help="write what would be sent into this folder, and send nothing",
    )  # fmt: skip
    return made


@report_errors
def main(argv: Sequence[str] | None = None) -> None:
    """Save the workspace and the report, or write their specifications."""
    arguments = parser().parse_args(argv)
    from mtl_hcc.atomic import write_bytes
    from mtl_hcc.command_line.output_place import check_output_folder
    from mtl_hcc.tracking.wandb_dashboard import (
        make_report,
        make_workspace,
        specifications,
        task_kinds,
    )

    if arguments.specification is not None:
        check_output_folder(arguments.specification, "--specification")
    tasks = task_kinds(read_heads(arguments.config))
    if arguments.specification is not None:
        for name, text in specifications(arguments.entity, arguments.project, tasks).items():
            write_bytes(arguments.specification / name, text.encode())
            print(f"wrote {arguments.specification / name}")
        print("Nothing was sent. To send: the same command without --specification.")
        return
    check_login()
    for make in (make_workspace, make_report):
        page = make(arguments.entity, arguments.project, tasks)
        try:
            page.save()
        except Exception as error:  # W&B raises whatever its server answered
            raise ConfigError(
                f"W&B did not take it: {error}",
                where=f"--entity {arguments.entity} --project {arguments.project}",
                expected="a project that this login may change",
                remedy="Check both names on wandb.ai; the project must hold a run.",
            ) from error
        print(page.url)


def read_heads(path: Path) -> dict[str, dict[str, object]]:
    """Return ``model.heads`` of a config."""
    import yaml

    try:
        heads: dict[str, dict[str, object]] = yaml.safe_load(path.read_text())["model"]["heads"]
    except (OSError, UnicodeDecodeError, yaml.YAMLError, TypeError, KeyError) as error:
        raise ConfigError(
            f"no heads can be read ({type(error).__name__}: {error})",
            where=str(path),
            expected="a config with model.heads",
            remedy="Name the config.yaml of a run: --config runs/ct_mtl/config.yaml",
        ) from error
    return heads


def check_login() -> None:
    """Raise unless a W&B key is known on this machine."""
    import wandb

    try:
        wandb.Api()
    except wandb.errors.UsageError as error:
        raise ConfigError(
            "no W&B login on this machine",
            where="W&B",
            remedy="Log in (wandb login), or add --specification FOLDER to look at it first.",
        ) from error


if __name__ == "__main__":
    raise SystemExit(main())
