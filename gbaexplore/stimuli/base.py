"""The external input to each area over time, in the unit that the model says."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, NamedTuple

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.numbers import array
from gbaexplore.networks.connectome import Connectome


class Pieces(NamedTuple):
    """A stimulus of amplitude 1 in constant pieces: piece j acts at steps edges[j] <= k < edges[j + 1]."""

    edges: np.ndarray  # (pieces + 1,) step numbers
    # (pieces, area), of several inputs (pieces, input, area); 0 before the first edge and after the last
    levels: np.ndarray


class AbstractStimulus(ABC):
    """Base class of stimuli. `amplitude` multiplies the stimulus, and can be an axis."""

    amplitude: float

    @property
    def inputs(self) -> tuple[str, ...] | None:
        """The names of the inputs that it drives; None where a model has one, without a name."""
        return None

    @property
    def amplitudes(self) -> dict[str, float]:
        """The amplitude of the stimulus into each named input, by the name of its parameter."""
        return {}

    @abstractmethod
    def pieces(self, connectome: Connectome, dt: float, n_steps: int) -> Pieces:
        """Return the stimulus of amplitude 1 on the steps of a run; step k acts at t = k dt.

        The same arguments must give the same pieces, in any process.

        Raises:
            UserError: an unknown area, times that dt does not divide, or an end after the run's.
        """

    @abstractmethod
    def recipe(self) -> dict[str, Any]:
        """Return a description of the stimulus as JSON data; its pieces identify it."""


def pieces_of(stimulus: AbstractStimulus, connectome: Connectome, dt: float, n_steps: int) -> Pieces:
    """Return the pieces of any stimulus, checked for the engine.

    Raises:
        UserError: wrong shapes; edges that decrease or lie outside the run; levels that are not finite; as `pieces`.
    """
    what, areas = type(stimulus).__name__, len(connectome.areas)
    found = stimulus.pieces(connectome, dt, n_steps)
    if not isinstance(found, tuple) or len(found) != 2:
        raise UserError(f"{what}.pieces gives {type(found).__name__}; expected Pieces(edges, levels)")
    edges, levels = array(found[0], f"{what}: edges"), array(found[1], f"{what}: levels")
    into = (areas,) if stimulus.inputs is None else (len(stimulus.inputs), areas)
    if edges.ndim != 1 or levels.shape != (len(edges) - 1, *into):
        raise UserError(
            f"{what}: edges of shape {edges.shape} and levels of shape {levels.shape}; expected (pieces + 1,) and "
            f"(pieces, {', '.join(map(str, into))})"
        )
    if (edges % 1).any() or (np.diff(edges) < 0).any() or edges[0] < 0 or edges[-1] > n_steps:
        raise UserError(f"{what}: edges are not rising whole numbers from 0 to {n_steps}; expected step numbers")
    if np.abs(levels).max(initial=0.0) > np.finfo(np.float32).max:
        raise UserError(f"{what} has a level of {np.abs(levels).max():g}; expected one that single precision holds")
    return Pieces(edges.astype(np.int64), levels)


def check_times(what: str, first: int, stop: int, n_steps: int, dt: float) -> None:
    """Refuse a course that is empty or not entirely inside the run."""
    if not 0 <= first < stop <= n_steps:
        raise UserError(
            f"{what} acts from {first * dt:g} to {stop * dt:g} s, the run from 0 to {n_steps * dt:g} s; "
            "expected a stimulus of some length inside the run: change its times or the study's duration"
        )
