"""The explorer's view as a picture for print, in matplotlib."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from gbaexplore.plots.explorer.charts import BOUNDARIES, COLOURS
from gbaexplore.plots.explorer.courses import Course
from gbaexplore.plots.explorer.views import Plane, Scale
from gbaexplore.plots.fields import emptiest_corner
from gbaexplore.plots.maps import paint_cells
from gbaexplore.plots.style import name_ticks, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Looks: TypeAlias = dict[int, tuple[str, str]]


def picture(
    plane: Plane, log: bool, courses: dict[str, Course], areas: list[str], source: str, looks: Looks, ending: str
) -> io.BytesIO:
    """Return a map, and the time courses and profiles of points if there are any, as a PNG or SVG file.

    Args:
        looks: colour and words of points without a value, by their state, as `plots.map` has them.
    """
    from matplotlib.figure import Figure

    rows = len(areas) + 1
    fig = Figure(figsize=(11, 5.2) if courses else (6, 5), layout="constrained")
    grid = fig.add_gridspec(rows, 2 if courses else 1, height_ratios=[1] * len(areas) + [1.6])
    _draw_plane(fig.add_subplot(grid[:, 0]), plane, log, courses, looks)
    if courses:
        for row, area in enumerate(areas):
            _draw_courses(fig.add_subplot(grid[row, 1]), courses, area)
            if row == rows - 2:
                fig.axes[-1].set_xlabel("time (s)")
        _draw_profiles(fig.add_subplot(grid[-1, 1]), courses, source)
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
    for name, course in courses.items():
        at = plane.x.position(course.labels[plane.x.name]), plane.y.position(course.labels[plane.y.name])
        ax.plot(*at, "o", color=COLOURS[name], mec="white", ms=8)
        ax.annotate(name, at, (6, 5), textcoords="offset points", color=COLOURS[name], weight="bold")
    handles += [line for line in ax.get_lines() if line.get_label() in plane.boundaries]
    if handles:
        shown = ~np.ma.getmaskarray(values)
        ax.legend(handles=handles, loc=emptiest_corner(shown), fontsize="small", frameon=True, framealpha=0.9)
    _label(ax.xaxis, plane.x)
    _label(ax.yaxis, plane.y)


def _label(axis: Any, scale: Scale) -> None:
    axis.set_label_text(plain(scale.title))
    if not scale.even:
        some = range(0, len(scale.labels), max(1, len(scale.labels) // 12))
        axis.set_ticks([scale.positions[i] for i in some], [plain(scale.words[i]) for i in some])


def _draw_courses(ax: Axes, courses: dict[str, Course], area: str) -> None:
    for name, course in courses.items():
        ax.plot(course.time, course.change[:, course.areas.index(area)], color=COLOURS[name], label=name)
    ax.set_ylabel(plain(f"{area} (Hz)"))


def _draw_profiles(ax: Axes, courses: dict[str, Course], source: str) -> None:
    for name, course in courses.items():
        ax.plot(course.share(source), color=COLOURS[name], marker=".", label=name)
    ax.set_yscale("log")
    ax.set_ylabel(plain(f"peak (% of {source})"))
    name_ticks(ax, next(iter(courses.values())).areas)
    ax.tick_params("x", labelsize="x-small")
    ax.legend(fontsize="small")
