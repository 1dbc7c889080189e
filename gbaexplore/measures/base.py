"""Base classes of measures. A streaming measure runs inside the simulator's loop, so memory does not grow with time.

Your own measure is a frozen dataclass that derives from `StreamingMeasure`, with three short methods written for
one point in jax.numpy (`Final` is the smallest example):

    init(change, run)                the accumulator after the window's first sample
    update(acc, change, now, run)    the accumulator after each later sample
    finish(acc, rest, run)           the results, {variable: array}

`change` is the change of the observable from the model's rest, (area,). The sample of step k is the state
after that step and carries the time t = k dt, as in BrainPy's monitors; a window contains the samples with
start <= t < stop. With `every` a measure sees those at start, start + every, and so on; nothing of it runs in between.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from gbaexplore.basics.errors import UserError, shown
from gbaexplore.basics.names import AREA
from gbaexplore.basics.time import whole_steps
from gbaexplore.measures.signals import Signal
from gbaexplore.models.base import Model
from gbaexplore.networks.connectome import Connectome


class Now(NamedTuple):
    """The time of an update."""

    step: Any  # (area,) int32, the step's number k (t = k dt), the same in every area
    sample: Any  # () int32, the sample's number in the window, 0 for its first


class Run(NamedTuple):
    """The constants of a run that a measure may use."""

    dt: float  # s
    onset: int  # step at which the stimulus starts
    samples: int  # number of samples in the window
    areas: tuple[str, ...]
    ceiling: float = math.inf  # of the first observable's change; above it a point has diverged
    every: float = math.nan  # s from sample to sample
    what: str = "rate"  # what variables are named after: see `StreamingMeasure.measured`


class Variable(NamedTuple):
    """A variable that a measure adds to the Dataset, described without the grid's dimensions.

    A value that is not finite makes a point "undefined", unless `missing` says when that is to be expected.
    """

    dims: tuple[str, ...]
    units: str
    long_name: str
    """Short enough for the label of a colour bar; details go into `comment`."""
    missing: str = ""
    """When it is NaN at a point that is ok, such as "the point did not diverge"; "" if NaN means a fault."""
    if_diverged: bool = False
    """Whether it has a value at points that diverged; otherwise it is NaN there."""
    comment: str = ""
    """Details such as "from the start of the window"; an attribute in the Dataset."""


def without_diverged(
    values: Mapping[str, np.ndarray], variables: Mapping[str, Variable], diverged: np.ndarray
) -> dict[str, np.ndarray]:
    """Return values (point, ...) with NaN where a point diverged, except in variables that have a value there.

    Args:
        diverged: (point,) bool.
    """
    found = {}
    for name, array in values.items():
        if not variables[name].if_diverged:
            array = array.astype(np.result_type(array, np.float32))
            array[diverged] = np.nan
        found[name] = array
    return found


@dataclass(frozen=True)
class Measure(ABC):
    """The base class of all measures: the variables they make, and their identity."""

    suffix: str = dataclasses.field(default="", kw_only=True)
    """Appended to the names of the variables, to distinguish two measures of one kind ("_late")."""

    @abstractmethod
    def variables(self, model: Model) -> dict[str, Variable]:
        """Return the variables that this measure makes, by their names without suffix."""

    def coordinates(
        self, connectome: Connectome, dt: float, n_steps: int
    ) -> dict[str, tuple[np.ndarray, dict[str, str]]]:
        """Return the values and attributes of this measure's own dimensions."""
        return {}

    def extra_coordinates(self, model: Model) -> dict[str, tuple[str, np.ndarray, dict[str, str]]]:
        """Return more coordinates along its own dimensions: name -> dimension, values, attributes."""
        return {}

    def check(self, model: Model, values: Mapping[str, np.ndarray]) -> None:  # noqa: B027 - nothing to check is the rule
        """Raise UserError if it can't measure this model at these parameter values, which are whole axes."""

    def recipe(self) -> dict[str, Any]:
        """Return the JSON data that identifies the measure."""
        return {"kind": type(self).__name__, **dataclasses.asdict(self)}


class Sampling(NamedTuple):
    """Which samples a measure sees: that of the step `first`, of `first + every`, and so on."""

    first: int
    every: int  # steps
    number: int


