"""Changing a store's grid: computed points are carried over by label, the rest are pending.

The new store is built beside the old one and replaces it in one step, so the old one stays usable until then.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.names import STATUS
from gbaexplore.basics.places import remote
from gbaexplore.store import making, stores
from gbaexplore.store.grown import TOLERANCE
from gbaexplore.store.history import Log, copy_history
from gbaexplore.store.recipe import short, tables

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Extension:
    """How the points of an old grid map onto a new one."""

    axes: tuple[str, ...]
    """The axes of the new grid, in order."""
    origins: tuple[np.ndarray, ...]
    """For each of them: each value's position in the old grid, -1 if it is new."""
    pending: np.ndarray
    """Mask over the new grid of the points to compute."""
    dropped: int
    """Number of computed points that the new grid lacks."""

    same_grid: bool
    """Whether both grids have the same axes and labels, within the tolerance, in the same order."""
    before: Mapping[str, Any]
    """New axes, each with the label at which the old grid's points are."""

    @property
    def added(self) -> tuple[int, ...]:
        """Positions of the new axes in the new grid."""
        return tuple(i for i, axis in enumerate(self.axes) if axis in self.before)

    @property
    def carried(self) -> int:
        """Number of computed points that are carried over."""
        return int(self.pending.size - self.pending.sum())

    def __str__(self) -> str:
        dropped = f", {self.dropped:,} dropped" if self.dropped else ""
        at = ", ".join(f"{axis} = {label}" for axis, label in self.before.items())
        return f"{self.carried:,} carried over{f' to {at}' if at else ''}, {int(self.pending.sum()):,} new{dropped}"


def extension(
    path: Path,
    old: dict[str, Any],
    wanted: dict[str, Any],
    template: xr.Dataset,
    shrink: bool,
    before: Mapping[str, Any] = MappingProxyType({}),
) -> Extension:
    """Return how the grid of the store at `path` becomes the study's.

    Args:
        old: the store's recipe. wanted: that of the study at the labels `before`. template: the study's empty Dataset.
        shrink: whether values that the study no longer has are dropped.
        before: axes that the store lacks, each with the label at which its points are; see `grown`.

    Raises:
        UserError: the store differs in more than its axes' values; it has values, or rows of a table, that the
            study has not; it is in an object store, and its grid would change.
    """
    stores.check_same_recipe(path, but_axes(old, wanted), but_axes(wanted, old))
    there = stores.open_study(path)
    axes = tuple(map(str, template[STATUS].dims))
    ours = {axis: template[axis].values for axis in axes}
    theirs = {axis: np.array([before[axis]]) if axis in before else there[axis].values for axis in axes}
    # A row is identified by its label and its values: with other values it is another point.
    changed = {axis: _changed(there, template, axis, columns) for axis, columns in tables(wanted).items()}
    origins = tuple(_origin(theirs[axis], labels, changed.get(axis)) for axis, labels in ours.items())
    _check_derived(path, there, wanted, template, dict(zip(ours, origins)))
    if not shrink:
        _check_kept(path, theirs, dict(zip(ours, origins)), changed)
    done = np.expand_dims(~stores.unfinished(path), [i for i, axis in enumerate(axes) if axis in before])
    pending = ~_taken(done, origins)
    same = not before and all(
        np.array_equal(origin, np.arange(len(theirs[axis]))) for axis, origin in zip(ours, origins)
    )
    if remote(path) and not same:
        raise UserError(
            f"{path} has another grid than the study; an object store can't change a store's grid in one step: copy it "
            "to a folder, run the study there, and copy it back; or give the study another name"
        )
    return Extension(axes, origins, pending, int(done.sum() - (~pending).sum()), same, dict(before))


def extend(path: Path, template: xr.Dataset, inputs: Mapping[str, xr.Dataset], change: Extension) -> None:
    """Replace the store at `path` by one with the template's grid, carrying computed points over.

    Raises:
        UserError: the folder can't be written to.
    """
    with making.staged(path, template, inputs) as new:
        for block in itertools.product(*(_slices(sizes) for sizes in template[STATUS].chunksizes.values())):
            which = ~change.pending[block]
            if which.any():
                stores.write_block(new, block, carried(path, block, change, which), which)
        copy_history(path, new)
        Log(new).add("extended", carried=change.carried, new=int(change.pending.sum()), dropped=change.dropped)


def _changed(old: xr.Dataset, new: xr.Dataset, axis: str, columns: list[str]) -> np.ndarray:
    """Return the labels of the table's rows that have other values in the new grid, ascending."""
    both, here, there = np.intersect1d(old[axis].values, new[axis].values, return_indices=True)
    pairs = ((old[name].values[here], new[name].values[there]) for name in columns)
    return both[np.any([~np.isclose(b, a, rtol=TOLERANCE, atol=0.0) for a, b in pairs], axis=0)]


