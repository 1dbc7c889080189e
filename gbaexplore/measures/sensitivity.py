"""Sensitivities: derivatives of a measure with respect to parameters, by differentiating the simulation."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.points import AMPLITUDE, VELOCITY
from gbaexplore.measures.base import Measure, Now, Run, StreamingMeasure, Variable
from gbaexplore.measures.signals import Signal
from gbaexplore.measures.solved import SolvedMeasure, Trials
from gbaexplore.models.base import Model
from gbaexplore.models.checks import checked_values
from gbaexplore.models.tangents import WITH_TANGENTS, Dual, TangentModel, larger, pushed
from gbaexplore.networks.connectome import Connectome

DIMENSION = "parameter"


@dataclass(frozen=True)
class Sensitivity(SolvedMeasure):
    """The derivative of a measure with respect to parameters, in each area: d(measure)/d(parameter).

    The variables are those of the measure with the prefix `d_` (`d_peak_rate`) and an additional dimension
    `parameter`, labelled with the parameters' names; the coordinate `parameter_units` gives their units. Variables
    in seconds that the measure obtains by counting steps, such as `time_to_peak`, are left out: the number of a step
    has no derivative.

    It is the exact derivative of the simulated system, time steps included, to the study's precision: along with its
    state, each point carries the state's derivatives (tangents) through the same loop. No step size is needed, and
    one simulation gives the derivatives for all parameters, at a cost that grows with their number.

    It is a *partial* derivative: everything else is held fixed, `derived` parameters too. At a kink of the response
    it is the derivative towards larger values of the parameter, if the kink is written with jnp.maximum, jnp.minimum
    or jnp.clip; for other functions (jnp.where, relu) JAX decides. It is NaN at points that have
    diverged, and where the slope is infinite: the `status` of such a point is "undefined".

    Args:
        measure: a `Peak`, `Mean`, `Final`, `Trace` or your own streaming measure.
        parameters: names of parameters of the model; "amplitude" is the stimulus'.

    Raises:
        UserError: a measure that is not streaming or only counts steps; no parameter, an unknown or repeated one; a
            parameter that can't grow (a threshold at the steady state). All of these when the study is made; during
            the run, a model that JAX can't differentiate.
    """

    measure: StreamingMeasure
    parameters: tuple[str, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.measure, StreamingMeasure):
            what = type(self.measure).__name__ if isinstance(self.measure, Measure) else repr(self.measure)
            raise UserError(f"Sensitivity({what}, ...): expected a streaming measure, such as Peak()")
        if self.measure.signal is not None or self.measure.of_values or self.measure.of_several:
            raise UserError(
                f"Sensitivity({type(self.measure).__name__}(of={self.measure.of!r}), ...): expected a measure of one "
                "observable, such as Mean(); signals and phases are not differentiated"
            )
        names = self.parameters
        texts = isinstance(names, (list, tuple)) and all(isinstance(name, str) for name in names)
        if not texts or not names or len(set(names)) < len(names):
            raise UserError(
                f'Sensitivity(parameters={names!r}): expected names of parameters, each once, such as ("G", '
                '"amplitude")'
            )
        object.__setattr__(self, "parameters", tuple(names))

    @property
    def of(self) -> str | tuple[str, ...] | Signal | None:
        """What is measured; the model's first observable if None."""
        return self.measure.of

    @property
    def dimension(self) -> str:
        """The name of the parameters' dimension."""
        return DIMENSION + self.suffix

    def variables(self, model: Model) -> dict[str, Variable]:
        made = self.measure.variables(model)
        found = {
            name: Variable(
                (*made[of].dims, self.dimension),
                f"{made[of].units} per {self.dimension}_units",
                f"derivative of the {made[of].long_name}",
                comment=made[of].comment,
            )
            for name, of in self._differentiated(model).items()
        }
        if not found:
            raise UserError(
                f"Sensitivity({type(self.measure).__name__}()): it makes only times, counted in steps, which have "
                "no derivative; expected another measure"
            )
        return found

    def _differentiated(self, model: Model) -> dict[str, str]:
        """Return {name of a derivative: variable of the measure}."""
        observed = model.observables[self.measure.observable(model)]
        return {
            f"d_{name}{self.measure.suffix}": name
            for name, variable in self.measure.variables(model).items()
            if variable.units != "s" or observed == "s"
        }

    def coordinates(
        self, connectome: Connectome, dt: float, n_steps: int
    ) -> dict[str, tuple[np.ndarray, dict[str, str]]]:
        self.measure.sampling(dt, n_steps)
        names = np.array(self.parameters, dtype=object)
        own = {self.dimension: (names, {"long_name": "parameter that changes"})}
        return self.measure.coordinates(connectome, dt, n_steps) | own

    def extra_coordinates(self, model: Model) -> dict[str, tuple[str, np.ndarray, dict[str, str]]]:
        units = np.array([model.units_of(name) for name in self.parameters], dtype=object)
        return {f"{self.dimension}_units": (self.dimension, units, {"long_name": "unit of the parameter"})}

    def check(self, model: Model, values: Mapping[str, np.ndarray]) -> None:
        if model.has_sends and VELOCITY in values:
            raise UserError(
                f"Sensitivity can't differentiate through the delays of {type(model).__name__}; expected a model "
                "without delays, or differences between points of a grid"
            )
        for name in self.parameters:
            type(model).known_parameter(name, also=(AMPLITUDE,))
            if name not in (*values, AMPLITUDE):
                raise UserError(f"Sensitivity: no derivative with respect to {name}, which is infinite; leave it out")
            try:
                checked_values(model, larger(values, name))
                if model.normals_per_step(larger(values, name)) != model.normals_per_step(values):
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
        return [tangent.plan(measure)]

    def _tangent(self, trials: Trials) -> tuple[_TangentMeasure, Trials]:
        """Return the measure and the points with derivatives."""
        measure = _TangentMeasure(sensitivity=self, kept=tuple(self._differentiated(trials.model).items()))
        model = TangentModel(trials.model, self.parameters)
        return measure, dataclasses.replace(trials, model=model, points=model.points(trials.points))

    def solve(self, trials: Trials) -> dict[str, np.ndarray]:
        measure, tangent = self._tangent(trials)
        return tangent.simulate(measure).values[0]


