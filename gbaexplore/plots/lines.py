"""Lines: time courses, profiles over areas, sweeps along a parameter."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.analysis.areas import source_and_target
from gbaexplore.basics.errors import UserError, listing
from gbaexplore.basics.names import AREA, BOUNDED, DIVERGED, STATUS, STATUS_MEANINGS, unit
from gbaexplore.plots.fields import (
    MOST_LINES,
    area_dim,
    areas_along,
    axes_of,
    checked_dataset,
    drawable,
    known_area,
    numbers_of,
    numeric_axes,
    only_axes,
    peaks_of_areas,
    sizes_of,
    value_of,
)
from gbaexplore.plots.style import axes_or_new, label_outer, line_styles, name_ticks, plain, quantity, with_legend

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes


def traces(
    ds: xr.Dataset,
    areas: str | Sequence[str] | None = None,
    onset: float = 0.0,
    floor: float | None = None,
    cap: float = 500.0,
    variable: str | None = None,
    ax: Axes | None = None,
    **line: Any,
) -> Axes:
    """Draw observables over time, a line for each point left in `ds` and each area; return the axes.

    Args:
        ds: of a study that measures `Trace` (the change from rest is drawn), or what `simulate` returns (the rate).
        areas: one area or several; all that there are if None.
        onset: the time that is drawn as zero, s.
        floor: draws on a logarithmic scale, and smaller values at this height.
        cap: values that diverge are drawn up to this height.
        variable: which time course, if there are several: of what `simulate` returns, the model's first if None.
        ax: where to draw; None makes a figure, with a legend.
        line: how to draw, as `Axes.plot` takes it.

    Raises:
        UserError: no time courses, no such area among them, or more than 60 lines.
    """
    name, time = _course(checked_dataset(ds), variable)
    dim = area_dim(ds, name, "Trace")
    names = [areas] if isinstance(areas, str) else [known_area(ds, area, dim) for area in areas or ds[dim].values]
    points = points_of(ds, name, len(names))
    target = axes_or_new(ax)
    for (area, (point, one)), style in zip(itertools.product(names, points), line_styles(names, points, target)):
        rate = np.nan_to_num(one[name].sel({dim: known_area(ds, area, dim)}).values.astype(float), nan=np.inf)
        rate = rate if floor is None else np.maximum(rate, floor)
        shown = rate <= cap
        label = ", ".join([point] * bool(point) + [plain(area)] * (not point or len(names) > 1)) + _why_not(one, shown)
        target.plot((one[time].values - onset)[shown], rate[shown], **{**style, "label": label, **line})
    if floor is not None:
        target.set_yscale("log")
    label_outer(target, "time from stimulus onset (s)" if onset else quantity(ds, time), quantity(ds, name))
    return target if ax is not None else with_legend(target)


def stack(ds: xr.Dataset, panels: Sequence[Axes], scale: xr.DataArray, onset: float = 0.0) -> None:
    """Draw time courses (see `traces`), a panel per area, from 0 to 1.2 times its peak, which is the only tick.

    Args:
        ds: of a study that measures `Trace`.
        panels: one below the other, for the areas in the order in which they were traced.
        scale: the peak of each area, (area,).
        onset: the time that is drawn as zero, s.
    """
    name, _ = _course(checked_dataset(ds), None)
    dim = area_dim(ds, name, "Trace")
    for ax, area in zip(panels, (str(name) for name in ds[dim].values)):
        traces(ds, area, onset=onset, ax=ax, clip_on=False, zorder=3)
        peak = float(scale.sel({AREA: area}))
        ax.set(ylim=(0, 1.2 * peak), yticks=[peak], yticklabels=[f"{peak:.3g}"], ylabel="")
        ax.text(1.01, 0.4, plain(area), transform=ax.transAxes)
        if ax is not panels[-1]:
            ax.tick_params(bottom=False)
            ax.spines.bottom.set_visible(False)
    panels[-1].set_xlabel("time from stimulus onset (s)")
    panels[-1].figure.supylabel(quantity(ds, name), fontsize="medium")


def profile(ds: xr.Dataset, source: str | None = None, ax: Axes | None = None, **line: Any) -> Axes:
    """Draw the peak in every area as a percentage of the source's, a line for each point left; return the axes.

    The areas are in the order of the connectome. Points that diverged are left out, and so is what is not above zero:
    it can't be drawn on a logarithmic scale.

    Args:
        ds: of a study that measures `Peak`.
        source: the area that counts as 100 %; the stimulated one if None.
        ax: where to draw; None makes a figure, with a legend where there are several lines.
        line: how to draw, as `Axes.plot` takes it.

    Raises:
        UserError: no peaks in the Dataset, no such area, or more than 60 lines.
    """
    name = peaks_of_areas(checked_dataset(ds))
    source = known_area(ds, source or source_and_target(ds)[0])
    points = points_of(ds, name)
    target = axes_or_new(ax)
    for (point, one), style in zip(points, line_styles([""], points, target)):
        peak = one[name].where(_bounded(one))
        percent = (100 * peak / peak.sel({AREA: source}, drop=True)).values
        drawn = drawable(percent)
        given = {**style, "label": point + _why_not(one, drawn), "marker": "o", **line}
        target.plot(np.arange(len(drawn))[drawn], percent[drawn], **given)
    target.set_yscale("log")
    name_ticks(target, ds[AREA].values)
    target.set_xlim(-0.5, ds.sizes[AREA] - 0.5)
    label_outer(target, quantity(ds, AREA), f"peak response (% of {plain(source)})")
    return target if ax is not None or len(points) == 1 else with_legend(target)


def sweep(
    ds: xr.Dataset,
    x: str | None = None,
    area: str | None = None,
    cap: float = 500.0,
    ax: Axes | None = None,
    **line: Any,
) -> Axes:
    """Draw the peak in an area, the last one if None, over one axis on a logarithmic scale; return the axes.

    Peaks above the cap, and those of points that diverged, are drawn at the cap, with open symbols. `ds` has
    no other axis left.

    Raises:
        UserError: other axes are left, no peaks in the Dataset, or no such area.
    """
    name = peaks_of_areas(checked_dataset(ds))
    x = x or next(iter([*numeric_axes(ds), *axes_of(ds)]), "of numbers")
    only_axes(ds, (x,), "a sweep")
    ax = axes_or_new(ax)
    ds = ds.sortby(x) if x in numeric_axes(ds) else ds
    area = known_area(ds, area or source_and_target(ds)[1])
    peak = ds[name].sel({AREA: area})
    capped = peak.where((ds[STATUS] != DIVERGED) & ~(peak > cap), cap).values
    at, drawn = _positions(ds, x, ax), drawable(capped)
    given = {**line_styles([""], [("", ds)], ax)[0], "marker": "o", "clip_on": False, **line}
    ax.plot(at[drawn], capped[drawn], **given)
    if (capped >= cap).any():
        away = at[capped >= cap]
        given |= {"linestyle": "none", "markerfacecolor": "white", "zorder": 3, "label": "_runs away"}
        ax.plot(away, np.full(len(away), cap), **given)
        if "runs away" not in [text.get_text() for text in ax.texts]:
            beside: dict[str, Any] = {"textcoords": "offset points", "va": "top", "fontsize": "small"}
            ax.annotate("runs away", (away[0], cap), (4, -5), **beside)
    ax.set_yscale("log")
    label_outer(ax, quantity(ds, x), f"peak response in {plain(area)}{plain(unit(ds[name].attrs))}")
    return ax


def _course(ds: xr.Dataset, name: str | None) -> tuple[str, str]:
    """Return a time course and its dimension of time."""
    dims = {str(variable): [str(dim) for dim in values.dims] for variable, values in ds.data_vars.items()}
    times = {variable: dim for variable in dims for dim in dims[variable] if dim.startswith("time")}
    # A store gives its variables in no order, `simulate` in the model's.
    first = next(iter(sorted(times) if STATUS in ds else times), "rate_change")
    name = name or ("rate_change" if "rate_change" in times else first)
    if name in ds and name not in times:
        raise UserError(f"{name} is not a time course; expected one of {listing(times)}")
    area_dim(ds, name, "Trace")
    if times[name] in ds.coords:
        numbers_of(ds, times[name])
    return name, times[name]


def points_of(ds: xr.Dataset, name: str, lines: int = 1, along: str = "") -> list[tuple[str, xr.Dataset]]:
    """Return the remaining points (or sweeps) with their labels; refuse more than 60 lines."""
    inner = (areas_along(ds, name), along)
    axes = [str(dim) for dim in ds[name].dims if dim not in inner and not str(dim).startswith("time")]
    if STATUS in ds and (more := [dim for dim in axes_of(ds) if dim not in (*axes, along)]):
        raise UserError(f"{name} is not over {listing(more)}, which {STATUS} is over; select one label of it first")
    count = lines * math.prod(ds.sizes[axis] for axis in axes)
    if count > MOST_LINES:
        raise UserError(
            f"{count:,} lines, for the points {sizes_of(ds, axes)}; expected at most {MOST_LINES}: select first, with "
            "ds.sel(...)"
        )
    ds = ds[[name, *([STATUS] if STATUS in ds else [])]]
    points = [ds.isel(dict(zip(axes, at))) for at in np.ndindex(*(ds.sizes[axis] for axis in axes))]
    return [(", ".join(value_of(point, axis) for axis in axes), point) for point in points]


def _why_not(point: xr.Dataset, drawn: np.ndarray) -> str:
    """Return the state of a point without a line, for its entry in the legend."""
    known = dict(enumerate(STATUS_MEANINGS))
    return "" if drawn.any() or STATUS not in point else f" ({known.get(point[STATUS].item(), 'no status')})"


def _bounded(point: xr.Dataset) -> Any:
    return point[STATUS].isin(BOUNDED) if STATUS in point else True


def _positions(ds: xr.Dataset, x: str, ax: Axes) -> np.ndarray:
    """Return the positions of an axis's values; labels are one apart and named by the ticks."""
    if x in numeric_axes(ds):
        return ds[x].values
    name_ticks(ax, ds[x].values)
    return np.arange(ds.sizes[x])
