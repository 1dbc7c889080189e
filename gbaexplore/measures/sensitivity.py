"""Sensitivities: how much a measure changes with a parameter, by forward-mode differentiation of the simulation."""

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
from gbaexplore.measures.base import Measure, Now, Run, StreamingMeasure, Variable
from gbaexplore.measures.solved import SolvedMeasure, Trials
from gbaexplore.models.base import Model
from gbaexplore.models.checks import checked_values
from gbaexplore.networks.connectome import Connectome
from gbaexplore.networks.seen import Network

DIMENSION = "parameter"

_REAL_AMPLITUDE = "stimulus_amplitude"
_WITH_TANGENTS = "with tangents: "


@dataclass(frozen=True)
class Sensitivity(SolvedMeasure):
    """The derivative of a measure with respect to parameters, in each area: d(measure)/d(parameter).

    The variables are those of the measure with a `d_` before their names (`d_peak_rate`) and a dimension
    `parameter` more, whose labels are the parameters' names; `parameter_units` beside them says in which unit each
    parameter is. Variables in seconds that the measure gets by counting steps, such as `time_to_peak`, are left out:
    a step's number has no derivative.

    It is the exact derivative of what is simulated, time steps and all, rounded as the study's precision says: beside
    its state each point carries the state's derivatives (tangents) through the same loop. So it needs no step size,
    and one simulation, whose cost grows with the number of parameters, for all of them.

    It is a *partial* derivative: everything else stays as it is, `derived` parameters too. Where the response has a
    kink, it is the derivative towards larger values of the parameter, as far as the kink is written with jnp.maximum,
    jnp.minimum or jnp.clip; elsewhere (jnp.where, relu) it is what JAX says. It is NaN at points that
    have diverged, and where the slope is infinite: such a point's `status` is "undefined".

    Args:
        measure: a `Peak`, `Mean`, `Final`, `Trace` or streaming measure of one's own.
        parameters: names of parameters of the model, "amplitude" (the stimulus') among them.

    Raises:
        UserError: a measure that is not streamed or only counts steps; no parameter, an unknown one or one twice; a
            parameter that can't grow (a threshold that lies at the steady state). All when the study is made. During
            the run: a model that JAX can't differentiate.
    """

    measure: StreamingMeasure
    parameters: tuple[str, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.measure, StreamingMeasure):
            what = type(self.measure).__name__ if isinstance(self.measure, Measure) else repr(self.measure)
            raise UserError(
                f"Sensitivity({what}, ...): expected a measure that is folded into the simulation, such as Peak()"
            )
        names = self.parameters
        if isinstance(names, str) or not names or len(set(names)) < len(names):
            raise UserError(
                f'Sensitivity(parameters={names!r}): expected names of parameters, each once, such as ("muEE", '
                '"amplitude")'
            )
        object.__setattr__(self, "parameters", tuple(names))

    @property
    def of(self) -> str | None:
        """The observable that is measured, the model's first if None."""
        return self.measure.of

    @property
    def dimension(self) -> str:
        """The name of the dimension along which the parameters are."""
        return DIMENSION + self.suffix

    def variables(self, model: Model) -> dict[str, Variable]:
        made = self.measure.variables(model)
        found = {
            name: Variable(
                (*made[of].dims, self.dimension),
                f"{made[of].units} per {self.dimension}_units",
                f"derivative of the {made[of].long_name}",
            )
            for name, of in self._differentiated(model).items()
        }
        if not found:
            raise UserError(
                f"Sensitivity({type(self.measure).__name__}()): all that it makes are times, counted in steps, which "
                "have no derivative; expected a measure of something else"
            )
        return found

    def _differentiated(self, model: Model) -> dict[str, str]:
        """Return which variable of the measure each of our own is the derivative of."""
        observed = model.observables[self.measure.observable(model)]
        return {
            f"d_{name}{self.measure.suffix}": name
            for name, variable in self.measure.variables(model).items()
            if variable.units != "s" or observed == "s"
        }

    def coordinates(
        self, connectome: Connectome, dt: float, n_steps: int
    ) -> dict[str, tuple[np.ndarray, dict[str, str]]]:
        self.measure.steps(dt, n_steps)
        names = np.array(self.parameters, dtype=object)
        own = {self.dimension: (names, {"long_name": "parameter that changes"})}
        return self.measure.coordinates(connectome, dt, n_steps) | own

    def beside(self, model: Model) -> dict[str, tuple[str, np.ndarray, dict[str, str]]]:
        known = {name: info.units for name, info in type(model).parameters().items()} | {AMPLITUDE: "Hz"}
        units = np.array([known[name] for name in self.parameters], dtype=object)
        return {f"{self.dimension}_units": (self.dimension, units, {"long_name": "unit of the parameter"})}

    def check(self, model: Model, values: Mapping[str, np.ndarray]) -> None:
        if model.travels is not None:
            raise UserError(
                f"Sensitivity can't follow what travels with a delay in {type(model).__name__}; expected a model "
                "without delays, or differences between points of a grid"
            )
        for name in self.parameters:
            type(model).known_parameter(name, also=(AMPLITUDE,))
            try:
                checked_values(model, _larger(values, name))
                if model.draws(_larger(values, name)) != model.draws(values):
                    raise UserError("from 0 it changes which random numbers are drawn")
            except UserError as error:
                raise UserError(
                    f"Sensitivity: no derivative with respect to {name}, which can't grow ({error}); expected other "
                    f"values, or no {name} among the parameters"
                ) from None

    def recipe(self) -> dict[str, Any]:
        own = {"parameters": list(self.parameters), "suffix": self.suffix}
        return {"kind": type(self).__name__, "measure": self.measure.recipe(), **own}

    def simulates(self, trials: Trials) -> list[Any]:
        measure, tangent = self._tangent(trials)
        return [tangent.plan(measure, tangent.points, measure.steps(trials.dt, trials.n_steps)[1], trials.ceiling)]

    def _tangent(self, trials: Trials) -> tuple[_TangentMeasure, Trials]:
        """Return the measure and the points whose model and values carry derivatives."""
        measure = _TangentMeasure(sensitivity=self, kept=tuple(self._differentiated(trials.model).items()))
        # The engine's amplitude is 1, so that a step gets the stimulus' level: its derivative needs that alone.
        amplitude = trials.points[AMPLITUDE]
        points = trials.points | {_REAL_AMPLITUDE: amplitude, AMPLITUDE: np.ones_like(amplitude)}
        return measure, dataclasses.replace(trials, model=_TangentModel(trials.model, self.parameters), points=points)

    def solve(self, trials: Trials) -> dict[str, np.ndarray]:
        measure, tangent = self._tangent(trials)
        _, stop = measure.steps(trials.dt, trials.n_steps)
        return tangent.simulate(measure, tangent.points, stop, trials.ceiling, trials.size).values[0]


