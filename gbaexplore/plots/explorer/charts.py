"""The explorer's figures, in Bokeh: map, scatter and curves of a variable; time courses and profile of points."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from bokeh.models import (
    BasicTicker,
    ColorBar,
    ColumnDataSource,
    CustomJSHover,
    CustomJSTicker,
    CustomJSTickFormatter,
    FixedTicker,
    HoverTool,
    Legend,
    LinearColorMapper,
    Range1d,
)
from bokeh.palettes import Viridis256
from bokeh.plotting import figure

from gbaexplore.basics.names import STATUS_MEANINGS, thinned
from gbaexplore.plots.explorer import looks
from gbaexplore.plots.explorer.shapes import Curves, Plane, Scale, Scatter
from gbaexplore.plots.explorer.text import literal
from gbaexplore.plots.style import STATE_COLOURS

# Okabe and Ito's colours, which colour-blind readers can tell apart.
COLOURS = {"here": "#000000", "A": "#d55e00", "B": "#0072b2", "C": "#009e73", "D": "#cc79a7"}
LINES = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")
BOUNDARIES = {"boundary of divergence": "solid", "boundary of linear stability": "dashed"}

_FIELD = ""  # stands for the entry of a legend whose words come with the data
_GREY = "#7c828a"  # of words that no style sheet reaches, on light and dark pages
_LONGEST = 24  # characters of an area's name below an axis
_WIDTH = 30  # characters of a title's line beside a figure on a phone
_TOOLS = "pan,wheel_zoom,box_zoom,reset,save"
_LABEL = "const i = Math.round((value - start) / step); return labels[Math.min(Math.max(i, 0), labels.length - 1)]"
_VALUE = "return Number.isFinite(value) ? value.toPrecision(4) : 'none'"
_STATE = "return names[value]"
_TICKS = Path(__file__).with_name("ticks.js").read_text(encoding="utf-8")

Clicked = Callable[[float, float], None]


def new_figure(name: str, width: int, height: int, sizing_mode: str = "stretch_width", **how: Any) -> Any:
    """Return a figure that is as wide as there is room."""
    chart = figure(
        width=width, height=height, sizing_mode=sizing_mode, min_width=200, max_width=width, tools=_TOOLS, name=name,
        **how,
    )  # fmt: skip
    chart.toolbar.logo = None
    return chart


def short_ticks(axis: Any, log: bool = False) -> None:
    """Let an axis write its ticks in as few characters as tell them apart."""
    code = f"{_TICKS}\nreturn words(ticks.map((tick) => log ? 10 ** tick : tick))[index]"
    axis.formatter = CustomJSTickFormatter(args={"log": log}, code=code)


def entitle(axis: Any, words: str) -> None:
    """Label an axis; the same words again would have the browser lay the figure out anew."""
    wanted = literal(words, _WIDTH)
    if getattr(axis.axis_label, "text", None) != wanted.text:
        axis.axis_label = wanted


class _Picture:
    """What all pictures of a variable have: chosen points, and a legend of states below the frame."""

    def __init__(self, name: str, clicked: Clicked | None, **how: Any) -> None:
        self.points = ColumnDataSource({name: [] for name in ("x", "y", "name", "colour")})
        self.figure = new_figure(name, 610, 560, "scale_width", toolbar_location="above", **how)
        look = {"border_line_color": None, "background_fill_color": None, "padding": 4, "spacing": 2}
        self.figure.add_layout(Legend(ncols=2, location="left", stylesheets=[looks.LEGEND], **look), "below")
        if clicked is not None:
            self.figure.on_event("tap", lambda event: clicked(event.x, event.y))

    def _draw_points(self) -> None:
        given = {"line_color": "white", "fill_color": "colour", "size": 13}
        self.figure.scatter("x", "y", source=self.points, marker="circle", **given)
        self.figure.text(
            "x", "y", text="name", source=self.points, x_offset=8, y_offset=-5, text_color="colour",
            text_font_size="13px", text_font_style="bold", background_fill_color="white", background_fill_alpha=0.75,
            padding=2,
        )  # fmt: skip

    def _name_states(self) -> None:
        """Add a coloured square with its meaning to the legend for each state of a point without a value."""
        for code, colour in STATE_COLOURS.items():
            square = {"marker": "square", "size": 14, "fill_color": colour, "line_color": "#888888"}
            self.figure.scatter([np.nan], [np.nan], legend_label=STATUS_MEANINGS[code], **square)

    def _show_states(self, cover: np.ndarray, others: Any = ()) -> None:
        """Name those states in the legend that are there."""
        for item in self.figure.legend[0].items:
            name = getattr(item.label, "value", _FIELD)
            there = [code for code in STATE_COLOURS if STATUS_MEANINGS[code] == name and (cover == code).any()]
            item.visible = bool(there) or name in others

    def mark(self, points: list[tuple[str, float, float]]) -> None:
        """Show where points are: name and position."""
        names = [name for name, *_ in points]
        self.points.data = {
            "x": [x for _, x, _ in points], "y": [y for *_, y in points], "name": names,
            "colour": [COLOURS[name] for name in names],
        }  # fmt: skip


class _Coloured(_Picture):
    """A picture with a colour bar."""

    def __init__(self, name: str, clicked: Clicked | None) -> None:
        super().__init__(name, clicked, x_range=Range1d(), y_range=Range1d())
        self.figure.grid.visible = False
        self.mapper = LinearColorMapper(palette=Viridis256, nan_color="rgba(0,0,0,0)")
        grey = {"title_text_color": _GREY, "major_label_text_color": _GREY}
        self.bar = ColorBar(color_mapper=self.mapper, background_fill_color=None, **grey)
        ticks = f"{_TICKS}\nreturn ticks_between(cb_data.start, cb_data.end)"
        self.ticker = self.bar.ticker = CustomJSTicker(args={"log": True}, major_code=ticks)
        short_ticks(self.bar, True)
        self.figure.add_layout(self.bar, "right")

    def _colour(self, limits: tuple[float, float], log: bool, title: str) -> None:
        low, high = np.log10(limits) if log else limits
        self.mapper.update(low=float(low), high=float(high))
        self.ticker.args = {"log": log}
        self.bar.formatter.args = {"log": log}
        self.bar.title = literal(title, _WIDTH)

    def _range(self, axis: Any, span: Any, ends: tuple[float, float], title: str) -> None:
        start, end = ends
        span.update(start=start, end=end, reset_start=start, reset_end=end)
        entitle(axis, title)


class Map(_Coloured):
    """A variable over two dimensions, with the states of points, stability boundaries and chosen points.

    Args:
        clicked: called with the position of a click.
    """

    def __init__(self, clicked: Clicked | None = None) -> None:
        super().__init__("map", clicked)
        self.cells = ColumnDataSource(
            {name: [] for name in ("colour", "value", "state", "cover", "x", "y", "dw", "dh")}
        )
        self.lines = {name: ColumnDataSource({"xs": [], "ys": []}) for name in BOUNDARIES}
        self.hover = HoverTool(renderers=[self._draw_cells()])
        self.figure.add_tools(self.hover)
        self._draw_boundaries()
        self._name_states()
        self._draw_points()
        self._scales: tuple[Any, ...] = ()

    def _draw_cells(self) -> Any:
        """Draw the values and, over them, the states of points without one; return the states' renderer."""
        cell = {"x": "x", "y": "y", "dw": "dw", "dh": "dh", "source": self.cells}
        self.figure.image(image="colour", color_mapper=self.mapper, **cell)
        palette = [STATE_COLOURS.get(code, "rgba(0,0,0,0)") for code in range(len(STATUS_MEANINGS))]
        mapper = LinearColorMapper(palette=palette, low=0, high=len(palette) - 0.001)
        return self.figure.image(image="cover", color_mapper=mapper, **cell)

    def _draw_boundaries(self) -> None:
        for name, dash in BOUNDARIES.items():
            line = {"line_color": "black", "line_dash": dash, "line_width": 1.5, "legend_label": name}
            self.figure.multi_line("xs", "ys", source=self.lines[name], **line)

    def show(self, plane: Plane, log: bool) -> None:
        """Replace the map."""
        (x0, x1), (y0, y1) = plane.x.ends, plane.y.ends
        colour = np.log10(plane.values) if log else plane.values
        states = {"state": plane.state.astype(np.uint8), "cover": plane.cover}
        images = {"colour": colour.astype(np.float32), "value": plane.values, **states}
        place = {"x": x0, "y": y0, "dw": x1 - x0, "dh": y1 - y0}
        self.cells.data = {name: [value] for name, value in {**images, **place}.items()}
        self._colour(plane.limits, log, plane.title)
        for name, source in self.lines.items():
            xs, ys = plane.boundaries.get(name, ([], []))
            source.data = {"xs": xs, "ys": ys}
        self._show_states(plane.cover, plane.boundaries)
        if self._scales != (plane.x, plane.y, plane.title):
            self._scales = plane.x, plane.y, plane.title
            self._rescale(plane)

    def _rescale(self, plane: Plane) -> None:
        ends = plane.y.ends[::-1] if plane.downwards else plane.y.ends
        self._range(self.figure.xaxis[0], self.figure.x_range, plane.x.ends, plane.x.title)
        self._range(self.figure.yaxis[0], self.figure.y_range, ends, plane.y.title)
        _label(self.figure.xaxis[0], plane.x)
        _label(self.figure.yaxis[0], plane.y)
        self.figure.yaxis[0].major_label_orientation = "horizontal"
        self.hover.tooltips = [
            (plane.x.title, "$x{custom}"), (plane.y.title, "$y{custom}"), ("value", "@value{custom}"),
            ("state", "@state{custom}"),
        ]  # fmt: skip
        self.hover.formatters = {
            "$x": _labels(plane.x), "$y": _labels(plane.y), "@value": CustomJSHover(code=_VALUE),
            "@state": CustomJSHover(code=_STATE, args={"names": list(STATUS_MEANINGS)}),
        }  # fmt: skip


