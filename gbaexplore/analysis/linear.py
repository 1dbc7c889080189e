"""The linearised network: non-normality, transient gain, covariance under noise."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.basics import numbers
from gbaexplore.basics.errors import UserError
from gbaexplore.basics.names import AREA

if TYPE_CHECKING:
    import xarray as xr

    from gbaexplore.models.base import Model
    from gbaexplore.networks.connectome import Connectome


# Non-normality: how much larger a stable network's transients are than its eigenvalues say.


def henrici_departure(matrix: np.ndarray) -> float:
    """Return Henrici's departure from normality, sqrt(||A||_F^2 - sum_k |lambda_k|^2), in A's units (1/s).

    It is 0 for a normal matrix, and the Frobenius norm of the strictly upper part of any Schur form of A:
    how strong the feed-forward structure between A's modes is, whatever its eigenvalues.

    Source: Henrici (1962), Numer. Math. 4:24-40; Trefethen & Embree (2005), Spectra and Pseudospectra, section 48.
    """
    from scipy.linalg import schur

    # From the Schur form: the formula's difference of two large numbers would lose half of the digits.
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
    """Return the largest transient gain, max over t >= 0 of ||exp(At)||_2, and the time when it is reached.

    The gain has no unit and is at least 1 (t = 0); the time is in the inverse of A's unit (s). The 2-norm is
    over the whole state, all entries weighted alike. Where ||exp(AT)|| < 1 the maximum lies before T, as
    ||exp(A(T+t))|| <= ||exp(AT)|| ||exp(At)||: so such a T is looked for, 0 to T is sampled at 400 times,
    linearly and logarithmically, and the best one refined to 1e-8 of T. A matrix with a spectral abscissa of
    0 or more has no such T: it gets (inf, inf).

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


def non_normality(model: Model, connectome: Connectome, **parameters: Any) -> xr.Dataset:
    """Return how far a linearised network is from normal, for one set of parameters or along axes of them.

    Args:
        parameters: any of the model's; a list of values becomes an axis of the result.

    Returns:
        Along these axes, in float64: `spectral_abscissa`, `numerical_abscissa` and `henrici_departure` in 1/s,
        `transient_gain` (1) and `transient_gain_time` (s): see the functions of these names. The last two are
        inf where the linear network is unstable.

    Raises:
        UserError: an unknown parameter, a value that makes no sense, or a model without jacobian.
    """
    import xarray as xr

    from gbaexplore.models.checks import checked_values
    from gbaexplore.networks.seen import Network
    from gbaexplore.study.variants import check_parts

    check_parts(model=model, connectome=connectome)
    declared = type(model).parameters()
    for name in parameters:
        type(model).known_parameter(name)
    values = {name: numbers.array(parameters.get(name, getattr(model, name)), name) for name in declared}
    for name, array in values.items():
        if array.ndim > 1 or not array.size:
            raise UserError(f"{name} has shape {array.shape}; expected a number, or a list of at least one")
    checked_values(model, values)
    axes = {name: array for name, array in values.items() if array.ndim}
    jacobian = model.linearised(Network.of(connectome))
    found = np.empty((len(_FIELDS), *(len(array) for array in axes.values())))
    for index in np.ndindex(*found.shape[1:]):
        at = dict(zip(axes, index))
        p = SimpleNamespace(**{name: float(array[at[name]] if name in at else array) for name, array in values.items()})
        matrix = jacobian(p)
        abscissa = np.linalg.eigvals(matrix).real.max()
        found[(slice(None), *index)] = (
            abscissa,
            numerical_abscissa(matrix),
            henrici_departure(matrix),
            *transient_gain(matrix),
        )
    info = {name: {"units": declared[name].units, "long_name": declared[name].doc} for name in axes}
    return xr.Dataset(
        {
            name: (tuple(axes), array, {"units": units, "long_name": doc})
            for (name, (units, doc)), array in zip(_FIELDS.items(), found)
        },
        coords={name: (name, array, info[name]) for name, array in axes.items()},
        attrs={"title": f"non-normality of {connectome.name}"},
    )


def stationary_covariance(model: Model, connectome: Connectome, **parameters: float) -> xr.Dataset:
    """Return how much noise makes the linearised network fluctuate: variance and covariance of its state.

    It is the solution S of Lyapunov's equation A S + S A^T + Q = 0, where A is the model's jacobian and Q its
    noise_covariance, for dt -> 0. It is that of the simulated network where this is linear: at a steady state well
    above the thresholds (restE=20, restI=45, say), and not at the default one, which sits on them.

    Returns:
        variance (observable, area) and covariance (observable, area, other_observable, other_area), squared units
        of the observables.

    Raises:
        UserError: an unknown parameter; a linearised network that grows; a model that does not say what its noise is.

    Source: Gardiner (2009), Stochastic Methods, section 4.5.6.
    """
    import xarray as xr
    from scipy.linalg import solve_continuous_lyapunov

    from gbaexplore.models.checks import checked_values
    from gbaexplore.networks.seen import Network
    from gbaexplore.study.variants import check_parts

    check_parts(model=model, connectome=connectome)
    declared = type(model).parameters()
    for name in parameters:
        type(model).known_parameter(name)
    values = {name: numbers.number(parameters.get(name, getattr(model, name)), name) for name in declared}
    checked_values(model, {name: np.array([value]) for name, value in values.items()})
    p, network = SimpleNamespace(**values), Network.of(connectome)
    matrix = model.jacobian(p, network)
    abscissa = np.linalg.eigvals(matrix).real.max()
    if abscissa >= 0:
        raise UserError(
            f"the linearised network grows: its spectral abscissa is {abscissa:.4g} /s; expected below 0, or nothing "
            "is stationary"
        )
    covariance = solve_continuous_lyapunov(matrix, -model.noise_covariance(p, network))
    observables, areas = list(model.observables), list(connectome.areas)
    units = f"{next(iter(model.observables.values()))}2"
    shape = (len(observables), len(areas))
    ds = xr.Dataset(coords={"observable": observables, AREA: areas})
    ds["variance"] = (("observable", AREA), covariance.diagonal().reshape(shape))
    ds["covariance"] = (("observable", AREA, "other_observable", "other_area"), covariance.reshape(shape + shape))
    ds = ds.assign_coords(other_observable=observables, other_area=areas)
    for name in ("variance", "covariance"):
        ds[name].attrs = {"units": units, "long_name": f"stationary {name} of the linearised network"}
    return ds


_FIELDS = {
    "spectral_abscissa": ("s-1", "largest real part of the linearised system's eigenvalues"),
    "numerical_abscissa": ("s-1", "largest eigenvalue of (A + A^T)/2: growth rate at the first instant"),
    "henrici_departure": ("s-1", "departure from normality, sqrt(||A||_F^2 - sum |lambda|^2)"),
    "transient_gain": ("1", "largest transient gain, max_t ||exp(At)||_2"),
    "transient_gain_time": ("s", "time of the largest transient gain"),
}


def _square(matrix: np.ndarray) -> np.ndarray:
    found = numbers.array(matrix, "the matrix")
    if found.ndim != 2 or found.shape[0] != found.shape[1] or not found.size:
        raise UserError(f"a matrix of shape {found.shape}; expected a square one of finite real numbers")
    return found
