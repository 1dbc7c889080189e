"""Choosing what to draw of a Dataset: the variable, the axes, the scale."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.analysis.areas import ends
from gbaexplore.analysis.ratios import peaks_of, propagation_ratio
from gbaexplore.basics.errors import UserError, listing, unknown
from gbaexplore.basics.names import AREA, BOUNDED, COMPUTED, STATUS, unit
from gbaexplore.plots.style import plain, symbol
from gbaexplore.store.recipe import RECIPE, tables_of

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.colors import Normalize


_WHATEVER_HAPPENS = (  # have values at points that diverged too
    "spectral_abscissa", "numerical_abscissa", "henrici_departure", "transient_gain", "calibrated_", "diverged_",
)  # fmt: skip
MOST_PANELS, MOST_LINES = 12, 60  # as many as a person can read
_SMALLEST = np.finfo(float).tiny  # smaller numbers have lost digits, and matplotlib fails with their logarithms
_WIDE = 100.0  # values that differ by more are shown on a logarithmic scale


# The parts of a picture.


def checked_dataset(ds: xr.Dataset) -> xr.Dataset:
    """Return a Dataset that can be drawn: it has points, and no label twice; refuse any other."""
    import xarray as xr

    if not isinstance(ds, xr.Dataset):
        raise UserError(
            f"found a {type(ds).__name__}; expected a Dataset, as open_study, run and simulate return it: select from "
            "that one with .sel(...)"
        )
    try:
        tables_of(ds)
    except (ValueError, TypeError, AttributeError):
        raise UserError(f"the attribute {RECIPE} can't be read; expected it as gbaexplore wrote it") from None
    for dim in map(str, ds.dims):
        if not ds.sizes[dim]:
            raise UserError(f"nothing is left along {dim}; expected at least one label: select less in ds.sel(...)")
        if dim not in ds.coords and not dim.startswith("time"):
            raise UserError(f"{dim} has no labels; expected a Dataset with its coordinates, as open_study returns it")
        if dim in ds.coords and ds[dim].dtype.kind == "f" and not np.isfinite(ds[dim].values).all():
            raise UserError(f"{dim} has labels that are not finite; select the others, with ds.sel(...)")
        if dim in ds.coords and not ds.indexes[dim].is_unique:
            raise UserError(f"{dim} has a label twice; expected labels that differ: ds.drop_duplicates({dim!r})")
    return ds


def numbers_of(ds: xr.Dataset, name: str) -> xr.DataArray:
    """Return a variable or coordinate of numbers."""
    if ds[name].dtype.kind not in "biuf":
        raise UserError(f"{name} is of type {ds[name].dtype}; expected numbers, such as ds[{name!r}].astype(float)")
    return ds[name]


def axes_of(ds: xr.Dataset) -> list[str]:
    """Return the axes of the study's grid that are left."""
    if STATUS not in ds:
        raise UserError(f"no {STATUS} among {variables_of(ds)}; expected a Dataset as open_study returns it")
    return [str(dim) for dim in ds[STATUS].dims]


def numeric_axes(ds: xr.Dataset) -> list[str]:
    """Return the axes of numbers."""
    return [axis for axis in axes_of(ds) if ds[axis].dtype.kind in "iuf" and axis not in tables_of(ds)]


def variables_of(ds: xr.Dataset) -> str:
    """Return the names of the variables, for a message."""
    return listing(sorted(str(name) for name in ds.data_vars))


def sizes_of(ds: xr.Dataset, axes: Iterable[str]) -> str:
    """Return the sizes along some axes, for a message."""
    return " x ".join(f"{axis}: {ds.sizes[axis]:,}" for axis in axes) or "none"


def only_axes(ds: xr.Dataset, axes: tuple[str, ...], what: str) -> None:
    """Refuse a Dataset with other axes than these."""
    if set(axes_of(ds)) != set(axes):
        raise UserError(
            f"{what} has the {'axis' if len(axes) == 1 else 'axes'} {' and '.join(axes)}, the Dataset "
            f"{listing(axes_of(ds))}; "
            "select one value of each other axis first, with ds.sel(...)"
        )


