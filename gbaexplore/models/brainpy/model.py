"""`BrainPyModel`: BrainPy's dynamical systems as models, swept by the arguments of the factory that makes them.

While it is traced, a step builds the system, puts the state into its Variables, calls `update` and reads them out
again. Building does not depend on the state, so XLA moves it out of the loop over time.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
import gc
import inspect
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from gbaexplore.basics.errors import UserError, unknown
from gbaexplore.models.base import Model
from gbaexplore.models.brainpy.factory import FROM_NETWORK, arguments_of, completed, described
from gbaexplore.models.brainpy.state import BrainPyState, change_of
from gbaexplore.models.brainpy.traced import RANDOM, check_double, check_same, draws_numbers
from gbaexplore.models.brainpy.variables import NAMING, tracked, variable_names, variable_of
from gbaexplore.models.parameters import parameter
from gbaexplore.networks.seen import Network

UPDATE = "update"
_NOT_KNOWN = (
    jax.errors.ConcretizationTypeError,
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
)


class BrainPyModel(Model):
    """Any BrainPy dynamical system as a model, swept by the arguments of its factory.

    The system is built in BrainPy's non-batching mode, in the study's precision, and starts from the values with
    which its Variables are built. For the monitored Variables these are also `rest`, and results are changes from it.
    Such a change is a difference of raw numbers: float32 loses changes below 1e-7 of the raw number,
    `precision="float64"` keeps them.

    Args:
        factory: a class or function that returns a `brainpy.DynamicalSystem`. Arguments whose default is a float are
            parameters: an axis, `fixed` or `derived` may give them. An argument named `weights` gets those of the
            study's connectome, (area, area), and `net` a `Network`, with `net.values["..."]` and the rest.
        monitors: names of Variables ("E", or "cells.V" of a part), which become the observables; a mapping also gives
            their units, otherwise "1". Each has one value per area, that at the end of a step.
        input: where the stimulus (area,) goes: "update" for the first argument of `update`; the name of a
            Variable, to which it is added before a step, as by `DSRunner(inputs=...)`; None for nowhere.
        units: of parameters, by name; otherwise "1".
        options: values of the other arguments. A float that is given here is not a parameter.
        time_unit_s: BrainPy's unit of time, s. `bp.share["t"]`, `bp.share["dt"]` and `bm.get_dt()` are in it.
        at_rest: True promises that without stimulus the system stays as it starts, at all parameters, and does not
            read t. The steps before the stimulus are then skipped, and points may end early.
        values: of parameters, in place of their defaults.

    Raises:
        UserError: an argument without a value, or an unknown one. When a study is made: an unknown Variable, one
            without a value per area, random numbers, lower precision than the study's, an argument whose value must
            be known when the system is built.
    """

    factory: Callable[..., Any]
    _arguments: ClassVar[frozenset[str]] = frozenset()  # of the factory
    _given: dict[str, Any]  # the values of those that are options
    _parts: dict[str, Any]  # input, time_unit_s and at_rest
    _dt: float | None  # in BrainPy's unit, once it is known

    def __new__(cls, factory: Callable[..., Any], *_: Any, units: Any = None, options: Any = None, **__: Any) -> Any:
        if not (inspect.isclass(factory) or inspect.isfunction(factory)):
            raise UserError(f"BrainPyModel of {factory!r}; expected a class or a function that makes the system")
        makes: Any = factory
        return object.__new__(_class_of(makes, tuple((units or {}).items()), frozenset(options or {})))

    def __init__(
        self,
        factory: Callable[..., Any],
        monitors: Sequence[str] | Mapping[str, str],
        *,
        input: str | None = UPDATE,
        units: Mapping[str, str] | None = None,
        options: Mapping[str, Any] | None = None,
        time_unit_s: float = 1e-3,
        at_rest: bool = False,
        **values: float,
    ) -> None:
        if isinstance(monitors, str) or not monitors:
            raise UserError(f'monitors = {monitors!r}; expected names of Variables, such as ["E"] or {{"E": "Hz"}}')
        if not time_unit_s > 0:
            raise UserError(f"time_unit_s = {time_unit_s!r}; expected BrainPy's unit of time in seconds, such as 1e-3")
        for name in values:
            self.known_parameter(name)
        observables = dict(monitors) if isinstance(monitors, Mapping) else dict.fromkeys(monitors, "1")
        parts = {"input": input, "time_unit_s": float(time_unit_s), "at_rest": bool(at_rest)}
        found = {
            **{name: float(values.get(name, info.default)) for name, info in self.parameters().items()},
            "factory": factory,
            "observables": observables,
            "_given": completed(factory, dict(options or {})),
            "_parts": parts,
            "_remade": {"monitors": monitors, "units": units, "options": options, **parts, **values},
            "_dt": None,
        }
        for name, value in found.items():
            object.__setattr__(self, name, value)

    def __reduce__(self) -> tuple[Any, ...]:
        return functools.partial(BrainPyModel, **self.__dict__["_remade"]), (self.factory,)

    # Two models that are equal share a compiled program.

    def __eq__(self, other: object) -> bool:
        return isinstance(other, BrainPyModel) and self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)

    @functools.cached_property
    def _key(self) -> tuple[Any, ...]:
        values = tuple(getattr(self, name) for name in self.parameters())
        return self.factory, json.dumps(self.options(), sort_keys=True), values, self._dt

    def __repr__(self) -> str:
        return f"BrainPyModel({type(self).__name__}, monitors={list(self.observables)})"

    def options(self) -> dict[str, Any]:
        """Return everything but the parameters, as JSON data."""
        name = self.factory.__qualname__
        given = {argument: described(value, name) for argument, value in self._given.items()}
        monitors = ", ".join(f"{monitor} ({units})" for monitor, units in self.observables.items())
        return {"factory": name, "monitors": monitors, **self._parts, "options": given or None}

    def recipe(self) -> dict[str, Any]:
        """Return the JSON data that identifies the model, without its parameter values."""
        return {"kind": BrainPyModel.__name__, **self.options()}

    @classmethod
    def known_parameter(cls, name: str, also: tuple[str, ...] = ()) -> None:
        """Raise UserError unless the model has this parameter; say how an argument becomes one."""
        if name not in cls.parameters() and name in cls._arguments:
            raise UserError(
                f'"{name}" of {cls.__name__} is not a parameter, because its default is not a float or options= '
                "gives it; expected an argument with a default such as 1.0"
            )
        super().known_parameter(name, also)

    # Called by the simulator.

    def prepared_for(self, net: Network, dt: float, precision: str) -> Model:
        return _prepared(self, len(net.weights), tuple(net.by_area), tuple(net.by_pathway), dt, precision)

    def rest(self, p: Any, net: Network) -> Mapping[str, Any]:
        with self._environment(0):
            system = self._built(p, net)
            found = {name: variable_of(system, name).value.astype(float) for name in self.observables}
        return {name: jnp.reshape(value, net.weights[0].shape) for name, value in found.items()}

    def start(self, p: Any, net: Network) -> BrainPyState:
        with self._environment(0):
            system = self._built(p, net)
            values = [variable.value for variable in self._changing(system, jnp.zeros_like(net.weights[0]))]
        initial = values if self._parts["at_rest"] else values[: len(self.observables)]
        variables, initial = (self._per_area(part, net) for part in (values, initial))
        return BrainPyState(tuple(self.observables), variables, initial, jnp.int32(0))

    def step(self, x: BrainPyState, p: Any, net: Network, stimulus: Any, dt: float) -> BrainPyState:
        with self._environment(x._steps):
            system = self._built(p, net)
            changing = self._changing(system, stimulus)
            before = [jnp.reshape(value, v.shape) for value, v in zip(x._variables, changing)]
            after = self._advanced(system, stimulus, list(zip(changing, before)))
        return BrainPyState(x._monitors, self._per_area(after, net), x._initial, x._steps + 1)

    def distance_from_rest(self, x: BrainPyState) -> Any:
        return [change_of(value, initial) for value, initial in zip(x._variables, x._initial)]

    def starts_at_rest(self, values: Mapping[str, np.ndarray]) -> bool:
        return self._parts["at_rest"]

    # The system during tracing.

    @contextlib.contextmanager
    def _environment(self, steps: Any) -> Iterator[None]:
        """Set BrainPy's settings, which it keeps per thread, and restore them at the end."""
        import brainpy.math as bm
        import brainstate
        from brainpy.math.defaults import env
        from brainpy.math.scales import IdScaling

        assert self._dt is not None, "it has been prepared for a run"
        double = jnp.result_type(float) == jnp.float64
        settings = {
            "dt": self._dt,
            "i": steps,
            "t": steps * self._dt,
            "mode": bm.nonbatching_mode,
            "membrane_scaling": IdScaling(),
            "bool_": jnp.bool_,
            "int_": jnp.int64 if double else jnp.int32,
            "float_": jnp.float64 if double else jnp.float32,
            "complex_": jnp.complex128 if double else jnp.complex64,
            "bp_object_as_pytree": False,
            "numpy_func_return": "bp_array",
        }
        with NAMING, brainstate.environ.context(env=env, **settings):
            yield

    def _built(self, p: Any, net: Network) -> Any:
        return self._made({name: getattr(p, name)[0] for name in self.parameters()}, net)

    def _made(self, values: Mapping[str, Any], net: Network) -> Any:
        import brainpy as bp

        wiring = {"weights": net.weights, "net": net}
        wiring = {name: wiring[name] for name in FROM_NETWORK if name in self._arguments}
        make = functools.partial(self.factory, **{**values, **wiring, **self._given})
        with jax.ensure_compile_time_eval():  # of values that depend on no parameter: Python code may need them
            try:
                system = make()
            except bp.errors.UniqueNameError:  # of a system that was built before and is garbage now
                gc.collect()
                system = make()
        if not isinstance(system, bp.DynamicalSystem):
            raise UserError(f"{self._name} makes {type(system).__name__}; expected a brainpy.DynamicalSystem")
        return system

    def _changing(self, system: Any, stimulus: Any) -> list[Any]:
        """Return the monitored Variables, then all others that a step writes."""
        import brainstate

        found = [variable_of(system, name) for name in self.observables]
        monitored = {id(variable) for variable in found}

        def once(stimulus: Any) -> int:
            with tracked() as trace:
                self._update(system, stimulus)
                found.extend(state for state in trace.get_write_states() if id(state) not in monitored)
            return 0

        drawn = draws_numbers(jax.make_jaxpr(once)(stimulus).jaxpr)
        if drawn or any(isinstance(state, brainstate.random.RandomState) for state in found):
            raise UserError(RANDOM.format(self._name))
        return found

    def _advanced(self, system: Any, stimulus: Any, before: list[tuple[Any, Any]]) -> list[Any]:
        """Return the values of Variables after a step, given pairs (Variable, value before)."""
        with tracked():
            for variable, value in before:
                variable.value = value
            self._update(system, stimulus)
            return [variable.value for variable, _ in before]

    def _update(self, system: Any, stimulus: Any) -> None:
        """Take one step as DSRunner does, without its monitors."""
        import brainpy as bp

        name = self._parts["input"]
        if name == UPDATE:
            if len(inspect.signature(type(system).update).parameters) < 2:  # of the class: BrainPy wraps the method
                raise UserError(
                    f"update of {self._name} has no argument for the stimulus; expected one, or the Variable to "
                    f'which it is added: input="...", or input=None. Variables: {", ".join(variable_names(system))}'
                )
            system(stimulus)
        else:
            if name is not None:
                variable = variable_of(system, name)
                variable.value = variable.value + jnp.reshape(stimulus, variable.shape)
            system()
        bp.clear_input(system)

    def _per_area(self, values: list[Any], net: Network) -> list[Any]:
        """Return values of which the monitored ones are (area,)."""
        areas = net.weights.shape[0]
        for name, value in zip(self.observables, values):
            if value.size != areas:
                raise UserError(
                    f'"{name}" of {self._name} has shape {value.shape}, the connectome {areas} areas; expected one '
                    "value per area"
                )
        shaped = [value.reshape(areas) for value in values[: len(self.observables)]]
        return [*shaped, *values[len(self.observables) :]]

    @property
    def _name(self) -> str:
        return self.factory.__qualname__


