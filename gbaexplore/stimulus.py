"""What goes in: the external input to each area over time, in Hz (it is added to the current term I^E)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gbaexplore.connectome import Connectome
from gbaexplore.errors import UserError
from gbaexplore.timing import whole_steps

if TYPE_CHECKING:
    import xarray as xr


class Pieces(NamedTuple):
    """A stimulus of amplitude 1 in constant pieces: piece j acts at steps edges[j] <= k < edges[j + 1]."""

    edges: np.ndarray  # (pieces + 1,) step numbers
    levels: np.ndarray  # (pieces, area) Hz; nothing acts before the first edge and after the last


class AbstractStimulus(ABC):
    """What the simulator asks of a stimulus. `amplitude` multiplies it, and is a parameter to sweep."""

    amplitude: float

    @abstractmethod
    def pieces(self, connectome: Connectome, dt: float, n_steps: int) -> Pieces:
        """Return the stimulus of amplitude 1 on the steps of a run; step k acts at t = k dt.

        Raises:
            UserError: an unknown area, times that dt does not divide, or an end after the run's.
        """

    @abstractmethod
    def recipe(self) -> dict[str, Any]:
        """Return what describes the stimulus, as JSON data; what identifies it are its pieces."""


@dataclass(frozen=True)
class Pulse(AbstractStimulus):
    """A square pulse into one area: `amplitude` Hz for onset <= t < onset + duration (seconds)."""

    area: str
    onset: float
    duration: float
    amplitude: float

    def pieces(self, connectome: Connectome, dt: float, n_steps: int) -> Pieces:
        first = whole_steps(self.onset, dt, "the pulse's onset")
        count = whole_steps(self.duration, dt, "the pulse's duration")
        _check_times("the pulse", first, first + count, n_steps, dt)
        levels = np.zeros((1, len(connectome.areas)))
        levels[0, connectome.index(self.area)] = 1.0
        return Pieces(np.array([first, first + count]), levels)

    def recipe(self) -> dict[str, Any]:
        return {"kind": "Pulse", "area": self.area, "onset_s": self.onset, "duration_s": self.duration}


@dataclass(frozen=True)
class Silence(AbstractStimulus):
    """No input: what a study has that gives no stimulus."""

    amplitude: float = 0.0

    def pieces(self, connectome: Connectome, dt: float, n_steps: int) -> Pieces:
        return Pieces(np.array([0, 0]), np.zeros((1, len(connectome.areas))))

    def recipe(self) -> dict[str, Any]:
        return {"kind": "Silence"}


@dataclass(frozen=True)
class Recorded(AbstractStimulus):
    """A stimulus as a store keeps it: what it gave for its study's connectome and dt."""

    recorded: Pieces
    dt: float
    amplitude: float = 1.0

    @classmethod
    def of(cls, ds: xr.Dataset, dt: float) -> Recorded:
        """Return what `dataset_of` made a Dataset of."""
        return cls(Pieces(ds["edge"].values, ds["level"].values), dt)

    def pieces(self, connectome: Connectome, dt: float, n_steps: int) -> Pieces:
        if dt != self.dt or self.recorded.edges[-1] > n_steps:
            raise UserError(f"a stimulus recorded at dt = {self.dt:g} s can't be used with dt = {dt:g} s, or cut short")
        return self.recorded

    def recipe(self) -> dict[str, Any]:
        return {"kind": "Recorded"}


def dataset_of(stimulus: AbstractStimulus, connectome: Connectome, dt: float, n_steps: int) -> xr.Dataset:
    """Return a stimulus of amplitude 1 as data: steps at which it changes (edge), and its level (piece, area), Hz."""
    import xarray as xr

    edges, levels = stimulus.pieces(connectome, dt, n_steps)
    areas = np.array(connectome.areas, dtype=object)
    ds = xr.Dataset(coords={"area": areas})
    ds["edge"] = ("edge_number", np.asarray(edges), {"long_name": "step at which a piece begins or the last ends"})
    ds["level"] = (("piece", "area"), np.asarray(levels), {"long_name": "stimulus of amplitude 1", "units": "Hz"})
    return ds


class Stimulus(AbstractStimulus):
    """Any time course for any set of areas.

    Args:
        courses: for each driven area its input in Hz: a function of an array of times (in s, from the
            start of the run), or an array with one value per step of dt.
        onset: when the input starts, s.
        duration: how long it lasts, s. Arrays have a length of their own: leave it out for them.
        amplitude: multiplies all courses.

    Example: a rising ramp into V1 and half of it into V4.

    >>> ramp = Stimulus({"V1": lambda t: t - 2.0, "V4": lambda t: (t - 2.0) / 2}, onset=2.0, duration=0.5)
    """

    def __init__(
        self,
        courses: Mapping[str, Callable[[np.ndarray], np.ndarray] | np.ndarray],
        onset: float,
        duration: float | None = None,
        amplitude: float = 1.0,
    ) -> None:
        if not courses:
            raise UserError("a Stimulus without courses drives nothing; expected {area: function of t, or array}")
        self.courses = dict(courses)
        self.onset, self.duration, self.amplitude = float(onset), duration, float(amplitude)

    def pieces(self, connectome: Connectome, dt: float, n_steps: int) -> Pieces:
        first = whole_steps(self.onset, dt, "the stimulus' onset")
        columns = {connectome.index(area): self._sampled(area, first, dt) for area in self.courses}
        lengths = sorted({len(column) for column in columns.values()})
        if len(lengths) > 1:
            raise UserError(f"the stimulus' courses have {lengths} values; expected the same number in every area")
        _check_times("the stimulus", first, first + lengths[0], n_steps, dt)
        levels = np.zeros((lengths[0], len(connectome.areas)))
        for index, column in columns.items():
            levels[:, index] = column
        # Steps with equal input are one piece: a square course then costs no more than a Pulse.
        starts = np.flatnonzero(np.r_[True, np.any(levels[1:] != levels[:-1], axis=1)])
        return Pieces(first + np.r_[starts, lengths[0]], levels[starts])

    def recipe(self) -> dict[str, Any]:
        return {"kind": "Stimulus", "areas": list(self.courses), "onset_s": self.onset, "duration_s": self.duration}

    def _sampled(self, area: str, first: int, dt: float) -> np.ndarray:
        course = self.courses[area]
        if callable(course):
            if self.duration is None:
                raise UserError(f'the stimulus into "{area}" is a function; give its duration in seconds')
            times = (first + np.arange(whole_steps(self.duration, dt, "the stimulus' duration"))) * dt
            values = np.zeros(len(times)) + course(times)
        else:
            if self.duration is not None:
                raise UserError(f'the stimulus into "{area}" is an array, one value per step; leave duration out')
            values = np.array(course, dtype=float)
        if values.ndim != 1 or not values.size or not np.isfinite(values).all():
            raise UserError(
                f'the stimulus into "{area}" has shape {values.shape} or values that are not finite; '
                "expected one finite number per step"
            )
        return np.ascontiguousarray(values)


def _check_times(what: str, first: int, stop: int, n_steps: int, dt: float) -> None:
    if not 0 <= first < stop <= n_steps:
        raise UserError(
            f"{what} acts from {first * dt:g} to {stop * dt:g} s, the run from 0 to {n_steps * dt:g} s; "
            "expected a stimulus of some length inside the run: change its times or the study's duration"
        )
