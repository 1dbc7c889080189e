"""Values of parameters, from the model, an axis, a table, a label or a function of others."""

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

from gbaexplore.basics.errors import UserError, defined_at, raised_at, text_of
from gbaexplore.basics.names import AREA, canonical
from gbaexplore.basics.points import AMPLITUDE, NOISE, SEED, SHARED, noise_hashes
from gbaexplore.models.checks import checked_values, parameter_values
from gbaexplore.study.areas import parameter_value
from gbaexplore.study.blocks import Block
from gbaexplore.study.grid import Grid, mapping
from gbaexplore.study.variants import Variant, Variants

NETWORK = "net"
"""The argument by which a derived parameter's function asks for the connectome."""


@dataclass(frozen=True, eq=False)
class Values:
    """Values of all parameters, the stimulus' amplitude and the seed, at every point of a study.

    An axis or a table's column may be no parameter, but an argument of a derived parameter's function.

    Raises:
        UserError: parameters that the model does not have, that two sources give, or that it refuses.
    """

    grid: Grid
    variants: Variants
    fixed: Mapping[str, Any]
    derived: Mapping[str, Callable[..., Any]]
    noise: str = SHARED
    _known: dict[tuple[str, ...], dict[str, tuple[list[str], np.ndarray]]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        _check(self.grid, self.variants, self.fixed, self.derived)
        connectome = self.variants.first.connectome
        vars(self)["fixed"] = {
            name: parameter_value(name, value, f'fixed["{name}"]', connectome) for name, value in self.fixed.items()
        }

    def own(self, variant: Variant) -> dict[str, Any]:
        """Parameter -> value, (area,) or a number, for parameters that neither an axis nor a function gives."""
        given = {**self.fixed, **variant.parameters}
        values: dict[str, Any] = {**parameter_values(variant.model), AMPLITUDE: float(variant.stimulus.amplitude)}
        values |= variant.stimulus.amplitudes | given
        return {k: v for k, v in values.items() if k not in (*self.grid.listed, *self.derived, SEED)}

    def base(self, variant: Variant) -> dict[str, float]:
        """The same for parameters with one number for all areas, in all variants."""
        return {name: value for name, value in self.own(variant).items() if name not in self.by_area}

    def of_areas(self, variant: Variant) -> dict[str, np.ndarray]:
        """The same for all others, (area,)."""
        own, areas = self.own(variant), len(variant.connectome.areas)
        return {name: np.full(areas, own[name]) for name in self.by_area if name in own}

    @functools.cached_property
    def by_area(self) -> list[str]:
        """Parameters that have a number for each area in any variant, except derived ones."""
        own = [(name, value) for variant in self.variants for name, value in self.own(variant).items()]
        return list(dict.fromkeys(name for name, value in own if np.ndim(value)))

    @functools.cached_property
    def varying(self) -> set[str]:
        """Parameters in which variants differ, and the amplitude: arguments of the program that variants share."""
        first, *others = (self.base(variant) for variant in self.variants)
        return {name for name, value in first.items() if name == AMPLITUDE or any(o.get(name) != value for o in others)}

    @functools.cached_property
    def noisy(self) -> bool:
        """Whether the model draws random numbers at any point of the study."""
        return any(variant.model.is_random(self.every(variant)) for variant in self.variants)

    @functools.cached_property
    def only_derived_from(self) -> list[str]:
        """Names of axes and of tables' columns that are no parameters: arguments of derived parameters' functions."""
        known = {*type(self.variants.first.model).parameters(), AMPLITUDE, SEED}
        return [name for name in self.grid.listed if name not in known]

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
        """Return each derived parameter's dimensions (its axes, and the area if areas differ), and its values."""
        areas, found = len(variant.connectome.areas), {}
        for name, (axes, values) in self.returned(variant).items():
            if name in self._derived_by_area:
                found[name] = ([*axes, AREA], _over_areas(values, len(axes), areas))
            else:
                found[name] = (axes, values)
        return found

    @functools.cached_property
    def _derived_by_area(self) -> set[str]:
        """Derived parameters that have a number for each area in any variant."""
        found = [item for variant in self.variants for item in self.returned(variant).items()]
        return {name for name, (axes, values) in found if values.ndim > len(axes)}

    def returned(self, variant: Variant) -> dict[str, tuple[list[str], np.ndarray]]:
        """Return each derived parameter's axes and its values along them, with areas where its function gives them."""
        key = tuple(variant.labels.values())
        if key in self._known:
            return self._known[key]
        own = self.own(variant)
        found: dict[str, tuple[list[str], np.ndarray]] = {}
        for name, (arguments, axes) in self._derivation.items():
            shape = tuple(len(self.grid.labels(axis)) for axis in axes)
            results = []
            for index in np.ndindex(*shape):
                value = functools.partial(self._value, at=dict(zip(axes, index)), own=own, derived=found)
                results.append(self._derive(name, variant, {a: _argument(a, variant, value) for a in arguments}))
            found[name] = (axes, canonical(_stacked(results, shape)))
        self._known[key] = found
        return found

    def _derive(self, name: str, variant: Variant, known: Mapping[str, Any]) -> float | np.ndarray:
        told = {a: f"{len(v)} values" if isinstance(v, np.ndarray) else v for a, v in known.items() if a != NETWORK}
        at = " at " * bool(told) + ", ".join(f"{argument} = {value}" for argument, value in told.items())
        try:
            found = self.derived[name](**known)
        except Exception as error:
            raise UserError(
                f'derived "{name}" raised {type(error).__name__}{at}: {text_of(error)}; expected a number, or one for '
                f"each area{raised_at(error)}"
            ) from None
        try:
            return parameter_value(name, found, f'derived "{name}"{at}', variant.connectome)
        except UserError as error:
            raise UserError(f"{error}{defined_at(self.derived[name])}") from None

    def _value(self, name: str, at: dict[str, int], own: dict[str, Any], derived: dict[str, Any]) -> Any:
        if name in self.grid.listed:
            axis, values = self.grid.listed[name]
            return float(values[at[axis]])
        if name in derived:
            axes, values = derived[name]
            return _plain(values[tuple(at[axis] for axis in axes)])
        return own[name]

    def every(self, variant: Variant, points: Mapping[str, np.ndarray] = MappingProxyType({})) -> dict[str, np.ndarray]:
        """Parameter -> all its values, in the grid and outside it: (n,), or (n, area) where areas have their own."""
        base = {name: np.asarray([value]) for name, value in self.base(variant).items()}
        return base | self.swept(variant, points)

    def swept(self, variant: Variant, points: Mapping[str, np.ndarray] = MappingProxyType({})) -> dict[str, np.ndarray]:
        """The same for parameters of axes, tables and functions, and for those that have a number for each area."""
        listed = self.grid.listed.items()
        found = {name: values for name, (_, values) in listed if name not in self.only_derived_from}
        for name, (dims, values) in self.derived_of(variant).items():
            found[name] = values.reshape(-1, *values.shape[-1:]) if AREA in dims else values.ravel()
        found |= {name: np.concatenate([values, points[name]]) for name, values in found.items() if name in points}
        return found | {name: values[None] for name, values in self.of_areas(variant).items()}

    def points(self, variant: Variant, block: Block) -> dict[str, np.ndarray]:
        """Return the values of each parameter that `swept` has in a block, (point,) or (point, area), in C order."""
        axes = dict(zip(self.grid.names, block.slices))
        along = {name: ([axis], values) for name, (axis, values) in self.grid.listed.items()}
        found = {}
        for name, (own, values) in (along | self.derived_of(variant)).items():
            part = values[tuple(axes[a] for a in own if a != AREA)]
            more = part.shape[-1:] if AREA in own else ()
            order = [part.shape[own.index(a)] if a in own else 1 for a in axes]
            found[name] = np.broadcast_to(part.reshape(*order, *more), (*block.shape, *more)).reshape(-1, *more)
        for name, values in self.of_areas(variant).items():
            found[name] = np.broadcast_to(values, (block.size, len(values)))
        if self.noisy:
            coordinates = {name: found[name] for name in self.grid.listed} | variant.labels
            found[NOISE] = self.point_hashes(coordinates, block.size)
            found.pop(SEED, None)
        return self._of_model(found)

    def _of_model(self, found: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: values for name, values in found.items() if name not in self.only_derived_from}

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
        own, count = self.own(variant), len(next(iter(at.values())))
        found = dict(at)
        for name, (arguments, _) in self._derivation.items():
            results = []
            for i in range(count):
                known = own | {given: _plain(values[i]) for given, values in found.items()}
                results.append(self._derive(name, variant, {a: _argument(a, variant, known.get) for a in arguments}))
            found[name] = canonical(_stacked(results, (count,)))
            if name in self._derived_by_area:
                found[name] = _over_areas(found[name], 1, len(variant.connectome.areas))
        found |= {name: np.broadcast_to(v, (count, len(v))) for name, v in self.of_areas(variant).items()}
        found = self._of_model(found)
        checked_values(variant.model, {name: np.asarray([v]) for name, v in self.base(variant).items()} | found)
        if variant.model.is_random(self.every(variant, found)):
            found[NOISE] = self.point_hashes({**at, **variant.labels}, count)
            found.pop(SEED, None)
        return found


def _argument(name: str, variant: Variant, value: Callable[[str], Any]) -> Any:
    """Return what a derived parameter's function gets for an argument."""
    if name in variant.labels and name not in variant.parameters:
        return variant.labels[name]
    if name == NETWORK and name not in type(variant.model).parameters():
        return variant.connectome
    return value(name)


def _stacked(results: list[Any], shape: tuple[int, ...]) -> np.ndarray:
    """Return numbers, or values of areas, in an array of this shape, with areas last if any result has them."""
    found = np.stack(np.broadcast_arrays(*results))
    return found.reshape((*shape, *found.shape[1:]))


def _over_areas(values: np.ndarray, axes: int, areas: int) -> np.ndarray:
    """Return values along some axes as values along these and the areas."""
    own = values if values.ndim > axes else values[..., None]
    return np.ascontiguousarray(np.broadcast_to(own, (*own.shape[:axes], areas)))


def _plain(value: Any) -> Any:
    return float(value) if np.ndim(value) == 0 else value


def _check(grid: Grid, variants: Variants, fixed: Any, derived: Any) -> None:
    """Refuse parameters that the model lacks or that two sources give."""
    mapping(fixed, "fixed")
    mapping(derived, "derived")
    sources: dict[str, Mapping[str, Any]] = {"axes": grid.numeric, "fixed": fixed, "derived": derived}
    sources |= {f'the table "{axis}"': listed.columns for axis, listed in grid.tables.items()}
    labelled = {
        axis: {n: v for given in labels.values() for n, v in given.items()}
        for axis, labels in variants.labelled.items()
    }
    sources |= {f'the labels of "{axis}"': given for axis, given in labelled.items()}
    for (one, names), (other, others) in itertools.combinations(sources.items(), 2):
        both = set(names) & set(others)
        if both:
            raise UserError(f'"{min(both)}" is given by {one} and by {other}; expected one source for each parameter')
    for name, function in derived.items():
        if not callable(function):
            raise UserError(f'derived["{name}"] = {function!r}; expected a function of other parameters')
    arguments_of = {name: _arguments(name, function) for name, function in derived.items()}
    arguments = [argument for own in arguments_of.values() for argument in own]
    for variant in variants:
        for what, axes in (("has labels", list(grid.categorical)), ("is a table", list(grid.tables))):
            clash = {*type(variant.model).parameters(), AMPLITUDE, SEED} & {*axes} - {*variant.parameters}
            if clash:
                raise UserError(f'axis "{min(clash)}" {what}, but has the name of a parameter; rename it')
        for name in grid.listed:
            type(variant.model).known_parameter(name, also=(AMPLITUDE, SEED, *arguments))
        for name in fixed:
            type(variant.model).known_parameter(name, also=(AMPLITUDE, SEED))
        for name in itertools.chain(derived, variant.parameters):
            type(variant.model).known_parameter(name, also=(AMPLITUDE,))
    for name, own in arguments_of.items():
        for argument in own:
            for variant in variants:
                try:
                    known = (AMPLITUDE, *grid.listed, *grid.categorical, NETWORK)
                    type(variant.model).known_parameter(argument, also=known)
                except UserError as error:
                    raise UserError(f'derived "{name}": {error}') from None


def _arguments(name: str, function: Callable[..., float]) -> list[str]:
    """Return the names of a function's arguments without a default."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        parameters = None
    if parameters is None or any(p.kind in (p.POSITIONAL_ONLY, p.VAR_POSITIONAL, p.VAR_KEYWORD) for p in parameters):
        raise UserError(f'derived "{name}": expected a function of named parameters, such as lambda G: 0.75 * G + 1')
    return [p.name for p in parameters if p.default is p.empty]
