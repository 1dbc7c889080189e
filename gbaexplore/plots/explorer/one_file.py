"""A store as one web page that needs no server and no network: its numbers are in it, its time courses are not."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.embed import file_html
from bokeh.layouts import column, row
from bokeh.models import Checkbox, ColumnDataSource, CustomJS, Div, FixedTicker, Range1d, Select
from bokeh.plotting import figure
from bokeh.resources import INLINE

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.names import AREA, STATUS, STATUS_MEANINGS, thinned, unit
from gbaexplore.basics.places import check_writable, local, place, writing
from gbaexplore.plots.explorer import charts, views
from gbaexplore.store import stores

if TYPE_CHECKING:
    import xarray as xr

_MOST_BYTES = 200 * 2**20


def write(store: str | Path, out: str | Path) -> Path:
    """Write a store's page to a file and return its path.

    Every variable over the first two axes is in it, at every label of the others; a click shows the profile along
    the hierarchy. Time courses are not: they need the simulator.

    Raises:
        UserError: it is not a store, has no two axes or is too large, or the file can't be written.
    """
    path, out = place(store), local(out)
    check_writable(out)
    ds = stores.open_study(path)
    axes = views.axes(ds)
    if len(axes) < 2:
        raise UserError(
            f"{path} has {len(axes)} axes of more than one label; expected two for a map (a table of "
            "points is none): gbaexplore plot draws what has fewer"
        )
    names = [name for name in views.variables(ds) if name != views.RATIO]
    size = sum(ds[name].nbytes for name in names)
    if size > _MOST_BYTES:
        raise UserError(
            f"{path} has {size / 2**20:.0f} MiB of values; expected at most {_MOST_BYTES / 2**20:.0f} MiB in "
            "one page: gbaexplore explore without --html shows it"
        )
    with writing(out, "choose another place"):
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(file_html(_page(ds, axes[0], axes[1]), INLINE, title=path.stem), encoding="utf-8")
    return out


def _page(ds: xr.Dataset, x: str, y: str) -> Any:
    names = views.variables(ds)
    dims = list(dict.fromkeys(dim for name in names for dim in views.others(ds, name, x, y)))
    at = {dim: ds.sizes[dim] - 1 if dim == AREA else 0 for dim in dims}
    chart = charts.Map()
    first = {dim: at[dim] for dim in views.others(ds, names[0], x, y)}
    plane = views.plane(ds, names[0], x, y, first, log=True)
    chart.show(plane, log=True)
    variable = Select(title="map of", options=names, value=names[0], width=230)
    log = Checkbox(label="logarithmic colours", active=True)
    choices = {dim: _choice(ds, dim, at[dim]) for dim in dims}
    said = Div(text="Click the map: the profile of the point is shown.", width=580)
    profile, profiles = _profile(ds)
    model: dict[str, Any] = {
        "cells": chart.cells, "mapper": chart.mapper, "formatter": chart.formatter, "bar": chart.bar,
        "legend": chart.figure.legend[0], "lines": chart.lines, "marks": chart.points, "variable": variable, "log": log,
        "choices": choices, "said": said, "profiles": profiles, "profile_axis": profile.yaxis[0],
        "data": {name: _cube(ds, name, x, y) for name in [*names, STATUS] if name != views.RATIO},
        "dims": {name: views.others(ds, name, x, y) for name in names} | {STATUS: _grid(ds, x, y)},
        "sizes": {str(dim): ds.sizes[dim] for dim in ds.dims},
        "titles": {name: _title(ds, name) for name in names},
        "source": [str(a) for a in ds[AREA].values].index(views.source_area(ds)) if AREA in ds.dims else 0,
        "boundaries": _boundaries(ds, x, y), "nx": ds.sizes[x], "ny": ds.sizes[y],
        "start": [float(plane.x.positions[0]), float(plane.y.positions[0])], "step": [plane.x.step, plane.y.step],
        "labels": [[views.short(label) for label in scale.labels] for scale in (plane.x, plane.y)],
        "axis_titles": [plane.x.title, plane.y.title], "state_words": list(STATUS_MEANINGS),
        "state_names": {name: code for code, name in charts.STATE_NAMES.items()},
    }  # fmt: skip
    redraw = CustomJS(args=model, code=_SLICE + _REDRAW)
    for widget in (variable, *choices.values()):
        widget.js_on_change("value", redraw)
    log.js_on_change("active", redraw)
    chart.figure.js_on_event("tap", CustomJS(args=model, code=_SLICE + _CLICK))
    return row(column(variable, *choices.values(), log), column(chart.figure, said), profile)


def _choice(ds: xr.Dataset, dim: str, index: int) -> Any:
    scale = views.scale(ds, dim)
    options = [(str(i), views.short(label)) for i, label in enumerate(scale.labels)]
    return Select(title=scale.title, options=options, value=str(index), width=230)


def _grid(ds: xr.Dataset, x: str, y: str) -> list[str]:
    return [str(dim) for dim in ds[STATUS].dims if dim not in (x, y)]


def _cube(ds: xr.Dataset, name: str, x: str, y: str) -> ColumnDataSource:
    """All values of a variable, plane after plane."""
    values = ds[name].transpose(..., y, x).values
    return ColumnDataSource({"values": values.astype(np.uint8 if name == STATUS else np.float32).ravel()})


def _title(ds: xr.Dataset, name: str) -> str:
    if name == views.RATIO:
        return f"peak / peak({views.source_area(ds)})"
    return str(ds[name].attrs.get("long_name", name)) + unit(ds[name].attrs)


def _boundaries(ds: xr.Dataset, x: str, y: str) -> dict[str, Any]:
    """For each combination of the other axes' labels, by their positions: the borders of stability."""
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
    ticks = thinned(areas)
    chart.xaxis.ticker = FixedTicker(ticks=list(ticks))
    chart.xaxis.major_label_overrides = ticks
    chart.xaxis.major_label_orientation = 1.3
    return chart, profiles


