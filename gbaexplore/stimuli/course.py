"""A stimulus with any time courses in any areas."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from gbaexplore.basics.errors import UserError, one_line
from gbaexplore.basics.numbers import array, number
from gbaexplore.basics.time import whole_steps
from gbaexplore.networks.connectome import Connectome
from gbaexplore.networks.tables import labels_of
from gbaexplore.stimuli.base import AbstractStimulus, Pieces, check_times


class Stimulus(AbstractStimulus):
    """A stimulus with any time courses in any areas.

    Args:
        courses: area -> its input: a function of an array of times (s, from the start of the run), or
            an array with one value per step of dt. The labels of a labelled array must be the steps' times.
        onset: start of the input, s.
        duration: of functions, s; None for arrays, whose length gives it.
        amplitude: multiplies all courses.

    Raises:
        UserError: no courses; values or times that are not finite numbers.

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
        if not isinstance(courses, Mapping):
            raise UserError(f"courses are {type(courses).__name__}; expected {{area: function of t, or array}}")
        if not courses:
            raise UserError("a Stimulus without courses drives nothing; expected {area: function of t, or array}")
        self.courses = {area: course if callable(course) else _Values(course, area) for area, course in courses.items()}
        self.onset, self.amplitude = number(onset, "the stimulus' onset", "s"), number(amplitude, "amplitude")
        self.duration = None if duration is None else number(duration, "the stimulus' duration", "s")

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
        if isinstance(course, _Values):
            if self.duration is not None:
                raise UserError(f'the stimulus into "{area}" is an array, one value per step; leave duration out')
            return course.at_steps(first, dt)
        if self.duration is None:
            raise UserError(f'the stimulus into "{area}" is a function; give its duration in seconds')
        times = (first + np.arange(whole_steps(self.duration, dt, "the stimulus' duration"))) * dt
        try:
            given = course(times.copy())
        except Exception as error:  # of a function of the user's own: any
            raise UserError(
                f'the stimulus into "{area}" raised {one_line(error)}; expected a function of an array of times'
            ) from error
        what = f'the stimulus into "{area}"'
        values = array(given, what)
        if values.shape not in ((), times.shape):
            raise UserError(f"{what} has shape {values.shape} at {len(times)} times; expected one number at each")
        return np.broadcast_to(values, times.shape)


class _Values:
    """An array as a course, with its times if it is labelled."""

    def __init__(self, course: Any, area: str) -> None:
        self.what = f'the stimulus into "{area}"'
        self.values = array(course, self.what)
        if self.values.ndim != 1 or not self.values.size:
            raise UserError(f"{self.what} has shape {self.values.shape}; expected one number per step")
        labels = next(iter(labels_of(course)), None)
        self.times = None if labels in (None, list(range(len(self.values)))) else array(labels, f"{self.what}: labels")

    def at_steps(self, first: int, dt: float) -> np.ndarray:
        steps = first + np.arange(len(self.values))
        if self.times is not None and not np.allclose(self.times / dt, steps, rtol=0, atol=1e-3):
            raise UserError(
                f"{self.what} has values at {self.times[0]:g} to {self.times[-1]:g} s; expected one at each step, from "
                f"{first * dt:g} s in steps of {dt:g} s: give a function, such as lambda t: np.interp(t, times, values)"
            )
        return self.values
