"""What a model is: declared parameters, and one step of one point, in plain jax.numpy."""

from __future__ import annotations

import dataclasses
import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, cast

import numpy as np

from gbaexplore.basics.errors import UserError, unknown
from gbaexplore.models.parameters import ParameterInfo
from gbaexplore.networks.seen import Network


class Model(ABC):
    """A network of areas, as a frozen dataclass whose parameters are declared with `parameter`.

    `start`, `rest` and `step` are written for one point of the grid, in jax.numpy. Inside them every
    parameter, and the stimulus, is a vector over areas (the same value in each, unless it was given per
    area), so that plain arithmetic between them and the state is elementwise; the simulator batches points.

    A state holds *changes from rest*, which keeps 1e-6 Hz exact in float32 on top of 10 Hz.
    """

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
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
                f"{cls.__name__} declares parameters, but is no dataclass; expected @dataclass(frozen=True) above "
                f"class {cls.__name__}"
            )
        return super().__new__(cls)

    observables: ClassVar[Mapping[str, str]]
    """State variables that measures may look at, with their units; the first is the one that the rate
    ceiling watches."""

    delayed: ClassVar[str | None] = None
    """State variable transmitted with a conduction delay, or None: after wiring distance / `velocity`, a
    parameter in m/s that the model then has to declare. `net.arriving` takes the place of `net.fln @ x.E`."""

    @abstractmethod
    def rest(self, p: Any, net: Network) -> Mapping[str, Any]:
        """Return the rates that the state is a change from: {observable: (area,)}."""

    @abstractmethod
    def start(self, p: Any, net: Network) -> Any:
        """Return the state at t = 0: a NamedTuple of (area,) arrays, the observables among them."""

    @abstractmethod
    def step(self, x: Any, p: Any, net: Network, stimulus: Any, dt: float) -> Any:
        """Return the state one step of dt seconds later; `stimulus` is (area,) in the units of the input.

        A model that draws random numbers gets them as a last argument, `normal`: see `normals_per_step`.
        """

    def normals_per_step(self, values: Mapping[str, np.ndarray]) -> int:
        """How many independent standard normal numbers each area gets in every step, at these parameter values.

        If there are any, `step` gets them as `normal`, (numbers, area). White noise of amplitude s on a current is
        s * normal / sqrt(dt). They depend on the point's seed and coordinates and on the step, and on nothing else.
        """
        return 0

    def noise_covariance(self, p: Any, net: Network) -> np.ndarray:
        """Return what noise adds to the covariance of the linearised system's state per second (float64).

        Args and order of the state as in `jacobian`: parameters are plain numbers.
        """
        raise UserError(f"{type(self).__name__} has no noise_covariance; the stationary covariance needs it: define it")

    def distance_from_rest(self, x: Any) -> Any:
        """Return the parts of the state that return to zero once a response has ended: arrays, by default all."""
        return x

    def prepared_for(self, areas: int, dt: float, precision: str) -> Model:
        """Return the model for a run of so many areas, with steps of dt seconds, in "float32" or "float64".

        Raises:
            UserError: it can't be run so.
        """
        return self

    def starts_at_rest(self, values: Mapping[str, np.ndarray]) -> bool:
        """Whether the start is a fixed point without stimulus at all these parameter values.

        Then the steps before the stimulus are exactly zero and are skipped, and a point may end early once
        every state variable has come back to rest. Only say True where the state there is exactly constant; with
        noise it is not, and this is not asked.
        """
        return False

    def homogeneous(self, values: Mapping[str, np.ndarray]) -> bool:
        """Whether scaling the stimulus by any c > 0 scales every change from rest by c, at all these values.

        Calibration then needs one simulation. Only say True where it is exact, so never with noise.
        """
        return False

    def check(self, values: Mapping[str, np.ndarray]) -> None:  # noqa: B027 - nothing to check is the rule
        """Raise UserError for parameter values that make no sense together; `values` are whole axes."""

    def jacobian(self, p: Any, net: Network) -> np.ndarray:
        """Return the linearised system's matrix in 1/s (float64), from parameters that are plain numbers."""
        raise UserError(
            f"{type(self).__name__} has no jacobian, which measures of the linearised network need; define "
            "it, or leave them out"
        )

    def linearised(self, net: Network) -> Callable[[Any], np.ndarray]:
        """Return `jacobian` as a function of the parameters alone, for many points of one network."""
        return functools.partial(self.jacobian, net=net)

    @classmethod
    def parameters(cls) -> dict[str, ParameterInfo]:
        """Return what is declared of each parameter, in order."""
        return {
            field.name: ParameterInfo(field.name, cast(float, field.default), **field.metadata["parameter"])
            for field in dataclasses.fields(cast(Any, cls))
            if "parameter" in field.metadata
        }

    def options(self) -> dict[str, Any]:
        """Return the fields that are not parameters (such as the update order)."""
        declared = self.parameters()
        return {
            field.name: getattr(self, field.name)
            for field in dataclasses.fields(cast(Any, self))
            if field.name not in declared
        }

    def recipe(self) -> dict[str, Any]:
        """Return what identifies the model, its parameter values apart, as JSON data."""
        return {"kind": type(self).__name__, **self.options()}

    @classmethod
    def known_parameter(cls, name: str, also: tuple[str, ...] = ()) -> None:
        """Raise UserError, with the nearest name, unless this is one of the model's parameters."""
        known = [*cls.parameters(), *also]
        if name not in known:
            raise UserError(unknown(f'no parameter "{name}" in {cls.__name__}', name, known, "Parameters"))