@dataclass(frozen=True)
class _TangentMeasure(StreamingMeasure):
    """A measure whose accumulator carries its derivatives."""

    sensitivity: Sensitivity = dataclasses.field(kw_only=True)
    kept: tuple[tuple[str, str], ...] = dataclasses.field(
        kw_only=True
    )  # (name of a derivative, variable of the measure)

    def __post_init__(self) -> None:
        for trait in ("skips_rest", "ends_early", "large", "every"):
            object.__setattr__(self, trait, getattr(self.base, trait))

    @property
    def base(self) -> StreamingMeasure:
        return self.sensitivity.measure

    def variables(self, model: Any) -> dict[str, Variable]:
        return self.sensitivity.variables(model.base)

    def observable(self, model: Any) -> str:
        return WITH_TANGENTS + self.base.observable(model.base)

    def observables(self, model: Any) -> tuple[str, ...]:
        return (self.observable(model),)

    def measured(self, model: Any) -> tuple[str, str, str]:
        return self.base.measured(model.base)

    def steps(self, dt: float, n_steps: int) -> tuple[int, int]:
        return self.base.steps(dt, n_steps)

    def init(self, change: Dual, run: Run) -> Dual:
        return pushed(lambda change: self.base.init(change, run), change)

    def update(self, acc: Dual, change: Dual, now: Now, run: Run) -> Dual:
        return pushed(lambda acc, change: self.base.update(acc, change, now, run), acc, change)

    def finish(self, acc: Dual, rest: Dual, run: Run) -> dict[str, Any]:
        _, tangents = pushed(lambda acc, rest: self.base.finish(acc, rest, run), acc, rest)
        found = {name: [t[of] for t in tangents] for name, of in self.kept}
        for name, columns in found.items():
            if any(column is None for column in columns):
                raise UserError(
                    f"{name}: {type(self.base).__name__} makes it of whole numbers, which have no derivative; expected "
                    "a variable of real numbers"
                )
        return {name: jnp.stack(columns, axis=-1) for name, columns in found.items()}
