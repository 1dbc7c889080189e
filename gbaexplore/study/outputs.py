"""A study's output: the variables of its measures and their coordinates."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from gbaexplore.basics.errors import UserError, unknown
from gbaexplore.basics.names import AREA, DIVERGED, OK, STATUS, UNDEFINED
from gbaexplore.measures.base import Measure, Variable, without_diverged
from gbaexplore.study.grid import Grid
from gbaexplore.study.variants import Variant

_RESERVED = (AREA, STATUS, "connectomes", "stimuli")  # names of coordinates and of groups in a store


@dataclass(frozen=True, eq=False)
class Outputs:
    """The variables of a study and their coordinates.

    Args:
        variant: any variant of the study; all have the same areas and observables.

    Raises:
        UserError: a measure of an observable that the model lacks; an axis with a reserved name.
    """

    measures: tuple[Measure, ...]
    grid: Grid
    variant: Variant
    dt: float
    n_steps: int

    def __post_init__(self) -> None:
        model = self.variant.model
        for measure in self.measures:
            of = getattr(measure, "of", None)
            if of is not None and of not in model.observables:
                what = f'{type(measure).__name__}(of="{of}"): no such observable in {type(model).__name__}'
                raise UserError(unknown(what, of, model.observables, "Observables"))
        clash = {*self._reserved, *self.coordinates()} & set(self.grid.names)
        if clash:
            raise UserError(f'axis "{min(clash)}" uses a reserved name; rename it')

    @property
    def _reserved(self) -> tuple[str, ...]:
        return (*_RESERVED, *self.variant.connectome.values)

    @functools.cached_property
    def variables(self) -> dict[str, Variable]:
        """The variables of the measures, without `status`."""
        model = self.variant.model
        found: dict[str, Variable] = {}
        for measure in self.measures:
            for name, variable in measure.variables(model).items():
                if name + measure.suffix in (
                    *found,
                    *self.grid.names,
                    *self.grid.listed,
                    *self._reserved,
                    *self.coordinates(),
                ):
                    raise UserError(
                        f'two measures make "{name + measure.suffix}" (or an axis has that name); '
                        f'give one a suffix: {type(measure).__name__}(..., suffix="_late")'
                    )
                unknown = set(variable.dims) - set(self.coordinates())
                if unknown:
                    raise UserError(
                        f'{type(measure).__name__}: "{name}" has the dimension "{min(unknown)}"; expected one of '
                        f"{', '.join(self.coordinates())}, or one that its coordinates() give"
                    )
                found[name + measure.suffix] = variable
        return found

    def finite(self, values: dict[str, np.ndarray], status: np.ndarray, precision: str) -> dict[str, np.ndarray]:
        """Return points' variables, (point, ...), as they are stored: finite, or NaN for a reason.

        Values are missing where a point diverged. A point that is ok becomes "undefined" if a value is not finite
        and its variable does not say that it may be missing.
        """
        with np.errstate(over="ignore"):
            numbers = {name: array.astype(precision) for name, array in values.items()}
        found = without_diverged(numbers, self.variables, status == DIVERGED)
        undefined = np.zeros(status.shape, bool)
        for name, array in found.items():
            wrong = np.isinf(array) if self.variables[name].missing else ~np.isfinite(array)
            undefined |= wrong.reshape(len(status), -1).any(axis=1)
            found[name] = np.where(np.isinf(array), np.array(np.nan, array.dtype), array)
        return found | {STATUS: np.where(undefined & (status == OK), UNDEFINED, status).astype(np.uint8)}

    def coordinates(self) -> dict[str, tuple[np.ndarray, dict[str, str]]]:
        """Return the coordinate values and attributes of each dimension that is not an axis of the grid."""
        connectome = self.variant.connectome
        found = {AREA: (np.array(connectome.areas, dtype=object), {"long_name": "cortical area"})}
        for measure in self.measures:
            for name, (values, attrs) in measure.coordinates(connectome, self.dt, self.n_steps).items():
                if name in found and not np.array_equal(found[name][0], values):
                    raise UserError(
                        f'two measures have different values along "{name}"; '
                        f'give one a suffix: {type(measure).__name__}(..., suffix="_late")'
                    )
                found[name] = (values, attrs)
        return found

    def bytes_per_point(self, precision: str) -> int:
        """Return the size of all variables of one point, bytes."""
        lengths = {name: len(values) for name, (values, _) in self.coordinates().items()}
        item = np.dtype(precision).itemsize
        return sum(item * math.prod([lengths[d] for d in v.dims]) for v in self.variables.values())


def measures_of(given: Any) -> tuple[Measure, ...]:
    """Return a study's measures.

    Raises:
        UserError: they are not a list of measures, or there are none.
    """
    if not isinstance(given, (list, tuple)):
        raise UserError(f"measures is {type(given).__name__}; expected a list, such as [Peak()]")
    for measure in given:
        if not isinstance(measure, Measure):
            raise UserError(f"measures has {measure!r}; expected measures such as Peak() or Mean()")
        if not isinstance(measure.suffix, str):
            raise UserError(f'{type(measure).__name__}(suffix={measure.suffix!r}): expected text, such as "_late"')
        of = getattr(measure, "of", None)
        if of is not None and not isinstance(of, str):
            raise UserError(f"{type(measure).__name__}(of={of!r}): expected the name of an observable, or None")
    if not given:
        raise UserError("the study has no measures, so nothing would come out; expected e.g. measures=[Peak()]")
    return tuple(given)
