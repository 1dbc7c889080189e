"""Text on the page. Labels, units and links come from anyone: nothing in them is markup, a script or a formula."""

from __future__ import annotations

import html

from bokeh.models import PlainText

from gbaexplore.basics.errors import printable


def literal(text: object) -> PlainText:
    """Return text for a figure; in a plain string, Bokeh would typeset what is between dollars."""
    return PlainText(text=printable(text))


def escaped(*lines: object) -> str:
    """Return lines of text as the HTML that shows them."""
    return "<br>".join(html.escape(printable(line)) for line in lines)
