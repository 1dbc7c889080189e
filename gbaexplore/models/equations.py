"""`ODEModel`: the user writes the right-hand side of the equations, the class takes the steps."""

from __future__ import annotations

import functools
import math
from abc import abstractmethod
from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.points import VELOCITY
from gbaexplore.identity.traced import Traced, traced
from gbaexplore.models.base import Model
from gbaexplore.models.checks import checked
from gbaexplore.models.parameters import Parameters
from gbaexplore.models.schemes import SCHEMES, stepped
from gbaexplore.models.sending import hearing
from gbaexplore.networks.seen import Network


@dataclass(frozen=True)
class ODEModel(Model):
    """A model defined by ordinary differential equations: `derivative` gives dx/dt, and steps follow from it.

    `observables` declares the state variables, with their units, unless `states` does. They are 0 at rest and start
    there, unless `rest` or `start` say otherwise.

    `method` is the integration scheme; the stimulus is constant within a step.

    | `method` | | evaluations of `derivative` a step | error |
    |---|---|---|---|
    | `"euler"` | forward Euler | 1 | ~ dt |
    | `"heun"` | explicit trapezoidal rule | 2 | ~ dt^2 |
    | `"rk4"` | classical Runge-Kutta | 4 | ~ dt^4 |

    With noise, given by `diffusion`, `"euler"` is the Euler-Maruyama scheme and converges to the Ito solution,
    `"heun"` to the Stratonovich solution (Kloeden & Platen 1992, sections 10.2 and 14.5); the two agree
    if the noise does not depend on the state. `"rk4"` takes no noise.
    """

    method: str = "euler"

    hears_anew: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not isinstance(self.method, str) or self.method not in SCHEMES:
            raise UserError(f'method="{self.method}"; expected one of {", ".join(SCHEMES)}')
        if self._has_noise and not SCHEMES[self.method].noise:
            able = " or ".join(f'"{name}"' for name, scheme in SCHEMES.items() if scheme.noise)
            raise UserError(
                f'{type(self).__name__} has noise, which method="{self.method}" does not take; expected {able}'
            )

    @abstractmethod
    def derivative(self, x: Any, p: Any, net: Network, stimulus: Any) -> Mapping[str, Any]:
        """Return the time derivative of each state variable, per second: {variable: (area,)}.

        A variable with `dimensions` of its own has these first.
        """

    def diffusion(self, x: Any, p: Any, net: Network) -> Mapping[str, Any]:
        """Return the strength of white noise on state variables, {variable: (area,)}, in their unit / s^0.5.

        Variables that are left out have no noise. Noise is independent between variables and areas.
        """
        return {}

    @property
    def _has_noise(self) -> bool:
        return type(self).diffusion is not ODEModel.diffusion

    def normals_per_step(self, values: Mapping[str, np.ndarray]) -> int:
        return sum(self._rows(name) for name in self.state_units()) if self._has_noise else 0

    def _rows(self, variable: str) -> int:
        """Return how many numbers each area has of a state variable."""
        return math.prod(self.shape_of(variable, 1))

    def _zeros(self, names: Iterable[str], net: Network) -> dict[str, Any]:
        nothing = jnp.zeros_like(net.weights[0])
        shapes = {name: self.shape_of(name, len(nothing)) for name in names}
        return {name: nothing if len(s) == 1 else jnp.broadcast_to(nothing, s) for name, s in shapes.items()}

    def state(self, **variables: Any) -> Any:
        """Return a state made from all of its variables, for your own `start`."""
        return _state_class(tuple(self.state_units()))(**variables)

    def rest(self, p: Any, net: Network) -> Mapping[str, Any]:
        return self._zeros(self.observables, net)

    def start(self, p: Any, net: Network) -> Any:
        return self.state(**self._zeros(self.state_units(), net))

    def step(self, x: Any, p: Any, net: Network, stimulus: Any, dt: float, normal: Any = None) -> Any:
        return stepped(SCHEMES[self.method], lambda x: self._slope(x, p, net, stimulus, dt, normal), x, dt)

    def _slope(self, x: Any, p: Any, net: Network, stimulus: Any, dt: float = 1.0, normal: Any = None) -> Any:
        """Return dx/dt, including the increment of the noise in this step divided by dt."""
        slope = self._checked("derivative", self.derivative(x, p, hearing(self, x, p, net), stimulus), x)
        if normal is None:
            return slope
        return jax.tree.map(
            lambda k, s, n: k + s * n / math.sqrt(dt), slope, self._strength(x, p, net), self._split(x, normal)
        )

    def _split(self, x: Any, rows: Any) -> Any:
        """Return rows of values of areas, (row, area), as a state like x."""
        if not self.dimensions:
            return type(x)(*rows)
        ends = np.cumsum([self._rows(name) for name in x._fields])
        return type(x)(*(part.reshape(a.shape) for part, a in zip(jnp.split(rows, ends[:-1]), x)))

    def _strength(self, x: Any, p: Any, net: Network) -> Any:
        nothing = dict(zip(x._fields, map(jnp.zeros_like, x)))
        return self._checked("diffusion", nothing | dict(self.diffusion(x, p, net)), x)

    def _checked(self, method: str, found: Any, x: Any) -> Any:
        fits = isinstance(found, Mapping) and set(found) == set(x._fields)
        expected = f"{{variable: {method}}} for {', '.join(x._fields)}"
        return type(x)(**checked(self, method, found, fits, expected, dict(zip(x._fields, x))))

    def jacobian(self, p: Any, net: Network) -> np.ndarray:
        """Return the Jacobian of the derivative at the start, without stimulus, by automatic differentiation: 1/s.

        Raises:
            UserError: the start is not a fixed point at these values, so the matrix would be meaningless.
        """
        return self.linearised(net)(p)

    def linearised(self, net: Network) -> Callable[[Any], np.ndarray]:
        with jax.enable_x64(True):
            program = _linearisation(_Told(self, self.linear_program(net).hash))

        def jacobian(p: Any) -> np.ndarray:
            if self.has_sends and hasattr(p, VELOCITY):
                raise UserError(
                    f"{type(self).__name__} has no jacobian at a finite velocity, because of its delays; expected a "
                    "study without measures of the linearised network, or without a velocity"
                )
            with jax.enable_x64(True):
                slope, matrix = map(np.asarray, program(*self._in_float64(p, net)))
            if np.abs(slope).max() > 1e-9:
                raise UserError(
                    f"{type(self).__name__} does not start in a fixed point, so its linearisation says nothing about "
                    f"stability; expected derivatives of 0, found up to {np.abs(slope).max():.3g} /s: leave out "
                    "measures of the linearised network"
                )
            return matrix

        return jacobian

    def linear_program(self, net: Network) -> Traced:
        """Return the identity of the program that computes the jacobian."""
        with jax.enable_x64(True):
            values, network = self._in_float64(SimpleNamespace(**dict.fromkeys(self.parameters(), 1.0)), net)
            fields = network.named()
            inputs = {f"p {name}": value for name, value in vars(values).items()}

            def linearised(net: Mapping[str, Any], **p: Any) -> Any:
                values = {name.removeprefix("p "): value for name, value in p.items()}
                return _linearised(self, Parameters(values), Network.of_named(net))

            return traced(linearised, net=fields, **inputs)

    def noise_covariance(self, p: Any, net: Network) -> np.ndarray:
        """Return the diagonal matrix of the squared strengths of the noise at the start, per second."""
        with jax.enable_x64(True):
            values, network = self._in_float64(p, net)
            strength = self._strength(_middle(self, values, network), values, network)
            return np.diag(np.concatenate([np.ravel(part) for part in strength]) ** 2)

    def _in_float64(self, p: Any, net: Network) -> tuple[Parameters, Network]:
        """Return plain numbers, or columns, and a network in the form that `derivative` gets."""
        known = {name: np.ravel(getattr(p, name)) for name in self.parameters() if hasattr(p, name)}
        values = {name: np.full(len(net.weights), value, float) for name, value in known.items()}
        return Parameters(values), jax.tree.map(np.asarray, net._replace(lengths_mm=None))


