"""A whole store in one figure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.analysis.areas import source_and_target
from gbaexplore.basics.errors import UserError
from gbaexplore.basics.names import AREA, STATUS
from gbaexplore.basics.places import check_writable, local, place, reason, writing
from gbaexplore.plots.fields import (
    MOST_PANELS,
    area_dim,
    axes_of,
    checked_dataset,
    columns_of,
    field_of,
    norm_of,
    numeric_axes,
    plane_of,
    sizes_of,
    value_of,
    variables_of,
    without_single,
)
from gbaexplore.plots.lines import points_of, profile, sweep, traces
from gbaexplore.plots.maps import colour_bar, paint, spot
from gbaexplore.plots.style import figure, label_outer, plain, quantity, styled
from gbaexplore.store.recipe import tables_of
from gbaexplore.store.stores import open_study

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure


_ENDINGS = (".png", ".svg", ".pdf")


@styled
def overview(ds: xr.Dataset) -> Figure:
    """Return a figure of a whole study, with a panel for each combination of the axes that a panel has no room for.

    Two axes of numbers make maps: of the propagation ratio from the stimulated area to the last or, where these
    are one, of the peak in it, or of another variable. One makes sweeps, and none profiles, with a line for each label
    of the longest other axis. Where there are only time courses they are drawn, area by area. A table of points is
    scattered over the first two of its parameters; one of a single parameter is an axis of numbers.

    Raises:
        UserError: it would take more than twelve panels, or there is nothing that could be drawn.
    """
    ds = without_single(checked_dataset(ds))
    draw, inner = _suitable(ds)
    outer = [axis for axis in axes_of(ds) if axis not in inner]
    count = math.prod(ds.sizes[axis] for axis in outer)
    if count > MOST_PANELS:
        raise UserError(
            f"a picture of {count:,} panels ({sizes_of(ds, outer)}); expected at most {MOST_PANELS}: select in Python, "
            "as in gbaexplore.plots.overview(gbaexplore.open_study(STORE).sel(...))"
        )
    fig, panels = _panels(count, size=(3.2, 2.7) if draw in (_maps, _scatters) else (4.4, 3.0))
    parts = [ds.isel(dict(zip(outer, at))) for at in np.ndindex(*(ds.sizes[axis] for axis in outer))]
    handles = draw(panels, parts)
    for ax, part in zip(panels, parts):
        ax.set_title(", ".join(value_of(part, axis, named=True) for axis in outer))
    if handles:
        title = ", ".join(plain(axis) for axis in inner if axis not in numeric_axes(ds) and draw is not _scatters)
        fig.legend(handles=handles, title=title, loc="outside lower center", ncols=min(5, len(handles)))
    fig.suptitle(plain(ds.attrs.get("title", "")))
    return fig


def store(path: Path | str, out: Path | str | None = None) -> Path:
    """Draw a store (see `overview`) to a file, PNG, SVG or PDF by its ending; return the file's path.

    Args:
        path: of the store, or its URL.
        out: the file; `figures/NAME.png` if None.

    Raises:
        UserError: it is no store, or a damaged one; `out` has another ending or can't be written to; as `overview`.
    """
    path = place(path)
    out = Path("figures", f"{path.absolute().stem}.png") if out is None else local(out)
    if out.suffix.lower() not in _ENDINGS:
        raise UserError(f"{out} names no kind of picture that can be made; expected an ending: {', '.join(_ENDINGS)}")
    check_writable(out)
    fig = _drawn(path)
    with writing(out, "choose another --out"):
        out.parent.mkdir(parents=True, exist_ok=True)
        fig.savefig(out, dpi=200)
    return out


def _drawn(path: Path) -> Figure:
    ds = open_study(path)
    try:
        return overview(ds)
    except UserError:
        raise
    except (ValueError, RuntimeError) as error:  # a checksum that is wrong, bytes that can't be unpacked
        raise UserError(f"{path} can't be read ({reason(error)}); see `gbaexplore check {path}`") from error


def _suitable(ds: xr.Dataset) -> tuple[Callable[..., list[Any]], list[str]]:
    """Return the function that draws a study's panels, and the axes that one panel shows."""
    by_length = sorted(axes_of(ds), key=lambda axis: -ds.sizes[axis])
    numbers = [axis for axis in by_length if axis in numeric_axes(ds)]
    labels = [axis for axis in by_length if axis not in numbers][:1]
    if len(numbers) >= 2:
        return _maps, numbers[:2]
    if not numbers and tables_of(ds):
        return _scatters, [max(tables_of(ds), key=lambda axis: ds.sizes[axis])]
    if "peak_rate" not in ds and "rate_change" in ds:
        return _courses, []
    return (_sweeps, [*numbers, *labels]) if numbers else (_profiles, labels)


