"""Measures of the linearised network, which need no simulation."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np

from gbaexplore.measures.base import Measure
from gbaexplore.models.base import Model
from gbaexplore.networks.connectome import Connectome
from gbaexplore.networks.seen import Network


@dataclass(frozen=True)
class LinearMeasure(Measure):
    """A measure of the linearised network's matrix, in float64 whatever the precision."""

    def compute(self, model: Model, points: list[Any], connectome: Connectome) -> dict[str, np.ndarray]:
        """Return the values, (point,), for sets of parameters as `Model.jacobian` gets them."""
        return self.of_matrices(np.stack(list(map(model.linearised(Network.of(connectome)), points))))

    @abstractmethod
    def of_matrices(self, matrices: np.ndarray) -> dict[str, np.ndarray]:
        """Return the values, (point,), for matrices (point, variables x areas, variables x areas), 1/s."""
