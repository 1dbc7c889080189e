"""The explorer's pictures of a Dataset: which there are, and which comes first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.analysis.areas import source_and_target
from gbaexplore.analysis.boundaries import divergence_boundary, linear_boundary
from gbaexplore.analysis.ratios import peaks_of, propagation_ratio
from gbaexplore.basics.errors import UserError, listing
from gbaexplore.basics.names import AREA, BOUNDED, DIVERGED, OK, STATUS, STATUS_MEANINGS, unit
from gbaexplore.basics.points import SEED
from gbaexplore.plots.explorer.shapes import Curves, Plane, Scale, Scatter, Shown
from gbaexplore.plots.fields import differing_columns, norm_of
from gbaexplore.store.recipe import tables_of

if TYPE_CHECKING:
    import xarray as xr

RATIO = "propagation_ratio"
SEEDS = {-1: "mean", -2: "spread (5th to 95th percentile)"}
"""What is shown of all seeds, by the position that stands for it; a single seed has its position on the axis."""

MOST_OF_A_POINT = 4  # pictures
_BAND = (0.05, 0.95)


# What can be drawn, and over what.


def variables(ds: xr.Dataset) -> list[str]:
    """Return the names of what can be drawn: the ratio of peaks, if there are any, then variables, with areas first."""
    grid = set(ds[STATUS].dims)
    found = [str(name) for name, array in ds.data_vars.items() if name != STATUS and grid <= set(array.dims)]
    found = sorted((name for name in found if ds[name].dtype.kind in "biuf"), key=lambda n: (AREA not in ds[n].dims, n))
    peaks = peaks_of(ds)
    ratio = peaks in found and AREA in ds[peaks].dims and ds.sizes[AREA] > 1
    return ([RATIO] if ratio else []) + found


def dims_of(ds: xr.Dataset, variable: str) -> list[str]:
    """Return the dimensions of a variable; of the ratio, those of the peaks."""
    return [str(dim) for dim in ds[peaks_of(ds) if variable == RATIO else variable].dims]


def title_of(ds: xr.Dataset, variable: str) -> str:
    """Return what a variable is, with its unit, whichever label of its dimensions is chosen."""
    return f"peak / peak({source_and_target(ds)[0]})" if variable == RATIO else title(ds[variable])


def columns(ds: xr.Dataset) -> dict[str, str]:
    """Return the columns of tables that differ between points, each with its table's axis."""
    found = {axis: differing_columns(ds, names) or names[:1] for axis, names in tables_of(ds).items()}
    return {name: axis for axis, names in found.items() if ds.sizes[axis] > 1 for name in names}


def over(ds: xr.Dataset, variable: str) -> list[str]:
    """Return what a variable can be drawn over: dimensions of two labels or more, and columns of tables.

    Axes of numbers come first, then axes of names, columns, and the variable's own dimensions; seeds come last.
    """
    listed, grid = tables_of(ds), [str(dim) for dim in ds[STATUS].dims]
    own = [dim for dim in dims_of(ds, variable) if dim not in grid]
    if variable == RATIO:  # its area is chosen
        own.remove(AREA)
    axes = sorted((dim for dim in grid if dim not in (*listed, SEED)), key=lambda dim: isinstance(label(ds, dim), str))
    found = [dim for dim in [*axes, *own, *[dim for dim in grid if dim == SEED]] if ds.sizes[dim] > 1]
    place = len([dim for dim in found if dim in axes])
    return [*found[:place], *columns(ds), *found[place:]]


def partners(ds: xr.Dataset, variable: str, x: str | None) -> list[str | None]:
    """Return what can go up a picture over x: None for curves, or what a map, matrix or scatter is over."""
    listed = columns(ds)
    same = [name for name in over(ds, variable) if name != x and listed.get(name) == listed.get(str(x))]
    return [None, *(same if x is not None else [])]


def first_axes(ds: xr.Dataset, variable: str) -> tuple[str | None, str | None]:
    """Return what to draw a variable over, as `plots.interactive` chooses; grids and tables before its own dimensions.

    Two axes of numbers make a map, two columns a scatter, one axis or column curves, two of names a matrix.
    """
    known, grid = over(ds, variable), ds[STATUS].dims
    listed = columns(ds)
    free = [name for name in known if name != SEED and name not in listed]
    axes = [name for name in free if name in grid]
    own = [name for name in free if name not in grid]
    numbers, words = ([name for name in axes if isinstance(label(ds, name), str) is kind] for kind in (False, True))
    if len(numbers) > 1:
        return numbers[0], numbers[1]
    if listed:
        first, *more = listed
        return first, next((name for name in more if listed[name] == listed[first]), None)
    if numbers:
        return numbers[0], None
    along = [name for name in own if not isinstance(label(ds, name), str)]
    if along:
        return along[0], None
    if len(own) > 1:
        return own[1], own[0]
    if len(words) > 1:
        return words[0], words[1]
    return next(iter([*own, *words, *known]), None), None


