"""The empty Dataset that a store starts from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.basics.names import AREA, MISSING, STATUS, STATUS_ATTRS, stored_name
from gbaexplore.basics.points import AMPLITUDE, SEED
from gbaexplore.store.recipe import RECIPE
from gbaexplore.study.simulation import Simulation
from gbaexplore.study.values import Values
from gbaexplore.study.variants import Variant

if TYPE_CHECKING:
    import xarray as xr


def template(simulation: Simulation, recipe: dict[str, Any]) -> xr.Dataset:
    """Return the empty Dataset that a store starts from: all coordinates, no value computed (status 0)."""
    import dask.array as da
    import xarray as xr

    settings, values, outputs = simulation.settings, simulation.values, simulation.outputs
    grid, blocks, variant = values.grid, simulation.blocks, outputs.variant
    ds = xr.Dataset()
    for name in grid.names:
        attrs = {"long_name": name} | ({"units": "1"} if name in grid.tables else {})
        ds.coords[name] = (name, grid.labels(name), attrs)
    for name, (axis, listed) in grid.listed.items():
        typed = listed.astype(int if name == SEED else float)
        ds.coords[name] = (axis, typed, _attributes(name, variant))
    extra = outputs.coordinates()
    for name, (along, attrs) in extra.items():
        ds.coords[name] = (name, along, attrs)
    for measure in outputs.measures:
        ds = ds.assign_coords(measure.extra_coordinates(variant.model))
    for name in _values_of_areas(values):
        found = [variant.connectome.values[name] for variant in values.variants]
        attrs = variant.connectome.attributes(name)
        # Without a unit of 1, because titles show a selected area's value, as in "hierarchy = 0.4".
        told = {key: text for key, text in attrs.items() if (key, text) != ("units", "1")}
        ds.coords[name] = (*_over_labels(values, [AREA], found), told)
    for name in values.derived:
        ds.coords[name] = (*_derived_coordinate(values, name), _attributes(name, variant))
    for name, (dims, given) in _given_coordinates(values).items():
        ds.coords[stored_name(name, grid.categorical)] = (dims, given, _attributes(name, variant))
    for name, variable in outputs.variables.items():
        shape = grid.shape + tuple(len(extra[d][0]) for d in variable.dims)
        chunks = blocks.shape + shape[len(grid.shape) :]
        attrs = {"long_name": variable.long_name, "units": variable.units}
        attrs |= {"comment": variable.comment} if variable.comment else {}
        attrs |= {MISSING: variable.missing} if variable.missing else {}
        empty = da.full(shape, np.nan, dtype=settings.precision, chunks=chunks)
        ds[name] = ((*grid.names, *variable.dims), empty, attrs)
    ds[STATUS] = (tuple(grid.names), da.zeros(grid.shape, dtype="uint8", chunks=blocks.shape), STATUS_ATTRS)
    ds.attrs = {"title": settings.name, "Conventions": "CF-1.11", RECIPE: json.dumps(recipe)}
    return ds


def _derived_coordinate(values: Values, name: str) -> tuple[list[str], np.ndarray]:
    """Return a derived parameter's dimensions and values: its numeric axes, and labels on which it depends."""
    found = [values.derived_of(variant)[name] for variant in values.variants]
    return _over_labels(values, found[0][0], [part for _, part in found])


def _given_coordinates(values: Values) -> dict[str, tuple[list[str], np.ndarray]]:
    """Return dimensions and values of parameters that labels give, or that have a number for each area."""
    variants = list(values.variants)
    by_label = dict.fromkeys(name for variant in variants for name in variant.parameters)
    found = {}
    for name in by_label:
        if name not in values.by_area:
            given = [np.array(values.base(variant).get(name, np.inf)) for variant in variants]  # an infinite velocity
            found[name] = _over_labels(values, [], given)
    for name in values.by_area:
        found[name] = _over_labels(values, [AREA], [values.of_areas(variant)[name] for variant in variants])
    return found


def _values_of_areas(values: Values) -> list[str]:
    """Return the names of what is known of the areas in all of a study's connectomes."""
    first, *others = (variant.connectome.values for variant in values.variants)
    return [name for name in first if all(name in known for known in others)]


def _over_labels(values: Values, dims: list[str], found: list[np.ndarray]) -> tuple[list[str], np.ndarray]:
    """Return dimensions and values of what each variant has, along the labels that make a difference."""
    counts = [len(labels) for labels in values.grid.categorical.values()]
    stacked = np.stack(found).reshape(*counts, *found[0].shape)
    dims = [*values.grid.categorical, *dims]
    for axis in values.grid.categorical:
        at = dims.index(axis)
        first = np.take(stacked, [0], axis=at)
        if np.array_equal(stacked, np.broadcast_to(first, stacked.shape)):
            stacked = first.squeeze(at)
            dims.remove(axis)
    return dims, stacked


def _attributes(name: str, variant: Variant) -> dict[str, str]:
    if name == AMPLITUDE:
        return {"units": variant.model.units_of(name), "long_name": "stimulus amplitude"}
    if name == SEED:
        return {"units": "1", "long_name": "seed of the noise"}
    if name not in type(variant.model).parameters():
        return {"units": "1", "long_name": name}  # of which a parameter is a function
    info = type(variant.model).parameters()[name]
    return {"units": info.units, "long_name": info.doc}
