"""The explorer's view as a picture for print, in matplotlib."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from gbaexplore.plots.explorer.charts import BOUNDARIES, COLOURS, LINES
from gbaexplore.plots.explorer.courses import Course
from gbaexplore.plots.explorer.shapes import Curves, Plane, Scale, Scatter, Shown
from gbaexplore.plots.fields import emptiest_corner
from gbaexplore.plots.maps import paint_cells
from gbaexplore.plots.style import name_ticks, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Looks: TypeAlias = dict[int, tuple[str, str]]


def picture(
    shown: Shown | None,
    log: bool,
    courses: dict[str, Course],
    areas: list[str],
    source: str,
    looks: Looks,
    ending: str,
) -> io.BytesIO:
    """Return the picture of a variable, and the time courses and profiles of points, as a PNG or SVG file.

    Args:
        shown: None for a store of a single point: its time courses alone.
        looks: colour and words of points without a value, by their state, as `plots.map` has them.
    """
    from matplotlib.figure import Figure

    rows, columns = len(areas) + 1, (shown is not None) + bool(courses)
    fig = Figure(figsize=(11, 5.2) if columns > 1 else (6, 5), layout="constrained")
    grid = fig.add_gridspec(rows, max(columns, 1), height_ratios=[1] * len(areas) + [1.6])
    if shown is not None:
        draw: Any = {Plane: _draw_plane, Scatter: _draw_scatter, Curves: _draw_curves}[type(shown)]
        draw(fig.add_subplot(grid[:, 0]), shown, log, courses, looks)
    if courses:
        for row, area in enumerate(areas):
            _draw_courses(fig.add_subplot(grid[row, -1]), courses, area)
            if row == rows - 2:
                fig.axes[-1].set_xlabel("time (s)")
        _draw_profiles(fig.add_subplot(grid[-1, -1]), courses, source)
    file = io.BytesIO()
    fig.savefig(file, format=ending, dpi=200)
    file.seek(0)
    return file


def _draw_plane(ax: Axes, plane: Plane, log: bool, courses: dict[str, Course], looks: Looks) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm, Normalize

    norm = (LogNorm if log else Normalize)(*plane.limits)
    values = np.ma.masked_invalid(plane.values)
    handles: list[Any] = [*paint_cells(ax, plane.x.positions, plane.y.positions, values, plane.state, norm, looks)]
    ax.figure.colorbar(ScalarMappable(norm, "viridis"), ax=ax, label=plain(plane.title), location="top")
    for name, (xs, ys) in plane.boundaries.items():
        for i, (x, y) in enumerate(zip(xs, ys)):
            ax.plot(x, y, color="black", ls=BOUNDARIES[name], lw=1, label=None if i else name)
    _mark(ax, plane, courses)
    handles += [line for line in ax.get_lines() if line.get_label() in plane.boundaries]
    if handles:
        shown = ~np.ma.getmaskarray(values)
        ax.legend(handles=handles, loc=emptiest_corner(shown), fontsize="small", frameon=True, framealpha=0.9)
    _label(ax.xaxis, plane.x)
    _label(ax.yaxis, plane.y)
    if plane.downwards:
        ax.invert_yaxis()


def _draw_scatter(ax: Axes, scatter: Scatter, log: bool, courses: dict[str, Course], looks: Looks) -> None:
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm, Normalize

    norm, known = (LogNorm if log else Normalize)(*scatter.limits), np.isfinite(scatter.values)
    for code, (colour, words) in looks.items():
        there = ~known & (scatter.state == code)
        if there.any():
            ax.scatter(scatter.xs[there], scatter.ys[there], color=colour, ec="0.5", lw=0.5, label=words)
    ax.scatter(scatter.xs[known], scatter.ys[known], c=scatter.values[known], norm=norm, ec="0.5", lw=0.5)
    ax.figure.colorbar(ScalarMappable(norm, "viridis"), ax=ax, label=plain(scatter.title), location="top")
    _mark(ax, scatter, courses)
    ax.set_xlabel(plain(scatter.titles[0]))
    ax.set_ylabel(plain(scatter.titles[1]))
    if ax.get_legend_handles_labels()[1]:
        ax.legend(fontsize="small")


def _draw_curves(ax: Axes, curves: Curves, log: bool, courses: dict[str, Course], _: Looks) -> None:
    for (name, line), colour in zip(curves.lines.items(), LINES):
        ax.plot(curves.xs, line, color=colour, marker=".", label=plain(name))
        if name in curves.bands:
            ax.fill_between(curves.xs, *curves.bands[name], color=colour, alpha=0.2, lw=0)
    if log:
        ax.set_yscale("log")
    _mark(ax, curves, courses)
    ax.set_ylabel(plain(curves.title))
    if curves.x.numbers:
        ax.set_xlabel(plain(curves.x.title))
    else:
        _label(ax.xaxis, curves.x)
    if [*curves.lines] != [""]:
        ax.legend(fontsize="small")


def _mark(ax: Axes, shown: Shown, courses: dict[str, Course]) -> None:
    """Draw where points are."""
    for name, course in courses.items():
        at = shown.position(course.labels)
        if at is not None:
            ax.plot(*at, "o", color=COLOURS[name], mec="white", ms=8)
            ax.annotate(name, at, (6, 5), textcoords="offset points", color=COLOURS[name], weight="bold")


def _label(axis: Any, scale: Scale) -> None:
    axis.set_label_text(plain(scale.title))
    if not scale.even:
        some = range(0, len(scale.labels), max(1, len(scale.labels) // 12))
        axis.set_ticks([scale.positions[i] for i in some], [plain(scale.words[i]) for i in some])


def _draw_courses(ax: Axes, courses: dict[str, Course], area: str) -> None:
    for name, course in courses.items():
        at = course.areas.index(area)
        ax.plot(course.time, course.change[:, at], color=COLOURS[name], label=name)
        if course.spread is not None:
            ends = course.change[:, at] - course.spread[:, at], course.change[:, at] + course.spread[:, at]
            ax.fill_between(course.time, *ends, color=COLOURS[name], alpha=0.2, lw=0)
    ax.set_ylabel(plain(area + next(iter(courses.values())).unit))


def _draw_profiles(ax: Axes, courses: dict[str, Course], source: str) -> None:
    for name, course in courses.items():
        ax.plot(course.share(source), color=COLOURS[name], marker=".", label=name)
    ax.set_yscale("log")
    ax.set_ylabel(plain(f"largest change (% of {source})"))
    name_ticks(ax, next(iter(courses.values())).areas)
    ax.tick_params("x", labelsize="x-small")
    ax.legend(fontsize="small")
