"""The page itself: which blocks each section shows, put into the template."""

from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any

import pandas as pd

from mtl_hcc import __version__
from mtl_hcc.reporting.blocks import Answers, Block, Note, Points, figure_block, table_block
from mtl_hcc.reporting.explanation import FOLDER, explanation_blocks, explanation_tables
from mtl_hcc.reporting.figure_files import FigureFiles, TableFile
from mtl_hcc.reporting.limits import limits
from mtl_hcc.reporting.outline import SECTIONS, in_section
from mtl_hcc.reporting.provenance import settings_table, versions_table
from mtl_hcc.reporting.reported_study import ReportedStudy
from mtl_hcc.reporting.tripod import TAGS, state_of, tripod_ai
from mtl_hcc.tables.key_results_table import key_results

Blocks = dict[str, list[Block]]
PLACES = {"history": "learning", "quarantine": "flow", "patients": "patients"}
"""Section that says why a table is missing."""
NOT_HERE = {
    "ablation": "No ablation was run: python -m mtl_hcc.ablate trains the design with one part "
    "changed at a time.",
}
COMPARED = (
    "The runs are compared as models: sections Key results and Comparison of models. For the same "
    "folds, several seeds and paired intervals: python -m mtl_hcc.ablate."
)
FOLDED = ("settings", "versions", "cohort_flow")


def compose(
    study: ReportedStudy,
    figures: Mapping[str, FigureFiles],
    tables: Mapping[str, TableFile],
    settings: Mapping[str, Any],
) -> tuple[Blocks, dict[str, TableFile]]:
    """Return the blocks of each section, and the tables that belong to the page itself.

    Args:
        study: With ``metrics``, ``comparisons`` and ``patients``.
        figures: As drawn.
        tables: As made.
        settings: Of the statistics.
    """
    made = own_tables(study, settings)
    everything = {**made, **tables}
    special: Blocks = {
        "results": [
            Note(f"The input looks odd: {remark}.", missing=True) for remark in study.remarks
        ],
        "limits": [Points("", limits(study))],
        "tripod": [_checklist(made["tripod_ai"])],
    }
    if study.runs:
        special["explanation"] = explanation_blocks(study.runs[0] / FOLDER)
    blocks: Blocks = {}
    for section in SECTIONS:
        anchor = section.anchor
        missing = [why for name, why in study.missing.items() if PLACES.get(name) == anchor]
        shown: list[Block] = [Note(why, missing=True) for why in missing]
        shown += special.get(anchor, [])
        if anchor not in ("tripod",):
            shown += _figures_and_tables(anchor, study, figures, everything)
        blocks[anchor] = shown
    return blocks, made


def own_tables(study: ReportedStudy, settings: Mapping[str, Any]) -> dict[str, TableFile]:
    """Return the tables that only the page makes.

    Args:
        study: As in :func:`compose`.
        settings: Likewise.
    """
    made = {
        "key_results": key_results(study.tables["metrics"]),
        "versions": versions_table(study),
        "settings": settings_table(study, settings),
        "tripod_ai": tripod_ai(study, settings),
    }
    files = {name: _file(name, table) for name, table in made.items()}
    if study.runs:
        files |= explanation_tables(study.runs[0] / FOLDER)
    return files


def _figures_and_tables(
    anchor: str,
    study: ReportedStudy,
    figures: Mapping[str, FigureFiles],
    tables: Mapping[str, TableFile],
) -> list[Block]:
    """Return a section's figures and tables, each figure's table after it.

    One whose tables are not there is not shown twice: the reason stands once, above.
    """
    drawn = {name: figures[name] for name in in_section(anchor, figures)}
    made = {name: tables[name] for name in in_section(anchor, tables)}
    if anchor in NOT_HERE and anchor not in study.tables:
        several = len(study.networks) > 1
        return [Note(COMPARED if several else NOT_HERE[anchor], missing=not several)]
    shown: list[Block] = []
    for name, figure in drawn.items():
        if not figure.absent or not study.missing:
            shown.append(figure_block(figure))
        if name in made:
            numbers = table_block(made.pop(name), folded=name in FOLDED, beside_figure=True)
            shown.append(numbers)
    shown += [
        table_block(table, folded=name in FOLDED)
        for name, table in made.items()
        if not table.absent or not study.missing
    ]
    return shown


def _file(name: str, table: pd.DataFrame) -> TableFile:
    return TableFile(name, str(table.attrs.get("caption", "")), table, whole=True)


def _checklist(file: TableFile) -> Answers:
    """Return the checklist by parts of the article."""
    table = file.table if file.table is not None else pd.DataFrame()
    groups: dict[str, list[dict[str, str]]] = {}
    for item, part, topic, by, answer in table.itertuples(index=False, name=None):
        state = state_of(by)
        groups.setdefault(part, []).append(
            {"item": item, "topic": topic, "answer": answer, "state": state, "tag": TAGS[state]}
        )
    return Answers(groups, f"tables/{file.name}.csv", caption=file.caption)


def render_page(
    *,
    title: str,
    subtitle: str,
    summary: Sequence[tuple[str, str]],
    blocks: Mapping[str, Sequence[Block]],
    ours: bool = False,
) -> str:
    """Return the page as HTML that needs nothing but itself.

    Args:
        title: Name of the run.
        subtitle: Date and version.
        summary: Name and value of what the reader should know first.
        blocks: Anchor of a section to what it shows; a section without blocks is left out.
        ours: Whether our own training made the models.
    """
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    here = files("mtl_hcc.reporting")
    environment = Environment(autoescape=True, undefined=StrictUndefined)
    template = environment.from_string(here.joinpath("page.html.jinja").read_text("utf-8"))
    return template.render(
        title=title,
        subtitle=subtitle,
        summary=summary,
        sections=[(part, blocks[part.anchor]) for part in SECTIONS if blocks.get(part.anchor)],
        version=__version__,
        ours=ours,
        style=Markup(here.joinpath("page.css").read_text("utf-8")),  # our own file
    )
