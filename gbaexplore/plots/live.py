"""Drawing Datasets with HoloViews: pictures with zoom, selectors and values under the mouse.

`import hvplot.xarray` gives any Dataset `.hvplot`, which often is enough. This module chooses what hvPlot has to be
given each time: limits of a logarithmic scale, colours of points without a value, the order of names.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.analysis.areas import source_and_target
from gbaexplore.basics.errors import UserError, listing, unknown
from gbaexplore.basics.names import AREA, STATUS, unit
from gbaexplore.basics.points import SEED
from gbaexplore.plots import elements
from gbaexplore.plots.fields import (
    areas_along,
    axes_of,
    checked_dataset,
    differing_columns,
    norm_of,
    variables_of,
    without_single,
)
from gbaexplore.plots.style import STATE_COLOURS
from gbaexplore.store.recipe import tables_of

if TYPE_CHECKING:
    import xarray as xr

    from gbaexplore.running.replay import Replay

MOST_CELLS = 250_000  # cells that a browser can draw one by one
_MOST_LINES = 12  # lines that fit beside each other; more labels get a selector


def interactive(
    ds: xr.Dataset,
    variable: str | None = None,
    *,
    x: str | None = None,
    y: str | None = None,
    by: str | None = None,
    scale: str | None = None,
    store: str | Path | None = None,
) -> Any:
    """Return a HoloViews picture of a variable, with a selector for each dimension that it has no room for.

    | the variable has | the picture |
    |---|---|
    | a time, a frequency or another dimension of numbers of its own | curves along it |
    | a table of points | its points, over two columns |
    | two axes of numbers, or more | a map over two of them |
    | one axis of numbers | curves along it |
    | two dimensions of names of its own | a matrix |
    | areas, and none of these | a profile over the areas |

    With `x` and `y` it is a map, a scatter or a matrix over these, with `x` alone curves along it. Points without a
    value have the colour of their state, and a legend; they are no data. Curves of several seeds are their mean, with
    a band from the 5th to the 95th percentile. A map of more than 250,000 cells is drawn by datashader, which
    `pip install 'gbaexplore[large]'` brings.

    Args:
        ds: as `open_study`, `run` or `simulate` return it, or `xarray.open_zarr`; or a part of it.
        variable: which one; None for the first that has areas.
        x, y: dimensions, or columns of a table of points, to draw it over.
        by: the dimension whose labels become separate lines: at most twelve.
        scale: of colours or curves, "log" or "linear"; None to have it chosen by the values.
        store: the store that it comes from: a tap on a map or a scatter simulates that point anew and draws its time
            courses beside it.

    Returns:
        An element, an overlay or a DynamicMap, to be combined with `+` and `*`; with `store` a layout of two.

    Raises:
        UserError: no such variable, dimension or scale; nothing to draw; points that can't be replayed.
    """
    import hvplot.xarray  # noqa: F401 - loads HoloViews' Bokeh

    if scale not in ("log", "linear", None):
        raise UserError(f'scale="{scale}"; expected "log" or "linear", or None to have it chosen')
    ds = checked_dataset(ds)
    ds = without_single(ds) if STATUS in ds else ds.squeeze()
    field = _field(ds, variable)
    picture = _Picture(ds, field, *_arrangement(ds, field, x, y, by), scale)
    if store is None:
        return picture.drawn()
    from gbaexplore.running.replay import Replay  # here, because it loads the simulator

    return picture.with_courses(Replay(store))


def _field(ds: xr.Dataset, name: str | None) -> xr.DataArray:
    """Return a variable; by default the first one, by its name, that has areas."""
    known = sorted(str(variable) for variable in ds.data_vars if variable != STATUS)
    if name is None:
        name = next((variable for variable in known if areas_along(ds, variable)), "".join(known[:1]))
    if name not in known:
        raise UserError(unknown(f'no variable "{name}"', name, known, "Variables"))
    if ds[name].dtype.kind not in "biuf":
        raise UserError(f"{name} holds {ds[name].dtype}; expected numbers: one of {variables_of(ds)}")
    return ds[name]


def _arrangement(
    ds: xr.Dataset, field: xr.DataArray, x: str | None, y: str | None, by: str | None
) -> tuple[str, tuple[str, ...], str | None]:
    """Return the kind of picture, the dimensions it is drawn over, and the dimension whose labels are lines."""
    dims = [str(dim) for dim in field.dims]
    grid = axes_of(ds) if STATUS in ds else []
    tables = {axis: columns for axis, columns in (tables_of(ds) if STATUS in ds else {}).items() if axis in dims}
    columns = [name for listed in tables.values() for name in listed]
    known = [*dims, *columns]
    for name in (x, y, by):
        if name is not None and name not in known:
            raise UserError(unknown(f'{field.name} has no dimension "{name}"', name, known, "Dimensions"))
    if y is not None and (x is None or x == y):
        raise UserError(f"y={y!r} and x={x!r}; expected two different ones of {listing(known)}")
    numbers = [dim for dim in dims if field[dim].dtype.kind in "iuf" and dim not in tables and dim not in (SEED, by)]
    own = [dim for dim in numbers if dim not in grid]
    words = [dim for dim in dims if dim not in grid and dim not in numbers]
    if x is not None and y is not None:
        pair = x, y
    elif x is not None:
        return "lines", (x,), by
    elif own or by is not None:
        return "lines", ((own or numbers or words or dims)[0],), by
    elif tables:
        pair = tuple([*differing_columns(ds, columns), *columns][:2])  # type: ignore[assignment]
    elif len(numbers) > 1:
        pair = numbers[0], numbers[1]
    elif numbers or len(words) == 1:
        return "lines", (*numbers, *words)[:1], by
    elif len(words) > 1:
        pair = words[1], words[0]
    else:
        raise UserError(f"{field.name} has {listing(dims) or 'no dimensions'}; expected some to draw it over")
    if set(pair) <= set(columns):
        return "points", pair, None
    if not set(pair) <= set(dims):
        raise UserError(f"{field.name} over {' and '.join(pair)}; expected two of {listing(dims)}, or two columns")
    return ("map" if set(pair) <= set(numbers) else "matrix"), pair, None


class _Picture:
    """A variable's picture: what it is drawn over, and the selectors that are left.

    Args:
        kind: "map", "matrix", "points" or "lines".
        over: the dimensions or columns of its axes.
        by: the dimension whose labels are lines; None for one that has room.
    """

    def __init__(
        self, ds: xr.Dataset, field: xr.DataArray, kind: str, over: tuple[str, ...], by: str | None, scale: str | None
    ) -> None:
        self.ds, self.field, self.kind, self.over, self.scale = ds, field, kind, over, scale
        self.table = str(ds[over[0]].dims[0]) if kind == "points" else None
        taken = [self.table] if self.table else list(over)
        self.free = [str(dim) for dim in field.dims if dim not in taken]
        self.by = by
        if kind == "lines":
            if SEED in self.free:
                self.free.remove(SEED)
            few = [dim for dim in self.free if field.sizes[dim] <= _MOST_LINES and field[dim].dtype.kind not in "iuf"]
            self.by = by or next(iter(few), None)
            if self.by is not None:
                if field.sizes[self.by] > _MOST_LINES:
                    raise UserError(
                        f"by={self.by!r} makes {field.sizes[self.by]} lines; expected at most {_MOST_LINES}: select "
                        f"some first, as in ds.sel({self.by}=[...]), or leave by out for a selector"
                    )
                self.free.remove(self.by)

    # Selectors.

    def part(self, *labels: Any) -> tuple[xr.DataArray, xr.DataArray | None]:
        """Return the variable at some labels and the state of its points."""
        at = dict(zip(self.free, labels))
        values = self.field.sel(at).load()
        if STATUS not in self.ds:
            return values, None
        state = self.ds[STATUS].sel({dim: label for dim, label in at.items() if dim in self.ds[STATUS].dims}).load()
        return values, state

    def selected(self, draw: Callable[..., Any], streams: Any = ()) -> Any:
        """Return the drawing of a function of the labels, with selectors if any dimension is left."""
        import holoviews as hv

        if not self.free and not streams:
            return draw()
        dimensions = [
            hv.Dimension(dim, values=labels.values.tolist(), unit=elements.unit_of(labels))
            for dim, labels in ((dim, self.field[dim]) for dim in self.free)
        ]
        return hv.DynamicMap(draw, kdims=dimensions, streams=list(streams))

    def drawn(self) -> Any:
        """Return the picture."""
        if self.kind != "map" or self.field.sizes[self.over[0]] * self.field.sizes[self.over[1]] <= MOST_CELLS:
            kinds: dict[str, Callable[..., Any]] = {
                "map": elements.map_of,
                "matrix": elements.matrix,
                "points": self.points,
                "lines": self.lines,
            }
            draw = kinds[self.kind]
            return self.selected(lambda *labels: draw(*self.part(*labels), *self.over, self.scale))
        return self._rasterized()

    def points(self, values: xr.DataArray, state: xr.DataArray | None, x: str, y: str, scale: str | None) -> Any:
        columns = [c for names in tables_of(self.ds).values() for c in names if c not in (x, y)]
        return elements.points(values, state, x, y, scale, columns)

    def lines(self, values: xr.DataArray, state: xr.DataArray | None, x: str, scale: str | None) -> Any:
        return elements.lines(values, state, x, scale, self.by)

    def _rasterized(self) -> Any:
        """Return a map that is redrawn at each zoom as an image of the window's size."""
        try:
            from holoviews.operation.datashader import rasterize
        except ImportError as error:
            cells = " x ".join(f"{self.field.sizes[dim]:,}" for dim in self.over)
            raise UserError(
                f"a map of {cells} cells, which datashader draws ({error}); pip install 'gbaexplore[large]', or select "
                "a part of it with ds.sel(...)"
            ) from None
        norm = norm_of([self.field], self.scale)
        one = self.selected(lambda *labels: elements.image(self.part(*labels)[0], *self.over))
        shown = rasterize(one, aggregator="mean").opts(**elements.coloured(self.field, norm), **elements.PICTURE)
        if STATUS not in self.ds:
            return shown
        for code, colour in STATE_COLOURS.items():
            if not (self.ds[STATUS] == code).any():
                continue

            def there(*labels: Any, code: int = code) -> Any:
                _, state = self.part(*labels)
                return elements.image(state.where(state == code), *self.over)  # type: ignore[union-attr]

            shown = shown * rasterize(self.selected(there), aggregator="max").opts(cmap=[colour], colorbar=False)
            shown = shown * elements.legend(code)
        return shown

    # Time courses of a point.

    def with_courses(self, replay: Replay) -> Any:
        """Return the picture beside the time courses of the point that was tapped last."""
        import holoviews as hv

        if self.kind not in ("map", "points"):
            raise UserError(
                f"store= is for maps and scatters, whose points can be tapped; found {self.kind} of {self.field.name}"
            )
        picture = self.drawn()
        tap = hv.streams.Tap(source=picture, x=None, y=None)

        def courses(*labels: Any, **tapped: Any) -> Any:
            point = self._tapped(tapped["x"], tapped["y"]) | self._axes_at(labels)
            return _courses(replay, point, self._areas(labels))

        return (picture + self.selected(courses, [tap])).opts(shared_axes=False)

    def _tapped(self, x: float | None, y: float | None) -> dict[str, Any]:
        """Return the point nearest to a position, by its labels; before there was any, one in the middle."""
        along, up = (self.ds[name].values for name in self.over)
        if x is None or y is None:
            x, y = along[len(along) // 2], up[len(up) // 2]
        if self.kind == "map":
            return {
                name: values[np.abs(values - v).argmin()].item()
                for name, values, v in zip(self.over, (along, up), (x, y))
            }
        distance = np.hypot((along - x) / (np.ptp(along) or 1.0), (up - y) / (np.ptp(up) or 1.0))
        return {str(self.table): self.ds[self.table].values[distance.argmin()].item()}

    def _axes_at(self, labels: tuple[Any, ...]) -> dict[str, Any]:
        return {dim: label for dim, label in zip(self.free, labels) if dim in axes_of(self.ds)}

    def _areas(self, labels: tuple[Any, ...]) -> list[str]:
        """Return the areas to draw: the one that is selected, or else the stimulated one and the last."""
        chosen = [str(label) for dim, label in zip(self.free, labels) if dim == AREA]
        if chosen or AREA not in self.ds.dims:
            return chosen or [str(area) for area in np.atleast_1d(self.ds[AREA].values)]
        return list(dict.fromkeys(source_and_target(self.ds)))


def _courses(replay: Replay, point: dict[str, Any], areas: list[str]) -> Any:
    """Return the time courses of a point of a store, in some areas."""
    course = replay.simulate(point, None, 5 * replay.recipe["dt_s"])
    name = next(str(variable) for variable in course.data_vars if AREA in course[variable].dims)
    course = course.sel({AREA: areas})
    title = ", ".join(_label(replay.ds, axis, label) for axis, label in point.items())
    return elements.lines(course[name], None, "time", "linear", AREA).opts(title=title)


def _label(ds: xr.Dataset, axis: str, label: Any) -> str:
    return f"{axis} {label}" if isinstance(label, str) else f"{axis} = {label:.6g}{unit(ds[axis].attrs, ' {}')}"
