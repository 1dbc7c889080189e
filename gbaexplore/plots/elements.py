"""HoloViews elements from which `plots.interactive` builds its pictures."""

from __future__ import annotations

import functools
import textwrap
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.basics.names import OK, STATUS, STATUS_MEANINGS, unit
from gbaexplore.basics.points import SEED
from gbaexplore.plots.fields import drawable, norm_of, shown_values
from gbaexplore.plots.style import CYCLE, STATE_COLOURS

if TYPE_CHECKING:
    import xarray as xr

PICTURE = {"width": 560, "height": 420}
_BAND = (0.05, 0.95)


def dimension(array: xr.DataArray, name: str | None = None) -> Any:
    """Return a HoloViews dimension, with the label and unit that the attributes give."""
    import holoviews as hv

    array = array if name is None else array[name]
    return hv.Dimension(str(array.name), unit=unit_of(array))


def unit_of(array: xr.DataArray) -> str | None:
    """Return a variable's unit; None if it has none."""
    return unit(array.attrs, "{}") or None


def title_of(array: xr.DataArray) -> str:
    """Return a variable's title with its unit, in lines that fit beside a colour bar."""
    return textwrap.fill(f"{array.attrs.get('long_name', array.name)}{unit(array.attrs)}", 44)


def coloured(field: xr.DataArray, norm: Any) -> dict[str, Any]:
    """Return the options of an element that is coloured by value: scale, limits and colour bar."""
    from matplotlib.colors import LogNorm

    found: dict[str, Any] = {
        "cmap": "viridis",
        "colorbar": True,
        "cnorm": "log" if isinstance(norm, LogNorm) else "linear",
        "clabel": title_of(field),
        "tools": ["hover"],
        "active_tools": ["wheel_zoom"],
    }
    return found if norm.vmin is None else found | {"clim": (norm.vmin, norm.vmax)}


def image(values: xr.DataArray, x: str, y: str) -> Any:
    """Return an image if the cells are of equal size, else a mesh."""
    import holoviews as hv

    values = values.transpose(y, x).sortby([x, y])
    across, up = values[x].values, values[y].values
    even = all(len(v) > 1 and np.allclose(np.diff(v), np.diff(v).mean(), rtol=1e-3) for v in (across, up))
    element = hv.Image if even else hv.QuadMesh
    data = (across, up, values.values.astype(float))
    return element(data, [dimension(values, x), dimension(values, y)], dimension(values))


def map_of(values: xr.DataArray, state: xr.DataArray | None, x: str, y: str, scale: str | None) -> Any:
    """Return a map; cells without a value have the colour of their state."""
    norm = norm_of([values], scale)
    shown = values.copy(data=shown_values(values, norm))
    picture = image(values.where(shown), x, y).opts(**coloured(values, norm), **PICTURE)
    if state is None:
        return picture
    for code, colour in STATE_COLOURS.items():
        there = (state == code) & ~shown
        if there.any():
            cells = image(there.where(there).rename(STATUS), x, y)
            picture = picture * cells.opts(cmap=[colour], colorbar=False, tools=[]) * legend(code)
    return picture


def legend(code: int) -> Any:
    """Return an entry of a legend: the colour of a state."""
    import holoviews as hv

    square = {"color": STATE_COLOURS[code], "marker": "square", "size": 10, "line_color": "grey", "show_legend": True}
    return hv.Points([(np.nan, np.nan)], label=STATUS_MEANINGS[code]).opts(**square)


def matrix(values: xr.DataArray, state: xr.DataArray | None, x: str, y: str, scale: str | None) -> Any:
    """Return a matrix, with names along its sides in their order, the first row on top."""
    import holoviews as hv

    values = values.transpose(y, x)
    norm = norm_of([values], scale)
    across, up = ([str(label) for label in values[dim].values] for dim in (x, y))
    data = (across, up[::-1], values.values[::-1].astype(float))
    element = hv.HeatMap(data, [dimension(values, x), dimension(values, y)], dimension(values))
    return element.opts(**coloured(values, norm), **PICTURE, xrotation=90, title=_state_of(state))


def points(
    values: xr.DataArray, state: xr.DataArray | None, x: str, y: str, scale: str | None, columns: list[str]
) -> Any:
    """Return the points of a table over two of its columns."""
    import holoviews as hv

    norm = norm_of([values], scale)
    shown = shown_values(values, norm)
    data = {name: values[name].values for name in (x, y, *columns)} | {str(values.name): values.values.astype(float)}
    dimensions = [dimension(values, x), dimension(values, y)]
    told = [dimension(values), *(dimension(values, name) for name in columns)]
    points = hv.Points({name: column[shown] for name, column in data.items()}, dimensions, told)
    picture = points.opts(color=str(values.name), size=6, **coloured(values, norm), **PICTURE)
    if state is None:
        return picture
    for code, colour in STATE_COLOURS.items():
        there = (state.values == code) & ~shown
        if there.any():
            others = hv.Points({name: data[name][there] for name in (x, y)}, dimensions, label=STATUS_MEANINGS[code])
            picture = picture * others.opts(color=colour, size=6, line_color="grey", show_legend=True)
    return picture


def lines(values: xr.DataArray, state: xr.DataArray | None, x: str, scale: str | None, by: str | None) -> Any:
    """Return curves, one for each label of `by`; of several seeds their mean and a band."""
    import holoviews as hv
    from matplotlib.colors import LogNorm

    norm = norm_of([values], scale)
    limits: dict[str, Any] = {}
    if isinstance(norm, LogNorm) and norm.vmin is not None and norm.vmax is not None:
        values = values.where(drawable(values.values))
        limits = {"logy": True, "ylim": (norm.vmin / 1.3, norm.vmax * 1.3)}
    labels = [None] if by is None else values[by].values.tolist()
    layers = []
    for label, colour in zip(labels, [CYCLE[i % len(CYCLE)] for i in range(len(labels))]):
        line = values if by is None else values.sel({by: label})
        name = label if isinstance(label, str) else f"{by} {label}"
        layers += _line(line, x, "" if by is None else name, colour)
    picture = functools.reduce(lambda one, other: one * other, layers)
    names = {"xrotation": 90} if values[x].dtype.kind not in "iuf" else {}
    how = {**PICTURE, "ylabel": title_of(values), "title": _state_of(state), "show_grid": True, **names, **limits}
    return picture.opts(hv.opts.Curve(**how), *([hv.opts.Overlay(**how)] if len(layers) > 1 else []))


def _line(line: xr.DataArray, x: str, label: str, colour: str) -> list[Any]:
    import holoviews as hv

    along = line[x].values
    along = along if line[x].dtype.kind in "iuf" else np.array([str(name) for name in along], dtype=object)
    along_dimension, value = dimension(line, x), dimension(line)
    band = []
    if SEED in line.dims:
        low, high = (line.quantile(q, SEED).values for q in _BAND)
        line = line.mean(SEED, keep_attrs=True)
        ends = [f"{line.name}, {100 * q:.0f}th percentile" for q in _BAND]
        band = [hv.Area((along, low, high), along_dimension, ends).opts(color=colour, alpha=0.2, line_alpha=0)]
    curve = hv.Curve((along, line.values.astype(float)), along_dimension, value, label=label)
    return [*band, curve.opts(color=colour, tools=["hover"])]


def _state_of(state: xr.DataArray | None) -> str:
    """Return the state of a single point that has no values, for a title."""
    if state is None or state.ndim or int(state) == OK:
        return ""
    return STATUS_MEANINGS[int(state)]
