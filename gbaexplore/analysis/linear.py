"""The linearised network's covariance under noise."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.names import AREA

if TYPE_CHECKING:
    import xarray as xr

    from gbaexplore.models.base import Model
    from gbaexplore.networks.connectome import Connectome


def stationary_covariance(model: Model, connectome: Connectome, **parameters: Any) -> xr.Dataset:
    """Return the stationary variance and covariance of the linearised network's state under noise.

    The covariance S solves Lyapunov's equation A S + S A^T + Q = 0, where A is the model's jacobian and Q its
    noise_covariance, for dt -> 0. The simulated network agrees where it is linear: at a steady state well above the
    thresholds (restE=20, restI=45, say), but not at the default one, which sits on them.

    Returns:
        variance (observable, area) and covariance (observable, area, other_observable, other_area), squared units
        of the observables.

    Raises:
        UserError: an unknown parameter; an unstable linearised network; a model without noise_covariance.

    Source: Gardiner (2009), Stochastic Methods, section 4.5.6.
    """
    import xarray as xr
    from scipy.linalg import solve_continuous_lyapunov

    from gbaexplore.models.checks import check_network, checked_values, parameter_values
    from gbaexplore.networks.seen import Network
    from gbaexplore.study.areas import parameter_value
    from gbaexplore.study.variants import check_parts

    check_parts(model=model, connectome=connectome)
    check_network(model, connectome)
    if any(name in model.dimensions for name in model.state_units()):
        raise UserError(
            f"{type(model).__name__} has state variables with dimensions besides the area; expected a model whose "
            "variables are one number for each area: this analysis knows no others"
        )
    for name in parameters:
        type(model).known_parameter(name)
    given = {name: parameter_value(name, value, name, connectome) for name, value in parameters.items()}
    values: dict[str, Any] = {**parameter_values(model), **given}
    checked_values(model, {name: np.array([value]) for name, value in values.items()})
    columns = {name: value if isinstance(value, float) else value[:, None] for name, value in values.items()}
    p, network = SimpleNamespace(**columns), Network.of(connectome)
    matrix = model.jacobian(p, network)
    abscissa = np.linalg.eigvals(matrix).real.max()
    if abscissa >= 0:
        raise UserError(
            f"the linearised network grows: its spectral abscissa is {abscissa:.4g} /s; expected below 0, or nothing "
            "is stationary"
        )
    covariance = solve_continuous_lyapunov(matrix, -model.noise_covariance(p, network))
    observables, areas = list(model.state_units()), list(connectome.areas)
    units = f"{next(iter(model.state_units().values()))}2"
    shape = (len(observables), len(areas))
    ds = xr.Dataset(coords={"observable": observables, AREA: areas})
    ds["variance"] = (("observable", AREA), covariance.diagonal().reshape(shape))
    ds["covariance"] = (("observable", AREA, "other_observable", "other_area"), covariance.reshape(shape + shape))
    ds = ds.assign_coords(other_observable=observables, other_area=areas)
    for name in ("variance", "covariance"):
        ds[name].attrs = {"units": units, "long_name": f"stationary {name} of the linearised network"}
    return ds