def _label(axis: Any, scale: Scale) -> None:
    """Put numbers along an axis, or the words of its labels."""
    if scale.even:
        axis.ticker, axis.major_label_overrides, axis.major_label_orientation = BasicTicker(), {}, "horizontal"
        short_ticks(axis)
    else:
        name_ticks(axis, scale.words)
        if max(map(len, scale.words)) * len(scale.words) < 60:
            axis.major_label_orientation = "horizontal"


def _labels(scale: Scale) -> CustomJSHover:
    start = {"start": float(scale.positions[0]), "step": scale.step}
    return CustomJSHover(code=_LABEL, args={"labels": scale.words, **start})


class Dots(_Coloured):
    """The points of a table over two of its columns, coloured by value or, without one, by their state.

    Args:
        clicked: called with the position of a click.
    """

    def __init__(self, clicked: Clicked | None = None) -> None:
        super().__init__("scatter", clicked)
        self.dots = ColumnDataSource({name: [] for name in ("x", "y", "value", "colour", "state", "row")})
        self.others = ColumnDataSource({name: [] for name in ("x", "y", "fill", "state", "row")})
        size = {"size": 9, "line_color": "#88888880"}
        drawn = self.figure.scatter(
            "x", "y", source=self.dots, fill_color={"field": "colour", "transform": self.mapper}, **size
        )
        rest = self.figure.scatter("x", "y", source=self.others, fill_color="fill", **size)
        self.hover = HoverTool(renderers=[drawn, rest])
        self.figure.add_tools(self.hover)
        self._name_states()
        self._draw_points()
        self._spans: tuple[Any, ...] = ()

    def show(self, scatter: Scatter, log: bool) -> None:
        """Replace the points."""
        colour = np.log10(scatter.values) if log else scatter.values
        names, rows = np.array(STATUS_MEANINGS)[scatter.state], np.array([str(row) for row in scatter.rows])
        known = np.isfinite(scatter.values)
        data = {
            "x": scatter.xs,
            "y": scatter.ys,
            "value": scatter.values,
            "colour": colour,
            "state": names,
            "row": rows,
        }
        self.dots.data = {name: values[known] for name, values in data.items()}
        fill = np.array([STATE_COLOURS.get(int(code), "#ffffff") for code in scatter.cover], dtype=object)
        rest = {"x": scatter.xs, "y": scatter.ys, "fill": fill, "state": names, "row": rows}
        self.others.data = {name: values[~known] for name, values in rest.items()}
        self._colour(scatter.limits, log, scatter.title)
        self._show_states(scatter.cover)
        across, up = _ends(scatter.xs), _ends(scatter.ys)
        if self._spans != (across, up, scatter.titles, scatter.title):
            self._spans = across, up, scatter.titles, scatter.title
            self._range(self.figure.xaxis[0], self.figure.x_range, across, scatter.titles[0])
            self._range(self.figure.yaxis[0], self.figure.y_range, up, scatter.titles[1])
            for axis in (*self.figure.xaxis, *self.figure.yaxis):
                short_ticks(axis)
            self.hover.tooltips = [
                (scatter.axis, "@row"), (scatter.titles[0], "@x"), (scatter.titles[1], "@y"),
                ("value", "@value"), ("state", "@state"),
            ]  # fmt: skip


