"""A store as one web page without server or network: it holds the numbers but no time courses."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from bokeh.embed import file_html
from bokeh.layouts import column
from bokeh.models import Checkbox, ColumnDataSource, CustomJS, Div, Range1d, Select
from bokeh.plotting import figure
from bokeh.resources import INLINE

from gbaexplore.analysis.areas import source_and_target
from gbaexplore.analysis.ratios import peaks_of
from gbaexplore.basics.errors import UserError, printable
from gbaexplore.basics.names import AREA, BOUNDED, OK, STATUS, STATUS_MEANINGS
from gbaexplore.basics.places import check_writable, local, place, writing
from gbaexplore.basics.points import SEED
from gbaexplore.plots.explorer import charts, looks, shapes, views
from gbaexplore.plots.explorer.text import escaped, literal
from gbaexplore.plots.style import STATE_COLOURS
from gbaexplore.store import stores

if TYPE_CHECKING:
    import xarray as xr

_MOST_BYTES = 200 * 2**20
_SCRIPT = Path(__file__).with_name("one_file.js")
_TEMPLATE = '{% block preamble %}<meta name="viewport" content="width=device-width, initial-scale=1">{% endblock %}'


def write(store: str | Path, out: str | Path) -> Path:
    """Write a store's page to a file and return its path.

    It draws what the explorer draws first: a map, matrix or scatter over two dimensions or columns, or a curve along
    one. Every variable that has these is in it, at every label of the others; a click shows the profile along the
    hierarchy. Time courses are not: they need the simulator.

    Raises:
        UserError: it is not a store, has nothing to draw or is too large, or the file can't be written.
    """
    path, out = place(store), local(out)
    if out.suffix.lower() not in (".html", ".htm"):
        raise UserError(f"{out}: expected the name of an HTML file, such as map.html")
    check_writable(out)
    ds = stores.open_study(path)
    view = views.first_view(ds)
    if view.get("x") is None:
        raise UserError(
            f"{path} is a single point without dimensions of its own; expected some to draw over: gbaexplore explore "
            "without --html shows its time courses"
        )
    page = _Page(ds, view["x"], view["y"])
    size = sum(ds[name].nbytes for name in page.names if name != views.RATIO)
    if size > _MOST_BYTES:
        raise UserError(
            f"{path} has {size / 2**20:.0f} MiB of values; expected at most {_MOST_BYTES / 2**20:.0f} MiB in "
            "one page: gbaexplore explore without --html shows it"
        )
    with writing(out, "choose another place"):
        out.parent.mkdir(parents=True, exist_ok=True)
        html = file_html(page.drawn(path.stem), INLINE, title=printable(path.stem), template=_TEMPLATE)
        out.write_text(_alone(html), encoding="utf-8")
    return out


def _alone(html: str) -> str:
    """Return a page without the files of Panel's widgets, which Bokeh asks for in any page once Panel is imported."""
    for url in (*INLINE.js_files, *INLINE.css_files):
        html = html.replace(f'<script src="{url}"></script>', "")
        html = html.replace(f'<link rel="stylesheet" href="{url}">', "")
    return html


