"""Values of parameters, from the model, an axis, a table or a function of others."""

from __future__ import annotations

import functools
import graphlib
import inspect
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np

from gbaexplore.basics.errors import UserError, text_of
from gbaexplore.basics.names import canonical
from gbaexplore.basics.numbers import number
from gbaexplore.basics.points import AMPLITUDE, NOISE, SEED, SHARED, noise_hashes
from gbaexplore.models.checks import checked_values, parameter_values
from gbaexplore.study.blocks import Block
from gbaexplore.study.grid import Grid, mapping
from gbaexplore.study.variants import Variant, Variants


@dataclass(frozen=True, eq=False)
class Values:
    """Values of all parameters, the stimulus' amplitude and the seed, at every point of a study.

    Raises:
        UserError: parameters that the model does not have, that two sources give, or that it refuses.
    """

    grid: Grid
    variants: Variants
    fixed: Mapping[str, float]
    derived: Mapping[str, Callable[..., float]]
    noise: str = SHARED
    _known: dict[tuple[str, ...], dict[str, tuple[list[str], np.ndarray]]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        _check(self.grid, self.variants, self.fixed, self.derived)
        vars(self)["fixed"] = {name: number(value, f'fixed["{name}"]') for name, value in self.fixed.items()}

    def base(self, variant: Variant) -> dict[str, float]:
        """Parameter -> value, for parameters that neither an axis nor a function gives."""
        values = parameter_values(variant.model)
        values |= {AMPLITUDE: float(variant.stimulus.amplitude)}
        values |= self.fixed
        return {k: v for k, v in values.items() if k not in (*self.grid.listed, *self.derived, SEED)}

    @functools.cached_property
    def varying(self) -> set[str]:
        """Parameters in which variants differ, and the amplitude: arguments of the program that variants share."""
        first, *others = (self.base(variant) for variant in self.variants)
        return {name for name, value in first.items() if name == AMPLITUDE or any(o.get(name) != value for o in others)}

    @functools.cached_property
    def noisy(self) -> bool:
        """Whether the model draws random numbers at any point of the study."""
        return any(variant.model.normals_per_step(self.every(variant)) for variant in self.variants)

    @functools.cached_property
    def _derivation(self) -> dict[str, tuple[list[str], list[str]]]:
        """Derived parameter -> its arguments and the axes along which it varies; dependencies come first."""
        arguments = {name: _arguments(name, function) for name, function in self.derived.items()}
        try:
            order = graphlib.TopologicalSorter(
                {name: [a for a in args if a in self.derived] for name, args in arguments.items()}
            ).static_order()
            found: dict[str, tuple[list[str], list[str]]] = {}
            for name in order:
                axes = {self.grid.listed[a][0] for a in arguments[name] if a in self.grid.listed}
                axes |= {axis for a in arguments[name] if a in found for axis in found[a][1]}
                found[name] = (arguments[name], [axis for axis in self.grid.names if axis in axes])
        except graphlib.CycleError as error:
            raise UserError(
                f"derived parameters depend on each other in a cycle: {' <- '.join(error.args[1])}; "
                "expected each to depend on axes, fixed or earlier derived parameters"
            ) from None
        return found

    def derived_of(self, variant: Variant) -> dict[str, tuple[list[str], np.ndarray]]:
        """Return each derived parameter's axes and its values along them."""
        key = tuple(variant.labels.values())
        if key in self._known:
            return self._known[key]
        base = self.base(variant)
        found: dict[str, tuple[list[str], np.ndarray]] = {}
        for name, (arguments, axes) in self._derivation.items():
            shape = tuple(len(self.grid.labels(axis)) for axis in axes)
            values = np.empty(shape)
            for index in np.ndindex(*shape):
                at = dict(zip(axes, index))
                known = {a: variant.labels.get(a) or self._value(a, at, base, found) for a in arguments}
                values[index] = self._derive(name, known)
            found[name] = (axes, canonical(values))
        self._known[key] = found
        return found

    def _derive(self, name: str, known: Mapping[str, Any]) -> float:
        at = ", ".join(f"{argument} = {value}" for argument, value in known.items())
        try:
            found = self.derived[name](**known)
        except Exception as error:
            raise UserError(
                f'derived "{name}" raised {type(error).__name__} at {at}: {text_of(error)}; expected a number'
            ) from None
        return number(found, f'derived "{name}" at {at}')

    def _value(self, name: str, at: dict[str, int], base: dict[str, float], derived: dict[str, Any]) -> float:
        if name in self.grid.listed:
            axis, values = self.grid.listed[name]
            return float(values[at[axis]])
        if name in derived:
            axes, values = derived[name]
            return float(values[tuple(at[axis] for axis in axes)])
        return base[name]

    def every(self, variant: Variant, points: Mapping[str, np.ndarray] = MappingProxyType({})) -> dict[str, np.ndarray]:
        """Parameter -> all its values, in the grid and at points outside it."""
        base = {name: np.asarray([value]) for name, value in self.base(variant).items()}
        return base | self.swept(variant, points)

    def swept(self, variant: Variant, points: Mapping[str, np.ndarray] = MappingProxyType({})) -> dict[str, np.ndarray]:
        """The same for parameters of axes, tables and functions only."""
        found = {name: values for name, (_, values) in self.grid.listed.items()}
        found |= {name: values.ravel() for name, (_, values) in self.derived_of(variant).items()}
        return {name: np.append(values, points.get(name, ())) for name, values in found.items()}

    def points(self, variant: Variant, block: Block) -> dict[str, np.ndarray]:
        """Return the (point,) values of each parameter of axes, tables and functions in a block, in C order."""
        axes = dict(zip(self.grid.names, block.slices))
        along = {name: ([axis], values) for name, (axis, values) in self.grid.listed.items()}
        found = {}
        for name, (own, values) in (along | self.derived_of(variant)).items():
            part = values[tuple(axes[a] for a in own)]
            order = [part.shape[own.index(a)] if a in own else 1 for a in axes]
            found[name] = np.broadcast_to(part.reshape(order), block.shape).ravel()
        if self.noisy:
            coordinates = {name: found[name] for name in self.grid.listed} | variant.labels
            found[NOISE] = self.point_hashes(coordinates, block.size)
            found.pop(SEED, None)
        return found

    def point_hashes(self, coordinates: Mapping[str, Any], count: int) -> np.ndarray:
        """Return one hash per point, (point,), from its coordinates along all axes; it keys the point's noise."""
        return np.resize(noise_hashes(self.noise, self.fixed.get(SEED, 0.0), coordinates), count)

    def points_at(self, variant: Variant, at: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the same as `points` for points anywhere between the axes' values.

        Args:
            at: (point,) values of every axis parameter, canonical.

        Raises:
            UserError: the model refuses the value of a derived parameter at a point.
        """
        base = self.base(variant)
        found = dict(at)
        for name, (arguments, _) in self._derivation.items():
            known = [
                {a: variant.labels.get(a) or (float(found[a][i]) if a in found else base[a]) for a in arguments}
                for i in range(len(next(iter(at.values()))))
            ]
            found[name] = canonical(np.array([self._derive(name, values) for values in known]))
        checked_values(variant.model, {name: np.asarray([value]) for name, value in base.items()} | found)
        if variant.model.normals_per_step(self.every(variant, found)):
            found[NOISE] = self.point_hashes({**at, **variant.labels}, len(next(iter(at.values()))))
            found.pop(SEED, None)
        return found


def _check(grid: Grid, variants: Variants, fixed: Any, derived: Any) -> None:
    """Refuse parameters that the model lacks or that two sources give."""
    mapping(fixed, "fixed")
    mapping(derived, "derived")
    sources: dict[str, Mapping[str, Any]] = {"axes": grid.numeric, "fixed": fixed, "derived": derived}
    sources |= {f'the table "{axis}"': listed.columns for axis, listed in grid.tables.items()}
    for (one, names), (other, others) in itertools.combinations(sources.items(), 2):
        both = set(names) & set(others)
        if both:
            raise UserError(f'"{min(both)}" is given by {one} and by {other}; expected one source for each parameter')
    for variant in variants:
        for what, axes in (("has labels", list(grid.categorical)), ("is a table", list(grid.tables))):
            clash = {*type(variant.model).parameters(), AMPLITUDE, SEED} & set(axes)
            if clash:
                raise UserError(f'axis "{min(clash)}" {what}, but has the name of a parameter; rename it')
        for name in itertools.chain(grid.listed, fixed):
            type(variant.model).known_parameter(name, also=(AMPLITUDE, SEED))
        for name in derived:
            type(variant.model).known_parameter(name, also=(AMPLITUDE,))
    for name, function in derived.items():
        if not callable(function):
            raise UserError(f'derived["{name}"] = {function!r}; expected a function of other parameters')
        for argument in _arguments(name, function):
            for variant in variants:
                try:
                    type(variant.model).known_parameter(argument, also=(AMPLITUDE, *grid.categorical))
                except UserError as error:
                    raise UserError(f'derived "{name}": {error}') from None


def _arguments(name: str, function: Callable[..., float]) -> list[str]:
    """Return the names of a function's arguments without a default."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        parameters = None
    if parameters is None or any(p.kind in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        raise UserError(f'derived "{name}": expected a function of named parameters, such as lambda muEE: 2 * muEE')
    return [p.name for p in parameters if p.default is p.empty]