def others(ds: xr.Dataset, variable: str, x: str | None, y: str | None) -> list[str]:
    """Return the dimensions to select one label of: other axes of the grid, then the variable's own.

    Curves have a line for each chosen area.
    """
    listed = columns(ds)
    taken = {listed.get(str(name), name) for name in (x, y)}
    if y is None and x is not None and variable != RATIO:
        taken.add(AREA)
    return [dim for dim in dims_of(ds, variable) if dim not in taken]


def first_view(ds: xr.Dataset) -> dict[str, Any]:
    """Return the first view: a variable and positions that have values other than 0, if any do.

    What has dimensions to be drawn over comes first.
    """
    found: dict[str, Any] = {}
    for variable in sorted(variables(ds), key=lambda name: not over(ds, name)):
        x, y = first_axes(ds, variable)
        at = first_at(ds, variable, x, y)
        view = {"variable": variable, "x": x, "y": y, "at": at}
        found = found or view
        if _amount(ds, variable, at):
            return view
    return found


def first_at(ds: xr.Dataset, variable: str, x: str | None, y: str | None) -> dict[str, int]:
    """Return a position along each of the `others`: the first that has values other than 0, of areas the last.

    One dimension after another, so that a grid of any number of axes is looked at once for each label.
    """
    dims = others(ds, variable, x, y)
    start = {AREA: ds.sizes.get(AREA, 1) - 1, SEED: -1 if ds.sizes.get(SEED, 1) > 1 else 0}
    at = {dim: start.get(dim, 0) for dim in dims}
    if _amount(ds, variable, at):
        return at
    free = [dim for dim in dims if dim not in (SEED, AREA)]
    best: dict[str, int] = {}
    for dim in free:  # whichever labels the others have
        fixed = {d: i for d, i in at.items() if d not in free} | best
        amounts = [_amount(ds, variable, fixed | {dim: i}) for i in range(ds.sizes[dim])]
        best[dim] = next((i for i, amount in enumerate(amounts) if amount), 0)
    return at | best


def _amount(ds: xr.Dataset, variable: str, at: dict[str, int]) -> int:
    """Return how many values there are that are not 0."""
    values, _ = selected(ds, variable, at)
    return int((np.isfinite(values.values) & (values.values != 0)).sum())


