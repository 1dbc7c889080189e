"""What comes out: reductions over time that are folded into the simulator's loop, so memory does not grow with it.

A measure of one's own is a frozen dataclass deriving from `StreamingMeasure` with three short methods, written
for one point in jax.numpy (see `Final` for the smallest one):

    init(change, run)                the accumulator, from the window's first sample
    update(acc, change, now, run)    the accumulator, after each later sample
    finish(acc, rest, run)           the results, {variable: array}

`change` is the change of the observable from the model's rest, (area,). The sample of step k is the state
after that step and carries the time t = k dt, as BrainPy's monitors do; a window start <= t < stop holds the
samples with such times.
"""

from __future__ import annotations

import dataclasses
import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.time import whole_steps
from gbaexplore.models.base import Model
from gbaexplore.networks.connectome import Connectome


class Now(NamedTuple):
    """Where in time an update is."""

    step: Any  # (area,) int32, the step's number k (t = k dt), the same in every area
    sample: Any  # () int32, the sample's number in the window, 0 for its first


class Run(NamedTuple):
    """What is fixed during a run, for a measure."""

    dt: float  # s
    onset: int  # step at which the stimulus starts
    samples: int  # number of samples in the window
    areas: tuple[str, ...]
    ceiling: float = math.inf  # of the change of the first observable: a point at which it is larger has diverged


class Variable(NamedTuple):
    """A variable of the Dataset that a measure makes, next to the grid's own dimensions.

    A value that is not finite makes a point "undefined", unless the variable says when it is missing.
    """

    dims: tuple[str, ...]
    units: str
    long_name: str
    """Short enough to stand beside a colour bar; what more there is to say is the comment."""
    missing: str = ""
    """When it is NaN at a point that is ok, such as "where no peak was found"; "" if that means a fault."""
    if_diverged: bool = False
    """Whether it has a value at points that diverged; else it is NaN there."""
    comment: str = ""
    """What more there is to say of it, such as "from the start of the window"; an attribute of the Dataset."""


def without_diverged(
    values: Mapping[str, np.ndarray], variables: Mapping[str, Variable], diverged: np.ndarray
) -> dict[str, np.ndarray]:
    """Return values (point, ...) that are NaN where a point diverged, but for variables that have a value there.

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
    """What all measures share: a name for what they make, and what identifies them."""

    suffix: str = dataclasses.field(default="", kw_only=True)
    """Appended to the names of the variables, to tell two measures of a kind apart ("_late")."""

    @abstractmethod
    def variables(self, model: Model) -> dict[str, Variable]:
        """Return the variables that this measure makes, their names without suffix."""

    def coordinates(
        self, connectome: Connectome, dt: float, n_steps: int
    ) -> dict[str, tuple[np.ndarray, dict[str, str]]]:
        """Return values and attributes of the dimensions that are this measure's own."""
        return {}

    def extra_coordinates(self, model: Model) -> dict[str, tuple[str, np.ndarray, dict[str, str]]]:
        """Return further coordinates along such a dimension: name -> dimension, values, attributes."""
        return {}

    def check(self, model: Model, values: Mapping[str, np.ndarray]) -> None:  # noqa: B027 - nothing to check is the rule
        """Raise UserError if it can't measure this model at these parameter values; they are whole axes."""

    def recipe(self) -> dict[str, Any]:
        """Return what identifies the measure, as JSON data."""
        return {"kind": type(self).__name__, **dataclasses.asdict(self)}


@dataclass(frozen=True)
class StreamingMeasure(Measure):
    """A reduction over the samples of one observable in a window of time.

    Args:
        window: (start, stop) in seconds; the whole run if None.
        of: the observable; the model's first if None.
    """

    window: tuple[float, float] | None = None
    of: str | None = None

    skips_rest: ClassVar[bool] = False
    """True if samples at rest (all zero) before the first other one change nothing: they may be skipped."""
    ends_early: ClassVar[bool] = False
    """True if a response that has died away to 1e-3 of its largest changes nothing: a point may end there."""
    places_samples: ClassVar[bool] = False
    """True for a measure that only puts samples where `now.sample` says, and nowhere if that is outside the
    window. The simulator then never copies its (large) accumulator: `init` makes an empty one before the run,
    `update` sees every sample, and no point of the batch ends before the others."""

    @abstractmethod
    def init(self, change: Any, run: Run) -> Any:
        """Return the accumulator after the window's first sample: arrays, in a tuple or alone."""

    @abstractmethod
    def update(self, acc: Any, change: Any, now: Now, run: Run) -> Any:
        """Return the accumulator after one more sample."""

    @abstractmethod
    def finish(self, acc: Any, rest: Any, run: Run) -> dict[str, Any]:
        """Return the variables' values; `rest` (area,) is what `change` is a change from."""

    def observable(self, model: Model) -> str:
        """Return the name of the observable that is measured."""
        first, *_ = model.observables
        return self.of or first

    def steps(self, dt: float, n_steps: int) -> tuple[int, int]:
        """Return the window as step numbers: first <= k < stop.

        Raises:
            UserError: dt does not divide the window, or it is empty or outside the run.
        """
        if self.window is None:
            return 0, n_steps
        what = f"the window of {type(self).__name__}"
        if not isinstance(self.window, (tuple, list)) or len(self.window) != 2:
            raise UserError(f"{what} is {self.window!r}; expected (start, stop) in seconds, or None for the whole run")
        first, stop = (whole_steps(t, dt, f"{what}: {t}") for t in self.window)
        if not 0 <= first < stop <= n_steps:
            raise UserError(
                f"{what} is {self.window[0]:g} to {self.window[1]:g} s, the run 0 to {n_steps * dt:g} s; expected "
                "a window of some length inside the run: change it, or the study's duration"
            )
        return first, stop
