"""A study's output: the variables of its measures and their coordinates."""

from __future__ import annotations

import functools
import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

from gbaexplore.basics.errors import UserError, unknown
from gbaexplore.basics.names import AREA, DIVERGED, OK, STATUS, UNDEFINED
from gbaexplore.measures.base import Measure, StreamingMeasure, Variable, without_diverged
from gbaexplore.measures.signals import Signal
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
            for of in _observed(getattr(measure, "of", None)):
                if of not in model.observables:
                    what = f'{type(measure).__name__}(of="{of}"): no such observable in {type(model).__name__}'
                    raise UserError(unknown(what, of, model.observables, "Observables"))
            self._check_shape(measure)
            if isinstance(measure, StreamingMeasure):
                measure.sampling(self.dt, self.n_steps)
        clash = {*self._reserved, *self.coordinates()} & {*self.grid.names, *self.grid.listed}
        if clash:
            raise UserError(f'axis "{min(clash)}" uses a reserved name; rename it')

    def _check_shape(self, measure: Measure) -> None:
        """Refuse an observable with dimensions of its own where the measure takes one number for each area."""
        model, own = self.variant.model, getattr(measure, "measure", measure)
        if not hasattr(own, "of") or (getattr(own, "any_shape", False) and not isinstance(own.of, Signal)):
            return
        for of in _observed(own.of) or [next(iter(model.observables))]:
            if dims := list(model.dimensions.get(of, ())):
                raise UserError(
                    f'{type(own).__name__} takes one number for each area, and "{of}" of {type(model).__name__} is '
                    f"({', '.join([*dims, AREA])}); expected another observable, such as one of `outputs` that is a "
                    "single kind or their sum"
                )

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

    @functools.cached_property
    def earlier_names(self) -> dict[str, str]:
        """Names of variables in stores of earlier versions, which called all that was measured a rate."""
        model = self.variant.model
        found: dict[str, str] = {}
        for measure in self.measures:
            own = getattr(measure, "measure", measure)  # of one that is made of another
            if isinstance(own, StreamingMeasure):
                what = re.escape(own.measured(model)[0])
                for name in measure.variables(model):
                    before = re.sub(rf"(?<![^_]){what}(?![^_])", "rate", name, count=1)
                    found |= {before + measure.suffix: name + measure.suffix} if before != name else {}
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
        found = {AREA: (np.array(connectome.areas, dtype=object), {"long_name": "area"})} | self._dimensions
        for measure in self.measures:
            for name, (values, attrs) in measure.coordinates(connectome, self.dt, self.n_steps).items():
                if name in found and not np.array_equal(found[name][0], values):
                    raise UserError(
                        f'two measures have different values along "{name}"; '
                        f'give one a suffix: {type(measure).__name__}(..., suffix="_late")'
                    )
                found[name] = (values, attrs)
        return found

    @property
    def _dimensions(self) -> dict[str, tuple[np.ndarray, dict[str, str]]]:
        """Return the labels along dimensions that observables have besides the area."""
        model = self.variant.model
        return {
            dim: (np.array(labels, dtype=object), {"long_name": dim})
            for name in model.observables
            for dim, labels in model.dimensions.get(name, {}).items()
        }

    def bytes_per_point(self, precision: str) -> int:
        """Return the size of all variables of one point, bytes."""
        lengths = {name: len(values) for name, (values, _) in self.coordinates().items()}
        item = np.dtype(precision).itemsize
        return sum(item * math.prod([lengths[d] for d in v.dims]) for v in self.variables.values())


def _observed(of: Any) -> list[Any]:
    """Return the observables that `of` names."""
    found = of.of if isinstance(of, Signal) else of
    return list(found) if isinstance(found, (tuple, list)) else [found] if found is not None else []


def _takes_several(measure: Measure) -> bool:
    own = getattr(measure, "measure", measure)  # of one that is made of another
    return isinstance(own, StreamingMeasure) and own.of_several


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
        several = isinstance(of, (tuple, list))
        if not all(isinstance(name, str) for name in _observed(of)) or (several and not _takes_several(measure)):
            wanted = "names of observables" if _takes_several(measure) else "the name of an observable, a signal"
            raise UserError(f"{type(measure).__name__}(of={of!r}): expected {wanted}, or None")
    if not given:
        raise UserError("the study has no measures, so nothing would come out; expected e.g. measures=[Peak()]")
    return tuple(given)