@functools.lru_cache
def _state_class(names: tuple[str, ...]) -> Any:
    return namedtuple("State", names)


@dataclass(frozen=True)
class _Told:
    """A model that compares equal to others with the same compiled program."""

    model: ODEModel = field(compare=False)
    key: str


@functools.lru_cache(maxsize=32)
def _linearisation(told: _Told) -> Any:
    """Return `_linearised` of a model, compiled: a function of (p, net)."""
    return jax.jit(functools.partial(_linearised, told.model))


def _linearised(model: ODEModel, p: Parameters, net: Network) -> Any:
    """Return the derivative at the start, (variables x areas,), and its Jacobian."""
    start = _middle(model, p, net)
    areas = len(net.weights)
    stacked = jnp.concatenate([a.reshape(-1, areas) for a in start]) if model.dimensions else jnp.stack(tuple(start))
    silence = jnp.zeros(model.stimulus_shape(areas))

    def flat(x: Any) -> Any:
        slope = model._slope(model._split(start, x.reshape(stacked.shape)), p, net, model.driven(p, silence))
        if model.dimensions:
            return jnp.concatenate([a.ravel() for a in slope])
        return jnp.stack(tuple(slope)).ravel()

    return flat(stacked.ravel()), jax.jacfwd(flat)(stacked.ravel())


def _middle(model: ODEModel, p: Parameters, net: Network) -> Any:
    """Return the start, where it is random the middle of all."""
    normal = [jnp.zeros((model.random_start, len(net.weights)))] if model.random_start else []
    return model.start(p, net, *normal)