def _panels(count: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """Return a figure of some panels, each of a size (inches), in rows."""
    columns = count if count <= 3 else math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    size = (size[0] * columns + 0.8, size[1] * rows + 0.8)
    fig, grid = figure(rows, columns, size, sharex=True, sharey=True, squeeze=False)
    for ax in grid.flat[count:]:
        ax.remove()
    for ax in grid.flat[count - columns : count]:
        ax.tick_params(labelbottom=True)  # matplotlib omits it above a removed panel
    return fig, list(grid.flat[:count])


def _maps(panels: Sequence[Axes], parts: Sequence[xr.Dataset]) -> list[Any]:
    """Draw a map of each part, all with one scale of colours; return a legend."""
    x, y = plane_of(parts[0], None, None)
    fields = [field_of(part, *_what(part)).transpose(y, x).sortby([x, y]) for part in parts]
    norm = norm_of(fields)
    handles = [handle for drawn in zip(panels, parts, fields) for handle in paint(*drawn, norm)]
    return _with_scale(panels, parts, (x, y), fields, norm, handles)


def _scatters(panels: Sequence[Axes], parts: Sequence[xr.Dataset]) -> list[Any]:
    """Draw the table's points of each part, all with one scale of colours; return a legend."""
    x, y = columns_of(parts[0], None, None)
    fields = [field_of(part, *_what(part)) for part in parts]
    norm = norm_of(fields)
    handles = [handle for drawn in zip(panels, parts, fields) for handle in spot(*drawn, norm, x, y)]
    return _with_scale(panels, parts, (x, y), fields, norm, handles)


def _with_scale(
    panels: Sequence[Axes],
    parts: Sequence[xr.Dataset],
    over: tuple[str, str],
    fields: Sequence[xr.DataArray],
    norm: Normalize,
    handles: list[Any],
) -> list[Any]:
    """Add the colour bar that panels share; return a legend with one entry for each state."""
    x, y = over
    colour_bar(panels, fields[0], norm)
    for ax, part in zip(panels, parts):
        label_outer(ax, quantity(part, x), quantity(part, y))
    return list({handle.get_label(): handle for handle in handles}.values())


def _what(ds: xr.Dataset) -> tuple[str | None, str | None, str | None, str | None]:
    """Return variable, area, target and source of a study's default map."""
    if "peak_rate" in ds and AREA in ds.peak_rate.dims:
        source, target = source_and_target(ds)
        if source != target:
            return None, None, target, source
    plain = [str(name) for name in ds.data_vars if set(ds[name].dims) <= {*axes_of(ds), AREA} and name != STATUS]
    if not plain:
        raise UserError(
            f"nothing to draw a map of among {variables_of(ds)}; expected a measure such as Peak(): plots.traces "
            "draws time courses, of a few points that you select"
        )
    name = "peak_rate" if "peak_rate" in plain else min(plain)
    return name, str(ds[AREA].values[-1]) if AREA in ds[name].dims else None, None, None


def _sweeps(panels: Sequence[Axes], parts: Sequence[xr.Dataset]) -> list[Any]:
    """Draw the peak in the last area over the one axis of numbers, a line for each label; a legend."""
    (x,) = numeric_axes(parts[0])
    area_dim(parts[0], "peak_rate", "Peak")
    for ax, part in zip(panels, parts):
        for label, point in points_of(part, "peak_rate", along=x):
            sweep(point, x, ax=ax, label=label)
    return _legend(panels)


def _profiles(panels: Sequence[Axes], parts: Sequence[xr.Dataset]) -> list[Any]:
    """Draw the peaks along the hierarchy, relative to the stimulated area, a line for each label; return a legend."""
    for ax, part in zip(panels, parts):
        profile(part, ax=ax, markersize=2.5)
    return _legend(panels)


def _courses(panels: Sequence[Axes], parts: Sequence[xr.Dataset]) -> list[Any]:
    """Draw the time courses of one point in each panel; return a legend."""
    for ax, part in zip(panels, parts):
        traces(part, ax=ax)
    return _legend(panels)


def _legend(panels: Sequence[Axes]) -> list[Any]:
    """Return a line for each label that there is in some panels."""
    found: dict[str, Any] = {}
    for ax in panels:
        handles, labels = ax.get_legend_handles_labels()
        found = {**dict(zip(labels, handles)), **found}
    return list(found.values())
