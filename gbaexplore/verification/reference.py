"""An integration in NumPy, float64, that shares nothing with the simulator."""

from __future__ import annotations

import numpy as np

from gbaexplore.networks.connectome import Connectome
from gbaexplore.verification.cases import Update, amplitude_of, omegaEI_of


def integrate(connectome: Connectome, muEE: np.ndarray, update: Update) -> tuple[np.ndarray, np.ndarray]:
    """Return peaks and largest changes by NumPy, in float64 and raw rates, running every step.

    Args:
        muEE: (point,) pA/Hz; the inhibition and the pulse belong to it, as in `omegaEI_of` and `amplitude_of`.

    Returns:
        Peak change of E from 1.75 s on, (point, area), and the largest change anywhere, (point,), Hz.
    """
    fln, gain = connectome.weights, 1 + 0.68 * connectome.values["hierarchy"][:, None]
    omegaEI = np.array([omegaEI_of(value) for value in muEE])
    pulse = np.zeros((len(fln), len(muEE)))
    pulse[connectome.index("V1")] = [amplitude_of(value) for value in muEE]

    def current_E(E: np.ndarray, I: np.ndarray) -> np.ndarray:
        return 0.066 * (gain * (24.3 * E + muEE * (fln @ E)) - omegaEI * I)

    def current_I(E: np.ndarray, I: np.ndarray) -> np.ndarray:
        return 0.351 * (gain * (12.2 * E + 25.3 * (fln @ E)) - 12.5 * I)

    E, I = np.full(pulse.shape, 10.0), np.full(pulse.shape, 35.0)
    background_E, background_I = 10.0 - current_E(E, I), 35.0 - current_I(E, I)
    dt, first, on, off, stop = 2e-4, 8_750, 10_000, 11_250, 25_000
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(first, stop):
            stimulated = current_E(E, I) + background_E + (pulse if on <= k < off else 0.0)
            new_E = E + dt / 0.02 * (-E + np.maximum(stimulated, 10.0))
            seen = new_E if update == "sequential" else E
            I = I + dt / 0.01 * (-I + np.maximum(current_I(seen, I) + background_I, 35.0))
            E = new_E
            if k == first:
                start, peak = E, E
            peak = np.maximum(peak, E)
    # A rate that overflowed counts as large.
    rise = np.nan_to_num(peak - start, nan=np.inf)
    return rise.T, rise.max(axis=0)
