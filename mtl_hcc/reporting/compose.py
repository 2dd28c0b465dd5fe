"""Which blocks each section shows."""

from collections.abc import Mapping
from typing import Any

from mtl_hcc.reporting.blocks import Block, Note, figure_block, table_block
from mtl_hcc.reporting.exhibits import FigureFiles, TableFile
from mtl_hcc.reporting.key_results import key_results
from mtl_hcc.reporting.outline import SECTIONS, in_section
from mtl_hcc.reporting.study import Study

Blocks = dict[str, list[Block]]


def compose(
    study: Study,
    figures: Mapping[str, FigureFiles],
    tables: Mapping[str, TableFile],
    settings: Mapping[str, Any],
) -> tuple[Blocks, dict[str, TableFile]]:
    """Return the blocks of each section, and the tables that belong to the page itself.

    Args:
        study: With ``metrics`` and ``comparisons``.
        figures: As drawn.
        tables: As made.
        settings: Of the statistics.
    """
    made = own_tables(study)
    tables = {**made, **tables}
    blocks: Blocks = {}
    for section in SECTIONS:
        shown = [figure_block(figures[name]) for name in in_section(section.anchor, figures)]
        shown += [table_block(tables[name]) for name in in_section(section.anchor, tables)]
        blocks[section.anchor] = shown
    for name, reason in study.missing.items():
        anchor = {"history": "learning", "quarantine": "flow"}.get(name, "patients")
        blocks[anchor].append(Note(reason, missing=True))
    return blocks, made


def own_tables(study: Study) -> dict[str, TableFile]:
    """Return the tables that only the page makes."""
    results = key_results(study.tables["metrics"])
    made = {"key_results": TableFile("key_results", results.attrs.get("caption", ""), results)}
    return made
