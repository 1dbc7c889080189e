"""A store's grid changed into another: what was computed is carried over by label, the rest is pending.

The new store is made whole beside the old one and takes its place in one step, so the old one stays usable
whatever happens on the way.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore import store as stores
from gbaexplore.errors import UserError
from gbaexplore.history import Log, copy_history
from gbaexplore.labels import DIVERGED, OK, STATUS
from gbaexplore.places import remote

if TYPE_CHECKING:
    import xarray as xr

TOLERANCE = 1e-9
"""Relative: numbers on an axis that differ by less are one label."""


@dataclass(frozen=True)
class Extension:
    """How an old grid lies in a new one."""

    origins: tuple[np.ndarray, ...]
    """For each axis of the new grid, in order: where each value is in the old one, -1 if it is new."""
    pending: np.ndarray
    """bool, over the new grid: what has to be computed."""
    dropped: int
    """How many computed points the new grid does not have."""

    same_grid: bool
    """Whether both grids have the same labels in the same order, but for differences within the tolerance."""

    @property
    def carried(self) -> int:
        """How many computed points are carried over."""
        return int(self.pending.size - self.pending.sum())

    def __str__(self) -> str:
        dropped = f", {self.dropped:,} dropped" if self.dropped else ""
        return f"{self.carried:,} carried over, {int(self.pending.sum()):,} new{dropped}"


def extension(path: Path, wanted: dict[str, Any], template: xr.Dataset, shrink: bool) -> Extension:
    """Return how the store at `path` becomes one of another grid.

    Args:
        wanted: the recipe of the study. template: its Dataset.
        shrink: whether values that the study no longer has may be dropped.

    Raises:
        UserError: the store differs in more than its axes' values; it has values that the study has not;
            it is in an object store, and its grid would change.
    """
    old = stores.recipe(path)
    stores.check_same_recipe(path, _but_axes(old, wanted), _but_axes(wanted, old))
    ours, theirs = _labels(wanted), _labels(old)
    origins = tuple(_origin(theirs[axis], labels) for axis, labels in ours.items())
    _check_derived(path, wanted, template, dict(zip(ours, origins)))
    gone = {
        axis: [label for i, label in enumerate(theirs[axis]) if i not in set(origin.tolist())]
        for axis, origin in zip(ours, origins)
    }
    if any(gone.values()) and not shrink:
        lost = "; ".join(f"{axis}: {stores.short(labels)}" for axis, labels in gone.items() if labels)
        raise UserError(
            f"{path} holds values that the study no longer has ({lost}); give the study another name to keep them, "
            "or add --shrink to drop them"
        )
    state = stores.status(path)
    done = (state == OK) | (state == DIVERGED)
    pending = ~_taken(done, origins)
    same = all(np.array_equal(origin, np.arange(len(theirs[axis]))) for axis, origin in zip(ours, origins))
    if remote(path) and not same:
        raise UserError(
            f"{path} has another grid than the study; an object store can't change a store's grid in one step: copy it "
            "to a folder, run the study there, and copy it back; or give the study another name"
        )
    return Extension(origins, pending, int(done.sum() - (~pending).sum()), same)


def extend(path: Path, template: xr.Dataset, inputs: Mapping[str, xr.Dataset], change: Extension) -> None:
    """Replace the store at `path` by one of the template's grid, with what is carried over.

    Raises:
        UserError: the place can't be written to.
    """
    with stores.staged(path, template, inputs) as new:
        for block in itertools.product(*(_slices(sizes) for sizes in template[STATUS].chunksizes.values())):
            which = ~change.pending[block]
            if which.any():
                stores.write_block(new, block, _carried(path, block, change.origins, which), which)
        copy_history(path, new)
        Log(new).add("extended", carried=change.carried, new=int(change.pending.sum()), dropped=change.dropped)


def _labels(recipe: dict[str, Any]) -> dict[str, list[Any]]:
    """Every axis' labels, in the grid's order."""
    order = recipe["order"]
    return {axis: order.get(axis, recipe["axes"][axis]) for axis in order["axes"]}


def _origin(old: list[Any], new: list[Any]) -> np.ndarray:
    """Where each new label is among the old ones; -1 if it is not."""
    if not all(isinstance(label, (int, float)) for label in [*old, *new]):
        return np.array([old.index(label) if label in old else -1 for label in new])
    a, b = np.asarray(old, float), np.asarray(new, float)
    order = np.argsort(a)
    at = np.clip(np.searchsorted(a[order], b), 0, len(a) - 1)
    # The nearest is at the place where it would be inserted, or the one before.
    before = np.clip(at - 1, 0, len(a) - 1)
    nearer = np.where(np.abs(a[order][before] - b) < np.abs(a[order][at] - b), before, at)
    found = order[nearer]
    return np.where(np.abs(a[found] - b) <= TOLERANCE * np.abs(b), found, -1)


def _but_axes(recipe: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """A recipe without what a change of axes changes: their values, labels that one lacks, derived values."""
    common = recipe["variants"].keys() & other["variants"].keys()
    return {
        **recipe,
        "order": recipe["order"]["axes"],
        "axes": {
            axis: {k: v for k, v in values.items() if k in other["axes"].get(axis, {})}
            if isinstance(values, dict)
            else ""
            for axis, values in recipe["axes"].items()
        },
        "variants": {
            label: {**variant, "derived": {name: entry["along"] for name, entry in variant["derived"].items()}}
            for label, variant in recipe["variants"].items()
            if label in common
        },
    }


def _in_both(labels: Any, others: Any) -> Any:
    """What labels stand for that both grids have; of numbers, only that they are numbers."""
    if isinstance(labels, dict) and isinstance(others, dict):
        return {label: thing for label, thing in labels.items() if label in others}
    return "labels" if isinstance(labels, dict) else "numbers"


def _check_derived(path: Path, wanted: dict[str, Any], template: xr.Dataset, origins: dict[str, np.ndarray]) -> None:
    """Raise UserError if a derived parameter has other values at labels that are in both grids."""
    import xarray as xr

    old = stores.open_study(path)
    names = {name for variant in wanted["variants"].values() for name in variant["derived"]}
    for name in sorted(names):
        both = {axis: origin >= 0 for axis, origin in origins.items()}
        ours = template[name].isel({a: np.flatnonzero(k) for a, k in both.items() if a in template[name].dims})
        theirs = old[name].isel({a: origins[a][k] for a, k in both.items() if a in old[name].dims})
        # By position: the labels may differ by less than the tolerance.
        a, b = xr.broadcast(*(array.drop_vars(list(array.coords)) for array in (ours, theirs)))
        if not np.allclose(a.values, b.values, rtol=TOLERANCE, atol=0.0):
            raise UserError(
                f'{path} holds another study\'s results (derived "{name}" has other values there); expected the same '
                "function: change the study's name, choose another --store, or remove the old one"
            )


def _taken(old: np.ndarray, origins: tuple[np.ndarray, ...]) -> np.ndarray:
    """Values of the old grid (bool) at the new one's points; False where a point is new."""
    found = old[np.ix_(*(np.maximum(origin, 0) for origin in origins))]
    return found & functools.reduce(np.logical_and.outer, [origin >= 0 for origin in origins])


def _slices(sizes: tuple[int, ...]) -> list[slice]:
    ends = list(itertools.accumulate(sizes))
    return [slice(end - size, end) for size, end in zip(sizes, ends)]


def _carried(
    path: Path, block: tuple[slice, ...], origins: tuple[np.ndarray, ...], which: np.ndarray
) -> dict[str, np.ndarray]:
    """The old store's values of a new block's points that are carried over, the point first."""
    import zarr

    parts = [origin[part] for origin, part in zip(origins, block)]
    both = [np.flatnonzero(part >= 0) for part in parts]
    # Only from labels that are in both grids, in whose product all of `which` lies.
    chosen = which[np.ix_(*both)]
    old = tuple(part[part >= 0] for part in parts)
    group = zarr.open_group(path, mode="r")
    return {name: np.asarray(group[name].oindex[old])[chosen] for name in stores.variables(path)}  # type: ignore[union-attr]