def _larger(values: Mapping[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    return {**values, name: np.nextafter(values[name], np.inf)}


class _Dual(NamedTuple):
    """Something with its derivatives: for each parameter a tree like it, with None where there are no real numbers."""

    primal: Any
    tangents: tuple[Any, ...]

    def __getattr__(self, name: str) -> Any:
        """Return an observable of a state; asked for with its tangents, those too."""
        if name.startswith(_WITH_TANGENTS):
            own = name.removeprefix(_WITH_TANGENTS)
            return _Dual(getattr(self.primal, own), tuple(getattr(t, own) for t in self.tangents))
        return getattr(self.primal, name)


@dataclass(frozen=True)
class _TangentModel(Model):
    """A model whose state carries its derivatives with respect to some parameters."""

    base: Model
    names: tuple[str, ...]

    @property
    def observables(self) -> Mapping[str, str]:  # type: ignore[override]
        own = self.base.observables
        return {**own, **{_WITH_TANGENTS + name: units for name, units in own.items()}}

    def rest(self, p: Any, net: Network) -> Mapping[str, Any]:
        rest, tangents = self._pushed(lambda p: dict(self.base.rest(p, net)), p)
        both = {_WITH_TANGENTS + name: _Dual(rest[name], tuple(t[name] for t in tangents)) for name in rest}
        return {**rest, **both}

    def start(self, p: Any, net: Network) -> _Dual:
        return self._pushed(lambda p: self.base.start(p, net), p)

    def step(self, x: _Dual, p: Any, net: Network, stimulus: Any, dt: float, *normal: Any) -> _Dual:
        return self._pushed(lambda p, x: self.base.step(x, p, net, p.amplitude * stimulus, dt, *normal), p, x)

    def fitted(self, areas: int, dt: float, precision: str) -> Model:
        return dataclasses.replace(self, base=self.base.fitted(areas, dt, precision))

    def away(self, x: _Dual) -> Any:
        return [self.base.away(part) for part in (x.primal, *x.tangents)]

    def draws(self, values: Mapping[str, np.ndarray]) -> int:
        return self.base.draws(values)

    def starts_at_rest(self, values: Mapping[str, np.ndarray]) -> bool:
        # What rests at slightly larger values too has derivatives that rest.
        return all(map(self.base.starts_at_rest, (values, *(_larger(values, name) for name in self.names))))

    def _pushed(self, function: Callable[..., Any], p: Any, *x: _Dual) -> _Dual:
        """Return function(p, *x) with its derivatives."""
        values = dict(vars(p))
        values[AMPLITUDE] = values.pop(_REAL_AMPLITUDE)
        chosen = {name: values[name] for name in self.names}
        # Along its own direction a parameter changes as fast as itself, all others not at all.
        along = tuple({name: jnp.ones_like(v) if name == own else None for name, v in chosen.items()} for own in chosen)
        return _pushed(lambda chosen, *x: function(type(p)(values | chosen), *x), _Dual(chosen, along), *x)


@dataclass(frozen=True)
class _TangentMeasure(StreamingMeasure):
    """A measure whose accumulator carries its derivatives."""

    sensitivity: Sensitivity = dataclasses.field(kw_only=True)
    kept: tuple[tuple[str, str], ...] = dataclasses.field(kw_only=True)  # our names of variables, and the measure's

    def __post_init__(self) -> None:
        for trait in ("skips_rest", "ends_early", "places_samples"):
            object.__setattr__(self, trait, getattr(self.base, trait))

    @property
    def base(self) -> StreamingMeasure:
        return self.sensitivity.measure

    def variables(self, model: Any) -> dict[str, Variable]:
        return self.sensitivity.variables(model.base)

    def observable(self, model: Any) -> str:
        return _WITH_TANGENTS + self.base.observable(model.base)

    def steps(self, dt: float, n_steps: int) -> tuple[int, int]:
        return self.base.steps(dt, n_steps)

    def init(self, change: _Dual, run: Run) -> _Dual:
        return _pushed(lambda change: self.base.init(change, run), change)

    def update(self, acc: _Dual, change: _Dual, now: Now, run: Run) -> _Dual:
        return _pushed(lambda acc, change: self.base.update(acc, change, now, run), acc, change)

    def finish(self, acc: _Dual, rest: _Dual, run: Run) -> dict[str, Any]:
        _, tangents = _pushed(lambda acc, rest: self.base.finish(acc, rest, run), acc, rest)
        found = {name: [t[of] for t in tangents] for name, of in self.kept}
        for name, columns in found.items():
            if any(column is None for column in columns):
                raise UserError(
                    f"{name}: {type(self.base).__name__} makes whole numbers of it, which have no derivative; expected "
                    "a variable of real numbers"
                )
        return {name: jnp.stack(columns, axis=-1) for name, columns in found.items()}


def _pushed(function: Callable[..., Any], *args: _Dual) -> _Dual:
    """Return function(*args) with its derivatives, by the chain rule, operation by operation.

    JAX has a derivative for each operation. But where max or min have a tie, it takes half of either slope; a
    rectifier at rest sits exactly there, and half a slope at every step is the derivative of nothing.
    """
    program, shape = jax.make_jaxpr(function, return_shape=True)(*(arg.primal for arg in args))
    inputs = [one for arg in args for one in _leaves(arg)]
    found = [_instantiated(one) for one in _run(program, inputs)]
    tree: Any = jax.tree.structure(shape)
    tangents = zip(*(one.tangents for one in found))
    return _Dual(tree.unflatten([one.primal for one in found]), tuple(tree.unflatten(each) for each in tangents))


def _leaves(tree: _Dual) -> list[_Dual]:
    """Return a tree with derivatives as arrays with derivatives."""
    primals: list[Any]
    structure: Any
    primals, structure = jax.tree.flatten(tree.primal)
    columns = [structure.flatten_up_to(tangent) for tangent in tree.tangents]
    return [_Dual(primal, tangents) for primal, tangents in zip(primals, zip(*columns))]


def _instantiated(array: _Dual) -> _Dual:
    """Return the same, with arrays of zeros for derivatives that are 0, so that a loop can carry it."""
    if not jnp.issubdtype(jnp.result_type(array.primal), jnp.floating):
        return array
    zero = jnp.zeros_like(array.primal)
    return _Dual(array.primal, tuple(zero if tangent is None else tangent for tangent in array.tangents))


def _run(program: Any, inputs: Sequence[_Dual]) -> list[_Dual]:
    """Return a program's results with derivatives; None stands for a derivative that is 0."""
    nothing = (None,) * len(inputs[0].tangents)
    constants = [_Dual(value, nothing) for value in program.consts]
    known = dict(zip([*program.jaxpr.constvars, *program.jaxpr.invars], [*constants, *inputs]))

    def value(atom: Any) -> _Dual:
        return _Dual(atom.val, nothing) if isinstance(atom, jax.extend.core.Literal) else known[atom]

    for eqn in program.jaxpr.eqns:
        known |= zip(eqn.outvars, _applied(eqn, [value(atom) for atom in eqn.invars]))
    return [value(atom) for atom in program.jaxpr.outvars]


def _applied(eqn: Any, inputs: Sequence[_Dual]) -> list[_Dual]:
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
    return [_Dual(v, each) for v, each in zip(values, zip(*changes))]


def _bound(eqn: Any, *primals: Any) -> list[Any]:
    found = eqn.primitive.bind(*primals, **eqn.primitive.get_bind_params(eqn.params))
    return list(found) if eqn.primitive.multiple_results else [found]


def _change(eqn: Any, function: Callable[..., list[Any]], primals: Sequence[Any], tangents: Sequence[Any]) -> list[Any]:
    """Return how fast the results change if the inputs change as fast as `tangents`."""
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
    """Return how fast a maximum or minimum changes: as its argument, at a tie as the one that gets further."""
    further = _FURTHER[primitive]
    (a, b), (da, db) = primals, tangents
    if da is None and db is None:
        return [None]
    first = further(a, b) | ((a == b) & further(0.0 if da is None else da, 0.0 if db is None else db))
    # A product with 0 or 1, because vmap turns the layout round for a choice between what is batched and what is not.
    if db is None:
        return [da * first]
    if da is None:
        return [db * ~first]
    return [jnp.where(first, da, db)]
