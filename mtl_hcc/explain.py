"""`python -m mtl_hcc.explain`: where a trained network looks, and what it cannot do without."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from jsonargparse import ArgumentParser, Namespace

from mtl_hcc.atomic import write_bytes
from mtl_hcc.cohorts.source import CohortSource
from mtl_hcc.command_line.config import read_config
from mtl_hcc.command_line.entry_point import report_errors
from mtl_hcc.command_line.output_place import check_output_folder
from mtl_hcc.errors import CohortError
from mtl_hcc.explanation.activation_map import Method
from mtl_hcc.explanation.explain_cohort import explain_cohort, settings_text, write_tables
from mtl_hcc.explanation.explanation_plan import (
    chosen_views,
    default_output,
    make_plan,
)
from mtl_hcc.runs.checkpoint import load_model
from mtl_hcc.training.module import MultiTaskModule

DESCRIPTION = """Show where a trained network looks, and what it cannot do without.

  python -m mtl_hcc.explain --checkpoint runs/ct_mtl --split external
Writes per patient, task and phase an activation map (on the prepared grid and as NIfTI on the
patient's own grid) and a figure; regions.csv: share of the map in tumor, ring and liver, against
random places of the tumor; occlusion.csv: change of the risk without a phase, a region or a view;
both also pooled; attention.csv: the weight of each phase or slice, where the network gives some.
Kill it and run it again: finished patients are kept."""


@report_errors
def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line."""
    parser = _parser()
    settings = parser.instantiate(read_config(parser, arguments))
    if settings.output is not None:
        check_output_folder(Path(settings.output), "--output")
    module, values = load_model(Path(settings.checkpoint), trusted=settings.trust)
    if (values["data"].get("prediction_rotations") or 1) > 1:
        print("The model predicts means over rotations; patients are explained as they are.")
    views = chosen_views(settings, module)
    for view in views:
        if len(module.network.encoders) > 1:
            print(f"View {view}:")
        _explain(settings, module, values, view)
    run = Path(settings.output or default_output(Path(settings.checkpoint))).parent
    if (run / "predictions.csv").is_file():
        print(f"Next: python -m mtl_hcc.report --run {run}")


def _explain(
    settings: Namespace, module: MultiTaskModule, values: dict[str, Any], view: str
) -> None:
    """Explain the encoder of one view, and print what was found."""
    plan = make_plan(settings, module, values, view)
    patients = len(plan.dataset)
    print(f"{patients} patients; maps of {plan.layer.describe(plan.grid)}")
    backbone = module.network.encoder(view).backbone
    if settings.method == "gradcam" and getattr(backbone, "pooled_regions", ()):
        print("The backbone pools by region: --method hirescam keeps the regions apart.")
    if not plan.sources:
        print("The cohort's images are not here: no maps on the patients' own grids.")
    records, left_out = explain_cohort(plan)
    if not records:
        raise CohortError(
            f"none of the {patients} patients could be explained; {left_out.rows[0]['reason']}",
            where=str(plan.store.root),
            remedy="Mend what the message names, and run explain again.",
        )
    tables = write_tables(plan, records, left_out, bootstraps=settings.bootstraps)
    extra = {"checkpoint": settings.checkpoint, "patients": len(records)}
    write_bytes(plan.output / "explain.yaml", settings_text(plan, extra).encode())
    _print_shares(tables["regions_pooled"])
    _print_sanity(tables.get("sanity_pooled"))
    for row in left_out.rows:
        print(f"{row['patient_id']} ({row['step']}): {row['reason']}")
    print(f"{len(records)} patients explained, {patients - len(records)} left out: {plan.output}")


def _print_shares(pooled: pd.DataFrame) -> None:
    """Print how much of the maps lies in tumor and ring, and at random places."""
    near = pooled[pooled["region"] == "tumor_ring"]
    print("Share of the map in tumor and ring (at random places), p:")
    for row in near.itertuples():
        place = f"{row.split}, {row.task}, {row.phase}"
        print(f"  {place}: {row.share:.2f} ({row.share_null:.2f}), p = {row.p:.3g}, n = {row.n}")


def _print_sanity(pooled: pd.DataFrame | None) -> None:
    """Print how maps of random weights compare: they may lie at the tumor as well."""
    if pooled is None:
        print("A network that has learned nothing may look there too: compare with --sanity.")
        return
    print("The same with random weights (one draw: vary --seed), difference, rank correlation:")
    for row in pooled[pooled["randomized"] == pooled["randomized"].iloc[-1]].itertuples():
        interval = f"{row.difference:+.2f} ({row.ci_low:+.2f} to {row.ci_high:+.2f})"
        print(
            f"  {row.split}, {row.task}, {row.phase}: {row.share_tumor_ring_random:.2f}, "
            f"{interval}, {row.rank_correlation:.2f}"
        )


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="python -m mtl_hcc.explain",
        description=DESCRIPTION,
        allow_abbrev=False,
        exit_on_error=False,
    )
    add = parser.add_argument
    add("--checkpoint", type=str, required=True, help="Run folder, or a model as in predict.")
    add("--cohort", type=str | None, help="Another cohort than the one of the run's config.")
    add("--output", type=str | None, help="Folder to write (default: explanation/ in the run).")
    add("--store", type=str | None, help="Folder of prepared images (default: the config's).")
    add("--source", type=CohortSource | None, help="How the cohort is read, e.g. DicomTree.")
    add(
        "--split",
        type=str | None,
        help="Who is explained: this split (default: all but train). Another cohort is one split "
        "of this name (default: external).",
    )
    add(
        "--view",
        type=str | None,
        help="Explain the encoder of this view only. A model of several views has a folder for "
        "each (default: all).",
    )
    add("--patients", type=str, nargs="+", help="Only these patients.")
    add("--limit", type=int | None, help="At most this many patients.")
    add(
        "--layer",
        type=str | None,
        help="Feature map to show: early ones are fine, deep ones coarse. configs/ct_mtl.yaml: "
        "stem 4 mm, denseblock1 8 mm, denseblock2 16 mm, denseblock3 32 mm (3 cells along an "
        "edge). An unknown name lists all with their resolution (default: the deepest with cells "
        "of at most 10 mm).",
    )
    add(
        "--method",
        type=Method,
        default="gradcam",
        help="gradcam, or hirescam: weights of their own for each cell.",
    )
    add("--ring_mm", type=float, default=10.0, help="Reach of the ring outside the tumor.")
    add("--draws", type=int, default=200, help="Random places of the tumor per patient.")
    add("--bootstraps", type=int, default=1000, help="Resamples of the patients.")
    add("--seed", type=int, default=0, help="Of random places, resamples and random weights.")
    add(
        "--sanity",
        action="store_true",
        help="Also compare with maps of random weights (sanity.csv).",
    )
    add("--no_overlays", action="store_true", help="Draw no figures.")
    add(
        "--trust",
        type=str,
        nargs="+",
        default=[],
        help="Packages besides mtl_hcc whose classes the model may use: their code is run.",
    )
    add("--device", type=str | None, help="cpu or cuda (default: cuda if present).")
    return parser


if __name__ == "__main__":
    raise SystemExit(main())
