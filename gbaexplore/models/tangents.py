"""Forward-mode derivatives of a simulation: `TangentModel`, whose state carries its derivatives, and the chain rule."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import jax.extend.core
import jax.extend.source_info_util
import jax.numpy as jnp
import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.points import AMPLITUDE
from gbaexplore.models.base import Model
from gbaexplore.models.sending import advanced, hearing
from gbaexplore.networks.seen import Network

WITH_TANGENTS = "with tangents: "
"""Prefix to an observable's name that asks for the observable with its derivatives."""
_REAL_AMPLITUDE = "stimulus_amplitude"


def larger(values: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """Return values in which one parameter is the next larger number."""
    return {**values, name: np.nextafter(values[name], np.inf)}


class Dual(NamedTuple):
    """A value with its derivatives: one tree like the value per parameter, with None in place of a zero derivative."""

    primal: Any
    tangents: tuple[Any, ...]

    def __getattr__(self, name: str) -> Any:
        """Return an observable of a state, with its tangents if the name has that prefix."""
        if name.startswith(WITH_TANGENTS):
            own = name.removeprefix(WITH_TANGENTS)
            return Dual(getattr(self.primal, own), tuple(getattr(t, own) for t in self.tangents))
        return getattr(self.primal, name)


@dataclass(frozen=True)
class TangentModel(Model):
    """A model whose state carries its derivatives with respect to some parameters."""

    base: Model
    names: tuple[str, ...]

    @staticmethod
    def points(points: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return the values that this model needs, given those of the model without derivatives."""
        # With the engine's amplitude at 1, a step gets the stimulus of amplitude 1, and the step multiplies it itself.
        amplitude = points[AMPLITUDE]
        return {**points, _REAL_AMPLITUDE: amplitude, AMPLITUDE: np.ones_like(amplitude)}

    @property
    def observables(self) -> Mapping[str, str]:  # type: ignore[override]
        own = self.base.observables
        return {**own, **{WITH_TANGENTS + name: units for name, units in own.items()}}

    def driven(self, p: Any, stimulus: Any) -> Any:
        return stimulus  # which `step` hands on to the base

    def stimulus_shape(self, areas: int) -> tuple[int, ...]:
        return self.base.stimulus_shape(areas)

    @property
    def dimensions(self) -> Mapping[str, Mapping[str, Sequence[str]]]:  # type: ignore[override]
        own = self.base.dimensions
        return {**own, **{WITH_TANGENTS + name: dims for name, dims in own.items()}}

    def rest(self, p: Any, net: Network) -> Mapping[str, Any]:
        rest, tangents = self._pushed(lambda p: dict(self.base.rest(p, net)), p)
        both = {WITH_TANGENTS + name: Dual(rest[name], tuple(t[name] for t in tangents)) for name in rest}
        return {**rest, **both}

    @property
    def random_start(self) -> int:  # type: ignore[override]
        return self.base.random_start

    def start(self, p: Any, net: Network, *normal: Any) -> Dual:
        return self._pushed(lambda p: self.base.start(p, net, *normal), p)

    def step(self, x: Dual, p: Any, net: Network, stimulus: Any, dt: float, *normal: Any) -> Dual:
        return self._pushed(lambda p, x: advanced(self.base, x, p, net, p.amplitude * stimulus, dt, *normal), p, x)

    @property
    def has_outputs(self) -> bool:
        return self.base.has_outputs

    def outputs(self, x: Dual, p: Any, net: Network) -> Mapping[str, Any]:
        found, tangents = self._pushed(lambda p, x: dict(self.base.outputs(x, p, hearing(self.base, x, p, net))), p, x)
        both = {WITH_TANGENTS + name: Dual(found[name], tuple(t[name] for t in tangents)) for name in found}
        return {**found, **both}

    def prepared_for(self, net: Network, dt: float, precision: str) -> Model:
        return dataclasses.replace(self, base=self.base.prepared_for(net, dt, precision))

    def distance_from_rest(self, x: Dual) -> Any:
        return [self.base.distance_from_rest(part) for part in (x.primal, *x.tangents)]

    def normals_per_step(self, values: Mapping[str, np.ndarray]) -> int:
        return self.base.normals_per_step(values)

    def starts_at_rest(self, values: Mapping[str, np.ndarray]) -> bool:
        # If the state rests at slightly larger values too, its derivatives rest.
        return all(map(self.base.starts_at_rest, (values, *(larger(values, name) for name in self.names))))

    def _pushed(self, function: Callable[..., Any], p: Any, *x: Dual) -> Dual:
        """Return function(p, *x) with its derivatives."""
        values = dict(vars(p))
        values[AMPLITUDE] = values.pop(_REAL_AMPLITUDE)
        chosen = {name: values[name] for name in self.names}
        # Along the direction of a parameter, it changes at rate 1 and all others not at all.
        along = tuple({name: jnp.ones_like(v) if name == own else None for name, v in chosen.items()} for own in chosen)
        return pushed(lambda chosen, *x: function(type(p)(values | chosen), *x), Dual(chosen, along), *x)


def pushed(function: Callable[..., Any], *args: Dual) -> Dual:
    """Return function(*args) with its derivatives, by the chain rule, operation by operation.

    JAX has a derivative for each operation, but at a tie of max or min it takes half of each slope. A rectifier at
    rest sits exactly there, and half a slope at every step is not the derivative of anything.
    """
    program, shape = jax.make_jaxpr(function, return_shape=True)(*(arg.primal for arg in args))
    inputs = [one for arg in args for one in _leaves(arg)]
    found = [_instantiated(one) for one in _run(program, inputs)]
    tree: Any = jax.tree.structure(shape)
    tangents = zip(*(one.tangents for one in found))
    return Dual(tree.unflatten([one.primal for one in found]), tuple(tree.unflatten(each) for each in tangents))


def _leaves(tree: Dual) -> list[Dual]:
    """Return the arrays of a tree, each with its derivatives."""
    primals: list[Any]
    structure: Any
    primals, structure = jax.tree.flatten(tree.primal)
    columns = [structure.flatten_up_to(tangent) for tangent in tree.tangents]
    return [Dual(primal, tangents) for primal, tangents in zip(primals, zip(*columns))]


def _instantiated(array: Dual) -> Dual:
    """Return the array with explicit zeros for derivatives that are 0, so that a loop can carry it."""
    if not jnp.issubdtype(jnp.result_type(array.primal), jnp.floating):
        return array
    zero = jnp.zeros_like(array.primal)
    return Dual(array.primal, tuple(zero if tangent is None else tangent for tangent in array.tangents))


def _run(program: Any, inputs: Sequence[Dual]) -> list[Dual]:
    """Return a program's results with derivatives; None stands for a derivative that is 0."""
    nothing = (None,) * len(inputs[0].tangents)
    constants = [Dual(value, nothing) for value in program.consts]
    known = dict(zip([*program.jaxpr.constvars, *program.jaxpr.invars], [*constants, *inputs]))

    def value(atom: Any) -> Dual:
        return Dual(atom.val, nothing) if isinstance(atom, jax.extend.core.Literal) else known[atom]

    for eqn in program.jaxpr.eqns:
        known |= zip(eqn.outvars, _applied(eqn, [value(atom) for atom in eqn.invars]))
    return [value(atom) for atom in program.jaxpr.outvars]


def _applied(eqn: Any, inputs: Sequence[Dual]) -> list[Dual]:
    """Return the results of one operation with derivatives."""
    if eqn.primitive.name == "jit":
        return _run(eqn.params["jaxpr"], inputs)
    primals = [one.primal for one in inputs]
    directions = list(zip(*(one.tangents for one in inputs)))
    function = functools.partial(_bound, eqn)
    values = function(*primals)
    if eqn.primitive in _FURTHER and jnp.issubdtype(jnp.result_type(values[0]), jnp.floating):
        changes = [_extreme_change(eqn.primitive, primals, tangents) for tangents in directions]
    else:
        changes = [_change(eqn, function, primals, tangents) for tangents in directions]
    return [Dual(v, each) for v, each in zip(values, zip(*changes))]


def _bound(eqn: Any, *primals: Any) -> list[Any]:
    found = eqn.primitive.bind(*primals, **eqn.primitive.get_bind_params(eqn.params))
    return list(found) if eqn.primitive.multiple_results else [found]


def _change(eqn: Any, function: Callable[..., list[Any]], primals: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
    """Return the rates of change of the results for inputs that change at the rates `tangents`."""
    moving = [i for i, tangent in enumerate(tangents) if tangent is not None]
    if not moving:
        return [None] * len(eqn.outvars)

    def of(*moved: Any) -> list[Any]:
        full = list(primals)
        for i, primal in zip(moving, moved):
            full[i] = primal
        return function(*full)

    try:
        _, found = jax.jvp(of, [primals[i] for i in moving], [tangents[i] for i in moving])
    except Exception as error:
        where = jax.extend.source_info_util.summarize(eqn.source_info)
        raise UserError(f"JAX can't differentiate {eqn.primitive} ({where}): {error}") from None
    return [None if one.dtype == jax.dtypes.float0 else one for one in found]


_FURTHER = {jax.lax.max_p: jnp.greater, jax.lax.min_p: jnp.less}


def _extreme_change(primitive: Any, primals: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
    """Return the rate of change of a maximum or minimum: its argument's, or at a tie the winner's."""
    further = _FURTHER[primitive]
    (a, b), (da, db) = primals, tangents
    if da is None and db is None:
        return [None]
    first = further(a, b) | ((a == b) & further(0.0 if da is None else da, 0.0 if db is None else db))
    # A product with 0 or 1: for a jnp.where of batched and unbatched arrays, vmap changes the layout.
    if db is None:
        return [da * first]
    if da is None:
        return [db * ~first]
    return [jnp.where(first, da, db)]
