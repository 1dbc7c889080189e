"""Maps over two parameters, and scatters of listed points."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gbaexplore.analysis.ratios import peaks_of
from gbaexplore.basics.names import DIVERGED, OK, STATUS, STATUS_MEANINGS, unit
from gbaexplore.plots.fields import (
    checked_dataset,
    columns_of,
    emptiest_corner,
    field_of,
    norm_of,
    plane_of,
    shown_values,
)
from gbaexplore.plots.style import STATE_COLOURS, axes_or_new, label_outer, plain, quantity
from gbaexplore.store.recipe import RECIPE

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.colorbar import Colorbar
    from matplotlib.colors import Normalize
    from matplotlib.patches import Patch


_SPOTS = 2e4  # points^2: the total area of a scatter's symbols


def map(
    ds: xr.Dataset,
    x: str | None = None,
    y: str | None = None,
    target: str | None = None,
    source: str | None = None,
    variable: str | None = None,
    area: str | None = None,
    scale: Literal["log", "linear"] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the propagation ratio, or any variable, over two axes in colour; return the axes.

    A legend names the points that have no colour: diverged (grey), failed (red), undefined (orange), pending (pale
    blue), and those whose value a logarithm can't show (black). `spectral_abscissa` and calibrated amplitudes don't
    depend on whether a point diverged: they are drawn there too, and hatched.

    Args:
        ds: with no other axis left: select first, as in `plots.map(ds.sel(feedback="on"))`.
        x, y: its axes; the first two of numbers if None.
        target, source: the areas of the ratio, peak(target) / peak(source); the last and the stimulated one if None.
        variable: drawn in place of the ratio, in its own unit.
        area: of the variable, if it has areas.
        scale: of the colours. If None, "log" for the ratio and for values that are not negative and differ by more
            than a hundredfold. Its limits are the smallest (for "log": positive) and the largest value.
        ax: where to draw; None makes a figure.

    Raises:
        UserError: other axes are left, or there are no two of numbers; no such variable or area.
    """
    x, y = plane_of(checked_dataset(ds), x, y)
    field = field_of(ds, variable, area, target, source).transpose(y, x).sortby([x, y])
    norm = norm_of([field], scale)
    ax = axes_or_new(ax)
    handles = paint(ax, ds, field, norm)
    return _finished(ax, ds, (x, y), field, norm, handles, emptiest_corner(shown_values(field, norm)))


def scatter(
    ds: xr.Dataset,
    x: str | None = None,
    y: str | None = None,
    target: str | None = None,
    source: str | None = None,
    variable: str | None = None,
    area: str | None = None,
    scale: Literal["log", "linear"] | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the points of a table over two of its parameters, coloured as `map` colours them; return the axes.

    Args:
        ds: of a table of points, with no other axis left.
        x, y: parameters that are columns of the table; the first two that differ if None.
        target, source, variable, area, scale, ax: as `map` takes them.

    Raises:
        UserError: other axes are left, or no table of two such parameters; no such variable or area.
    """
    x, y = columns_of(checked_dataset(ds), x, y)
    field = field_of(ds, variable, area, target, source)
    norm = norm_of([field], scale)
    ax = axes_or_new(ax)
    return _finished(ax, ds, (x, y), field, norm, spot(ax, ds, field, norm, x, y), "best")


def _finished(
    ax: Axes, ds: xr.Dataset, over: tuple[str, str], field: xr.DataArray, norm: Normalize, handles: list[Any], loc: Any
) -> Axes:
    """Add the colour bar, the legend of states and the labels of the axes; return the axes."""
    colour_bar([ax], field, norm)
    if handles:
        ax.legend(handles=handles, loc=loc, frameon=True, framealpha=0.9)
    label_outer(ax, *(quantity(ds, name) for name in over))
    return ax


def paint(ax: Axes, ds: xr.Dataset, field: xr.DataArray, norm: Normalize) -> list[Patch]:
    """Draw a field and the states of points without colour; return a legend of these states."""
    state = ds[STATUS].transpose(*field.dims).sortby(list(field.dims)).values
    y, x = (field[dim].values for dim in field.dims)
    return paint_cells(ax, x, y, np.ma.masked_array(field.values, ~shown_values(field, norm)), state, norm, states(ds))


def paint_cells(
    ax: Axes,
    x: np.ndarray,
    y: np.ndarray,
    values: np.ma.MaskedArray,
    state: np.ndarray,
    norm: Normalize,
    looks: dict[int, tuple[str, str]],
) -> list[Patch]:
    """Draw values (y, x), and the states of cells whose value is masked; return a legend of these states.

    Args:
        looks: colour and words of a cell without value, by its state.
    """
    from matplotlib.colors import ListedColormap
    from matplotlib.patches import Patch

    shown = ~np.ma.getmaskarray(values)
    how: dict[str, Any] = {"shading": "nearest", "rasterized": True}
    handles = []
    for code, (colour, words) in looks.items():
        where = (state == code) & ~shown
        if where.any():
            ax.pcolormesh(x, y, np.ma.masked_equal(where, False), cmap=ListedColormap([colour]), **how)
            handles.append(Patch(facecolor=colour, edgecolor="0.5", linewidth=0.5, label=words))
    if shown.any():
        ax.pcolormesh(x, y, values, cmap="viridis", norm=norm, **how)
    both = (state == DIVERGED) & shown
    if both.any():
        ax.contourf(x, y, both.astype(float), levels=[0.5, 1.5], colors="none", hatches=["////"])
        handles.append(Patch(facecolor="none", hatch="////", linewidth=0.5, label="diverged, value known"))
    return handles


def spot(ax: Axes, ds: xr.Dataset, field: xr.DataArray, norm: Normalize, x: str, y: str) -> list[Any]:
    """Draw the points of a table; return a legend of the states of points without colour."""
    state, shown = ds[STATUS].values, shown_values(field, norm)
    how: dict[str, Any] = {"s": min(30.0, max(2.0, _SPOTS / len(state))), "linewidth": 0.3, "rasterized": True}
    handles = []
    for code, (colour, words) in states(ds).items():
        where = (state == code) & ~shown
        if where.any():
            handles.append(ax.scatter(ds[x][where], ds[y][where], color=colour, edgecolor="0.4", label=words, **how))
    ax.scatter(ds[x][shown], ds[y][shown], c=field.values[shown], cmap="viridis", norm=norm, **how)
    return handles


def states(ds: xr.Dataset) -> dict[int, tuple[str, str]]:
    """Return colour and words of points without a value, by their state."""
    ceiling = json.loads(ds.attrs.get(RECIPE, "{}")).get("ceiling")
    units = unit(ds[peaks_of(ds)].attrs, " {}") if peaks_of(ds) in ds else ""
    return {
        **{code: (colour, STATUS_MEANINGS[code]) for code, colour in STATE_COLOURS.items()},
        DIVERGED: (STATE_COLOURS[DIVERGED], f"diverged (above {ceiling:g}{units})" if ceiling else "diverged"),
        OK: ("black", "no value above 0"),
    }


def colour_bar(panels: Sequence[Axes], field: xr.DataArray, norm: Normalize) -> Colorbar | None:
    """Draw the colour bar that panels share, and return it; None without values to show."""
    from matplotlib.cm import ScalarMappable

    if norm.vmin is None:
        return None
    label = textwrap.fill(plain(f"{field.attrs.get('long_name', field.name)}{unit(field.attrs)}"), 40)
    return panels[0].figure.colorbar(ScalarMappable(norm, "viridis"), ax=panels, label=label)
