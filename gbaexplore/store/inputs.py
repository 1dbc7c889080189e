"""Connectomes and stimuli in a store: many of one shape are one group, because each array of a group is some files."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import xarray as xr

_STACKS = "stacks"  # attribute of the group of a kind: name of a connectome or stimulus -> the group that it is in
_STACKED = "stacked"  # dimension of such a group, and its attribute: [name, attributes] of each, in order
_CHUNK_BYTES = 2**23


def input_name(kind: str, identity: Any) -> str:
    """Return the zarr group of a connectome or stimulus, given its recipe entry."""
    return f"{kind}/{hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]}"


def stacked(inputs: Mapping[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    """Return what is written of connectomes and stimuli, by group: those that differ in numbers alone are one Dataset.

    Args:
        inputs: by `input_name`.
    """
    alike: dict[Any, list[str]] = {}
    for group, ds in inputs.items():
        alike.setdefault((group.partition("/")[0], _shape_of(ds)), []).append(group)
    single: dict[str, xr.Dataset] = {}
    stacks: dict[str, xr.Dataset] = {}
    indices: dict[str, dict[str, str]] = {}
    for (kind, _), groups in alike.items():
        if len(groups) == 1:
            single[groups[0]] = inputs[groups[0]]
            continue
        own = f"{kind}/stack{len(stacks)}"
        stacks[own] = _stack([inputs[group] for group in groups], [group.rpartition("/")[2] for group in groups])
        indices.setdefault(kind, {}).update({group: own for group in groups})
    return {**{kind: _index(found) for kind, found in indices.items()}, **stacks, **single}


def read(store: Any, group: str) -> xr.Dataset:
    """Return a connectome or stimulus of a store, given its `input_name`, wherever it is."""
    import xarray as xr
    import zarr

    kind, _, name = group.partition("/")
    index = json.loads(str(zarr.open_group(store, path=kind, mode="r").attrs.get(_STACKS, "{}")))
    found = xr.open_zarr(store, group=index.get(group, group), consolidated=False, chunks=None)
    if group in index:
        members = json.loads(found.attrs[_STACKED])
        at = [member for member, _ in members].index(name)
        found = found.isel({_STACKED: at}).assign_attrs(members[at][1])
        del found.attrs[_STACKED]
    return found.load()


def _shape_of(ds: xr.Dataset) -> Any:
    """Return what has to be the same in Datasets of one stack: all but the numbers, and the coordinates."""
    # Variables, since to make a DataArray of each takes longer than all that follows.
    parts = ds.variables
    coordinates = tuple((str(name), tuple(parts[name].values.tolist())) for name in ds.coords)
    arrays = ((name, parts[name]) for name in ds.data_vars)
    return coordinates, tuple(
        (str(name), array.dims, array.shape, str(array.dtype), json.dumps(array.attrs, sort_keys=True, default=str))
        for name, array in arrays
    )


def _stack(datasets: list[xr.Dataset], names: list[str]) -> xr.Dataset:
    import numpy as np
    import xarray as xr

    found = xr.Dataset(coords=datasets[0].coords)
    for variable, first in datasets[0].data_vars.items():
        values = np.stack([ds.variables[variable].values for ds in datasets])
        found[variable] = ((_STACKED, *first.dims), values, first.attrs)
        most = max(1, _CHUNK_BYTES // max(1, first.nbytes))
        found[variable].encoding["chunks"] = (min(most, len(names)), *first.shape)
    found.attrs[_STACKED] = json.dumps([[name, ds.attrs] for name, ds in zip(names, datasets)])
    return found


def _index(groups: Mapping[str, str]) -> xr.Dataset:
    import xarray as xr

    return xr.Dataset(attrs={_STACKS: json.dumps(groups)})
