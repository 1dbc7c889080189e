"""Stores of earlier versions, in which points that diverged hold the values they had when they ended."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.basics.names import DIVERGED, MISSING, STATUS, STATUS_ATTRS

if TYPE_CHECKING:
    import xarray as xr

_IF_DIVERGED = ("spectral_abscissa", "calibrated_", "diverged_share")
"""Prefixes of the variables that have a value at points that diverged too."""
_SHARE, _SEEDS = "diverged_share", " over seeds: "


def made(path: Path) -> bool:
    """Return whether an earlier version made a store: its status has no word for undefined points."""
    return STATUS_ATTRS["flag_meanings"] != _attributes(path / STATUS).get("flag_meanings")


def _attributes(array: Path) -> dict[str, Any]:
    return json.loads((array / "zarr.json").read_text())["attributes"]


def as_of_today(ds: xr.Dataset) -> xr.Dataset:
    """Return such a store's Dataset with NaN where a point diverged, or diverged with some of the seeds."""
    shares = sorted((str(name) for name in ds.data_vars if str(name).startswith(_SHARE)), key=len)
    found = {}
    for name, array in ds.data_vars.items():
        if _SEEDS in array.attrs.get("long_name", ""):
            share = [share for share in shares if str(name).endswith(share.removeprefix(_SHARE))][-1]
            found[name] = array.where(ds[share] == 0)
        elif name != STATUS and not str(name).startswith(_IF_DIVERGED):
            found[name] = array.where(ds[STATUS] != DIVERGED)
    for array in found.values():
        if _SEEDS in array.attrs.get("long_name", ""):
            array.attrs[MISSING] = "with some seeds the point diverged, or there is no such value"
    return ds.assign(found | {STATUS: ds[STATUS].assign_attrs(STATUS_ATTRS)})


def connectome_of_today(ds: xr.Dataset) -> xr.Dataset:
    """Return a connectome as stores have it, by its variables' names of today."""
    if "fln" not in ds:
        return ds
    roles = {"fln_inhibitory": "further_weights", "sln": "pathway_values"}
    for name in roles.keys() & set(ds.data_vars):
        ds[name].attrs["role"] = roles[str(name)]
    names = {"fln": "weights", "wiring_mm": "lengths_mm", "fln_inhibitory": "inhibitory"}
    return ds.rename({old: new for old, new in names.items() if old in ds})


def describe(path: Path, ds: xr.Dataset) -> dict[str, Path]:
    """Write the attributes of such a Dataset's variables to a copy of its store; return the files that changed."""
    changed = {}
    for name, array in ds.data_vars.items():
        file = path / str(name) / "zarr.json"
        metadata = json.loads(file.read_text())
        own = {**metadata["attributes"], **{k: _plain(v) for k, v in array.attrs.items()}}
        if own != metadata["attributes"]:
            file.write_text(json.dumps({**metadata, "attributes": own}, indent=2))
            changed[str(file.relative_to(path))] = file
    return changed


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
