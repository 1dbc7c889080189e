"""A stimulus of any course in any areas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.time import whole_steps
from gbaexplore.networks.connectome import Connectome
from gbaexplore.stimuli.base import AbstractStimulus, Pieces, check_times

if TYPE_CHECKING:
    pass


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
        check_times("the stimulus", first, first + lengths[0], n_steps, dt)
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
