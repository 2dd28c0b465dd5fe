"""What `explain` left in a run: pooled tables, and a few of its pictures."""

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from mtl_hcc.reporting.blocks import Block, Note, Picture, data_uri
from mtl_hcc.reporting.figure_files import TableFile
from mtl_hcc.reporting.run_folder import read_csv
from mtl_hcc.tables.key_results_table import NO_VALUE
from mtl_hcc.tables.printed_numbers import p_text

FOLDER = "explanation"
MOST_PICTURES = 4
DIGITS = 2
WIDTH_PIXELS = 1400
"""Pictures are made no wider in the page; the files of `explain` have all pixels."""
ALL_RANDOM = "stem"
"""Weights are made random from the heads down: with the stem's, all are."""
REGION_NAMES = {
    "tumor": "tumor",
    "ring": "ring outside the tumor",
    "tumor_ring": "tumor and ring",
    "liver": "rest of the liver",
    "rest": "outside the liver",
}


def explanation_tables(folder: Path) -> dict[str, TableFile]:
    """Return the tables of an explanation that can be printed.

    Args:
        folder: ``explanation/`` of a run.
    """
    made = {}
    for view, place in _explained(folder).items():
        for name, tabulate in (
            ("regions", _regions),
            ("sanity", _sanity),
            ("occlusion", _occlusion),
        ):
            path = place / f"{name}_pooled.csv"
            if not path.is_file():
                continue
            file = tabulate(read_csv(path))
            if view:
                caption = f"View {view}. {file.caption}"
                file = replace(file, name=f"{name}_{view}", caption=caption)
            made[file.name] = file
    return made


def _explained(folder: Path) -> dict[str, Path]:
    """Return name of a view to its explanation; a model of one view has no folder for it."""
    if (folder / "regions_pooled.csv").is_file() or not folder.is_dir():
        return {"": folder}
    return {
        path.name: path
        for path in sorted(folder.iterdir())
        if (path / "regions_pooled.csv").is_file()
    }


def explanation_blocks(folder: Path) -> list[Block]:
    """Return some of the pictures, or how to get them.

    Args:
        folder: As in :func:`explanation_tables`.
    """
    if not folder.is_dir():
        return [
            Note(
                "The network was not explained. To add maps of where it looks, and what it cannot "
                "do without: python -m mtl_hcc.explain --checkpoint RUN (the run folder), then "
                "report again.",
                missing=True,
            )
        ]
    pictures = [
        (path, f" (view {view})" if view else "")
        for view, place in _explained(folder).items()
        for path in _some(sorted((place / "overlays").glob("*.png")))
    ]
    return [
        Picture(
            title="Activation maps of single patients" if place == 0 else "",
            caption=f"{_task(path)}{of_view}: where the network looked in one patient, as color "
            "over the image, with the predicted survival. An example; the evidence are the pooled "
            "tables. The name in the picture is the patient_id of the cohort's table.",
            source=data_uri(_smaller(path), "png"),
        )
        for place, (path, of_view) in enumerate(pictures)
    ]


def _some(pictures: Sequence[Path]) -> list[Path]:
    """Return a few pictures: one per task first, as the names end."""
    by_task: dict[str, list[Path]] = {}
    for path in pictures:
        by_task.setdefault(_task(path), []).append(path)
    return [paths[0] for paths in by_task.values()][:MOST_PICTURES]


def _task(path: Path) -> str:
    """Return the outcome that a picture is about: the end of its name."""
    return path.stem.rpartition("_")[2].upper()


def _smaller(path: Path) -> bytes:
    """Return a picture that is not wider than the page shows it."""
    from PIL import Image

    with Image.open(path) as picture:
        if picture.width <= WIDTH_PIXELS:
            return path.read_bytes()
        height = round(picture.height * WIDTH_PIXELS / picture.width)
        content = io.BytesIO()
        smaller = picture.convert("RGB").resize((WIDTH_PIXELS, height))
        smaller.quantize(256).save(content, format="png", optimize=True)
    return content.getvalue()


def _regions(table: pd.DataFrame) -> TableFile:
    rows = [
        {
            "Split": row["split"],
            "Outcome": str(row["task"]).upper(),
            "Phase": str(row["phase"]).replace("_", " "),
            "Region": REGION_NAMES.get(str(row["region"]), str(row["region"]).replace("_", " ")),
            "Patients": str(int(row["n"])),
            "Share of the map": _interval(row, "share"),
            "At random places": _number(row.get("share_null")),
            "P-value": p_text(float(row.get("p", "nan"))),
            "Hit rate": _interval(row, "hit"),
        }
        for row in table.to_dict("records")
    ]
    caption = (
        "Share of the activation map inside each region, mean over patients with 95% bootstrap "
        "interval. At random places: the same when tumor and ring are moved to random places of "
        "the liver; p: one-sided, against those places. Hit rate: share of patients whose map is "
        "highest in the region. Read it beside the comparison with random weights (explain "
        "--sanity): where the network looks may come from its design."
    )
    return TableFile("regions", caption, pd.DataFrame(rows))


def _sanity(table: pd.DataFrame) -> TableFile:
    whole = table[table["randomized"] == ALL_RANDOM]
    rows = [
        {
            "Split": row["split"],
            "Outcome": str(row["task"]).upper(),
            "Phase": str(row["phase"]).replace("_", " "),
            "Patients": str(int(row["n"])),
            "Trained": _number(row["share_tumor_ring"]),
            "Random weights": _number(row["share_tumor_ring_random"]),
            "Difference (95% CI)": _interval(row, "difference", prefix=""),
            "Rank correlation": _number(row["rank_correlation"]),
        }
        for row in whole.to_dict("records")
    ]
    caption = (
        "Share of the map in tumor and ring, of the trained network and of the same network with "
        "random weights (one draw); the rank correlation of the two maps is near 0 when the map "
        "depends on what was learned. A network whose inputs are cut out around the tumor looks "
        "there untrained: a share that is not above that of random weights says nothing about "
        "learning, whatever its p against random places."
    )
    return TableFile("sanity", caption, pd.DataFrame(rows))


def _occlusion(table: pd.DataFrame) -> TableFile:
    rows = [
        {
            "Split": row["split"],
            "Outcome": str(row["task"]).upper(),
            "Left out": f"{row['part']}: {row['name']}".replace("_", " "),
            "Metric": {"concordance_harrell": "C-index", "auc": "AUC"}.get(
                str(row["metric"]), str(row["metric"])
            ),
            "Patients": str(int(row["n"])),
            "With": _number(row["value"]),
            "Without": _number(row["value_without"]),
            "Drop (95% CI)": _interval(row, "drop", prefix=""),
            "P-value": p_text(float(row.get("p", "nan"))),
        }
        for row in table.to_dict("records")
    ]
    caption = (
        "What the network cannot do without: the metric when one phase or one region is left out, "
        "and the drop with its paired bootstrap interval. A drop above zero means that the part "
        "was needed."
    )
    return TableFile("occlusion", caption, pd.DataFrame(rows))


def _interval(row: Any, name: str, *, prefix: str | None = None) -> str:
    start = f"{name}_" if prefix is None else prefix
    text = _number(row.get(name))
    low, high = _number(row.get(f"{start}ci_low")), _number(row.get(f"{start}ci_high"))
    return f"{text} ({low} to {high})" if NO_VALUE not in (text, low) else text


def _number(value: Any) -> str:
    missing = value is None or value != value  # NaN differs from itself
    return NO_VALUE if missing else f"{float(value):.{DIGITS}f}"
