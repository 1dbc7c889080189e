"""Measures that simulate the points of a block by themselves, and the `Trials` that they are handed to do so."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from gbaexplore.basics.names import OK
from gbaexplore.basics.points import AMPLITUDE
from gbaexplore.measures.base import Measure, StreamingMeasure
from gbaexplore.measures.peak import Peak
from gbaexplore.models.base import Model
from gbaexplore.networks.connectome import Connectome
from gbaexplore.stimuli.base import AbstractStimulus


@dataclass(frozen=True)
class Trials(ABC):
    """Points of one block that a measure may simulate as often as it needs, with amplitudes of its choice."""

    model: Model
    connectome: Connectome
    stimulus: AbstractStimulus
    points: dict[str, np.ndarray]  # (point,) values of each parameter that is no constant, the study's amplitude too,
    # and with noise the points' hashes
    values: dict[str, np.ndarray]  # every value that each parameter takes in the whole study
    fixed: dict[str, float]
    dt: float  # s
    n_steps: int
    ceiling: float
    precision: str
    size: int  # points that the arrays are padded to

    def peaks(self, peak: Peak, amplitude: np.ndarray, which: np.ndarray, ceiling: float) -> tuple[Any, Any, Any]:
        """Simulate points `which` (indices) with an amplitude each, Hz.

        Returns:
            peak (point, area) in the measure's window; the largest change of the principal observable in any
            area at any step (point,); whether the point stayed below the ceiling (point,) bool.
        """
        points = {name: values[which] for name, values in self.points.items()} | {AMPLITUDE: amplitude}
        found = self.simulate(peak, points, peak.steps(self.dt, self.n_steps)[1], ceiling, self.size)
        # The last of them is a Peak that sees every step: the plan adds one if `peak` does not.
        first, last = found.values[0]["peak_rate"], found.values[-1]["peak_rate"]
        return first.astype(np.float64), last.max(axis=1).astype(np.float64), found.status == OK

    @abstractmethod
    def simulate(
        self, measure: StreamingMeasure, points: dict[str, np.ndarray], n_steps: int, ceiling: float, size: int
    ) -> Any:
        """Simulate points, given as `points` is, for a number of steps; `size` is what their arrays are padded to.

        Returns:
            The engine's results: `values`, one dictionary of arrays (point, ...) a measure, NaN where a point
            diverged; and `status` (point,).
        """

    @abstractmethod
    def plan(self, measure: StreamingMeasure, points: dict[str, np.ndarray], n_steps: int, ceiling: float) -> Any:
        """Return the engine's plan for such points."""


@dataclass(frozen=True)
class SolvedMeasure(Measure):
    """A measure that simulates the points of a block by itself, as often as it needs."""

    def simulates(self, trials: Trials) -> list[Any]:
        """Return plans of what `solve` simulates, for the identity of its results; none if its code is to tell."""
        return []

    @abstractmethod
    def solve(self, trials: Trials) -> dict[str, np.ndarray]:
        """Return the variables' values, the point first; NaN where there is none."""
