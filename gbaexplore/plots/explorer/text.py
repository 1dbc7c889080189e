"""Text on the page. Labels, units and links may come from anyone, so none is taken as markup, script or formula."""

from __future__ import annotations

import html
import textwrap

from bokeh.models import PlainText

from gbaexplore.basics.errors import printable


def literal(text: object, width: int = 0) -> PlainText:
    """Return text for a figure, in lines of up to `width` characters; Bokeh typesets formulas in a plain string."""
    words = printable(text)
    return PlainText(text="\n".join(textwrap.wrap(words, width)) if width else words)


def escaped(*lines: object) -> str:
    """Return lines of text as the HTML that shows them."""
    return "<br>".join(html.escape(printable(line)) for line in lines)
