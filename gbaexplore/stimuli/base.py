"""What goes in: the external input to each area over time, in Hz (it is added to the current term I^E)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.networks.connectome import Connectome

if TYPE_CHECKING:
    pass


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


def check_times(what: str, first: int, stop: int, n_steps: int, dt: float) -> None:
    """Refuse a course that is not wholly inside the run."""
    if not 0 <= first < stop <= n_steps:
        raise UserError(
            f"{what} acts from {first * dt:g} to {stop * dt:g} s, the run from 0 to {n_steps * dt:g} s; "
            "expected a stimulus of some length inside the run: change its times or the study's duration"
        )
