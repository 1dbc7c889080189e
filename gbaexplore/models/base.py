"""What a model is: declared parameters, and one step of one point, in plain jax.numpy."""

from __future__ import annotations

import dataclasses
import functools
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np

from gbaexplore.connectome import Connectome
from gbaexplore.errors import UserError, defined_at, did_you_mean


@dataclasses.dataclass(frozen=True)
class ParameterInfo:
    """What is declared of a parameter, once: attributes, labels, `info` and checks derive from it."""

    name: str
    default: float
    units: str
    doc: str
    minimum: float
    above: float


def parameter(default: float, *, units: str, doc: str, minimum: float = -np.inf, above: float = -np.inf) -> Any:
    """Declare a parameter of a model: its default, unit, meaning and smallest value (`above`: excluded)."""
    meta = {"units": units, "doc": doc, "minimum": minimum, "above": above}
    return dataclasses.field(default=default, metadata={"parameter": meta})


class Network(NamedTuple):
    """A connectome as a model's step sees it."""

    hierarchy: Any  # (area,)
    fln: Any  # (area, area) row = target, column = source, so that fln @ rates is what each area receives
    fln_inhibitory: Any = None  # (area, area) the same onto inhibitory populations, where it is another one
    wiring_mm: Any = None  # (area, area) wiring distance, mm; a step does not see it
    arriving: Any = None  # (area,) what arrives now of what `Model.travels` names: late, weighted by fln, summed
    arriving_inhibitory: Any = None  # (area,) the same by fln_inhibitory

    @classmethod
    def of(cls, connectome: Connectome) -> Network:
        """Return a connectome's numbers."""
        return cls(connectome.hierarchy, connectome.fln, connectome.fln_inhibitory, connectome.wiring_mm)

    @classmethod
    def named(cls, values: Mapping[str, Any]) -> Network:
        """Return the network of values by the names that stores know them by: see `WIRING`."""
        return cls(**{field: values.get(name) for field, name in WIRING.items()})


WIRING = {
    "hierarchy": "hierarchy",
    "fln": "weights",
    "fln_inhibitory": "weights onto inhibitory",
    "arriving": "arriving",
    "arriving_inhibitory": "arriving at inhibitory",
}
"""What a step sees of a network, by names that outlive those of the fields: hashes in stores are made of them."""


