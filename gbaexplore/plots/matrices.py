"""Matrices of areas, such as functional connectivity, in an order of one's own and beside data."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.basics.errors import UserError, listing, unknown
from gbaexplore.basics.names import AREA, BOUNDED, STATUS
from gbaexplore.plots.anything import own_dims, without_seeds
from gbaexplore.plots.fields import axes_of, checked_dataset, norm_of, numbers_of, sizes_of
from gbaexplore.plots.maps import colour_bar
from gbaexplore.plots.style import figure, name_ticks, ticks_upwards

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes


_FEW = 12  # names that have room in the usual size


def matrix(
    ds: xr.Dataset,
    variable: str | None = None,
    order: str | Sequence[str] | None = None,
    data: Any = None,
    panels: Sequence[Axes] | None = None,
) -> list[Axes]:
    """Draw a variable over areas and areas, the first on top, with their names; return the panels.

    Args:
        ds: with no other axis left but seeds, of which the mean is drawn.
        variable: the first that is a matrix, if None.
        order: of the areas: their names, all or some of them, or a coordinate along them to sort by, such as
            "hierarchy"; that of the connectome if None.
        data: a matrix of the same areas to draw on the right with the same colours, in the connectome's order or a
            DataArray with names; its title tells the correlation of both off the diagonal.
        panels: where to draw: one, or two with data; None makes a figure.

    Raises:
        UserError: other axes are left; no such variable or areas; data of another shape.
    """
    ds = checked_dataset(ds)
    found = [_square(ds, variable)]
    areas = _ordered(ds, found[0].dims[0], order)
    if data is not None:
        found.append(_of_data(found[0], data))
    chosen = [field.sel({dim: areas for dim in field.dims}) for field in found]
    norm = norm_of(chosen, "linear")
    if panels is None:
        _, grid = figure(1, len(chosen), (4.0 * len(chosen) + 0.6, 3.8), squeeze=False)
        panels = list(grid.flat)
    if len(panels) != len(chosen):
        raise UserError(f"{len(panels)} panels for {len(chosen)} matrices; expected one for each, or none")
    for ax, field in zip(panels, chosen):
        ax.imshow(field.values, norm=norm, cmap="viridis", interpolation="none")
        name_ticks(ax, areas)
        ticks_upwards(ax, areas)
        ax.tick_params(labelsize=6 if len(areas) > _FEW else 8)
    colour_bar(panels, chosen[0], norm)
    if data is not None:
        panels[0].set_title("model")
        panels[1].set_title(f"data (r = {_agreement(*(field.values for field in chosen)):.2f})")
    return list(panels)


def _square(ds: xr.Dataset, variable: str | None) -> xr.DataArray:
    """Return a variable over areas and areas."""
    known = [str(name) for name in ds.data_vars if _is_square(ds, str(name))]
    if variable is not None and variable not in known:
        raise UserError(unknown(f'no matrix "{variable}"', variable, known, "Matrices of areas"))
    if not known:
        raise UserError("no matrix of areas by areas among the variables; expected one, such as FC() measures")
    name = variable or known[0]
    field, _ = without_seeds(numbers_of(ds, name).where(ds[STATUS].isin(BOUNDED)))
    left = [dim for dim in field.dims if dim in axes_of(ds)]
    if left:
        raise UserError(f"{name} has the axes {sizes_of(ds, left)}; select one label of each first, with ds.sel(...)")
    return field.load()


def _is_square(ds: xr.Dataset, name: str) -> bool:
    own = own_dims(ds, name) if STATUS in ds else [str(dim) for dim in ds[name].dims]
    return len(own) == 2 and AREA in own and np.array_equal(ds[own[0]].values, ds[own[1]].values)


def _ordered(ds: xr.Dataset, dim: Any, order: str | Sequence[str] | None) -> list[str]:
    """Return the names of areas in the order that is asked for."""
    areas = [str(area) for area in ds[dim].values]
    if order is None:
        return areas
    if isinstance(order, str):
        along = [str(name) for name, found in ds.coords.items() if found.dims == (AREA,) and name != AREA]
        if order not in along:
            raise UserError(unknown(f'no values of areas "{order}"', order, along, "Values of areas"))
        return [areas[i] for i in np.argsort(ds[order].values, kind="stable")]
    names = [str(area) for area in order]
    for name in names:
        if name not in areas:
            raise UserError(unknown(f'no area "{name}"', name, areas, "Areas"))
    if len(set(names)) < len(names):
        raise UserError(f"the order has an area twice, of {listing(names)}; expected each once")
    return names


def _of_data(model: xr.DataArray, data: Any) -> xr.DataArray:
    """Return data as an array with the model's names."""
    if hasattr(data, "dims"):
        first, second = data.dims
        for dim in data.dims:
            lacking = sorted(set(model[model.dims[0]].values.tolist()) - set(data[dim].values.tolist()))
            if lacking:
                raise UserError(f"data have no {lacking[0]} along {dim}; expected all areas of the model")
        names = model[model.dims[0]].values
        data = data.sel({first: names, second: names}).values
    values = np.asarray(data, float)
    if values.shape != model.shape:
        raise UserError(f"data have the shape {values.shape}; expected {model.shape}, as the model's areas")
    return model.copy(data=values)


def _agreement(one: np.ndarray, other: np.ndarray) -> float:
    """Return the correlation of two matrices off the diagonal, where both have values."""
    off = ~np.eye(len(one), dtype=bool) & np.isfinite(one) & np.isfinite(other)
    return float(np.corrcoef(one[off], other[off])[0, 1])
