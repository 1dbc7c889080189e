"""Measures that run their own simulations, and `Trials`, the points they get to simulate."""

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
    """Points of one block that a measure may simulate as often as it needs, with any amplitudes."""

    model: Model
    connectome: Connectome
    stimulus: AbstractStimulus
    points: dict[str, np.ndarray]  # (point,) values of each parameter that varies and the study's amplitude;
    # with noise, the points' hashes too
    values: dict[str, np.ndarray]  # every value that each parameter takes in the whole study
    fixed: dict[str, float]
    dt: float  # s
    n_steps: int
    ceiling: float
    precision: str
    size: int  # points to which arrays are padded

    def peaks(self, peak: Peak, amplitude: np.ndarray, which: np.ndarray, ceiling: float) -> tuple[Any, Any, Any]:
        """Simulate the points with indices `which`, each with its own amplitude, Hz.

        Returns:
            peak (point, area) in the measure's window; the largest change of the principal observable in any
            area at any step (point,); whether the point stayed below the ceiling (point,) bool.
        """
        points = {name: values[which] for name, values in self.points.items()} | {AMPLITUDE: amplitude}
        found = self.simulate(peak, points, peak.steps(self.dt, self.n_steps)[1], ceiling, self.size)
        # The last measure is a Peak that sees every step: the plan adds one unless `peak` does.
        first, last = found.values[0]["peak_rate"], found.values[-1]["peak_rate"]
        return first.astype(np.float64), last.max(axis=1).astype(np.float64), found.status == OK

    @abstractmethod
    def simulate(
        self, measure: StreamingMeasure, points: dict[str, np.ndarray], n_steps: int, ceiling: float, size: int
    ) -> Any:
        """Simulate points, in the form of `self.points`, for a number of steps, in arrays padded to `size`.

        Returns:
            The engine's results: `values`, one dictionary of arrays (point, ...) a measure, NaN where a point
            diverged; and `status` (point,).
        """

    @abstractmethod
    def plan(self, measure: StreamingMeasure, points: dict[str, np.ndarray], n_steps: int, ceiling: float) -> Any:
        """Return the engine's plan for such points."""


@dataclass(frozen=True)
class SolvedMeasure(Measure):
    """A measure that runs its own simulations of the points of a block."""

    def simulates(self, trials: Trials) -> list[Any]:
        """Return the plans that `solve` simulates, which identify its results; none if its code identifies them."""
        return []

    @abstractmethod
    def solve(self, trials: Trials) -> dict[str, np.ndarray]:
        """Return the variables' values, the point first; NaN for missing values."""
