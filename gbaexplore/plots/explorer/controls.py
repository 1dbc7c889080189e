"""The explorer's controls: widgets for its choices, its points and its files."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import panel as pn

from gbaexplore.plots.explorer import links, looks


def controls_of(explorer: Any, choices: Any, file: Callable[[str], Any]) -> pn.Column:
    """Return the controls of an explorer.

    Args:
        choices: the widgets of the labels along further dimensions.
        file: from an ending to the picture that is downloaded.
    """
    select, box = pn.widgets.Select.from_param, pn.widgets.Checkbox.from_param
    params = explorer.param
    pictured = [] if explorer.variable is None else [
        select(params["variable"], label="variable", **looks.WIDE),
        choices,
        select(params["x"], label="across", **looks.WIDE),
        select(params["y"], label="up", **looks.WIDE),
        box(params["log"], label="logarithmic values"),
    ]  # fmt: skip
    return pn.Column(
        *pictured,
        pn.widgets.MultiChoice.from_param(
            params["areas"], label="time courses of", max_items=links.MOST_AREAS, **looks.WIDE
        ),
        pn.widgets.RadioButtonGroup.from_param(params["observable"], label="observable", **looks.WIDE),
        box(params["log_courses"], label="logarithmic time courses"),
        pn.Row(
            pn.widgets.Button(label="Pin this point", on_click=explorer.pin, color="primary", **looks.WIDE),
            pn.widgets.Button(label="Clear", on_click=explorer.clear, **looks.WIDE),
            margin=0,
        ),
        pn.Row(*(_download(explorer.path.stem, ending, file) for ending in ("png", "svg")), margin=0),
        stylesheets=[looks.CONTROLS],
    )


def _download(stem: str, ending: str, file: Callable[[str], Any]) -> Any:
    return pn.widgets.FileDownload(
        callback=functools.partial(file, ending), filename=f"{stem}.{ending}", label=ending.upper(), **looks.WIDE
    )