def _check_kept(
    path: Path, old: dict[str, np.ndarray], origins: dict[str, np.ndarray], changed: dict[str, np.ndarray]
) -> None:
    """Raise UserError, naming them, if the new grid lacks labels of the old one."""
    lost = []
    for axis, origin in origins.items():
        other = changed.get(axis, np.empty(0))
        gone = np.delete(old[axis], origin[origin >= 0])
        gone = gone[~np.isin(gone, other)] if len(other) else gone
        lost += [f"{axis}: {short(gone.tolist())}"] if len(gone) else []
        lost += [f"{axis}: {short(other.tolist())}, with other parameters now"] if len(other) else []
    if lost:
        raise UserError(
            f"{path} holds values that the study no longer has ({'; '.join(lost)}); give the study another name to "
            "keep them, or add --shrink to drop them"
        )


def _origin(old: np.ndarray, new: np.ndarray, changed: np.ndarray | None = None) -> np.ndarray:
    """Return each new label's position among the old ones; -1 if it is missing or stands for something else."""
    if old.dtype.kind not in "iuf" or new.dtype.kind not in "iuf":
        place = {label: i for i, label in enumerate(old.tolist())}
        return np.array([place.get(label, -1) for label in new.tolist()])
    a, b = old.astype(float), new.astype(float)
    order = np.argsort(a)
    at = np.clip(np.searchsorted(a[order], b), 0, len(a) - 1)
    # The nearest is at the position where it would be inserted, or one before.
    before = np.clip(at - 1, 0, len(a) - 1)
    nearer = np.where(np.abs(a[order][before] - b) < np.abs(a[order][at] - b), before, at)
    found = order[nearer]
    kept = np.abs(a[found] - b) <= TOLERANCE * np.abs(b)
    if changed is not None:
        kept &= (old[found] == new) & ~np.isin(new, changed)
    return np.where(kept, found, -1)


def but_axes(recipe: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Return a recipe without what changes with the axes: values, labels that one lacks, derived values."""
    common = recipe["variants"].keys() & other["variants"].keys()
    return {
        **recipe,
        "order": recipe["order"]["axes"],
        "axes": {axis: _meaning(recipe, other, axis) for axis in recipe["axes"]},
        "variants": {
            label: {**variant, "derived": {name: entry["along"] for name, entry in variant["derived"].items()}}
            for label, variant in recipe["variants"].items()
            if label in common
        },
    }


def _meaning(recipe: dict[str, Any], other: dict[str, Any], axis: str) -> Any:
    """Return what an axis's labels stand for, if both grids have them; a table's parameters."""
    if axis in tables(recipe):
        return sorted(tables(recipe)[axis])
    values = recipe["axes"][axis]
    if isinstance(values, dict):
        return {label: thing for label, thing in values.items() if label in other["axes"].get(axis, {})}
    return ""


def _check_derived(
    path: Path, old: xr.Dataset, wanted: dict[str, Any], template: xr.Dataset, origins: dict[str, np.ndarray]
) -> None:
    """Raise UserError if a derived parameter has other values at labels that both grids have."""
    import xarray as xr

    names = {name for variant in wanted["variants"].values() for name in variant["derived"]}
    for name in sorted(names):
        both = {axis: origin >= 0 for axis, origin in origins.items()}
        ours = template[name].isel({a: np.flatnonzero(k) for a, k in both.items() if a in template[name].dims})
        theirs = old[name].isel({a: origins[a][k] for a, k in both.items() if a in old[name].dims})
        # By position, since labels may differ within the tolerance.
        a, b = xr.broadcast(*(array.drop_vars(list(array.coords)) for array in (ours, theirs)))
        if not np.allclose(a.values, b.values, rtol=TOLERANCE, atol=0.0):
            raise UserError(
                f'{path} holds another study\'s results (derived "{name}" has other values there); expected the same '
                "function: change the study's name, choose another --store, or remove the old one"
            )


def _taken(old: np.ndarray, origins: tuple[np.ndarray, ...]) -> np.ndarray:
    """Return a mask of the old grid at the new grid's points; False where a point is new."""
    found = old[np.ix_(*(np.maximum(origin, 0) for origin in origins))]
    return found & functools.reduce(np.logical_and.outer, [origin >= 0 for origin in origins])


def _slices(sizes: tuple[int, ...]) -> list[slice]:
    ends = list(itertools.accumulate(sizes))
    return [slice(end - size, end) for size, end in zip(sizes, ends)]


def carried(path: Path, block: tuple[slice, ...], change: Extension, which: np.ndarray) -> dict[str, np.ndarray]:
    """Return the old store's values, (point, ...), of a new block's points that are carried over."""
    import zarr

    parts = [origin[part] for origin, part in zip(change.origins, block)]
    both = [np.flatnonzero(part >= 0) for part in parts]
    # Only labels that both grids have; all of `which` lies in their product.
    chosen = which[np.ix_(*both)]
    old = tuple(part[part >= 0] for i, part in enumerate(parts) if i not in change.added)
    group = zarr.open_group(stores.zarr_store(path), mode="r")
    found = {name: np.asarray(group[name].oindex[old]) for name in stores.variables(path)}  # type: ignore[union-attr]
    return {name: np.expand_dims(array, change.added)[chosen] for name, array in found.items()}
