"""The largest real part of the linearised network's eigenvalues."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from gbaexplore.measures.base import Measure, Variable
from gbaexplore.models.base import Model
from gbaexplore.networks.connectome import Connectome
from gbaexplore.networks.seen import Network


@dataclass(frozen=True)
class SpectralAbscissa(Measure):
    """Largest real part of the eigenvalues of the linearised network, in float64 whatever the precision.

    It says whether the linear network is stable, not whether the rectified one runs away: see `status`.
    """

    def variables(self, model: Model) -> dict[str, Variable]:
        words = "largest real part of the linearised system's eigenvalues"
        return {"spectral_abscissa": Variable((), "s-1", words, if_diverged=True)}

    def compute(self, model: Model, points: list[Any], connectome: Connectome) -> dict[str, np.ndarray]:
        """Return the values, (point,), for parameter sets that have every parameter as a number."""
        matrices = np.stack(list(map(model.linearised(Network.of(connectome)), points)))
        return {"spectral_abscissa": np.linalg.eigvals(matrices).real.max(axis=1)}