def _ends(values: np.ndarray) -> tuple[float, float]:
    """Return the limits of an axis of values."""
    low, high = float(values.min()), float(values.max())
    beside = 0.04 * (high - low) or 0.5
    return low - beside, high + beside


class Lines(_Picture):
    """A variable along one dimension: a line for each area, a band where there are several seeds.

    Args:
        clicked: called with the position of a click.
    """

    def __init__(self, clicked: Clicked | None, log: bool) -> None:
        super().__init__("curves", clicked, y_axis_type="log" if log else "linear", x_range=Range1d())
        self.log = log
        self.lines = ColumnDataSource({name: [] for name in ("xs", "ys", "colour", "name")})
        self.bands = ColumnDataSource({name: [] for name in ("xs", "ys", "colour")})
        self.dots = ColumnDataSource({name: [] for name in ("x", "y", "colour", "name", "label", "state")})
        self.states = ColumnDataSource({name: [] for name in ("x", "colour")})
        self.figure.patches("xs", "ys", source=self.bands, fill_color="colour", fill_alpha=0.2, line_color=None)
        self.figure.multi_line(
            "xs", "ys", source=self.lines, line_color="colour", line_width=2, legend_field="name",
        )  # fmt: skip
        dots = self.figure.scatter("x", "y", source=self.dots, fill_color="colour", line_color=None, size=6)
        self.hover = HoverTool(renderers=[dots])
        self.figure.add_tools(self.hover)
        self._name_states()
        self._draw_points()
        short_ticks(self.figure.yaxis[0])
        self._along: Scale | None = None

    def show(self, curves: Curves) -> None:
        """Replace the curves."""
        colours = [LINES[i % len(LINES)] for i in range(len(curves.lines))]
        names, words = list(curves.lines), np.array(curves.x.words if not curves.x.numbers else [*map(str, curves.xs)])
        self.lines.data = {
            "xs": [curves.xs] * len(names), "ys": list(curves.lines.values()), "colour": colours, "name": names,
        }  # fmt: skip
        bands = [(curves.xs, *curves.bands[name]) for name in names if name in curves.bands]
        known = [np.isfinite(low) & np.isfinite(high) for _, low, high in bands]
        self.bands.data = {
            "xs": [np.concatenate([xs[k], xs[k][::-1]]) for (xs, *_), k in zip(bands, known)],
            "ys": [np.concatenate([low[k], high[k][::-1]]) for (_, low, high), k in zip(bands, known)],
            "colour": colours[: len(bands)],
        }  # fmt: skip
        states = np.array(STATUS_MEANINGS)[curves.state]
        parts = [(name, line, colour, np.isfinite(line)) for (name, line), colour in zip(curves.lines.items(), colours)]
        self.dots.data = {
            "x": _joined([curves.xs[k] for *_, k in parts]), "y": _joined([line[k] for _, line, _, k in parts]),
            "colour": [colour for *_, colour, k in parts for _ in range(k.sum())],
            "name": [name for name, *_, k in parts for _ in range(k.sum())],
            "label": [str(word) for *_, k in parts for word in words[k]],
            "state": [str(word) for *_, k in parts for word in states[k]],
        }  # fmt: skip
        self._show_states(curves.cover, [_FIELD] if names != [""] else [])
        entitle(self.figure.yaxis[0], curves.title)
        if self._along != curves.x:
            self._along = curves.x
            start, end = _ends(curves.xs)
            self.figure.x_range.update(start=start, end=end, reset_start=start, reset_end=end)
            axis = self.figure.xaxis[0]
            entitle(axis, curves.x.title)
            if curves.x.numbers:
                axis.ticker, axis.major_label_overrides = BasicTicker(), {}
                short_ticks(axis)
            else:
                _label(axis, curves.x)
            self.hover.tooltips = [
                (curves.x.title, "@label"), ("area", "@name"), ("value", "@y"), ("state", "@state"),
            ]  # fmt: skip


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.empty(0), *parts])


def name_ticks(axis: Any, areas: list[str]) -> None:
    """Name the positions 0, 1, ... of an axis after areas; some of them only, where there are many."""
    ticks = thinned(areas)
    axis.ticker = FixedTicker(ticks=list(ticks))
    axis.major_label_overrides = {position: literal(_cut(area)) for position, area in ticks.items()}
    axis.major_label_orientation = 1.3


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}..."
