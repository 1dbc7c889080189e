"""Checks of what a connectome is made of: arrays, names, metadata."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from gbaexplore.basics.errors import UserError, shown
from gbaexplore.basics.numbers import number
from gbaexplore.networks import folders, tables

HIERARCHY = "hierarchy"
"""The one name of values that has a meaning here: positions from 0 (lowest) to 1 (highest)."""
SIDES = ("target", "source")
ATTRIBUTES = ("long_name", "units")
_NAME = re.compile(r"[^\s./\\]([^/\\]*[^\s/\\])?")  # names of variables in stores, and of files


def bounds_of(name: str) -> tuple[float, float]:
    """Return the smallest and the largest value that values of this name may have."""
    return (0.0, 1.0) if name == HIERARCHY else (-np.inf, np.inf)


def checked(
    values: Any, shape: tuple[int, ...], what: str, areas: tuple[str, ...], least: float = -np.inf, most: float = np.inf
) -> np.ndarray:
    """Return `values` as a read-only float64 array; raise UserError with the first wrong position.

    The array is a copy, unless `values` is read-only itself: variants share matrices.
    """
    fixed = type(values) is np.ndarray and values.dtype == np.float64 and values.flags.owndata
    array = values if fixed and not values.flags.writeable else tables.aligned(values, areas, what)
    if array.shape != shape:
        expected = "x, y and z" if what.endswith("positions_mm") else ("a value", "one row and column")[len(shape) - 1]
        raise UserError(f"{what} has shape {array.shape}; expected {shape}: {expected} for each area")
    bad = ~np.isfinite(array) | (array < least) | (array > most)
    if bad.any():
        where = tuple(int(i) for i in np.argwhere(bad)[0])
        at = "<-".join(areas[i] for i in where) if shape == (len(areas),) * len(shape) else areas[where[0]]
        expected = "finite values" + (" >= 0" if least == 0 else "")
        if most < np.inf:
            expected = f"values from {least:g} to {most:g}: divide them by the largest"
        raise UserError(f"{what} is {array[where]:g} at {at}; expected {expected}")
    array.setflags(write=False)
    return array


def by_name(given: Any, what: str) -> dict[str, Any]:
    """Return a copy of a mapping from names to arrays; refuse names that a store or a file can't have."""
    if not isinstance(given, Mapping):
        raise UserError(f"{what} is {type(given).__name__}; expected a mapping, name -> array")
    for name in given:
        if not isinstance(name, str) or not _NAME.fullmatch(name) or not name.isprintable():
            raise UserError(
                f"{what} has the name {shown(name)}; expected text without blanks around it, a slash in it or a point "
                "before it"
            )
    return dict(given)


def attribute_names(given: Any, what: str) -> Sequence[str]:
    """Return a list of names of attributes; refuse anything else, a single text too."""
    if isinstance(given, str) or not isinstance(given, Sequence):
        raise UserError(f"{what} is {shown(given)}; expected a list of names of attributes")
    return given


def check_names(known: list[str], at: str) -> None:
    """Refuse names that are used twice, or reserved."""
    for name in known:
        if known.count(name) > 1 or name in ("area", "axis", *SIDES, *folders.PLACES, "name"):
            raise UserError(f'{at}"{name}" is the name of something else already; expected another: rename it')


def about_of(given: Any, known: list[str], at: str) -> dict[str, dict[str, str]]:
    """Return the metadata of the known names; refuse any other attribute than those of `ATTRIBUTES`."""
    found = {name: dict(said) for name, said in by_name(given, f"{at}about").items()}
    for name, said in found.items():
        for key, text in said.items():
            if key not in ATTRIBUTES or not isinstance(text, str):
                raise UserError(f'{at}about["{name}"] has {key} = {shown(text)}; expected long_name or units, as text')
    return {name: said for name, said in found.items() if said and name in known}  # a variant may lack some


def described(attrs: Mapping[Any, Any]) -> dict[str, str]:
    """Return the attributes that describe an array, those of `ATTRIBUTES`."""
    return {key: str(attrs[key]) for key in ATTRIBUTES if key in attrs}


def at_least_0(value: Any, what: str) -> float:
    """Return a number of at least 0."""
    found = number(value, what)
    if found < 0:
        raise UserError(f"{what} = {found:g}; expected a number of at least 0")
    return found
