"""The explorer's figures, in Bokeh: the map, and the time courses and profile of chosen points."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from bokeh.layouts import column
from bokeh.models import (
    BasicTicker,
    ColorBar,
    ColumnDataSource,
    CustomJSHover,
    CustomJSTickFormatter,
    FixedTicker,
    HoverTool,
    LinearColorMapper,
    Range1d,
)
from bokeh.palettes import Viridis256
from bokeh.plotting import figure

from gbaexplore.basics.names import STATUS_MEANINGS, thinned
from gbaexplore.plots.explorer.courses import Course
from gbaexplore.plots.explorer.text import literal
from gbaexplore.plots.explorer.views import Plane, Scale
from gbaexplore.plots.style import STATE_COLOURS

# Okabe and Ito's colours, which colour-blind readers can tell apart.
COLOURS = {"here": "#000000", "A": "#d55e00", "B": "#0072b2", "C": "#009e73", "D": "#cc79a7"}
BOUNDARIES = {"boundary of divergence": "solid", "boundary of linear stability": "dashed"}

_LONGEST = 24  # characters of an area's name below an axis
_TOOLS = "pan,wheel_zoom,box_zoom,reset,save"
_LABEL = "const i = Math.round((value - start) / step); return labels[Math.min(Math.max(i, 0), labels.length - 1)]"
_VALUE = "return Number.isFinite(value) ? value.toPrecision(4) : 'none'"
_STATE = "return names[value]"
_COLOUR = "return log ? (10 ** tick).toExponential(Number.isInteger(tick) ? 0 : 1) : `${tick}`"


class Map:
    """A variable over two axes, with the states of points, stability boundaries and chosen points.

    Args:
        clicked: called with the position of a click.
    """

    def __init__(self, clicked: Callable[[float, float], None] | None = None) -> None:
        self.cells = ColumnDataSource(
            {name: [] for name in ("colour", "value", "state", "cover", "x", "y", "dw", "dh")}
        )
        self.points = ColumnDataSource({name: [] for name in ("x", "y", "name", "colour")})
        self.lines = {name: ColumnDataSource({"xs": [], "ys": []}) for name in BOUNDARIES}
        self.figure = figure(
            width=610, height=520, tools=_TOOLS, x_range=Range1d(), y_range=Range1d(),
            toolbar_location="above", name="map",
        )  # fmt: skip
        self.figure.grid.visible = False
        self.mapper = LinearColorMapper(palette=Viridis256, nan_color="rgba(0,0,0,0)")
        self.formatter = CustomJSTickFormatter(args={"log": True}, code=_COLOUR)
        self.bar = ColorBar(color_mapper=self.mapper, ticker=BasicTicker(), formatter=self.formatter)
        self.figure.add_layout(self.bar, "right")
        self._hover = HoverTool(renderers=[self._draw_cells()])
        self.figure.add_tools(self._hover)
        self._draw_boundaries()
        for code in STATE_COLOURS:
            self._name(code)
        self._draw_points()
        self.figure.legend.location = "bottom_right"
        self.figure.legend.background_fill_alpha = 0.85
        self._scales: tuple[Scale, ...] = ()
        if clicked is not None:
            self.figure.on_event("tap", lambda event: clicked(event.x, event.y))

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

    def _draw_points(self) -> None:
        given = {"line_color": "white", "fill_color": "colour", "size": 13}
        self.figure.scatter("x", "y", source=self.points, marker="circle", **given)
        self.figure.text(
            "x", "y", text="name", source=self.points, x_offset=8, y_offset=-6, text_color="colour",
            text_font_style="bold", text_outline_color="white",
        )  # fmt: skip

    def _name(self, code: int) -> None:
        """Add a coloured square with its meaning to the legend."""
        square = {"marker": "square", "size": 14, "fill_color": STATE_COLOURS[code], "line_color": "#888888"}
        self.figure.scatter([np.nan], [np.nan], legend_label=STATUS_MEANINGS[code], **square)

    def show(self, plane: Plane, log: bool) -> None:
        """Replace the map."""
        (x0, x1), (y0, y1) = plane.x.ends, plane.y.ends
        colour = np.log10(plane.values) if log else plane.values
        states = {"state": plane.state.astype(np.uint8), "cover": plane.cover}
        images = {"colour": colour.astype(np.float32), "value": plane.values, **states}
        place = {"x": x0, "y": y0, "dw": x1 - x0, "dh": y1 - y0}
        self.cells.data = {name: [value] for name, value in {**images, **place}.items()}
        low, high = np.log10(plane.limits) if log else plane.limits
        self.mapper.update(low=float(low), high=float(high))
        self.formatter.args = {"log": log}
        self.bar.title = literal(plane.title)
        for name, source in self.lines.items():
            xs, ys = plane.boundaries.get(name, ([], []))
            source.data = {"xs": xs, "ys": ys}
        for item in self.figure.legend[0].items:
            name = item.label.value
            there = [code for code in STATE_COLOURS if STATUS_MEANINGS[code] == name and (plane.cover == code).any()]
            item.visible = bool(there) or name in plane.boundaries
        if self._scales != (plane.x, plane.y):
            self._scales = plane.x, plane.y
            self._rescale(plane)

    def _rescale(self, plane: Plane) -> None:
        for axis, span, scale in (
            (self.figure.xaxis[0], self.figure.x_range, plane.x), (self.figure.yaxis[0], self.figure.y_range, plane.y)
        ):  # fmt: skip
            start, end = scale.ends
            span.update(start=start, end=end, reset_start=start, reset_end=end)
            axis.axis_label = literal(scale.title)
            axis.ticker = BasicTicker() if scale.even else FixedTicker(ticks=_some(scale))
            axis.major_label_overrides = {} if scale.even else dict(zip(scale.positions, map(literal, scale.words)))
        self._hover.tooltips = [
            (plane.x.title, "$x{custom}"), (plane.y.title, "$y{custom}"), (plane.title, "@value{custom}"),
            ("state", "@state{custom}"),
        ]  # fmt: skip
        self._hover.formatters = {
            "$x": _labels(plane.x), "$y": _labels(plane.y), "@value": CustomJSHover(code=_VALUE),
            "@state": CustomJSHover(code=_STATE, args={"names": list(STATUS_MEANINGS)}),
        }  # fmt: skip

    def mark(self, points: list[tuple[str, float, float]]) -> None:
        """Show where points are: name and position."""
        names = [name for name, *_ in points]
        self.points.data = {
            "x": [x for _, x, _ in points], "y": [y for *_, y in points], "name": names,
            "colour": [COLOURS[name] for name in names],
        }  # fmt: skip


def _labels(scale: Scale) -> CustomJSHover:
    start = {"start": float(scale.positions[0]), "step": scale.step}
    return CustomJSHover(code=_LABEL, args={"labels": scale.words, **start})


def _some(scale: Scale) -> list[float]:
    """Return about twenty of the positions at most."""
    return scale.positions[:: max(1, len(scale.labels) // 20)].tolist()


class Courses:
    """Time courses of chosen points, a figure for each area, and their profile along the hierarchy."""

    def __init__(self, areas: list[str]) -> None:
        self.areas = areas
        self.layout = column(width=550)
        self.sources: dict[str, ColumnDataSource] = {}
        self.left: dict[str, ColumnDataSource] = {}
        self.profiles = ColumnDataSource({name: [] for name in ("xs", "ys", "colour", "name")})
        self._shown: tuple[list[str], bool] | None = None
        self._profile = self._profile_figure()

    def show(self, courses: dict[str, Course], areas: list[str], log: bool, source: str) -> None:
        """Show points by name, in some areas."""
        if self._shown != (areas, log):
            self._shown = (areas, log)
            self._build(areas, log)
        colours = [COLOURS[name] for name in courses]
        for area in areas:
            changes = [course.change[:, course.areas.index(area)] for course in courses.values()]
            self.sources[area].data = {
                "xs": [course.time for course in courses.values()],
                "ys": [np.where(change > 0, change, np.nan) if log else change for change in changes],
                "colour": colours, "name": list(courses),
            }  # fmt: skip
            ends = [(c, np.flatnonzero(np.isfinite(y))[-1], y) for c, y in zip(courses.items(), changes) if c[1].left]
            self.left[area].data = {
                "x": [course.time[i] for (_, course), i, _ in ends], "y": [y[i] for _, i, y in ends],
                "colour": [COLOURS[name] for (name, _), *_ in ends],
            }  # fmt: skip
        self.profiles.data = {
            "xs": [np.arange(len(self.areas)) for _ in courses],
            "ys": [course.share(source) for course in courses.values()],
            "colour": colours, "name": list(courses),
        }  # fmt: skip
        self._profile.yaxis[0].axis_label = literal(f"peak (% of {source})")

    def _build(self, areas: list[str], log: bool) -> None:
        figures: list[Any] = []
        for area in areas:
            self.sources[area] = ColumnDataSource({name: [] for name in ("xs", "ys", "colour", "name")})
            self.left[area] = ColumnDataSource({name: [] for name in ("x", "y", "colour")})
            shared = {"x_range": figures[0].x_range} if figures else {}
            last = area == areas[-1]
            chart = figure(
                width=540, height=175 if last else 145, tools=_TOOLS, toolbar_location=None,
                y_axis_type="log" if log else "linear", y_axis_label=literal(f"{area} (Hz)"), name=f"course {area}",
                **shared,
            )  # fmt: skip
            chart.multi_line("xs", "ys", source=self.sources[area], line_color="colour", line_width=2)
            mark = {"marker": "x", "size": 11, "line_color": "colour", "line_width": 3}
            chart.scatter("x", "y", source=self.left[area], legend_label="leaves the range", **mark)
            chart.legend.visible = False
            chart.xaxis.visible = last
            chart.xaxis.axis_label = "time (s)"
            figures.append(chart)
        self.layout.children = [*figures, self._profile]

    def _profile_figure(self) -> Any:
        chart = figure(
            width=540, height=250, tools=_TOOLS, toolbar_location=None, y_axis_type="log",
            name="profile", x_range=Range1d(-0.5, len(self.areas) - 0.5),
        )  # fmt: skip
        chart.multi_line("xs", "ys", source=self.profiles, line_color="colour", line_width=2)
        name_ticks(chart.xaxis[0], self.areas)
        chart.xaxis.axis_label = "area, in hierarchical order"
        return chart


def name_ticks(axis: Any, areas: list[str]) -> None:
    """Name the positions 0, 1, ... of an axis after areas; some of them only, where there are many."""
    ticks = thinned(areas)
    axis.ticker = FixedTicker(ticks=list(ticks))
    axis.major_label_overrides = {position: literal(_cut(area)) for position, area in ticks.items()}
    axis.major_label_orientation = 1.3


def _cut(name: str) -> str:
    return name if len(name) <= _LONGEST else f"{name[:_LONGEST]}..."
