"""Measures that run their own simulations, and `Trials`, the points they get to simulate."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from gbaexplore.basics.names import OK
from gbaexplore.basics.points import AMPLITUDE
from gbaexplore.measures.base import Measure, StreamingMeasure
from gbaexplore.measures.peak import Peak
from gbaexplore.models.setup import Setup


@dataclass(frozen=True, kw_only=True)
class Trials(Setup, ABC):
    """Points of one block that a measure may simulate as often as it needs: as they are, or replaced by others."""

    points: dict[str, np.ndarray]  # (point,) values of each parameter that varies and the study's amplitude;
    # with noise, the points' hashes too
    size: int  # points to which arrays are padded

    def peaks(self, peak: Peak, amplitude: np.ndarray, which: np.ndarray, ceiling: float) -> tuple[Any, Any, Any]:
        """Simulate the points with indices `which`, each with its own amplitude.

        Returns:
            peak (point, area) in the measure's window; the largest change of the principal observable in any
            area at any step (point,); whether the point stayed below the ceiling (point,) bool.
        """
        points = {name: values[which] for name, values in self.points.items()} | {AMPLITUDE: amplitude}
        found = dataclasses.replace(self, points=points, ceiling=ceiling).simulate(peak)
        # The last measure is a Peak that sees every step: the plan adds one unless `peak` does.
        first, last = (next(v for n, v in found.values[i].items() if n.startswith("peak_")) for i in (0, -1))
        return first.astype(np.float64), last.reshape(len(last), -1).max(axis=1).astype(np.float64), found.status == OK

    @abstractmethod
    def simulate(self, measure: StreamingMeasure) -> Any:
        """Simulate the points, as far as the measure looks.

        Returns:
            The engine's results: `values`, one dictionary of arrays (point, ...) a measure, NaN where a point
            diverged; and `status` (point,).
        """

    @abstractmethod
    def plan(self, measure: StreamingMeasure) -> Any:
        """Return the engine's plan for the points."""


@dataclass(frozen=True)
class SolvedMeasure(Measure):
    """A measure that runs its own simulations of the points of a block."""

    def simulates(self, trials: Trials) -> list[Any]:
        """Return the plans that `solve` simulates, which identify its results; none if its code identifies them."""
        return []

    @abstractmethod
    def solve(self, trials: Trials) -> dict[str, np.ndarray]:
        """Return the variables' values, the point first; NaN for missing values."""
