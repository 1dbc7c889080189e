"""The parts of a connectome as a Dataset, and back."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.networks.checks import SIDES, described

if TYPE_CHECKING:
    import xarray as xr

OWN = ("weights", "lengths_mm", "positions_mm")
ROLE = "role"
_GROUPS = ("values", "further_weights", "pathway_values")


def dataset_of(
    name: str, areas: tuple[str, ...], parts: Mapping[str, Any], attributes: Callable[[str], Mapping[str, str]]
) -> xr.Dataset:
    """Return a labelled copy of parts: values (area), matrices (target, source), positions (area, axis).

    Args:
        parts: of `Connectome`, by the names of its fields.
        attributes: returns what is said of an array.
    """
    import xarray as xr

    found: dict[str, Any] = {own: ("area", array.copy(), attributes(own)) for own, array in parts["values"].items()}
    for own in ("weights", "lengths_mm"):
        if parts[own] is not None:
            found[own] = (SIDES, parts[own].copy(), attributes(own))
    for role in _GROUPS[1:]:
        for own, array in parts[role].items():
            found[own] = (SIDES, array.copy(), {**attributes(own), ROLE: role})
    if parts["positions_mm"] is not None:
        found["positions_mm"] = (("area", "axis"), parts["positions_mm"].copy(), attributes("positions_mm"))
    return xr.Dataset(found, _coordinates(areas, "positions_mm" in found), {"name": name})


@functools.lru_cache(maxsize=8)
def _coordinates(areas: tuple[str, ...], positions: bool) -> Any:
    """Return the coordinates of a Dataset; making them takes most of the time that many of the same areas take."""
    import xarray as xr

    labels = np.array(areas, dtype=object)
    found = {"area": labels, "target": labels, "source": labels}
    return xr.Dataset(coords=found | ({"axis": np.array(["x", "y", "z"], dtype=object)} if positions else {})).coords


def parts_of(ds: xr.Dataset) -> dict[str, Any]:
    """Return the arguments of `Connectome` that are in a Dataset of `dataset_of`."""
    groups: dict[str, dict[str, Any]] = {group: {} for group in _GROUPS}
    for name, array in ds.data_vars.items():
        group = "values" if array.ndim == 1 else array.attrs.get(ROLE, "")
        if group in groups:
            groups[group][str(name)] = array.values
    own: dict[str, Any] = {name: ds[name].values for name in OWN if name in ds}
    about = {str(name): described(array.attrs) for name, array in ds.data_vars.items()}
    return {"name": ds.attrs["name"], "areas": tuple(map(str, ds["area"].values)), "about": about, **own, **groups}