def plane_of(ds: xr.Dataset, x: str | None, y: str | None) -> tuple[str, str]:
    """Return the axes of a map: those that were named, else the first of numbers."""
    known = [axis for axis in numeric_axes(ds) if ds.sizes[axis] > 1]
    free = iter([axis for axis in known if axis not in (x, y)])
    pair = x or next(free, ""), y or next(free, "")
    if not set(pair) <= set(known) or pair[0] == pair[1]:
        raise UserError(
            f"a map over {pair[0] or 'nothing'} and {pair[1] or 'nothing'}; expected two axes of two numbers or more: "
            f"the Dataset has {listing(known)} (plots.sweep draws one axis, plots.profile none)"
        )
    only_axes(ds, pair, "a map")
    return pair


def columns_of(ds: xr.Dataset, x: str | None, y: str | None) -> tuple[str, str]:
    """Return the parameters of a scatter: those that were named, else the first that differ between points."""
    listed = tables_of(ds)
    axis = next(iter(listed), "of a table of points")
    only_axes(ds, (axis,), "a scatter")
    free = iter([name for name in differing_columns(ds, listed[axis]) if name not in (x, y)])
    pair = x or next(free, ""), y or next(free, "")
    if not set(pair) <= set(listed[axis]) or pair[0] == pair[1]:
        raise UserError(
            f"a scatter over {pair[0] or 'nothing'} and {pair[1] or 'nothing'}; expected two parameters of the table "
            f"{axis}: {listing(listed[axis])}"
        )
    return pair


def without_single(ds: xr.Dataset) -> xr.Dataset:
    """Return a Dataset without axes of a single label; a table of a single parameter is an axis of numbers."""
    ds = ds.squeeze([axis for axis in axes_of(ds) if ds.sizes[axis] == 1])
    for axis, columns in tables_of(ds).items():
        if axis in ds.dims and len(differing := differing_columns(ds, columns)) < 2:
            ds = ds.swap_dims({axis: (differing or columns)[0]})
    return ds


def differing_columns(ds: xr.Dataset, columns: list[str]) -> list[str]:
    """Return which of some columns have more than one value."""
    return [name for name in columns if float(ds[name].max()) > float(ds[name].min())]


def areas_along(ds: xr.Dataset, name: str) -> str | None:
    """Return the dimension along which a variable has its areas, if it has them."""
    dims = [str(dim) for dim in ds[name].dims]
    return next((dim for dim in dims if dim == AREA or dim.startswith(f"trace_{AREA}")), None)


def area_dim(ds: xr.Dataset, name: str, measure: str) -> str:
    """Return the dimension of areas of a measure's variable; refuse a Dataset without it."""
    if name not in ds:
        raise UserError(f"no {name} among {variables_of(ds)}; the study needs {measure}() as a measure")
    dim = areas_along(ds, name)
    if dim is None:
        raise UserError(f"{name} has no areas left; expected them all: select no area in ds.sel(...)")
    numbers_of(ds, name)
    return dim


def peaks_of_areas(ds: xr.Dataset) -> str:
    """Return the name of what a Peak has measured; refuse a Dataset where it has no areas, or more than these."""
    name = peaks_of(ds)
    area_dim(ds, name, "Peak")
    _only_dims(ds[name], (*axes_of(ds), AREA), name)
    return name


def known_area(ds: xr.Dataset, area: str, dim: str = AREA) -> str:
    """Return an area, or refuse one that is not there."""
    if ds[dim].dtype.kind in "biufc":
        raise UserError(f"{dim} has labels of type {ds[dim].dtype}; expected the areas' names")
    known = [str(name) for name in ds[dim].values]
    if area not in known:
        raise UserError(unknown(f'no area "{area}"', area, known, "Areas"))
    return str(area)


