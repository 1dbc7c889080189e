"""Fits: the loss over evaluations, free parameters pairwise, data beside the model."""

from __future__ import annotations

import itertools
import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.names import STATUS
from gbaexplore.fitting.losses import EVALUATION, GENERATION, LOSS, RESTART, of_evaluations
from gbaexplore.plots.fields import checked_dataset, norm_of
from gbaexplore.plots.maps import colour_bar
from gbaexplore.plots.style import BLACK, CYCLE, VERMILION, figure, name_ticks, plain, quantity, styled
from gbaexplore.store.recipe import RECIPE

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_DATA = "_data"
_MOST_PAIRS, _MOST_DATA = 6, 2  # panels
_FEW = 16  # labels that have room side by side in the usual size


def is_fit(ds: xr.Dataset) -> bool:
    """Return whether a Dataset is all of a fit's evaluations, or some of them."""
    return {EVALUATION} <= set(ds.dims) and LOSS in ds and {GENERATION, RESTART} <= set(ds.coords)


@styled
def fit(ds: xr.Dataset) -> Figure:
    """Return a figure of a fit: the loss of its evaluations and its lowest so far; data beside the best; parameters.

    Free parameters are drawn pairwise, up to six pairs, with the loss as colour; the best evaluation has a ring.

    Args:
        ds: evaluations of a fit, as `open_study` or `Fitted.dataset` returns them.

    Raises:
        UserError: it is no fit's, or no evaluation has a loss.
    """
    ds = checked_dataset(ds)
    if not is_fit(ds):
        raise UserError("found no evaluations of a fit; expected a Dataset as Fit.run(...).dataset returns it")
    losses = of_evaluations(ds[LOSS].transpose(*ds[STATUS].dims).values)
    if not np.isfinite(losses).any():
        raise UserError("no evaluation has a loss, as points diverged; expected some that have one")
    free = json.loads(ds.attrs[RECIPE])["fit"]["free"]
    best = int(np.nanargmin(losses))
    data = [str(name) for name in ds.coords if str(name).endswith(_DATA) and ds[name].ndim][:_MOST_DATA]
    pairs = list(itertools.combinations(free, 2))[:_MOST_PAIRS] or [(next(iter(free)), None)]
    count = 1 + len(data) + len(pairs)
    columns = count if count <= 3 else math.ceil(math.sqrt(count))
    rows = math.ceil(count / columns)
    fig, grid = figure(rows, columns, (3.0 * columns + 0.6, 2.5 * rows + 0.4), squeeze=False)
    panels = list(grid.flat)
    for ax in panels[count:]:
        ax.remove()
    _over_evaluations(panels[0], ds, losses)
    for ax, name in zip(panels[1:], data):
        _beside_data(ax, ds.isel({EVALUATION: best}), name)
    _pairs(panels[1 + len(data) : count], pairs, ds, losses, best, free)
    fig.suptitle(plain(ds.attrs.get("title", "")))
    return fig


def _over_evaluations(ax: Axes, ds: xr.Dataset, losses: np.ndarray) -> None:
    """Draw the loss of each evaluation, a colour for each search, and the lowest so far."""
    at, restarts = ds[EVALUATION].values, ds[RESTART].values
    for number, colour in zip(np.unique(restarts), itertools.cycle(CYCLE[1:])):
        own = restarts == number
        label = f"search {number}" if len(np.unique(restarts)) > 1 else "_"
        ax.plot(at[own], losses[own], ".", color=colour, markersize=2, label=label, rasterized=True)
    lowest = np.fmin.accumulate(losses)
    ax.step(at, lowest, where="post", color=BLACK, label="lowest so far")
    if np.nanmin(losses) > 0:
        ax.set_yscale("log")
    ax.set(xlabel="evaluation", ylabel=plain(ds[LOSS].attrs.get("long_name", LOSS)))
    ax.legend(loc="upper right")


def _beside_data(ax: Axes, best: xr.Dataset, name: str) -> None:
    """Draw data and the best evaluation: as lines along the labels that they have, else one over the other."""
    of, data = name.removesuffix(_DATA), best[name]
    found = best[of].mean([dim for dim in best[of].dims if dim not in data.dims]).transpose(*data.dims)
    if data.ndim == 1:
        at = np.arange(data.size)
        ax.plot(at, data.values, "o", color=BLACK, markersize=2.5, label="data")
        ax.plot(at, found.values, "-", color=VERMILION, label="best evaluation")
        name_ticks(ax, data[data.dims[0]].values if data.dims[0] in data.coords else at)
        ax.tick_params(axis="x", labelsize=5 if data.size > _FEW else None)
        ax.set(xlabel=plain(data.dims[0]), ylabel=quantity(best, of))
        ax.legend()
    else:
        both = np.isfinite(data.values) & np.isfinite(found.values)
        ax.plot(data.values[both], found.values[both], ".", color=VERMILION, markersize=1.5, rasterized=True)
        low, high = data.values[both].min(), data.values[both].max()
        ax.plot([low, high], [low, high], color="0.5", linewidth=0.7)
        ax.set(xlabel=f"{quantity(best, of)}: data", ylabel="best evaluation")


def _pairs(
    panels: list[Axes], pairs: list[Any], ds: xr.Dataset, losses: np.ndarray, best: int, free: dict[str, Any]
) -> None:
    """Draw free parameters, two in each panel, all with one scale of colours; the lowest losses lie on top."""
    import xarray as xr

    field = xr.DataArray(losses, dims=EVALUATION, attrs=ds[LOSS].attrs, name=LOSS)
    norm = norm_of([field])
    order = np.argsort(np.where(np.isnan(losses), np.inf, losses))[::-1]
    lost = np.isnan(losses)
    for ax, (x, y) in zip(panels, pairs):
        down = losses if y is None else ds[y].values
        ax.scatter(ds[x].values[lost], np.where(np.isnan(down), np.nanmax(losses), down)[lost], s=6, color="0.8")
        kept = order[~lost[order]]
        ax.scatter(ds[x].values[kept], down[kept], c=losses[kept], s=6, cmap="viridis", norm=norm, rasterized=True)
        ax.plot(ds[x].values[best], down[best], "o", markersize=9, fillstyle="none", color=VERMILION)
        for name, scale in ((x, ax.set_xscale), (y, ax.set_yscale)):
            if name in free and free[name][2] == "log":
                scale("log")
        ax.set(xlabel=quantity(ds, x), ylabel=plain(LOSS) if y is None else quantity(ds, y))
    colour_bar(panels, field, norm)
