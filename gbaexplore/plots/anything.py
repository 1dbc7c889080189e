"""Pictures of variables of any shape, with means and spreads over seeds."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.analysis.areas import source_and_target
from gbaexplore.basics.errors import UserError, listing
from gbaexplore.basics.names import AREA, BOUNDED, OK, STATUS
from gbaexplore.basics.points import SEED
from gbaexplore.plots.fields import areas_along, axes_of, norm_of, numbers_of, numeric_axes, value_of, variables_of
from gbaexplore.plots.maps import colour_bar
from gbaexplore.plots.style import label_outer, line_styles, name_ticks, quantity, ticks_upwards

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

_FIRST = ("peak_", "mean_", "final_")  # of several variables, these tell most


def variable_of(ds: xr.Dataset) -> str:
    """Return the variable that a picture of a study shows: of numbers, with the fewest dimensions of its own."""
    known = [str(name) for name in ds.data_vars if name != STATUS and ds[name].dtype.kind in "biuf"]
    if not known:
        raise UserError(f"nothing to draw among {variables_of(ds)}; expected a variable of numbers")

    def rank(name: str) -> tuple[int, int, str]:
        first = next((i for i, start in enumerate(_FIRST) if name.startswith(start)), len(_FIRST))
        return len([dim for dim in own_dims(ds, name) if dim != AREA]), first, name

    return min(known, key=rank)


def own_dims(ds: xr.Dataset, name: str) -> list[str]:
    """Return the dimensions of a variable that are no axes of the grid."""
    return [str(dim) for dim in ds[name].dims if dim not in axes_of(ds)]


def over_axes(ds: xr.Dataset, name: str, area: str | None = None) -> xr.DataArray:
    """Return a variable over the axes alone, NaN where a point has none: in one area, a mean over what else it has."""
    field, dim = numbers_of(ds, name).where(ds[STATUS].isin(BOUNDED)), areas_along(ds, name)
    words = field.attrs.get("long_name", name)
    if dim is not None:
        area = area or str(ds[dim].values[-1])
        field, words = field.sel({dim: area}, drop=True), f"{words}, in {area}"
    more = [str(dim) for dim in field.dims if dim not in axes_of(ds)]
    for dim in [dim for dim in more if _is_choice(ds, dim)]:
        field, words = field.isel({dim: 0}, drop=True), f"{words}, {ds[dim].values[0]}"
        more.remove(dim)
    if more:
        field, words = field.mean(more), f"{words}, mean over {listing(more)}"
    return field.assign_attrs(ds[name].attrs | {"long_name": words}).load()


def _is_choice(ds: xr.Dataset, dim: str) -> bool:
    """Return whether a mean over a dimension would say nothing: over names of other things than areas."""
    areas = set(ds[AREA].values.tolist()) if AREA in ds.coords else set()
    return dim in ds.coords and ds[dim].dtype.kind not in "iuf" and not set(ds[dim].values.tolist()) <= areas


def without_seeds(field: xr.DataArray) -> tuple[xr.DataArray, xr.DataArray | None]:
    """Return a field's mean over the seeds that have a value, and its standard deviation, if it has seeds."""
    if SEED not in field.dims:
        return field, None
    words = field.attrs.get("long_name", field.name)
    told = [field.attrs | {"long_name": f"{words}{what}"} for what in ("; mean over seeds", "; spread over seeds")]
    mean = field.mean(SEED).assign_attrs(told[0])
    # Of one seed nothing is known of the spread.
    return mean, field.std(SEED, ddof=1).where(field.count(SEED) > 1).assign_attrs(told[1])


def of_any_seed(ds: xr.Dataset) -> xr.Dataset:
    """Return a Dataset without seeds, in which a point is ok if it is with any of them."""
    state = ds[STATUS]
    if SEED not in state.dims:
        return ds
    state = state.max(SEED).where(~(state == OK).any(SEED), OK).astype(state.dtype)
    return ds.isel({SEED: 0}).assign({STATUS: state})