def value_of(point: xr.Dataset, axis: str, named: bool = False) -> str:
    """Return a point's position on an axis in words: a label, or a number with its symbol and unit."""
    value = point[axis].item()
    if point[axis].dtype.kind not in "iuf":
        return plain(f"{axis} {value}" if named else value)
    return f"{symbol(axis)} = {value:.6g}{plain(unit(point[axis].attrs, ' {}'))}"


def drawable(values: np.ndarray) -> np.ndarray:
    """Return a mask of the values that a logarithmic scale can show."""
    return np.isfinite(values) & (values >= _SMALLEST)


def field_of(
    ds: xr.Dataset, variable: str | None, area: str | None, target: str | None, source: str | None
) -> xr.DataArray:
    """Return the values of a map, NaN where it has no colour."""
    if variable is not None:
        return _variable(ds, variable, area).load()
    if area is not None:
        raise UserError(f'area="{area}" and no variable; expected variable="{peaks_of(ds)}" too, or target="{area}"')
    peaks_of_areas(ds)
    source, target = (known_area(ds, name) for name in ends(ds, source, target))
    return propagation_ratio(ds.sel({AREA: list({target: 0, source: 0})}), target, source).load()


def _variable(ds: xr.Dataset, name: str, area: str | None) -> xr.DataArray:
    known = sorted({str(variable) for variable in ds.data_vars} - {STATUS})
    if name not in known:
        raise UserError(unknown(f'no variable "{name}"', name, known, "Variables"))
    field, dim = numbers_of(ds, name), areas_along(ds, name)
    if dim is None and area is not None:
        raise UserError(f'{name} has no areas left, to take "{area}" from; leave area out')
    if dim is not None:
        if area is None:
            raise UserError(f"{name} has areas; expected area=..., one of {listing(ds[dim].values)}")
        field = field.sel({dim: known_area(ds, area, dim)})
        field = field.assign_attrs(long_name=f"{field.attrs.get('long_name', name)}, in {area}")
    _only_dims(field, axes_of(ds), name)
    return field.where(ds[STATUS].isin(COMPUTED if name.startswith(_WHATEVER_HAPPENS) else BOUNDED))


def _only_dims(field: xr.DataArray, dims: Iterable[str], name: str) -> None:
    more = sorted({*map(str, field.dims)} - {*dims})
    if more:
        raise UserError(f"{name} is over {listing(more)} too; select one value first, with ds.sel(...)")


def norm_of(fields: Sequence[xr.DataArray], scale: str | None = None) -> Normalize:
    """Return the scale of the colours; without values to show it has no limits."""
    from matplotlib.colors import LogNorm, Normalize

    if scale not in ("log", "linear", None):
        raise UserError(f'scale="{scale}"; expected "log" or "linear", or None to have it chosen')
    values = np.concatenate([field.values[np.isfinite(field.values)] for field in fields])
    positive = values[drawable(values)]
    wide = positive.size > 0 and values.min() >= 0 and positive.max() / _WIDE > positive.min()
    if scale == "log" or (scale is None and (wide or fields[0].name == "propagation_ratio")):
        return LogNorm(positive.min(), positive.max()) if positive.size else LogNorm()
    return Normalize(values.min(), values.max()) if values.size else Normalize()


def shown_values(field: xr.DataArray, norm: Normalize) -> np.ndarray:
    """Return a mask of the values that have a colour."""
    from matplotlib.colors import LogNorm

    return drawable(field.values) if isinstance(norm, LogNorm) else np.isfinite(field.values)


def emptiest_corner(shown: np.ndarray) -> Any:
    """Return the corner, by its name in matplotlib, in which a legend hides least."""
    rows, columns = (length // 3 + 1 for length in shown.shape)
    lower, upper, right, left = slice(rows), slice(-rows, None), slice(-columns, None), slice(columns)
    corners = {
        "lower right": (lower, right),
        "upper left": (upper, left),
        "upper right": (upper, right),
        "lower left": (lower, left),
    }
    return min(corners, key=lambda name: shown[corners[name]].mean())
