"""A pulse into one area."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gbaexplore.basics.numbers import number
from gbaexplore.basics.time import whole_steps
from gbaexplore.networks.connectome import Connectome
from gbaexplore.stimuli.base import AbstractStimulus, Pieces, check_times


@dataclass(frozen=True)
class Pulse(AbstractStimulus):
    """A square pulse into one area: `amplitude`, in the unit of the model's stimulus, for
    onset <= t < onset + duration (seconds).

    Raises:
        UserError: times or an amplitude that are not finite numbers.
    """

    area: str
    onset: float
    duration: float
    amplitude: float

    def __post_init__(self) -> None:
        for field, units in {"onset": "s", "duration": "s", "amplitude": "1"}.items():
            object.__setattr__(self, field, number(getattr(self, field), f"the pulse's {field}", units))

    def pieces(self, connectome: Connectome, dt: float, n_steps: int) -> Pieces:
        first = whole_steps(self.onset, dt, "the pulse's onset")
        count = whole_steps(self.duration, dt, "the pulse's duration")
        check_times("the pulse", first, first + count, n_steps, dt)
        levels = np.zeros((1, len(connectome.areas)))
        levels[0, connectome.index(self.area)] = 1.0
        return Pieces(np.array([first, first + count]), levels)

    def recipe(self) -> dict[str, Any]:
        return {"kind": "Pulse", "area": self.area, "onset_s": self.onset, "duration_s": self.duration}
