"""Stability boundaries in a map: contours of the spectral abscissa and of divergence."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.analysis.given import check_dataset
from gbaexplore.basics.errors import UserError
from gbaexplore.basics.names import COMPUTED, DIVERGED, STATUS

if TYPE_CHECKING:
    import xarray as xr


# There are two, because they differ: in the linearised network every rectifier is open.


def linear_boundary(ds: xr.Dataset, x: str | None = None, y: str | None = None) -> xr.DataArray:
    """Return the boundary of linear stability: the curves of spectral abscissa 0.

    Args:
        x, y: two numeric axes; the first ones if None.

    The zero contour of `spectral_abscissa`, linear between neighbouring points of the grid (marching squares),
    so its error is of second order in the grid's spacing.

    Returns:
        The values of `y` along `vertex`; beside them, along `vertex` too, the coordinates `x`, `curve` (number
        of the curve: vertices with the same one are neighbours in this order) and the label of every other
        axis of the grid. A boundary that does not exist has no vertices. All in the units of their axes.

    Raises:
        UserError: no spectral abscissa in the Dataset, or `x` or `y` is not a numeric axis with two or more values.
    """
    check_dataset(ds, "SpectralAbscissa() among the study's measures", "spectral_abscissa")
    x, y = _axes(ds.spectral_abscissa, x, y)
    known = ds.spectral_abscissa.where(ds[STATUS].isin(COMPUTED))
    return _contours(known, 0.0, x, y).assign_attrs(long_name=f"{y} where the linearised network turns unstable")


def divergence_boundary(ds: xr.Dataset, x: str | None = None, y: str | None = None) -> xr.DataArray:
    """Return the boundary between points that stayed bounded and points that diverged.

    Args:
        x, y: two numeric axes; the first ones if None.

    It runs half-way between neighbouring points of the grid, so it is right to half the grid's spacing; points
    that are pending or have failed are gaps in it.

    Returns:
        Curves as `linear_boundary` does.

    Raises:
        UserError: `x` or `y` is not a numeric axis with two or more values.
    """
    check_dataset(ds)
    status = ds[STATUS]
    x, y = _axes(status, x, y)
    diverged = (status == DIVERGED).astype(float).where(status.isin(COMPUTED))
    return _contours(diverged, 0.5, x, y).assign_attrs(long_name=f"{y} where the network starts to run away")


def _axes(field: xr.DataArray, x: str | None, y: str | None) -> tuple[str, str]:
    """Return the axes of a boundary: the given ones, else the first two of numbers."""
    numeric = [str(dim) for dim in field.dims if field[dim].dtype.kind in "iuf" and field.sizes[dim] > 1]
    for name in (x, y):
        if len(numeric) < 2 or name not in (None, *numeric):
            raise UserError(
                f'"{name or "x and y"}" can\'t be an axis of a boundary; expected two numeric axes of at least two '
                f"values each: {', '.join(numeric) or 'this Dataset has none'}"
            )
    free = iter(name for name in numeric if name not in (x, y))
    return x or next(free), y or next(free)


def _contours(field: xr.DataArray, level: float, x: str, y: str) -> xr.DataArray:
    import xarray as xr
    from contourpy import contour_generator

    field = field.sortby([x, y])
    others = [str(dim) for dim in field.dims if dim not in (x, y)]
    columns: dict[str, list[Any]] = {name: [] for name in (x, y, "curve", *others)}
    curves = itertools.count()
    for labels in itertools.product(*(field[dim].values for dim in others)):
        plane = field.sel(dict(zip(others, labels))).transpose(y, x)
        z = np.ma.masked_invalid(plane.values.astype(np.float64))
        for line in contour_generator(plane[x].values, plane[y].values, z).lines(level):
            vertices = np.asarray(line)
            columns[x] += vertices[:, 0].tolist()
            columns[y] += vertices[:, 1].tolist()
            columns["curve"] += [next(curves)] * len(vertices)
            for dim, label in zip(others, labels):
                columns[dim] += [label] * len(vertices)
    coords = {
        name: ("vertex", np.array(columns[name], field[name].dtype), dict(field[name].attrs)) for name in (x, *others)
    }
    coords["curve"] = ("vertex", np.array(columns["curve"], int), {"long_name": "number of the curve", "units": "1"})
    units = {"units": field[y].attrs.get("units", "1")}
    return xr.DataArray(np.array(columns[y], float), dims="vertex", coords=coords, name=y, attrs=units)
