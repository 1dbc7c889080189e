"""Non-normality: how much larger the transients of a stable linear system are than its eigenvalues say."""

from __future__ import annotations

import math

import numpy as np

from gbaexplore.basics import numbers
from gbaexplore.basics.errors import UserError


def henrici_departure(matrix: np.ndarray) -> float:
    """Return Henrici's departure from normality, sqrt(||A||_F^2 - sum_k |lambda_k|^2), in A's units (1/s).

    It is the Frobenius norm of the strictly upper part of any Schur form of A, and 0 for a normal matrix: the strength
    of the feed-forward structure between A's modes, whatever its eigenvalues.

    Source: Henrici (1962), Numer. Math. 4:24-40; Trefethen & Embree (2005), Spectra and Pseudospectra, section 48.
    """
    from scipy.linalg import schur

    # From the Schur form, because the formula's difference of two large numbers would lose half of the digits.
    triangle, _ = schur(_square(matrix), output="complex")
    return float(np.linalg.norm(np.triu(triangle, 1)))


def numerical_abscissa(matrix: np.ndarray) -> float:
    """Return the largest eigenvalue of (A + A^T)/2, in A's units (1/s): the fastest growth at the first instant.

    It is d/dt ||exp(At)||_2 at t = 0; a positive one means that some small activity grows before it decays.

    Source: Trefethen & Embree (2005), Spectra and Pseudospectra, section 17.
    """
    matrix = _square(matrix)
    return float(np.linalg.eigvalsh((matrix + matrix.T) / 2)[-1])


def transient_gain(matrix: np.ndarray) -> tuple[float, float]:
    """Return the largest transient gain, max over t >= 0 of ||exp(At)||_2, and the time at which it is reached.

    The gain has no unit and is at least 1 (t = 0); the time is in the inverse of A's unit (s). The 2-norm weights all
    entries of the state alike. If ||exp(AT)|| < 1, the maximum is before T, because ||exp(A(T+t))|| <= ||exp(AT)||
    ||exp(At)||. So the function finds such a T, samples 0 to T at 400 times, linearly and logarithmically, and
    refines the best one to 1e-8 of T. A matrix with a spectral abscissa of 0 or more has no such T: it gets
    (inf, inf).

    Source: Trefethen & Embree (2005), Spectra and Pseudospectra, section 14.
    """
    from scipy.linalg import expm
    from scipy.optimize import minimize_scalar

    matrix = _square(matrix)
    scale = float(np.linalg.norm(matrix, 2))
    if np.linalg.eigvals(matrix).real.max() >= 0:
        return math.inf, math.inf

    def gain(t: float) -> float:
        return float(np.linalg.norm(expm(matrix * t), 2))

    end = 1 / scale
    while gain(end) >= 1:
        end *= 2
    times = np.unique(np.r_[np.linspace(0, end, 200), np.geomspace(min(0.01 / scale, end / 10), end, 200)])
    gains = np.array([gain(t) for t in times])
    best = int(gains.argmax())
    bounds = times[max(best - 1, 0)], times[min(best + 1, len(times) - 1)]
    refined = minimize_scalar(lambda t: -gain(t), bounds=bounds, method="bounded", options={"xatol": 1e-8 * end})
    return max((-refined.fun, refined.x), (gains[best], times[best]))


def _square(matrix: np.ndarray) -> np.ndarray:
    found = numbers.array(matrix, "the matrix")
    if found.ndim != 2 or found.shape[0] != found.shape[1] or not found.size:
        raise UserError(f"a matrix of shape {found.shape}; expected a square one of finite real numbers")
    return found
