"""The explorer's figures of chosen points, in Bokeh: time courses, and a profile over the areas."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from bokeh.layouts import column
from bokeh.models import ColumnDataSource, Range1d

from gbaexplore.plots.explorer.charts import COLOURS, Lines, Map, entitle, name_ticks, new_figure, short_ticks
from gbaexplore.plots.explorer.courses import Course
from gbaexplore.plots.explorer.shapes import Plane, Shown


class Courses:
    """Time courses of chosen points, a figure for each area, and their profile over the areas."""

    def __init__(self, areas: list[str]) -> None:
        self.areas = areas
        self.layout = column(sizing_mode="stretch_width", max_width=560)
        self.sources: dict[str, ColumnDataSource] = {}
        self.left: dict[str, ColumnDataSource] = {}
        self.bands: dict[str, ColumnDataSource] = {}
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
            self.bands[area].data = _bands(courses, area, log)
            ends = [(c, np.flatnonzero(np.isfinite(y))[-1], y) for c, y in zip(courses.items(), changes) if c[1].left]
            self.left[area].data = {
                "x": [course.time[i] for (_, course), i, _ in ends], "y": [y[i] for _, i, y in ends],
                "colour": [COLOURS[name] for (name, _), *_ in ends],
            }  # fmt: skip
            entitle(self._charts[area].yaxis[0], area + next((c.unit for c in courses.values()), ""))
        self.profiles.data = {
            "xs": [np.arange(len(self.areas)) for _ in courses],
            "ys": [course.share(source) for course in courses.values()],
            "colour": colours, "name": list(courses),
        }  # fmt: skip
        entitle(self._profile.yaxis[0], f"largest change (% of {source})")

    def _build(self, areas: list[str], log: bool) -> None:
        self._charts: dict[str, Any] = {}
        for area in areas:
            self.sources[area] = ColumnDataSource({name: [] for name in ("xs", "ys", "colour", "name")})
            self.left[area] = ColumnDataSource({name: [] for name in ("x", "y", "colour")})
            self.bands[area] = ColumnDataSource({name: [] for name in ("xs", "ys", "colour")})
            shared = {"x_range": next(iter(self._charts.values())).x_range} if self._charts else {}
            last = area == areas[-1]
            chart = new_figure(
                f"course {area}", 540, 175 if last else 145, toolbar_location=None,
                y_axis_type="log" if log else "linear", **shared,
            )  # fmt: skip
            chart.patches("xs", "ys", source=self.bands[area], fill_color="colour", fill_alpha=0.2, line_color=None)
            chart.multi_line("xs", "ys", source=self.sources[area], line_color="colour", line_width=2)
            mark = {"marker": "x", "size": 11, "line_color": "colour", "line_width": 3}
            chart.scatter("x", "y", source=self.left[area], legend_label="leaves the range", **mark)
            chart.legend.visible = False
            chart.xaxis.visible = last
            chart.xaxis.axis_label = "time (s)"
            short_ticks(chart.yaxis[0])
            self._charts[area] = chart
        several = [self._profile] if len(self.areas) > 1 else []
        self.layout.children = [*self._charts.values(), *several]

    def _profile_figure(self) -> Any:
        chart = new_figure(
            "profile", 540, 250, toolbar_location=None, y_axis_type="log",
            x_range=Range1d(-0.5, len(self.areas) - 0.5),
        )  # fmt: skip
        chart.multi_line("xs", "ys", source=self.profiles, line_color="colour", line_width=2)
        name_ticks(chart.xaxis[0], self.areas)
        short_ticks(chart.yaxis[0])
        chart.xaxis.axis_label = "area"
        return chart


class Stored:
    """What the store has of the chosen point: a matrix or curves of each variable with dimensions of its own."""

    def __init__(self) -> None:
        self.layout = column(sizing_mode="stretch_width", max_width=560)
        self.charts: dict[str, Map | Lines] = {}

    def show(self, found: Mapping[str, Shown]) -> None:
        """Show pictures by variable; none where there is no point."""
        for variable, one in found.items():
            kind = Map if isinstance(one, Plane) else Lines
            if not isinstance(self.charts.get(variable), kind):
                self.charts[variable] = Map() if kind is Map else Lines(None, log=False)
            chart = self.charts[variable]
            chart.show(one, False) if isinstance(chart, Map) else chart.show(one)  # type: ignore[arg-type]
        figures = [self.charts[variable].figure for variable in found]
        if self.layout.children != figures:
            self.layout.children = figures


def _bands(courses: dict[str, Course], area: str, log: bool) -> dict[str, list[Any]]:
    """Return the outlines of the spreads over seeds, of the points that are means."""
    found: dict[str, list[Any]] = {"xs": [], "ys": [], "colour": []}
    for name, course in courses.items():
        if course.spread is None:
            continue
        at = course.areas.index(area)
        middle, width = course.change[:, at], course.spread[:, at]
        low, high = middle - width, middle + width
        known = (low > 0) if log else np.isfinite(low)
        found["xs"].append(np.concatenate([course.time[known], course.time[known][::-1]]))
        found["ys"].append(np.concatenate([low[known], high[known][::-1]]))
        found["colour"].append(COLOURS[name])
    return found
