"""A store as one web page without server or network: it holds the numbers but no time courses."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.embed import file_html
from bokeh.layouts import column, row
from bokeh.models import Checkbox, ColumnDataSource, CustomJS, Div, Range1d, Select
from bokeh.plotting import figure
from bokeh.resources import INLINE

from gbaexplore.analysis.areas import source_and_target
from gbaexplore.basics.errors import UserError
from gbaexplore.basics.names import AREA, BOUNDED, OK, STATUS, STATUS_MEANINGS, unit
from gbaexplore.basics.places import check_writable, local, place, writing
from gbaexplore.basics.points import SEED
from gbaexplore.plots.explorer import charts, views
from gbaexplore.plots.explorer.text import literal
from gbaexplore.plots.style import STATE_COLOURS
from gbaexplore.store import stores

if TYPE_CHECKING:
    import xarray as xr

_MOST_BYTES = 200 * 2**20
_NARROW = 230  # pixels
_SCRIPT = Path(__file__).with_name("one_file.js")


def write(store: str | Path, out: str | Path) -> Path:
    """Write a store's page to a file and return its path.

    Every variable over the first two axes is in it, at every label of the others; a click shows the profile along
    the hierarchy. Time courses are not: they need the simulator.

    Raises:
        UserError: it is not a store, has no two axes or is too large, or the file can't be written.
    """
    path, out = place(store), local(out)
    if out.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"{out}: expected the name of an HTML file, such as map.html")
    check_writable(out)
    ds = stores.open_study(path)
    x, y, *_ = _two_axes(ds, path)
    names = [name for name in views.variables(ds) if name != views.RATIO]
    size = sum(ds[name].nbytes for name in names)
    if size > _MOST_BYTES:
        raise UserError(
            f"{path} has {size / 2**20:.0f} MiB of values; expected at most {_MOST_BYTES / 2**20:.0f} MiB in "
            "one page: gbaexplore explore without --html shows it"
        )
    with writing(out, "choose another place"):
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(file_html(_page(ds, x, y), INLINE, title=path.stem), encoding="utf-8")
    return out


def _two_axes(ds: xr.Dataset, path: Path) -> list[str]:
    found = [name for name in views.over(ds, views.variables(ds)[0]) if name in ds[STATUS].dims and name != SEED]
    if len(found) < 2:
        raise UserError(
            f"{path} has {len(found)} axes of more than one label; expected two for a map, other than a table's: "
            "gbaexplore explore without --html shows what has fewer"
        )
    return found


def _page(ds: xr.Dataset, x: str, y: str) -> Any:
    names = views.variables(ds)
    dims = list(dict.fromkeys(dim for name in names for dim in views.others(ds, name, x, y)))
    at = {dim: ds.sizes[dim] - 1 if dim == AREA else 0 for dim in dims}
    chart = charts.Map()
    first = {dim: at[dim] for dim in views.others(ds, names[0], x, y)}
    plane = views.plane(ds, names[0], x, y, first, log=True)
    chart.show(plane, log=True)
    variable = Select(title="variable", options=names, value=names[0], width=_NARROW)
    log = Checkbox(label="logarithmic values", active=True)
    choices = {dim: _choice(ds, dim, at[dim]) for dim in dims}
    said = Div(text="Click the map: the profile of the point is shown.", render_as_text=True, disable_math=True)
    profile, profiles = _profile(ds)
    parts: dict[str, Any] = {
        "cells": chart.cells, "mapper": chart.mapper, "ticker": chart.ticker, "bar": chart.bar,
        "legend": chart.figure.legend[0], "lines": chart.lines, "marks": chart.points, "variable": variable, "log": log,
        "choices": choices, "said": said, "profiles": profiles, "profile_axis": profile.yaxis[0],
    }  # fmt: skip
    act = CustomJS(args=parts | _numbers(ds, names, x, y) | _words(ds, names, plane), code=_SCRIPT.read_text())
    for widget in (variable, *choices.values()):
        widget.js_on_change("value", act)
    log.js_on_change("active", act)
    chart.figure.js_on_event("tap", act)
    parts_of_page = column(variable, *choices.values(), log), column(chart.figure, said), profile
    return row(*parts_of_page, styles={"flex-wrap": "wrap"})


def _numbers(ds: xr.Dataset, names: list[str], x: str, y: str) -> dict[str, Any]:
    """Return the values that the script draws."""
    return {
        "data": {name: _cube(ds, name, x, y) for name in [*names, STATUS] if name != views.RATIO},
        "dims": {name: views.others(ds, name, x, y) for name in names} | {STATUS: _grid(ds, x, y)},
        "sizes": {str(dim): ds.sizes[dim] for dim in ds.dims},
        "source": [str(a) for a in ds[AREA].values].index(source_and_target(ds)[0]) if AREA in ds.dims else 0,
        "boundaries": _boundaries(ds, x, y), "nx": ds.sizes[x], "ny": ds.sizes[y],
        "bounded": list(BOUNDED), "ok": OK,
    }  # fmt: skip


def _words(ds: xr.Dataset, names: list[str], plane: views.Plane) -> dict[str, Any]:
    """Return the script's words."""
    scales = plane.x, plane.y
    return {
        "start": [float(scale.positions[0]) for scale in scales], "step": [scale.step for scale in scales],
        "labels": [scale.words for scale in scales], "axis_titles": [scale.title for scale in scales],
        "titles": {name: literal(_title(ds, name)) for name in names}, "state_words": list(STATUS_MEANINGS),
        "state_names": {STATUS_MEANINGS[code]: code for code in STATE_COLOURS},
    }  # fmt: skip


def _choice(ds: xr.Dataset, dim: str, index: int) -> Any:
    scale = views.scale(ds, dim)
    options = [(str(i), word) for i, word in enumerate(scale.words)]
    return Select(title=scale.title, options=options, value=str(index), width=_NARROW)


def _grid(ds: xr.Dataset, x: str, y: str) -> list[str]:
    return [str(dim) for dim in ds[STATUS].dims if dim not in (x, y)]


def _cube(ds: xr.Dataset, name: str, x: str, y: str) -> ColumnDataSource:
    """Return all values of a variable, plane after plane."""
    values = ds[name].transpose(..., y, x).values
    return ColumnDataSource({"values": values.astype(np.uint8 if name == STATUS else np.float32).ravel()})


def _title(ds: xr.Dataset, name: str) -> str:
    if name == views.RATIO:
        return f"peak / peak({source_and_target(ds)[0]})"
    return f"{ds[name].attrs.get('long_name', name)}{unit(ds[name].attrs)}"


def _boundaries(ds: xr.Dataset, x: str, y: str) -> dict[str, Any]:
    """Return the stability boundaries of each combination of the other axes' labels, by their positions."""
    dims = _grid(ds, x, y)
    return {
        ",".join(map(str, at)): views.boundaries(ds.isel(dict(zip(dims, at))), x, y)
        for at in itertools.product(*(range(ds.sizes[dim]) for dim in dims))
    }


def _profile(ds: xr.Dataset) -> tuple[Any, ColumnDataSource]:
    areas = [str(area) for area in ds[AREA].values] if AREA in ds.dims else []
    profiles = ColumnDataSource({"x": [], "y": []})
    chart = figure(width=560, height=360, y_axis_type="log", x_range=Range1d(-0.5, len(areas) - 0.5), name="profile")
    chart.line("x", "y", source=profiles, line_color="black")
    chart.scatter("x", "y", source=profiles, fill_color="black")
    charts.name_ticks(chart.xaxis[0], areas)
    return chart, profiles