@dataclass(frozen=True)
class StreamingMeasure(Measure):
    """A reduction over the samples of observables in a window of time.

    Args:
        window: (start, stop) in seconds; the whole run if None.
        of: the observable; the model's first if None. Names of several, ("x", "y"): the methods then get a tuple for
            `change` and for `rest`. Or a signal, such as `BOLD("S")`, whose rest is 0.
        every: seconds from sample to sample, a multiple of dt; each step if None, 1 s of a signal.
    """

    window: tuple[float, float] | None = None
    of: str | tuple[str, ...] | Signal | None = None
    every: float | None = None

    skips_rest: ClassVar[bool] = False
    """True if leading samples at rest (all zero) do not affect the result, so that they may be skipped."""
    ends_early: ClassVar[bool] = False
    """True if a response that has decayed to 1e-3 of its largest no longer affects the result: the point may end."""
    large: ClassVar[bool] = False
    """True if the accumulator is large, such as all samples or a matrix: it is then out of the loop over steps."""
    places_samples: ClassVar[bool] = False
    """True if the accumulator is nothing but samples, each placed at `now.sample`: `update` gets the first one too, and
    never a copy."""
    any_shape: ClassVar[bool] = False
    """True if it takes an observable that has dimensions besides the area: see `dims`."""
    of_several: ClassVar[bool] = False
    """True if it takes several observables."""
    of_values: ClassVar[bool] = False
    """True if `init` and `update` get values instead of changes from rest: for a phase, 0 is not enough."""

    @abstractmethod
    def init(self, change: Any, run: Run) -> Any:
        """Return the accumulator after the window's first sample: an array or a tuple of arrays."""

    @abstractmethod
    def update(self, acc: Any, change: Any, now: Now, run: Run) -> Any:
        """Return the accumulator after one more sample."""

    @abstractmethod
    def finish(self, acc: Any, rest: Any, run: Run) -> dict[str, Any]:
        """Return the variables' values; `rest` (area,) is the resting rate, from which `change` is measured."""

    def recipe(self) -> dict[str, Any]:
        found = super().recipe()
        if isinstance(self.of, Signal):
            found["of"] = self.of.recipe()
        every = found.pop("every")
        return found if every is None else {**found, "every": float(every)}

    @property
    def signal(self) -> Signal | None:
        """The signal that is measured, if it is one."""
        return self.of if isinstance(self.of, Signal) else None

    def observables(self, model: Model) -> tuple[str, ...]:
        """Return the names of the observables that are looked at."""
        first, *_ = model.observables
        of = self.of.of if isinstance(self.of, Signal) else self.of
        return tuple(of) if isinstance(of, (tuple, list)) else (of or first,)

    def observable(self, model: Model) -> str:
        """Return the name of the observable that is measured, the first of several."""
        return self.observables(model)[0]

    def dims(self, model: Model) -> tuple[str, ...]:
        """Return the dimensions of the observable that is measured, the area last."""
        return (*model.dimensions.get(self.observable(model), ()), AREA)

    def measured(self, model: Model) -> tuple[str, str, str]:
        """Return what variables are named after, its name in texts, and its unit.

        It is the observable's name, but "rate" of all that are in Hz; a signal has its own.
        """
        name = self.observable(model)
        if isinstance(self.of, Signal):
            return f"{self.of.name}_{name}", f"{self.of.long_name} of {name}", self.of.units
        units = model.observables[name]
        return "rate" if units == "Hz" else name, name, units

    def steps(self, dt: float, n_steps: int) -> tuple[int, int]:
        """Return the window as step numbers: first <= k < stop.

        Raises:
            UserError: dt does not divide the window, or it is empty or outside the run.
        """
        if self.window is None:
            return 0, n_steps
        what = f"the window of {type(self).__name__}"
        if not isinstance(self.window, (tuple, list)) or len(self.window) != 2:
            raise UserError(
                f"{what} is {shown(self.window)}; expected (start, stop) in seconds, or None for the whole run"
            )
        first, stop = (whole_steps(t, dt, f"{what}: {t}") for t in self.window)
        if not 0 <= first < stop <= n_steps:
            raise UserError(
                f"{what} is {self.window[0]:g} to {self.window[1]:g} s, the run 0 to {n_steps * dt:g} s; expected "
                "a window inside the run, not empty: change it, or the study's duration"
            )
        return first, stop

    def sampling(self, dt: float, n_steps: int) -> Sampling:
        """Return which samples are seen.

        Raises:
            UserError: as `steps`; `every` is no whole number of steps, or longer than the window.
        """
        first, stop = self.steps(dt, n_steps)
        if self.signal is not None:
            self.signal.steps(dt)  # which dt has to divide
        every, seconds = 1, self.signal.every if self.every is None and self.signal is not None else self.every
        if seconds is not None:
            what = f"every of {type(self).__name__}"
            every = whole_steps(seconds, dt, what)
            if not 1 <= every <= stop - first:
                raise UserError(
                    f"{what} = {seconds:g} s; expected seconds from sample to sample, from dt = {dt:g} s to the "
                    f"length of the window, {(stop - first) * dt:g} s"
                )
        return Sampling(first, every, -(-(stop - first) // every))