class Parameters:
    """The parameters of a point by name, as attributes: what a model's functions get as `p`."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        # An AttributeError, so that the line of the model's code that asked can be told.
        known = list(self.__dict__)
        raise AttributeError(f'no parameter "{name}"{did_you_mean(name, known) or ";"} Parameters: {", ".join(known)}')


jax.tree_util.register_pytree_node(
    Parameters,
    lambda p: (tuple(vars(p).values()), tuple(vars(p))),
    lambda names, values: Parameters(dict(zip(names, values))),
)


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

    travels: ClassVar[str | None] = None
    """The state variable that reaches other areas late, if one does: after wiring distance / `velocity`, a
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

        A model that draws random numbers gets them as a last argument, `normal`: see `draws`.
        """

    def draws(self, values: Mapping[str, np.ndarray]) -> int:
        """How many independent standard normal numbers each area gets in every step, at these parameter values.

        If there are any, `step` gets them as `normal`, (draws, area). White noise of amplitude s on a current is
        s * normal / sqrt(dt). They depend on the point's seed and coordinates and on the step, and on nothing else.
        """
        return 0

    def noise_covariance(self, p: Any, net: Network) -> np.ndarray:
        """Return what noise adds to the covariance of the linearised system's state per second (float64).

        Args and order of the state as in `jacobian`: parameters are plain numbers.
        """
        raise UserError(f"{type(self).__name__} has no noise_covariance; the stationary covariance needs it: define it")

    def away(self, x: Any) -> Any:
        """Return what of a state is back at zero when a response is over: arrays, by default all of the state."""
        return x

    def fitted(self, areas: int, dt: float, precision: str) -> Model:
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
        raise UserError(f"{type(self).__name__} has no jacobian; SpectralAbscissa needs one: define it")

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
            raise UserError(
                f'no parameter "{name}" in {cls.__name__}{did_you_mean(name, known) or ";"} '
                f"Parameters: {', '.join(known)}"
            )


def checked_values(model: Model, values: Mapping[str, np.ndarray]) -> None:
    """Raise UserError for a parameter value below what its declaration allows, or that `model.check` refuses."""
    for name, found in values.items():
        if not np.isfinite(found).all():
            raise UserError(f"{name} has a value that is not a finite number; expected finite numbers")
    for name, info in type(model).parameters().items():
        low = np.min(values[name])
        if low < info.minimum or low <= info.above:
            bound = f"at least {info.minimum:g}" if np.isfinite(info.minimum) else f"above {info.above:g}"
            raise UserError(f"{name} = {low:g} {info.units}; expected {bound}: {info.doc}")
    model.check(values)


def checked_start(model: Model, x: Any, areas: int) -> Any:
    """Return the state that `model.start` made.

    Raises:
        UserError: it is no NamedTuple with the observables in it, (area,) each.
    """
    where = defined_at(type(model).start)
    if not hasattr(x, "_fields") or not all(hasattr(x, name) for name in model.observables):
        raise UserError(
            f"{type(model).__name__}.start returns {_fields_of(x)}; expected a NamedTuple with the observables among "
            f"its fields: {', '.join(model.observables)}{where}"
        )
    for name in model.observables:
        if any(np.shape(array) != (areas,) for array in jax.tree.leaves(getattr(x, name))):
            raise UserError(
                f"{type(model).__name__}.start makes {name} of shape {np.shape(getattr(x, name))}; expected one number "
                f"per area: ({areas},){where}"
            )
    return x


def checked_rest(model: Model, rates: Any, areas: int) -> Any:
    """Return the rates that `model.rest` gave.

    Raises:
        UserError: they are not (area,) of each observable.
    """
    where, kind = defined_at(type(model).rest), type(model).__name__
    if not isinstance(rates, Mapping) or not set(model.observables) <= set(rates):
        raise UserError(
            f"{kind}.rest returns {_fields_of(rates)}; expected {{observable: rates}} for "
            f"{', '.join(model.observables)}{where}"
        )
    for name in model.observables:
        if np.shape(rates[name]) != (areas,):
            raise UserError(
                f"{kind}.rest makes {name} of shape {np.shape(rates[name])}; expected one number per area: "
                f"({areas},){where}"
            )
    return rates


def checked_step(model: Model, x: Any, new: Any) -> Any:
    """Return the state `new` that `model.step` made of `x`.

    Raises:
        UserError: it is not a state like the one before: other fields, shapes or types of number.
    """
    where = defined_at(type(model).step)
    structure: Any = jax.tree.structure(x)
    if structure != jax.tree.structure(new):
        raise UserError(
            f"{type(model).__name__}.step returns {_fields_of(new)}; expected a {type(x).__name__} as it got: "
            f"{', '.join(x._fields)}{where}"
        )
    for name, before, after in zip(x._fields, x, new):
        for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(after)):
            if np.shape(a) != np.shape(b) or jnp.result_type(a) != jnp.result_type(b):
                raise UserError(
                    f"{type(model).__name__}.step makes {name} {jnp.result_type(b)} of shape {np.shape(b)}; expected "
                    f"{jnp.result_type(a)} of shape {np.shape(a)}, as before the step{where}"
                )
    return new


def _fields_of(x: Any) -> str:
    if hasattr(x, "_fields"):
        return f"{type(x).__name__}({', '.join(x._fields)})"
    return f"a {type(x).__name__}" + (f" of {', '.join(map(str, x))}" if isinstance(x, Mapping) else "")
