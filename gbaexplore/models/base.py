"""`Model`, the base class of all models: declared parameters, and one step of one point in plain jax.numpy."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, cast

import numpy as np

from gbaexplore.basics.errors import UserError, unknown
from gbaexplore.basics.points import AMPLITUDE, VELOCITY, amplitude_of
from gbaexplore.models.driving import Driven
from gbaexplore.models.parameters import ParameterInfo, parameter
from gbaexplore.networks.seen import Network


class Model(ABC):
    """A network of areas: a frozen dataclass that declares its parameters with `parameter`.

    `start`, `rest` and `step` are written for one point of the grid, in jax.numpy; the simulator batches points.
    Every parameter and the stimulus reach them as vectors over areas, with the same value in each area unless it was
    given per area. Plain arithmetic between them and the state is therefore elementwise.

    A state holds *changes from rest*: float32 then resolves 1e-6 Hz on top of 10 Hz.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if "sends" in cls.__dict__ and not hasattr(cls, VELOCITY):
            cls.__annotations__ = {**inspect.get_annotations(cls), VELOCITY: float}
            setattr(cls, VELOCITY, parameter(np.inf, units="m/s", doc="conduction velocity", above=0))
        for name, units in (cls.__dict__.get("inputs") or {}).items():
            amplitude = parameter(1.0, units=units, doc=f"amplitude of the stimulus into {name}", init=False)
            cls.__annotations__ = {**inspect.get_annotations(cls), amplitude_of(name): float}
            setattr(cls, amplitude_of(name), amplitude)
        bases = [base for base in cls.__mro__[1:] if dataclasses.is_dataclass(base)]
        for name in {field.name for base in bases for field in dataclasses.fields(base)}:
            given = cls.__dict__.get(name)
            if given is not None and not isinstance(given, dataclasses.Field):
                raise UserError(
                    f"{cls.__name__}.{name} = {given!r} would not change the parameter; expected "
                    f"{name}: float = parameter({given!r}, units=..., doc=...) in a @dataclass(frozen=True), or "
                    f"{cls.__name__}({name}={given!r})"
                )

    def __new__(cls, *_: Any, **__: Any) -> Model:
        if any(isinstance(value, dataclasses.Field) for value in vars(cls).values()):
            raise UserError(
                f"{cls.__name__} declares parameters but is not a dataclass; expected @dataclass(frozen=True) above "
                f"class {cls.__name__}"
            )
        if "normal" in inspect.signature(cls.step).parameters and cls.normals_per_step is Model.normals_per_step:
            raise UserError(
                f"{cls.__name__}.step takes normal, but there is no normals_per_step that asks for random numbers, so "
                f"there would be no noise; define {cls.__name__}.normals_per_step"
            )
        return super().__new__(cls)

    observables: ClassVar[Mapping[str, str]]
    """What measures can look at, with units: state variables, and what `outputs` computes of them. The ceiling applies
    to the first."""

    states: ClassVar[Mapping[str, str] | None] = None
    """State variables, with their units, where they are others than the observables."""

    dimensions: ClassVar[Mapping[str, Mapping[str, Sequence[str]]]] = {}
    """Dimensions that state variables and outputs have besides the area, each with its labels:
    `{"s": {"receptor": ("AMPA", "NMDA")}}`. In all methods such a variable is (receptor, area)."""

    hears_anew: ClassVar[bool] = False
    """Whether a step finds out by itself what arrives, as often as it evaluates its equations."""

    random_start: ClassVar[int] = 0
    """How many independent standard normal numbers each area needs at the start. Unless there are none, `start` gets
    them as `normal`, (numbers, area). They depend on the point's seed; with independent noise on its coordinates too.
    Numbers evenly spread from 0 to 1 are `jax.scipy.special.ndtr(normal)`."""

    stimulus_units: ClassVar[str | None] = None
    """The unit of the stimulus; that of the first observable if None."""

    inputs: ClassVar[Mapping[str, str] | None] = None
    """The names of several inputs, with their units, each of which a study may drive by a stimulus of its own. A step
    gets what is into NAME as `stimulus.NAME`, (area,), and `amplitude_NAME` is a parameter; "amplitude" multiplies all.
    If None, there is one input, and `stimulus` is (area,)."""

    takes_negative_weights: ClassVar[bool] = True
    """Whether the equations make sense where a pathway's weight is below 0."""

    @abstractmethod
    def rest(self, p: Any, net: Network) -> Mapping[str, Any]:
        """Return the resting rates, from which the state is a change: {observable: (area,)}.

        An observable with `dimensions` of its own has these first, here as in `start`, `step` and `outputs`.
        """

    @abstractmethod
    def start(self, p: Any, net: Network) -> Any:
        """Return the state at t = 0: a NamedTuple of (area,) arrays that include the observables.

        A start that is random takes its numbers as a last argument, `normal`: see `random_start`.
        """

    @abstractmethod
    def step(self, x: Any, p: Any, net: Network, stimulus: Any, dt: float) -> Any:
        """Return the state dt seconds later; `stimulus` is (area,) in `stimulus_units`, or has several `inputs`.

        A model with noise takes its random numbers as a last argument, `normal`: see `normals_per_step`.
        """

    def driven(self, p: Any, stimulus: Any) -> Any:
        """Return the stimulus as `step` gets it, from (area,), or (input, area) of several inputs, of amplitude 1."""
        if self.inputs is None:
            return stimulus
        return Driven({name: getattr(p, amplitude_of(name)) * into for name, into in zip(self.inputs, stimulus)})

    def stimulus_shape(self, areas: int) -> tuple[int, ...]:
        """Return the shape that `driven` takes."""
        return (areas,) if self.inputs is None else (len(self.inputs), areas)

    def sends(self, x: Any, p: Any) -> Mapping[str, Any]:
        """Return what each area sends to the others, one or several expressions of its state: {name: (area,)}.

        `net.received.NAME` is what arrives of it: `net.weights @ sent`. A model that sends has a parameter `velocity`,
        in m/s, unless it declares its own. It is infinite; given a finite one, what arrives left its source
        length / velocity ago. Before t = 0 the network is in its initial state, and what is sent is interpolated
        linearly between steps.
        """
        return {}

    @property
    def has_sends(self) -> bool:
        """Whether areas send anything by `sends`."""
        return type(self).sends is not Model.sends

    def outputs(self, x: Any, p: Any, net: Network) -> Mapping[str, Any]:
        """Return the observables that are no state variables, such as a rate: {observable: (area,)}.

        Like the state, they are changes from `rest`. With outputs every step is computed, at rest too. What is
        received late is what arrived in the step that led to the state.
        """
        return {}

    @property
    def has_outputs(self) -> bool:
        """Whether some observables are no state variables."""
        return type(self).outputs is not Model.outputs

    def state_units(self) -> Mapping[str, str]:
        """Return the unit of each state variable, in order."""
        return self.observables if self.states is None else self.states

    def shape_of(self, variable: str, areas: int) -> tuple[int, ...]:
        """Return the shape of a state variable or an output at one point: the areas last."""
        return (*map(len, self.dimensions.get(variable, {}).values()), areas)

    def normals_per_step(self, values: Mapping[str, np.ndarray]) -> int:
        """Return how many independent standard normal numbers each area needs per step at these parameter values.

        Unless there are none, `step` gets them as `normal`, (numbers, area). White noise of amplitude s on a current
        is s * normal / sqrt(dt). The numbers depend only on the step and the point's seed; with independent noise on
        its coordinates too.
        """
        return 0

    def is_random(self, values: Mapping[str, np.ndarray]) -> bool:
        """Return whether points of several seeds differ at these parameter values."""
        return bool(self.random_start or self.normals_per_step(values))

    def noise_covariance(self, p: Any, net: Network) -> np.ndarray:
        """Return the covariance that noise adds to the linearised system's state per second (float64).

        Arguments and order of the state are those of `jacobian`.
        """
        raise UserError(
            f"{type(self).__name__} has no noise_covariance, which the stationary covariance needs; define it"
        )

    def distance_from_rest(self, x: Any) -> Any:
        """Return the parts of the state that are zero again once a response has ended: arrays, by default all."""
        return x

    def prepared_for(self, net: Network, dt: float, precision: str) -> Model:
        """Return the model prepared for a network, steps of dt seconds and "float32" or "float64".

        Raises:
            UserError: the model can't run that way.
        """
        return self

    def starts_at_rest(self, values: Mapping[str, np.ndarray]) -> bool:
        """Return whether the model, without stimulus, stays where it starts at all these parameter values.

        If so, the steps before the stimulus are skipped, and a point may end early once every state variable is back
        at rest. Return True only if the state is exactly constant there. With noise it is not, and the simulator does
        not ask.
        """
        return False

    def homogeneous(self, values: Mapping[str, np.ndarray]) -> bool:
        """Return whether scaling the stimulus by any c > 0 scales every change from rest by c, at all these values.

        Calibration then needs one simulation. Return True only if this is exact: never with noise.
        """
        return False

    def check(self, values: Mapping[str, np.ndarray]) -> None:  # noqa: B027 - nothing to check is the rule
        """Raise UserError for parameter values that are invalid together.

        `values` are whole axes, (n,), or (n, area) of what areas have of their own: `min(axis=0)` and `max(axis=0)` of
        two parameters are then compared area by area.
        """

    def jacobian(self, p: Any, net: Network) -> np.ndarray:
        """Return the matrix of the linearised system in 1/s (float64).

        Parameters are plain numbers; one that is given per area is a column, (area, 1), so that it scales rows.
        """
        raise UserError(
            f"{type(self).__name__} has no jacobian, which measures of the linearised network need; define "
            "it, or leave them out"
        )

    def linearised(self, net: Network) -> Callable[[Any], np.ndarray]:
        """Return `jacobian` as a function of the parameters alone, for many points of one network."""
        return functools.partial(self.jacobian, net=net)

    @classmethod
    def parameters(cls) -> dict[str, ParameterInfo]:
        """Return the declaration of each parameter, in order."""
        return {
            field.name: ParameterInfo(field.name, cast(float, field.default), **field.metadata["parameter"])
            for field in dataclasses.fields(cast(Any, cls))
            if "parameter" in field.metadata
        }

    def units_of(self, name: str) -> str:
        """Return the unit of a parameter, or of the stimulus' amplitude."""
        if name == AMPLITUDE:
            return "1" if self.inputs is not None else self.stimulus_units or next(iter(self.observables.values()))
        return self.parameters()[name].units

    def options(self) -> dict[str, Any]:
        """Return the fields that are not parameters (such as the update order)."""
        declared = self.parameters()
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(cast(Any, self))
            if field.name not in declared
        }

    def recipe(self) -> dict[str, Any]:
        """Return the JSON data that identifies the model, without its parameter values."""
        return {"kind": type(self).__name__, **self.options()}

    @classmethod
    def known_parameter(cls, name: str, also: tuple[str, ...] = ()) -> None:
        """Raise UserError, with the nearest name, unless the model has this parameter."""
        known = [*cls.parameters(), *also]
        if name not in known:
            raise UserError(unknown(f'no parameter "{name}" in {cls.__name__}', name, known, "Parameters"))