# The arguments of the factory.


@functools.lru_cache(maxsize=64)
def _class_of(factory: Callable[..., Any], units: tuple[tuple[str, str], ...], given: frozenset[str]) -> type:
    """Return the subclass that declares a factory's parameters, the same one every time."""
    arguments = arguments_of(factory)
    what = factory.__qualname__
    found = {
        name: argument.default
        for name, argument in arguments.items()
        if isinstance(argument.default, (float, np.floating)) and name not in (*given, *FROM_NETWORK)
    }
    for name in found:
        if hasattr(BrainPyModel, name) or name in ("amplitude", "factory", "observables"):
            raise UserError(f'the argument "{name}" of {what} has a name that models use; rename it')
    for name, _ in units:
        if name not in found:
            raise UserError(unknown(f'units: no parameter "{name}" in {what}', name, found, "Parameters"))
    fields = [
        (name, float, parameter(float(value), units=dict(units).get(name, "1"), doc=f"{name} of {what}"))
        for name, value in found.items()
    ]
    space = {"_arguments": frozenset(arguments), "__module__": factory.__module__}
    return dataclasses.make_dataclass(
        factory.__name__, fields, bases=(BrainPyModel,), namespace=space, frozen=True, init=False, eq=False, repr=False
    )


@functools.lru_cache(maxsize=64)
def _prepared(
    model: BrainPyModel, areas: int, by_area: tuple[str, ...], by_pathway: tuple[str, ...], dt: float, precision: str
) -> BrainPyModel:
    """Return the model for a run, after a step of it on paper."""
    found = copy.copy(model)
    object.__setattr__(found, "_dt", float(f"{dt / model._parts['time_unit_s']:.12g}"))
    with jax.enable_x64(precision == "float64"):
        number = jax.ShapeDtypeStruct((areas,), precision)
        matrix = jax.ShapeDtypeStruct((areas, areas), precision)
        network = Network(matrix, dict.fromkeys(by_area, number), dict.fromkeys(by_pathway, matrix))
        given = dict.fromkeys(found.parameters(), number), network, number
        try:
            first, second = (jax.make_jaxpr(_first_step(found))(*given) for _ in range(2))
        except _NOT_KNOWN as error:
            raise _not_known(found, given, error) from error
    check_same(found._name, first, second)
    if precision == "float64":
        check_double(found._name, first)
    return found


def _first_step(model: BrainPyModel) -> Callable[..., Any]:
    def step(values: dict[str, Any], net: Network, stimulus: Any) -> Any:
        p = SimpleNamespace(**values)
        return model.step(model.start(p, net), p, net, stimulus, 0.0)

    return step


def _not_known(model: BrainPyModel, given: Any, error: Exception) -> Exception:
    """Return a UserError naming the arguments that must be static; else the original error."""
    values, net, _ = given
    defaults = {name: info.default for name, info in model.parameters().items()}

    def fails(name: str) -> bool:
        def build(value: Any) -> int:
            with model._environment(0):
                model._made({**defaults, name: value[0]}, jax.tree.map(lambda a: jnp.ones(a.shape, a.dtype), net))
            return 0

        try:
            jax.eval_shape(build, values[name])
        except _NOT_KNOWN:
            return True
        return False

    known = {name: value for name, value in defaults.items() if fails(name)}
    if not known:
        return error
    return UserError(
        f"{model._name} needs the value of {', '.join(known)} when it is built, so no sweep can change it; expected "
        f"it as an option: options={known}"
    )