# A plane starts where the chosen labels' positions point to; the ratio is a quotient of two planes.
_SLICE = """
const plane = (name, at) => {
  let offset = 0
  for (const dim of dims[name]) offset = offset * sizes[dim] + at(dim)
  // Bokeh's own arrays can't be sliced.
  const all = data[name].data.values
  const Kind = name === 'status' ? Uint8Array : Float32Array
  return new Kind(all.buffer, all.byteOffset + offset * nx * ny * Kind.BYTES_PER_ELEMENT, nx * ny)
}
const chosen = (dim) => Number(choices[dim].value)
const shown = (name) => {
  if (name !== 'propagation_ratio') return plane(name, chosen)
  const low = plane('peak_rate', (dim) => dim === 'area' ? source : chosen(dim))
  return plane('peak_rate', chosen).map((value, i) => value / low[i])
}
"""

_REDRAW = """
const values = shown(variable.value)
const state = plane('status', chosen)
const [colour, value, states] = [cells.data.colour[0], cells.data.value[0], cells.data.state[0]]
let low = Infinity, high = -Infinity
for (let i = 0; i < nx * ny; i++) {
  const known = state[i] === 1 && Number.isFinite(values[i]) && (!log.active || values[i] > 0)
  value[i] = known ? values[i] : NaN
  colour[i] = log.active ? Math.log10(value[i]) : value[i]
  states[i] = state[i]
  if (known) { low = Math.min(low, colour[i]); high = Math.max(high, colour[i]) }
}
mapper.low = low < high ? low : (Number.isFinite(low) ? low - 0.5 : 0)
mapper.high = low < high ? high : mapper.low + 1
formatter.args = {log: log.active}
bar.title = titles[variable.value]
const curves = boundaries[dims.status.map(chosen).join(',')]
for (const name of Object.keys(lines)) {
  const [xs, ys] = curves[name] ?? [[], []]
  lines[name].data = {xs, ys}
}
for (const item of legend.items) {
  const name = item.label.value
  item.visible = name in state_names ? state.includes(state_names[name]) : name in curves
}
marks.data = {x: [], y: [], name: [], colour: []}
cells.change.emit()
"""

_CLICK = """
const near = (position, k, n) => Math.min(Math.max(Math.round((position - start[k]) / step[k]), 0), n - 1)
const [i, j] = [near(cb_obj.x, 0, nx), near(cb_obj.y, 1, ny)]
const cell = j * nx + i
const name = variable.value
const found = shown(name)[cell]
const said_value = Number.isFinite(found) ? found.toPrecision(4) : 'none'
said.text = `${axis_titles[0]} ${labels[0][i]}, ${axis_titles[1]} ${labels[1][j]}: ` +
  `${state_words[plane('status', chosen)[cell]]}; ${titles[name]} ${said_value}`
marks.data = {x: [start[0] + i * step[0]], y: [start[1] + j * step[1]], name: ['here'], colour: ['#000000']}
if (dims[name].includes('area')) {
  const base = name === 'propagation_ratio' ? 'peak_rate' : name
  const all = Array.from({length: sizes.area}, (_, k) => plane(base, (dim) => dim === 'area' ? k : chosen(dim))[cell])
  const by = name === 'propagation_ratio' ? all[source] : 1
  profiles.data = {x: all.map((_, k) => k), y: all.map((value) => value > 0 ? value / by : NaN)}
  profile_axis.axis_label = titles[name]
}
"""
