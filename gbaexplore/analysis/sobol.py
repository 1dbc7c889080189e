"""Sobol' indices: shares of a result's variance by parameter."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gbaexplore.analysis.given import check_dataset
from gbaexplore.analysis.ratios import peaks_of
from gbaexplore.basics.errors import UserError, unknown
from gbaexplore.basics.names import DIVERGED, FAILED, PENDING, STATUS
from gbaexplore.store.recipe import tables_of

if TYPE_CHECKING:
    import xarray as xr


def sobol_indices(
    ds: xr.Dataset,
    values: str | xr.DataArray | None = None,
    *,
    diverged: float | None = None,
    confidence: float = 0.95,
    resamples: int = 500,
    seed: int = 0,
) -> xr.Dataset:
    """Return which share of a variable's variance over a `designs.saltelli` table each parameter explains.

    The first-order index is the share that the parameter explains by itself, the total-order index the share in which
    it takes part, with others or without. They are estimates, and may be a little below 0 or above 1.

    Args:
        ds: of a study with the table as an axis.
        values: a variable of it, the peaks if None, or values computed from one, such as `np.log10(ds.peak_rate)`.
        diverged: the value of points that diverged. If None, they are refused.
        confidence: of the intervals.
        resamples: how often the table's groups are drawn anew, with replacement, for the intervals (percentiles).
        seed: of these draws.

    Returns:
        `first_order` and `total_order` along `parameter` and all other dimensions of the values, 0 where the values do
        not vary; their intervals, `first_order_interval` and `total_order_interval`, along `bound` (low, high) too.

    Raises:
        UserError: no such table in the Dataset, or a part of one; points that are not computed or have diverged;
            values that are not numbers, or not along the table.

    Source: Saltelli et al. (2010), Comput. Phys. Commun. 181:259-270, table 2 (b) and (f), as SciPy has it.
    """
    import xarray as xr
    from scipy.stats import sobol_indices as indices

    check_dataset(ds)
    axis, parameters, order = _saltelli(ds)
    field = _computed(ds, peaks_of(ds) if values is None else values, axis, diverged)
    along = [str(dim) for dim in field.dims if dim != axis]
    array = field.isel({axis: order}).transpose(*along, axis).values.astype(np.float64)
    n, shape = len(order) // (len(parameters) + 2), array.shape[:-1]
    groups = np.moveaxis(array.reshape(-1, n, len(parameters) + 2), -1, 0)  # (A B AB..., value, group)

    def estimate(chosen: np.ndarray) -> np.ndarray:
        a, b, ab = groups[0][:, chosen], groups[1][:, chosen], groups[2:][..., chosen]
        found = indices(func={"f_A": a, "f_B": b, "f_AB": ab}, n=n)
        both = np.stack([found.first_order, found.total_order]).reshape(2, -1, len(parameters))
        return np.moveaxis(both, -1, 1).reshape(2, len(parameters), *shape)

    rng = np.random.default_rng(seed)
    drawn = np.stack([estimate(rng.integers(n, size=n)) for _ in range(resamples)])
    ends = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    coords = {name: c for name, c in field.coords.items() if axis not in c.dims}
    ds = xr.Dataset(coords=coords | {"parameter": parameters, "bound": ["low", "high"]})
    for name, best, bounds in zip(("first", "total"), estimate(np.arange(n)), np.moveaxis(ends, 0, -1)):
        words = {"units": "1", "long_name": f"{name}-order Sobol index"}
        ds[f"{name}_order"] = (("parameter", *along), best, words)
        words = {"units": "1", "long_name": f"{confidence:.0%} interval of the {words['long_name']}"}
        ds[f"{name}_order_interval"] = (("parameter", *along, "bound"), bounds, words)
    return ds.assign_attrs(title=f"Sobol indices of {field.attrs.get('long_name', field.name)}", groups=n)


def _saltelli(ds: xr.Dataset) -> tuple[str, list[str], np.ndarray]:
    """Return the axis that is a table as `designs.saltelli` makes it, its parameters, and its rows in that order."""
    for axis, columns in tables_of(ds).items():
        order = np.argsort(ds[axis].values)
        names = [name for name in columns if np.ptp(ds[name].values) > 0]
        n, over = divmod(len(order), len(names) + 2)
        if not names or over or n < 2 or n & (n - 1):
            continue
        points = np.stack([ds[name].values[order] for name in names], axis=1).reshape(n, -1, len(names))
        a, b, mixed = points[:, :1], points[:, 1:2], points[:, 2:]
        if np.array_equal(mixed, np.where(np.eye(len(names), dtype=bool), b, a)):
            return axis, names, order
    raise UserError(
        "no axis is a whole table of designs.saltelli; expected one, with all of its rows, as in "
        'axes={"point": gba.designs.saltelli(1024, {"G": (0, 3)})}'
    )


def _computed(ds: xr.Dataset, values: str | xr.DataArray, axis: str, diverged: float | None) -> xr.DataArray:
    """Return values that are there for every point."""
    if isinstance(values, str) and values not in ds:
        known = [str(name) for name in ds.data_vars]
        raise UserError(unknown(f'no variable "{values}"', values, known, "Variables"))
    field, state = ds[values] if isinstance(values, str) else values, ds[STATUS]
    if axis not in field.dims or field.sizes[axis] != ds.sizes[axis]:
        raise UserError(f"the values are along {', '.join(map(str, field.dims))}; expected all of {axis} among them")
    undone = int(state.isin([PENDING, FAILED]).sum())
    if undone:
        raise UserError(f"{undone:,} points are pending or have failed; expected all of them: run the study again")
    away = state == DIVERGED
    if diverged is None and away.any():
        raise UserError(
            f"{int(away.sum()):,} points of {away.size:,} diverged; expected narrower ranges, or diverged=..., the "
            "value that they are to have"
        )
    field = field if diverged is None else field.where(~away, diverged).assign_attrs(field.attrs)
    wrong = int((~np.isfinite(field)).sum())
    if wrong:
        raise UserError(f"{wrong:,} of {field.size:,} values are not finite; expected a number at every point")
    return field
