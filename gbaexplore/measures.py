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
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gbaexplore.connectome import Connectome
from gbaexplore.errors import UserError
from gbaexplore.models.base import Model, Network
from gbaexplore.timing import whole_steps


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


class Variable(NamedTuple):
    """A variable of the Dataset that a measure makes, next to the grid's own dimensions."""

    dims: tuple[str, ...]
    units: str
    long_name: str


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

    def beside(self, model: Model) -> dict[str, tuple[str, np.ndarray, dict[str, str]]]:
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
        first, stop = (whole_steps(t, dt, f"{what}: {t:g}") for t in self.window)
        if not 0 <= first < stop <= n_steps:
            raise UserError(
                f"{what} is {self.window[0]:g} to {self.window[1]:g} s, the run 0 to {n_steps * dt:g} s; expected "
                "a window of some length inside the run: change it, or the study's duration"
            )
        return first, stop


@dataclass(frozen=True)
class Peak(StreamingMeasure):
    """Largest change since the start of the window, and when it is reached, in each area.

    Where nothing rises, the time is 0. If the largest value stands for several samples, the time is that of
    the last of them.
    """

    skips_rest: ClassVar[bool] = True
    ends_early: ClassVar[bool] = True

    def variables(self, model: Model) -> dict[str, Variable]:
        name, units = self.observable(model), model.observables[self.observable(model)]
        return {
            "peak_rate": Variable(("area",), units, f"peak change of {name} from the start of the window"),
            "time_to_peak": Variable(("area",), "s", f"time from stimulus onset to the peak of {name}"),
        }

    def init(self, change: Any, run: Run) -> Any:
        return change, change, jnp.zeros_like(change, dtype=jnp.int32)

    def update(self, acc: Any, change: Any, now: Now, run: Run) -> Any:
        start, peak, step = acc
        peak = jnp.maximum(peak, change)
        # Comparing with the new peak, not the old one, lets XLA update both in place: 30 % faster.
        return start, peak, jnp.where(change < peak, step, now.step)

    def finish(self, acc: Any, rest: Any, run: Run) -> dict[str, Any]:
        start, peak, step = acc
        rise = peak - start
        return {"peak_rate": rise, "time_to_peak": jnp.where(rise > 0, (step - run.onset) * run.dt, 0.0)}

    def highest(self, acc: Any) -> Any:
        """Return the largest change seen so far, (area,)."""
        return acc[1]


@dataclass(frozen=True)
class Mean(StreamingMeasure):
    """Mean over the window, in each area."""

    skips_rest: ClassVar[bool] = True

    def variables(self, model: Model) -> dict[str, Variable]:
        name, units = self.observable(model), model.observables[self.observable(model)]
        return {"mean_rate": Variable(("area",), units, f"mean {name} over the window")}

    def init(self, change: Any, run: Run) -> Any:
        return change, jnp.zeros_like(change)

    def update(self, acc: Any, change: Any, now: Now, run: Run) -> Any:
        # Kahan's compensated sum: thousands of float32 terms without losing the small ones.
        total, lost = acc
        change = change - lost
        larger = total + change
        return larger, (larger - total) - change

    def finish(self, acc: Any, rest: Any, run: Run) -> dict[str, Any]:
        return {"mean_rate": rest + acc[0] / run.samples}


@dataclass(frozen=True)
class Final(StreamingMeasure):
    """The last sample of the window, in each area."""

    skips_rest: ClassVar[bool] = True

    def variables(self, model: Model) -> dict[str, Variable]:
        name, units = self.observable(model), model.observables[self.observable(model)]
        return {"final_rate": Variable(("area",), units, f"{name} at the end of the window")}

    def init(self, change: Any, run: Run) -> Any:
        return change

    def update(self, acc: Any, change: Any, now: Now, run: Run) -> Any:
        return change

    def finish(self, acc: Any, rest: Any, run: Run) -> dict[str, Any]:
        return {"final_rate": rest + acc}


@dataclass(frozen=True)
class Trace(StreamingMeasure):
    """Time course: the change from rest at every n-th sample of the window, in some areas (all if None).

    It is the change that is stored, because 1e-6 Hz on top of 10 Hz does not fit into a float32. Memory and
    disk grow with the number of samples kept.
    """

    every: int = 1
    areas: tuple[str, ...] | None = None

    skips_rest: ClassVar[bool] = True
    places_samples: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not isinstance(self.every, (int, np.integer)) or self.every < 1:
            raise UserError(f"Trace(every={self.every}): expected a whole number of at least 1")
        if self.areas is not None:
            object.__setattr__(self, "areas", tuple(self.areas))

    def variables(self, model: Model) -> dict[str, Variable]:
        name, units = self.observable(model), model.observables[self.observable(model)]
        area = "area" if self.areas is None else f"trace_area{self.suffix}"
        return {"rate_change": Variable((f"time{self.suffix}", area), units, f"change of {name} from rest")}

    def coordinates(
        self, connectome: Connectome, dt: float, n_steps: int
    ) -> dict[str, tuple[np.ndarray, dict[str, str]]]:
        first, stop = self.steps(dt, n_steps)
        times = np.round(np.arange(first, stop, self.every) * dt, 12)
        found = {f"time{self.suffix}": (times, {"units": "s", "long_name": "time from the start of the run"})}
        if self.areas is not None:
            for area in self.areas:
                connectome.index(area)
            found[f"trace_area{self.suffix}"] = (np.array(self.areas, dtype=object), {"long_name": "area"})
        return found

    def _rows(self, run: Run) -> int:
        return -(-run.samples // self.every)

    def init(self, change: Any, run: Run) -> Any:
        # One row more than there are samples to keep: what is not kept is written there.
        count = len(run.areas if self.areas is None else self.areas)
        return jnp.zeros((self._rows(run) + 1, count), change.dtype)

    def update(self, acc: Any, change: Any, now: Now, run: Run) -> Any:
        if self.areas is not None:
            change = change[np.array([run.areas.index(area) for area in self.areas])]
        kept = (now.sample >= 0) & (now.sample < run.samples) & (now.sample % self.every == 0)
        row = jnp.where(kept, now.sample // self.every, self._rows(run))
        return jax.lax.dynamic_update_index_in_dim(acc, change, row, 0)

    def finish(self, acc: Any, rest: Any, run: Run) -> dict[str, Any]:
        return {"rate_change": acc[:-1]}


@dataclass(frozen=True)
class SpectralAbscissa(Measure):
    """Largest real part of the eigenvalues of the linearised network, in float64 whatever the precision.

    It says whether the linear network is stable, not whether the rectified one runs away: see `status`.
    """

    def variables(self, model: Model) -> dict[str, Variable]:
        return {"spectral_abscissa": Variable((), "s-1", "largest real part of the linearised system's eigenvalues")}

    def compute(self, model: Model, points: list[Any], connectome: Connectome) -> dict[str, np.ndarray]:
        """Return the values, (point,), for parameter sets that have every parameter as a number."""
        matrices = np.stack(list(map(model.linearised(Network.of(connectome)), points)))
        return {"spectral_abscissa": np.linalg.eigvals(matrices).real.max(axis=1)}