def curves(panels: Sequence[Axes], parts: Sequence[xr.Dataset]) -> None:
    """Draw a variable over the one axis of numbers, a line for each label; bands are a spread over seeds each way."""
    name = variable_of(parts[0])
    (x,) = [axis for axis in numeric_axes(parts[0]) if axis != SEED]
    for ax, part in zip(panels, parts):
        field = over_axes(part.sortby(x), name)
        draw_lines(ax, field, x, field[x].values)
        label_outer(ax, quantity(part, x), _wrapped(field))


def spreads(panels: Sequence[Axes], parts: Sequence[xr.Dataset]) -> None:
    """Draw a variable in each area, or, of one that has no areas, at each label."""
    name = variable_of(parts[0])
    for ax, part in zip(panels, parts):
        dim = areas_along(part, name)
        field = numbers_of(part, name).where(part[STATUS].isin(BOUNDED)).load()
        if dim is None:
            field = over_axes(part, name)
            dim = next((str(axis) for axis in field.dims if axis != SEED), None)
        if dim is None:
            field = field.expand_dims(point=[""])
        along = dim or "point"
        name_ticks(ax, field[along].values)
        draw_lines(ax, field, along, np.arange(field.sizes[along]), marker="o", markersize=2.5)
        words = quantity(part, along) if along in part.coords else ""
        label_outer(ax, words, _wrapped(field))


def spectra(panels: Sequence[Axes], parts: Sequence[xr.Dataset]) -> None:
    """Draw a variable along its own dimension of numbers, in the first and the last area."""
    name = variable_of(parts[0])
    x = next(dim for dim in own_dims(parts[0], name) if parts[0][dim].dtype.kind in "iuf")
    for ax, part in zip(panels, parts):
        field, dim = numbers_of(part, name).where(part[STATUS].isin(BOUNDED)).load(), areas_along(part, name)
        if dim is not None:
            areas = source_and_target(part) if dim == AREA else field[dim].values[[0, -1]]
            field = field.sel({dim: list(dict.fromkeys(map(str, areas)))})
        rest = [one for one in own_dims(part, name) if one not in (x, dim)]
        draw_lines(ax, field.mean(rest, keep_attrs=True), x, field[x].values)
        label_outer(ax, quantity(part, x), _wrapped(part[name]))


def matrices(panels: Sequence[Axes], parts: Sequence[xr.Dataset]) -> None:
    """Draw a variable over two dimensions of names, the first row on top; all with one scale of colours."""
    name = variable_of(parts[0])
    rows, columns, *more = own_dims(parts[0], name)
    fields = []
    for part in parts:
        field = numbers_of(part, name).where(part[STATUS].isin(BOUNDED)).mean(more, keep_attrs=True).load()
        fields.append(without_seeds(field)[0].transpose(rows, columns))
    norm = norm_of(fields, "linear")
    for ax, part, field in zip(panels, parts, fields):
        ax.imshow(field.values, norm=norm, cmap="viridis", interpolation="none", aspect="equal")
        name_ticks(ax, field[columns].values)
        ticks_upwards(ax, field[rows].values)
        label_outer(ax, quantity(part, columns), quantity(part, rows))
    colour_bar(panels, fields[0], norm)


def _wrapped(field: xr.DataArray) -> str:
    """Return what values are, with their unit, in lines that fit beside a panel."""
    return textwrap.fill(quantity(field.to_dataset(name="values"), "values"), 44)


def draw_lines(ax: Axes, field: xr.DataArray, x: str, at: np.ndarray, **how: Any) -> None:
    """Draw a line for each point that is left, with a band of one standard deviation over seeds."""
    mean, spread = without_seeds(field)
    others = [str(dim) for dim in mean.dims if dim != x]
    points = [dict(zip(others, at)) for at in np.ndindex(*(mean.sizes[dim] for dim in others))]
    coords = mean.to_dataset(name="value")
    labels = [", ".join(value_of(coords.isel(point), dim) for dim in others) for point in points]
    for point, label, style in zip(points, labels, line_styles([""], [(label, None) for label in labels], ax)):
        middle = mean.isel(point).values
        (line,) = ax.plot(at, middle, **{**style, "label": label, **how})
        if spread is not None:
            width = spread.isel(point).values
            ax.fill_between(at, middle - width, middle + width, color=line.get_color(), alpha=0.2, linewidth=0)
