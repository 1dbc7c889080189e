"""The labelled axes of a study: numbers, labels that stand for objects, tables of points."""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.numbers import coordinates
from gbaexplore.models.base import Model
from gbaexplore.networks.connectome import Connectome
from gbaexplore.stimuli.base import AbstractStimulus
from gbaexplore.stimuli.inputs import inputs_given
from gbaexplore.study.table import Table, is_table, table


@dataclass(frozen=True, eq=False)
class Grid:
    """The axes of a study, in their order, by kind."""

    names: tuple[str, ...]
    numeric: dict[str, np.ndarray]
    categorical: dict[str, dict[str, tuple[Any, ...]]]
    tables: dict[str, Table]

    @classmethod
    def of(cls, axes: Any) -> Grid:
        """Return the grid of a study's `axes`.

        Raises:
            UserError: an axis without a name or values, or with values of a kind that can't be an axis.
        """
        grid = cls(tuple(mapping(axes, "axes")), {}, {}, {})
        for name, values in axes.items():
            if not name.isidentifier():
                raise UserError(f"axis name {name!r}: expected a name such as G or subject")
            if isinstance(values, Mapping):
                grid.categorical[name] = _labelled(name, values)
            elif is_table(values):
                grid.tables[name] = table(name, values)
            else:
                grid.numeric[name] = _numbers(name, values)
        return grid

    @functools.cached_property
    def shape(self) -> tuple[int, ...]:
        """Number of values along each axis."""
        return tuple(len(self.labels(name)) for name in self.names)

    @property
    def size(self) -> int:
        """Number of points."""
        return math.prod(self.shape)

    @property
    def numbers(self) -> int:
        """Number of points of each combination of labels."""
        return self.size // math.prod(len(labels) for labels in self.categorical.values())

    def labels(self, axis: str) -> np.ndarray:
        """Return the labels along an axis: numbers or words."""
        if axis in self.categorical:
            return np.array(list(self.categorical[axis]), dtype=object)
        return self.tables[axis].labels if axis in self.tables else self.numeric[axis]

    @functools.cached_property
    def listed(self) -> dict[str, tuple[str, np.ndarray]]:
        """Parameter -> its axis and the values along it, for numeric axes and for tables' columns."""
        columns = {name: (axis, v) for axis, listed in self.tables.items() for name, v in listed.columns.items()}
        return {name: (name, values) for name, values in self.numeric.items()} | columns


def mapping(value: Any, what: str) -> Mapping[str, Any]:
    """Return a checked copy of a mapping."""
    if not isinstance(value, Mapping):
        raise UserError(f"{what} is {type(value).__name__}; expected a mapping, such as {{'G': [0.5, 1.0]}}")
    for name in value:
        if not isinstance(name, str):
            raise UserError(f"{what} has the name {name!r}; expected text")
    return value


def _labelled(axis: str, values: Mapping[str, Any]) -> dict[str, tuple[Any, ...]]:
    """Return the objects that an axis's labels stand for."""
    if not values:
        raise UserError(f'axis "{axis}" is empty; expected at least one label')
    found = {}
    for label, value in values.items():
        if not isinstance(label, str) or not label:
            raise UserError(f'axis "{axis}" has the label {label!r}; expected text (write "on", not True)')
        several = isinstance(value, tuple) and any(isinstance(thing, _OBJECTS) or _is_inputs(thing) for thing in value)
        given = value if several else (value,)
        found[label] = tuple(inputs_given(thing) if _is_inputs(thing) else thing for thing in given)
        for thing in found[label]:
            if _kind(thing) is None:
                raise UserError(
                    f'axis "{axis}": "{label}" is {type(thing).__name__}; expected a connectome, a stimulus or a '
                    "model, values of parameters, or a tuple of them"
                )
    if len({tuple(_kind(thing) for thing in things) for things in found.values()}) > 1:
        raise UserError(f'axis "{axis}" mixes kinds of objects; expected the same kinds for each label')
    return found


def _is_inputs(thing: Any) -> bool:
    """Return whether it is stimuli by inputs, and not values by parameters."""
    return isinstance(thing, Mapping) and any(isinstance(part, AbstractStimulus) for part in thing.values())


_OBJECTS = (Connectome, AbstractStimulus, Model)


def is_object(thing: Any) -> bool:
    """Return whether what a label stands for is an object, and not values of parameters."""
    return isinstance(thing, _OBJECTS)


def _kind(thing: Any) -> type | None:
    if isinstance(thing, (Mapping, list, tuple, range, float, int)) or hasattr(thing, "__array__"):
        return Mapping
    return next((kind for kind in _OBJECTS if isinstance(thing, kind)), None)


def _numbers(axis: str, values: Any) -> np.ndarray:
    """Return the values of a numeric axis, canonical; sorted unless they ascend or descend already.

    Only on a monotonic axis can a Dataset find the nearest label.
    """
    try:
        found = coordinates(values, f'axis "{axis}"')
    except UserError as error:
        raise UserError(f"{error}, or a mapping from labels to connectomes, stimuli or models") from None
    unique, counts = np.unique(found, return_counts=True)
    if len(unique) < len(found):
        repeated = unique[counts > 1][0]
        raise UserError(f'axis "{axis}" has {repeated:.12g} more than once (to 12 digits); expected each value once')
    return found if np.array_equal(found, unique) or np.array_equal(found, unique[::-1]) else unique