def first_point(ds: xr.Dataset, at: dict[str, int]) -> dict[str, Any]:
    """Return the labels of the point in the middle of those that did not diverge, where the view is."""
    dims = [str(dim) for dim in ds[STATUS].dims]
    fixed = {dim: [max(i, 0)] for dim, i in at.items() if dim in dims}
    fine = np.argwhere(ds[STATUS].isel(fixed).isin(BOUNDED).values)
    middle = np.array([size // 2 for size in ds[STATUS].isel(fixed).shape])
    if fine.size:
        middle = fine[np.abs(fine - middle).sum(axis=1).argmin()]
    return {dim: labels(ds, dim)[fixed[dim][0] if dim in fixed else int(i)] for dim, i in zip(dims, middle)}


def state(ds: xr.Dataset) -> str:
    """Return how many points there are, by their state, in words."""
    counts = [int((ds[STATUS].values == code).sum()) for code in range(len(STATUS_MEANINGS))]
    said = ", ".join(f"{n:,} {word}" for n, word in zip(counts, STATUS_MEANINGS) if n)
    return f"{sum(counts):,} point{'s' * (sum(counts) != 1)}: {said}"


# What is drawn.


def shown(
    ds: xr.Dataset, variable: str, x: str | None, y: str | None, at: dict[str, int], areas: list[str], log: bool
) -> Shown | None:
    """Return the picture of a variable: a map, matrix or scatter over x and y, curves over x, None over nothing.

    Args:
        at: position along each of the `others`.
        areas: whose curves are drawn.

    Raises:
        UserError: there is no such variable, nor such axes of it.
    """
    if variable not in variables(ds):
        raise UserError(f"no variable {variable} to map; expected one of {', '.join(variables(ds)) or 'none'}")
    check_axes(ds, variable, x, y)
    if x is None:
        return None
    if y is None:
        return curves(ds, variable, x, at, areas, log)
    return scatter(ds, variable, x, y, at, log) if x in columns(ds) else plane(ds, variable, x, y, at, log)


def of_point(ds: xr.Dataset, point: dict[str, Any], mean: bool, areas: list[str]) -> dict[str, Shown]:
    """Return pictures of what a store has of one point over dimensions of its own: matrices, and curves along numbers.

    Args:
        point: its label along every axis.
        mean: whether to show the mean over seeds.
        areas: whose curves are drawn.
    """
    at = {dim: labels(ds, dim).index(label) for dim, label in point.items()}
    at |= {SEED: -1} if mean and SEED in at else {}
    found: dict[str, Shown] = {}
    for variable in (name for name in variables(ds) if name != RATIO):
        own = [dim for dim in dims_of(ds, variable) if dim not in ds[STATUS].dims and ds.sizes[dim] > 1]
        numbers = [dim for dim in own if not isinstance(label(ds, dim), str)]
        if not own or own == [AREA]:
            continue
        x, y = (numbers[0], None) if numbers else (own[-1], own[-2] if len(own) > 1 else None)
        rest = {dim: 0 for dim in dims_of(ds, variable) if dim not in (x, y, AREA, *at)}
        if (one := shown(ds, variable, x, y, at | rest, areas, log=False)) is not None:
            found[variable] = one
    return dict(list(found.items())[:MOST_OF_A_POINT])


def check_axes(ds: xr.Dataset, variable: str, x: str | None, y: str | None) -> None:
    """Refuse x and y that no picture of a variable is over."""
    known = over(ds, variable)
    if ((x is not None or known) and x not in known) or y not in partners(ds, variable, x):
        raise UserError(
            f"no picture of {variable} over {x or 'nothing'}{f' and {y}' if y else ''}; expected one of "
            f"{listing(known) or 'none'} for curves, two for a map, or two columns of a table"
        )


def suits_log(ds: xr.Dataset, variable: str, at: dict[str, int]) -> bool:
    """Return whether a logarithmic scale suits the values, as `plots.interactive` chooses it."""
    from matplotlib.colors import LogNorm

    values, _ = selected(ds, variable, at)
    return isinstance(norm_of([values]), LogNorm)


def selected(ds: xr.Dataset, variable: str, at: dict[str, int]) -> tuple[xr.DataArray, xr.DataArray]:
    """Return a variable at some positions, NaN where a point has no value to show, and the state of its points.

    Where the position of the seeds is one of `SEEDS`, this is taken over those that have a value.
    """
    array, state = _single_seeds(ds, variable, at)
    seeds = at.get(SEED, 0)
    if seeds < 0:
        attrs, words = array.attrs, "mean" if seeds == -1 else "spread"
        array = over_seeds(array, state, seeds)
        array.attrs = {**attrs, "long_name": f"{attrs.get('long_name', variable)}, {words} over seeds"}
        state = over_seeds(state, state, seeds)
    return array, state


def over_seeds(array: xr.DataArray, state: xr.DataArray, position: int) -> xr.DataArray:
    """Return what stands at one of the positions of `SEEDS`, over the seeds whose value is known.

    Of the states it is OK where there is such a seed, else the first one's.
    """
    known = state.isin(BOUNDED)
    if array.name == STATUS:
        return array.isel({SEED: 0}, drop=True).where(~known.any(SEED), OK)
    array = array.where(known)
    return array.mean(SEED) if position == -1 else _quantile(array, 1) - _quantile(array, 0)


def _single_seeds(ds: xr.Dataset, variable: str, at: dict[str, int]) -> tuple[xr.DataArray, xr.DataArray]:
    """Return what `selected` does, without taking anything over seeds."""
    grid = {dim: i for dim, i in at.items() if dim in ds[STATUS].dims and i >= 0}
    one = ds.isel(grid)
    own = {dim: i for dim, i in at.items() if dim not in ds[STATUS].dims}
    array = _ratio(one, own) if variable == RATIO else one[variable].isel(own)
    return array.where(one[STATUS].isin(BOUNDED)).load(), one[STATUS].load()


def _quantile(array: xr.DataArray, end: int) -> xr.DataArray:
    return array.quantile(_BAND[end], SEED, skipna=True).drop_vars("quantile")


def _ratio(one: xr.Dataset, at: dict[str, int]) -> xr.DataArray:
    target = str(one[AREA].values[at[AREA]])
    others = {dim: i for dim, i in at.items() if dim != AREA}
    return propagation_ratio(one, target, source_and_target(one)[0]).isel(others)


def plane(ds: xr.Dataset, variable: str, x: str, y: str, at: dict[str, int], log: bool) -> Plane:
    """Return the map of a variable over two dimensions."""
    array, state = selected(ds, variable, at)
    codes = state.broadcast_like(array).transpose(y, x).values.astype(np.uint8)
    values = _drawable(array.transpose(y, x).values, log)
    grid = {dim: i for dim, i in at.items() if dim in ds[STATUS].dims and i >= 0}
    found = boundaries(ds.isel(grid), x, y) if {x, y} == set(ds.isel(grid)[STATUS].dims) else {}
    scales = scale(ds, x), scale(ds, y)
    downwards = not {x, y} & set(ds[STATUS].dims) and not any(one.numbers for one in scales)
    return Plane(*scales, title(array), values, codes, _limits(values, log), found, downwards)


def scatter(ds: xr.Dataset, variable: str, x: str, y: str, at: dict[str, int], log: bool) -> Scatter:
    """Return the points of a table over two of its columns."""
    array, state = selected(ds, variable, at)
    values, axis = _drawable(array.values, log), columns(ds)[x]
    titles = (scale_title(ds, x), scale_title(ds, y))
    xs, ys = (ds[name].values.astype(float) for name in (x, y))
    return Scatter(axis, labels(ds, axis), titles, xs, ys, title(array), values, state.values, _limits(values, log))


def curves(ds: xr.Dataset, variable: str, x: str, at: dict[str, int], areas: list[str], log: bool) -> Curves:
    """Return a variable along a dimension or a column."""
    dim = columns(ds).get(x, x)
    single, _ = _single_seeds(ds, variable, at)
    array, state = selected(ds, variable, at)
    along = scale(ds, x) if dim == x else Scale(x, scale_title(ds, x), ds[x].values.astype(float).tolist())
    xs = np.asarray(along.labels, float) if along.numbers else along.positions
    order = np.argsort(xs, kind="stable")
    parts = {area: {AREA: area} for area in areas} if AREA in array.dims and dim != AREA else {"": {}}
    lines = {name: _drawable(array.sel(part).values[order], log) for name, part in parts.items()}
    bands = {}
    if at.get(SEED, 0) == -1:
        for name, part in parts.items():
            low, high = (_quantile(single.sel(part), end).values[order] for end in (0, 1))
            bands[name] = _drawable(low, log), _drawable(high, log)
    codes = state.broadcast_like(ds[dim]).values.astype(np.uint8)[order]
    known = [labels(ds, dim)[i] for i in order]
    return Curves(dim, known, along, xs[order], title(array), lines, bands, codes)


def _drawable(values: np.ndarray, log: bool) -> np.ndarray:
    values = values.astype(np.float64)
    return np.where(np.isfinite(values) & ~(log & (values <= 0)), values, np.nan)


def title(array: xr.DataArray) -> str:
    """Return what a variable is, with its unit."""
    return f"{array.attrs.get('long_name', array.name)}{unit(array.attrs)}"


def scale(ds: xr.Dataset, name: str) -> Scale:
    """Return a dimension of the Dataset as an axis."""
    return Scale(name, scale_title(ds, name), labels(ds, name))


def scale_title(ds: xr.Dataset, name: str) -> str:
    """Return a dimension's name with its unit."""
    return name + (unit(ds[name].attrs) if name in ds.coords else "")


def labels(ds: xr.Dataset, name: str) -> list[Any]:
    """Return the labels along a dimension, as plain Python."""
    values = ds[name].values if name in ds.coords else np.arange(ds.sizes[name])
    return [str(value) for value in values] if values.dtype.kind not in "iufb" else values.tolist()


def label(ds: xr.Dataset, name: str) -> Any:
    """Return the first label along a dimension."""
    return labels(ds.isel({name: [0]}), name)[0]


def _limits(values: np.ndarray, log: bool) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    if not known.size:
        return (0.1, 1.0) if log else (0.0, 1.0)
    low, high = float(known.min()), float(known.max())
    if low == high:  # a colour bar needs two ends
        return (low / 2, high * 2) if log else (low - 0.5, high + 0.5)
    return low, high


def boundaries(one: xr.Dataset, x: str, y: str) -> dict[str, tuple[list[Any], list[Any]]]:
    """Return the stability boundaries of one map, by name, where both axes are drawn at their values."""
    if not (scale(one, x).even and scale(one, y).even):
        return {}
    found = {}
    if (one[STATUS] == DIVERGED).any():
        found["boundary of divergence"] = divergence_boundary(one, x, y)
    if "spectral_abscissa" in one and one.spectral_abscissa.ndim == 2:
        found["boundary of linear stability"] = linear_boundary(one, x, y)
    return {name: _lines(curves, x) for name, curves in found.items() if curves.size}


def _lines(curves: xr.DataArray, x: str) -> tuple[list[Any], list[Any]]:
    numbers = curves["curve"].values
    parts = [numbers == number for number in np.unique(numbers)]
    return [curves[x].values[p].tolist() for p in parts], [curves.values[p].tolist() for p in parts]