class _Page:
    """A store's page: every variable that can be drawn over x and y.

    Seeds have two labels more, for what is taken over all of them.
    """

    def __init__(self, ds: xr.Dataset, x: str, y: str | None) -> None:
        self.ds, self.x, self.y = ds, x, y
        self.seeds = ds.sizes.get(SEED, 1) > 1 and SEED not in (x, y)
        drawn = [name for name in views.variables(ds) if x in views.over(ds, name) and y in views.partners(ds, name, x)]
        # The script divides planes, and the mean of ratios is not the ratio of means.
        self.names = [name for name in drawn if name != views.RATIO or not self.seeds]
        self.first = views.first_at(ds, self.names[0], x, y)
        self.log = views.suits_log(ds, self.names[0], self.first)
        listed = views.columns(ds)
        along = [listed.get(name, name) for name in (y, x) if name is not None]
        self.along = list(dict.fromkeys(along))  # dimensions of a plane, as the script has its values
        self.dims = {name: [dim for dim in views.dims_of(ds, name) if dim not in self.along] for name in self.names}
        self.grid = [str(dim) for dim in ds[STATUS].dims if dim not in self.along]

    def drawn(self, title: str) -> Any:
        """Return the page."""
        look: dict[str, Any] = {**looks.WIDE, "stylesheets": [looks.WIDGET]}
        variable = Select(title="variable", options=self.names, value=self.names[0], **look)
        box = Checkbox(label="logarithmic values", active=self.log, **look)
        dims = list(dict.fromkeys(dim for name in self.names for dim in self.dims[name]))
        choices = {dim: self._choice(dim, look) for dim in dims}
        said = Div(
            text="Click the picture: what is there is told, and its profile shown.", render_as_text=True,
            disable_math=True, stylesheets=[looks.MESSAGE], **looks.WIDE,
        )  # fmt: skip
        profile, profiles = _profile(self.ds, self.log)
        figures, parts = self._figures()
        parts |= {
            "variable": variable, "log": box, "choices": choices, "said": said, "profiles": profiles,
            "profile_axis": profile.yaxis[0], "profile_log": self.log,
            "figures": figures, "legends": [one.legend[0] for one in figures],
        }  # fmt: skip
        act = CustomJS(args=parts | self._numbers() | self._words(), code=_SCRIPT.read_text(encoding="utf-8"))
        for widget in (variable, *choices.values()):
            widget.js_on_change("value", act)
        box.js_on_change("active", act)
        for one in figures:
            one.js_on_event("tap", act)
        words = f"<h1>{escaped(title)}</h1>{escaped(views.state(self.ds))}"
        header = Div(text=words, disable_math=True, stylesheets=[looks.HEADER], **looks.WIDE)
        several = [widget for dim, widget in choices.items() if self.ds.sizes[dim] > 1]
        parts_of_page = [
            column(variable, *several, box, stylesheets=[looks.CONTROLS]),
            column(*figures, said, stylesheets=[looks.PART]),
            *([column(profile, stylesheets=[looks.PART, looks.COURSES])] if AREA in dims else []),
        ]
        body = column(*parts_of_page, stylesheets=[looks.BODY])
        return column(header, body, sizing_mode="stretch_width", stylesheets=[looks.PAGE, looks.WHOLE])

    def _choice(self, dim: str, look: dict[str, Any]) -> Any:
        scale = views.scale(self.ds, dim)
        options = [(str(i), word) for i, word in enumerate(scale.words)]
        position = self.first.get(dim, self.ds.sizes[dim] - 1)
        if dim == SEED and self.seeds:
            options = [(str(self._position(i)), word) for i, word in views.SEEDS.items()] + options
            position = self._position(position)
        return Select(title=scale.title, options=options, value=str(position), **look)

    def _position(self, seeds: int) -> int:
        """Return the position of a seed, or of what is taken over all of them."""
        return seeds if seeds >= 0 else self.ds.sizes[SEED] - 1 - seeds

    def _shown(self, log: bool) -> Any:
        areas = [str(self.ds[AREA].values[-1])]
        return views.shown(self.ds, self.names[0], self.x, self.y, self.first, areas, log)

    def _figures(self) -> tuple[list[Any], dict[str, Any]]:
        """Return the figures, of curves one for each scale, and what the script changes of them."""
        parts: dict[str, Any] = dict.fromkeys(("cells", "mapper", "ticker", "bar", "lines", "dots", "rest"))
        if self.y is None:
            both = [charts.Lines(None, log) for log in (False, True)]
            for chart in both:
                chart.show(self._shown(chart.log))
                chart.figure.visible = chart.log is self.log
            parts |= {"dots": [c.dots for c in both], "lines": [c.lines for c in both]}
            axes = [c.figure.yaxis[0] for c in both]
            return [c.figure for c in both], parts | {"marks": [c.points for c in both], "value_axes": axes}
        shown = self._shown(self.log)
        one: Any = charts.Map() if isinstance(shown, shapes.Plane) else charts.Dots()
        one.show(shown, self.log)
        parts |= {"mapper": one.mapper, "ticker": one.ticker, "bar": one.bar}
        parts |= {"marks": [one.points], "value_axes": []}
        own = {"cells": one.cells, "lines": one.lines} if isinstance(one, charts.Map) else {
            "dots": one.dots, "rest": one.others
        }  # fmt: skip
        return [one.figure], parts | own

    def _numbers(self) -> dict[str, Any]:
        """Return the values that the script draws."""
        ds, shown = self.ds, self._shown(self.log)
        plane = isinstance(shown, shapes.Plane)
        order = (
            np.argsort(ds[self.x].values, kind="stable")
            if self.y is None and self.x in views.columns(ds)
            else slice(None)
        )
        sizes = {str(dim): ds.sizes[dim] for dim in ds.dims}
        if self.seeds:
            sizes[SEED] += len(views.SEEDS)
        return {
            "kind": type(shown).__name__, "n": int(np.prod([ds.sizes[dim] for dim in self.along])),
            "data": {name: self._cube(name, order) for name in [*self.names, STATUS] if name != views.RATIO},
            "dims": self.dims | {STATUS: self.grid}, "sizes": sizes,
            "source": views.labels(ds, AREA).index(source_and_target(ds)[0]), "peaks": peaks_of(ds),
            "boundaries": self._boundaries() if plane else {}, "nx": ds.sizes[self.x] if plane else 0,
            "xs": [] if plane else shown.xs, "ys": shown.ys if isinstance(shown, shapes.Scatter) else [],
            "bounded": list(BOUNDED), "ok": OK,
        }  # fmt: skip

    def _cube(self, name: str, order: Any) -> ColumnDataSource:
        """Return all values of a variable, plane after plane."""
        array, state = self.ds[name], self.ds[STATUS]
        if name == STATUS:
            array = array.expand_dims({dim: self.ds.sizes[dim] for dim in self.along if dim not in array.dims})
        if self.seeds:
            import xarray as xr

            taken = [views.over_seeds(array, state, position) for position in views.SEEDS]
            array = xr.concat([array.drop_vars(SEED), *(one.expand_dims(SEED) for one in taken)], SEED)
            dims = [dim for dim in views.dims_of(self.ds, name) if dim not in self.along]
            array = array.transpose(*dims, *self.along)
        values = array.transpose(..., *self.along).values[..., order]
        return ColumnDataSource({"values": values.astype(np.uint8 if name == STATUS else np.float32).ravel()})

    def _boundaries(self) -> dict[str, Any]:
        """Return the stability boundaries of each combination of the other axes' labels, by their positions."""
        if not {self.x, str(self.y)} <= {*map(str, self.ds[STATUS].dims)}:
            return {}
        return {
            ",".join(map(str, at)): views.boundaries(self.ds.isel(dict(zip(self.grid, at))), self.x, str(self.y))
            for at in itertools.product(*(range(self.ds.sizes[dim]) for dim in self.grid))
        }

    def _words(self) -> dict[str, Any]:
        """Return the script's words."""
        ds, shown = self.ds, self._shown(self.log)
        words: dict[str, Any] = {
            "titles": {name: literal(views.title_of(ds, name)) for name in self.names},
            "state_words": list(STATUS_MEANINGS), "state_names": {STATUS_MEANINGS[c]: c for c in STATE_COLOURS},
            "state_colours": [STATE_COLOURS.get(code, "#ffffff") for code in range(len(STATUS_MEANINGS))],
        }  # fmt: skip
        if isinstance(shown, shapes.Plane):
            scales = shown.x, shown.y
            start = [float(scale.positions[0]) for scale in scales]
            labels = [scale.words for scale in scales]
            titles = [scale.title for scale in scales]
            return words | {
                "start": start, "step": [scale.step for scale in scales], "labels": labels, "axis_titles": titles
            }  # fmt: skip
        rows = [shapes.short(row) for row in shown.rows] if isinstance(shown, shapes.Scatter) else shown.x.words
        titles = [shown.axis, *shown.titles] if isinstance(shown, shapes.Scatter) else [shown.x.title]
        return words | {"start": [], "step": [], "labels": [rows], "axis_titles": titles}


def _profile(ds: xr.Dataset, log: bool) -> tuple[Any, ColumnDataSource]:
    areas = [str(area) for area in ds[AREA].values]
    profiles = ColumnDataSource({"x": [], "y": []})
    chart = figure(
        width=560, height=360, sizing_mode="stretch_width", max_width=560, min_width=200,
        y_axis_type="log" if log else "linear", toolbar_location=None,
        x_range=Range1d(-0.5, len(areas) - 0.5), name="profile",
    )  # fmt: skip
    chart.line("x", "y", source=profiles, line_color="black")
    chart.scatter("x", "y", source=profiles, fill_color="black")
    charts.name_ticks(chart.xaxis[0], areas)
    charts.short_ticks(chart.yaxis[0])
    return chart, profiles
