"""An independent integration of the threshold-linear model: NumPy, float64, raw rates, every step.

It shares nothing with the package but the connectome's numbers. Points are along the last axis.
"""

import numpy as np

DEFAULTS = dict(
    eta=0.68, betaE=0.066, betaI=0.351, tauE=0.02, tauI=0.01, omegaEE=24.3, omegaEI=19.7, omegaIE=12.2,
    omegaII=12.5, muEE=28.0, muIE=25.3, thresholdE=10.0, thresholdI=35.0, restE=10.0, restI=35.0,
)  # fmt: skip


def peaks(
    hierarchy, fln, *, onset=2.0, pulse=0.25, amplitude=22.05 * 1.9, driven=0, window=(1.75, 5.0), dt=2e-4,
    update="sequential", background=True, record=None, **given,
):  # fmt: skip
    """Return (peak change, time of the peak from onset, samples): (area, point) each.

    The sample of step k is the state after it, at t = k dt; the run starts in the steady state (at t = 0
    without background) and `record(k, E, I)` is called with every sample.
    """
    p = {k: np.atleast_1d(np.asarray(v, dtype=np.float64)) for k, v in {**DEFAULTS, **given}.items()}
    points = max(len(v) for v in p.values())
    n = len(hierarchy)
    g = 1 + p["eta"] * hierarchy[:, None]
    rest_E = p["restE"] if background else 0.0
    rest_I = p["restI"] if background else 0.0
    E = np.zeros((n, points)) + rest_E
    I = np.zeros((n, points)) + rest_I

    def current_E(E, I):
        return p["betaE"] * (g * (p["omegaEE"] * E + p["muEE"] * (fln @ E)) - p["omegaEI"] * I)

    def current_I(E, I):
        return p["betaI"] * (g * (p["omegaIE"] * E + p["muIE"] * (fln @ E)) - p["omegaII"] * I)

    back_E = rest_E - current_E(E, I) if background else 0.0
    back_I = rest_I - current_I(E, I) if background else 0.0
    first, stop = (round(t / dt) for t in window)
    on, off = round(onset / dt), round((onset + pulse) / dt)
    start, peak, when = None, None, np.zeros((n, points), int)
    with np.errstate(over="ignore", invalid="ignore"):
        for k in range(min(first, on) if background else 0, stop):
            stimulus = np.zeros((n, 1))
            if on <= k < off:
                stimulus[driven] = amplitude
            new_E = E + dt / p["tauE"] * (-E + np.maximum(current_E(E, I) + back_E + stimulus, p["thresholdE"]))
            seen = new_E if update == "sequential" else E
            I = I + dt / p["tauI"] * (-I + np.maximum(current_I(seen, I) + back_I, p["thresholdI"]))
            E = new_E
            if record:
                record(k, E, I)
            if k == first:
                start, peak = E.copy(), E.copy()
            elif k > first:
                when = np.where(peak < E, k, when)
                peak = np.maximum(peak, E)
    return peak - start, (when - on) * dt
