"""Differences between two stores: their recipes and their results."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gbaexplore.basics.errors import printable
from gbaexplore.basics.names import STATUS, STATUS_MEANINGS, canonical
from gbaexplore.store import stores
from gbaexplore.store.recipe import differing, short, tables_of

if TYPE_CHECKING:
    import xarray as xr

_POINTS = 8192  # compared at once


def diff(a: Path, b: Path) -> list[str]:
    """Return a line for each difference, none if the stores agree: recipes, labels, status and values.

    Values are compared at the labels that both have, numbers within 12 digits being one label.

    Raises:
        UserError: one of them is not a store.
    """
    found = [f"recipe  {line}" for line in differing(stores.recipe(a), stores.recipe(b))]
    one, other = (_named(stores.open_study(path)) for path in (a, b))
    for dim in [d for d in one.dims if d in other.dims]:
        for here, there, which in ((one, other, "the first"), (other, one, "the second")):
            alone = here.indexes[dim].difference(there.indexes[dim], sort=False)
            if len(alone):
                found.append(f"labels  {dim}: {short(alone.tolist())} only in {which}")
    columns = {name for ds in (one, other) for names in tables_of(ds).values() for name in names}
    for name in sorted({*one.data_vars, *other.data_vars, *columns}, key=str):
        if name not in one or name not in other:
            found.append(f"values  {name}: only in {'the second' if name not in one else 'the first'}")
        elif set(one[name].dims) != set(other[name].dims):
            along = (", ".join(map(str, ds[name].dims)) for ds in (one, other))
            found.append(f"values  {name}: along {' and along '.join(along)}")
        else:
            found += _values(one[name], other[name].transpose(*one[name].dims))
    return list(map(printable, found))


def _named(ds: xr.Dataset) -> xr.Dataset:
    numbers = {dim: canonical(ds[dim].values) for dim in ds.dims if ds[dim].dtype.kind == "f"}
    return ds.assign_coords(numbers)


def _values(a: xr.DataArray, b: xr.DataArray) -> Iterator[str]:
    """Yield a line if two variables differ: at how many points, and where most."""
    common = {dim: a.indexes[dim].intersection(b.indexes[dim], sort=False) for dim in a.dims}
    count, worst, where, changes = 0, 0.0, "", dict[tuple[int, int], int]()
    for labels in _parts(common):
        x, y = (array.sel(labels).values for array in (a, b))
        differs = (x != y) & ~((x != x) & (y != y))  # NaN in both is equal
        count += int(differs.sum())
        if a.name == STATUS:
            for pair in zip(x[differs].tolist(), y[differs].tolist()):
                changes[pair] = changes.get(pair, 0) + 1
        elif differs.any():
            # A number beside a NaN counts as infinitely far away.
            apart = np.nan_to_num(np.where(differs, np.abs(x.astype(float) - y), 0.0), nan=np.inf)
            at = np.unravel_index(apart.argmax(), apart.shape)
            if apart[at] > worst:
                worst = float(apart[at])
                place = ", ".join(f"{dim} {labels[dim][i]}" for dim, i in zip(a.dims, at))
                where = f"; most at {place}: {x[at]:.9g} and {y[at]:.9g}"
    for (old, new), points in sorted(changes.items()):
        yield f"status  {points:,} points: {STATUS_MEANINGS[old]} and {STATUS_MEANINGS[new]}"
    if count and a.name != STATUS:
        yield f"values  {a.name}: {count:,} of {_size(common):,} differ{where}"


def _parts(common: dict) -> Iterator[dict]:
    """Yield the labels of parts of a grid, each small enough to load at once."""
    if not _size(common):
        return
    first, *rest = common
    per_label = max(1, _size({dim: common[dim] for dim in rest}))
    step = max(1, _POINTS * 64 // per_label)
    for start in itertools.count(0, step):
        part = common[first][start : start + step]
        if not len(part):
            return
        yield {**common, first: part}


def _size(labels: dict) -> int:
    return int(np.prod([len(values) for values in labels.values()], dtype=np.int64))
