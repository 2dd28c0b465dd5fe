"""The page itself: blocks in their sections, put into the template."""

from collections.abc import Mapping, Sequence
from importlib.resources import files

from mtl_hcc import __version__
from mtl_hcc.reporting.blocks import Block
from mtl_hcc.reporting.outline import SECTIONS


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
