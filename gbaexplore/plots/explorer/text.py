"""Text on the page. Labels, units and links may come from anyone, so none is taken as markup, script or formula."""

from __future__ import annotations

import html

from bokeh.models import PlainText

from gbaexplore.basics.errors import printable


def literal(text: object) -> PlainText:
    """Return text for a figure; Bokeh typesets formulas between dollars in a plain string."""
    return PlainText(text=printable(text))


def escaped(*lines: object) -> str:
    """Return lines of text as the HTML that shows them."""
    return "<br>".join(html.escape(printable(line)) for line in lines)
