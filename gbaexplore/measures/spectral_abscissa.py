"""The largest real part of the linearised network's eigenvalues."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gbaexplore.measures.base import Variable
from gbaexplore.measures.linear import LinearMeasure
from gbaexplore.models.base import Model


@dataclass(frozen=True)
class SpectralAbscissa(LinearMeasure):
    """Largest real part of the eigenvalues of the linearised network, in float64 whatever the precision.

    It tells whether the linear network is stable, not whether the rectified one diverges: see `status`.
    """

    def variables(self, model: Model) -> dict[str, Variable]:
        comment = "largest real part of the linearised system's eigenvalues"
        return {"spectral_abscissa": Variable((), "s-1", "spectral abscissa", if_diverged=True, comment=comment)}

    def of_matrices(self, matrices: np.ndarray) -> dict[str, np.ndarray]:
        return {"spectral_abscissa": np.linalg.eigvals(matrices).real.max(axis=1)}
