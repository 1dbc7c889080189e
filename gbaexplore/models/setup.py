"""What points are simulated with."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gbaexplore.basics.points import SHARED
from gbaexplore.models.base import Model
from gbaexplore.networks.connectome import Connectome
from gbaexplore.stimuli.base import AbstractStimulus

HIGHEST = 1e30
"""A ceiling that nothing reaches but what is about to overflow: float32 ends at 3e38."""


@dataclass(frozen=True, kw_only=True)
class Setup:
    """A model with its inputs, its parameters and its clock: all that its points share."""

    model: Model
    connectome: Connectome
    stimulus: AbstractStimulus
    swept: Mapping[str, np.ndarray]
    """Parameter that differs from point to point, and the amplitude -> every value in the whole study."""
    fixed: Mapping[str, float]
    """All other parameters."""
    dt: float  # s
    n_steps: int
    ceiling: float = HIGHEST  # largest change of the principal observable of a point that has not diverged
    precision: str = "float32"
    noise: str = SHARED  # whose is one: see `points.noise_hashes`

    @property
    def values(self) -> dict[str, np.ndarray]:
        """Parameter -> every value in the whole study, (n,)."""
        return {**{name: np.asarray([value]) for name, value in self.fixed.items()}, **self.swept}
