"""Non-normality of the linearised network at each point."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from gbaexplore.measures.base import Variable
from gbaexplore.measures.linear import LinearMeasure
from gbaexplore.models.base import Model
from gbaexplore.models.non_normality import henrici_departure, numerical_abscissa, transient_gain


@dataclass(frozen=True)
class NonNormality(LinearMeasure):
    """Non-normality of the linearised network: how much it can amplify activity before the activity decays.

    The variables are defined by `analysis.numerical_abscissa`, `analysis.henrici_departure` and
    `analysis.transient_gain`. The gain and its time are NaN where the linear network is unstable, since it then grows
    without bound; `SpectralAbscissa` tells where. Each point takes some hundred matrix exponentials.
    """

    def variables(self, model: Model) -> dict[str, Variable]:
        unstable = "the linear network is unstable"
        return {
            "numerical_abscissa": Variable((), "s-1", "growth rate at the first instant", if_diverged=True),
            "henrici_departure": Variable((), "s-1", "departure from normality", if_diverged=True),
            "transient_gain": Variable((), "1", "largest transient gain", unstable, if_diverged=True),
            "transient_gain_time": Variable((), "s", "time of the largest transient gain", unstable, if_diverged=True),
        }

    def of_matrices(self, matrices: np.ndarray) -> dict[str, np.ndarray]:
        gains = np.array([transient_gain(matrix) for matrix in matrices])
        gains[np.isinf(gains)] = np.nan
        return {
            "numerical_abscissa": np.array([numerical_abscissa(matrix) for matrix in matrices]),
            "henrici_departure": np.array([henrici_departure(matrix) for matrix in matrices]),
            "transient_gain": gains[:, 0],
            "transient_gain_time": gains[:, 1],
        }
