"""Derived fields: Datasets in, labelled arrays out; and how far a network is from normal."""

from __future__ import annotations

import itertools
import json
import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

from gbaexplore.errors import UserError, did_you_mean
from gbaexplore.labels import AREA, DIVERGED, FAILED, OK, PENDING, STATUS
from gbaexplore.table import tables_of

if TYPE_CHECKING:
    import xarray as xr

    from gbaexplore.connectome import Connectome
    from gbaexplore.models.base import Model


def propagation_ratio(ds: xr.Dataset, target: str = "24c", source: str = "V1") -> xr.DataArray:
    """Return peak(target) / peak(source) at every point that was computed and stayed bounded, else NaN.

    Raises:
        UserError: no peaks in the Dataset, or no such area.
    """
    if "peak_rate" not in ds:
        raise UserError(f"no peak_rate among {', '.join(map(str, ds.data_vars))}; the study needs Peak() as a measure")
    known = [str(area) for area in ds[AREA].values]
    for area in (target, source):
        if area not in known:
            raise UserError(f'no area "{area}"{did_you_mean(area, known) or ";"} Areas: {", ".join(known)}')
    peak = ds.peak_rate.where(ds[STATUS] == OK)
    low = peak.sel(area=source, drop=True)
    ratio = (peak.sel(area=target, drop=True) / low).where(low > 0)
    return ratio.rename("propagation_ratio").assign_attrs(long_name=f"peak({target}) / peak({source})", units="1")


def elasticity(ds: xr.Dataset, of: str = "peak_rate", parameters: str = "parameter") -> xr.DataArray:
    """Return relative sensitivities, (p / y) dy/dp: by how many per cent y changes if a parameter p does by one.

    Args:
        ds: of a study that measures y and its `Sensitivity`.
        of: the variable y.
        parameters: the dimension of the parameters in `d_` y.

    Returns:
        Values without unit along the dimensions of the derivative; NaN where y is 0, and at points that are not
        computed or have diverged.

    Raises:
        UserError: y or its derivative is not in the Dataset, or the label of an axis of labels is missing in it.
    """
    import xarray as xr

    for name in (of, f"d_{of}"):
        if name not in ds:
            raise UserError(
                f"no {name} among {', '.join(map(str, ds.data_vars))}; the study needs both the measure and its "
                "Sensitivity(...)"
            )
    slopes = ds[f"d_{of}"]
    values = [_parameter_values(ds, str(name)) for name in slopes[parameters].values]
    value = xr.concat(xr.broadcast(*values), slopes[parameters], coords="minimal", compat="override")
    y = ds[of].where((ds[STATUS] == OK) & (ds[of] != 0))
    found = (value * slopes / y).transpose(*slopes.dims)
    return found.rename("elasticity").assign_attrs(long_name=f"elasticity of {of}", units="1")


def _parameter_values(ds: xr.Dataset, name: str) -> xr.DataArray:
    """Return a parameter's value at each point: a coordinate, or what the study's recipe says of each variant."""
    import xarray as xr

    from gbaexplore.study import variant_name

    if name in ds.coords:
        return ds[name].reset_coords(drop=True)
    recipe = json.loads(ds.attrs["gbaexplore_recipe"])
    labels = {axis: known for axis, known in recipe["order"].items() if axis != "axes"}
    for axis in labels:
        if axis not in ds.coords:
            raise UserError(f'no coordinate "{axis}" in the Dataset, which the value of {name} depends on; keep it')
    found = xr.DataArray(0.0, dims=list(labels), coords=labels)
    for at in itertools.product(*labels.values()):
        point = dict(zip(labels, at))
        found.loc[point] = recipe["variants"][variant_name(point)]["parameters"][name]
    return found.sel({axis: ds[axis] for axis in labels}).reset_coords(drop=True)


# Stability boundaries. Two, because they differ: the linearised network has every rectifier open.


def linear_boundary(ds: xr.Dataset, x: str = "muEE", y: str = "omegaEI") -> xr.DataArray:
    """Return where the linearised network loses its stability: the curves of spectral abscissa 0.

    The zero contour of `spectral_abscissa`, linear between neighbouring points of the grid (marching squares),
    so its error is of second order in the grid's spacing.

    Returns:
        The values of `y` along `vertex`; beside them, along `vertex` too, the coordinates `x`, `curve` (number
        of the curve: vertices with the same one are neighbours in this order) and the label of every other
        axis of the grid. A boundary that does not exist has no vertices. All in the units of their axes.

    Raises:
        UserError: no spectral abscissa in the Dataset, or `x` or `y` is no numeric axis of two values or more.
    """
    if "spectral_abscissa" not in ds:
        raise UserError(
            f"no spectral_abscissa among {', '.join(map(str, ds.data_vars))}; "
            "the study needs SpectralAbscissa() as a measure"
        )
    known = ds.spectral_abscissa.where(ds[STATUS].isin([OK, DIVERGED]))
    return _contours(known, 0.0, x, y).assign_attrs(long_name=f"{y} where the linearised network turns unstable")


def divergence_boundary(ds: xr.Dataset, x: str = "muEE", y: str = "omegaEI") -> xr.DataArray:
    """Return the border between points that stayed bounded and points that diverged.

    It runs half-way between neighbouring points of the grid, so it is right to half the grid's spacing; points
    that are pending or have failed are gaps in it.

    Returns:
        Curves as `linear_boundary` does.

    Raises:
        UserError: `x` or `y` is no numeric axis of two values or more.
    """
    status = ds[STATUS]
    diverged = (status == DIVERGED).astype(float).where(status.isin([OK, DIVERGED]))
    return _contours(diverged, 0.5, x, y).assign_attrs(long_name=f"{y} where the network starts to run away")


def _contours(field: xr.DataArray, level: float, x: str, y: str) -> xr.DataArray:
    import xarray as xr
    from contourpy import contour_generator

    for name in (x, y):
        if name not in field.dims or field[name].dtype.kind not in "iuf" or field.sizes[name] < 2:
            numeric = [str(d) for d in field.dims if field[d].dtype.kind in "iuf" and field.sizes[d] > 1]
            raise UserError(
                f'"{name}" can\'t be an axis of a boundary; expected a numeric axis of at least two values: '
                f"{', '.join(numeric) or 'this Dataset has none'}"
            )
    others = [str(dim) for dim in field.dims if dim not in (x, y)]
    columns: dict[str, list[Any]] = {name: [] for name in (x, y, "curve", *others)}
    curves = itertools.count()
    for labels in itertools.product(*(field[dim].values for dim in others)):
        plane = field.sel(dict(zip(others, labels))).transpose(y, x)
        z = np.ma.masked_invalid(plane.values.astype(np.float64))
        for line in contour_generator(plane[x].values, plane[y].values, z).lines(level):
            vertices = np.asarray(line)
            columns[x] += vertices[:, 0].tolist()
            columns[y] += vertices[:, 1].tolist()
            columns["curve"] += [next(curves)] * len(vertices)
            for dim, label in zip(others, labels):
                columns[dim] += [label] * len(vertices)
    coords = {
        name: ("vertex", np.array(columns[name], field[name].dtype), dict(field[name].attrs)) for name in (x, *others)
    }
    coords["curve"] = ("vertex", np.array(columns["curve"], int), {"long_name": "number of the curve", "units": "1"})
    units = {"units": field[y].attrs.get("units", "1")}
    return xr.DataArray(np.array(columns[y], float), dims="vertex", coords=coords, name=y, attrs=units)


# Sensitivity over whole ranges.


def sobol_indices(
    ds: xr.Dataset,
    values: str | xr.DataArray = "peak_rate",
    *,
    diverged: float | None = None,
    confidence: float = 0.95,
    resamples: int = 500,
    seed: int = 0,
) -> xr.Dataset:
    """Return which share of a variable's variance over a `designs.saltelli` table each parameter explains.

    The first-order index is the share that the parameter explains by itself, the total-order index the share in which
    it takes part, with others or without. They are estimates, and may be a little below 0 or above 1.

    Args:
        ds: of a study with the table as an axis.
        values: a variable of it, or what was computed from it, such as `np.log10(ds.peak_rate)`.
        diverged: the value of points that diverged. If None, they are refused.
        confidence: of the intervals.
        resamples: how often the table's groups are drawn anew, with replacement, for the intervals (percentiles).
        seed: of these draws.

    Returns:
        `first_order` and `total_order` along `parameter` and all other dimensions of the values, 0 where the values do
        not vary; their intervals, `first_order_interval` and `total_order_interval`, along `bound` (low, high) too.

    Raises:
        UserError: no such table in the Dataset, or a part of one; points that are not computed or have diverged;
            values that are no numbers, or not along the table.

    Source: Saltelli et al. (2010), Comput. Phys. Commun. 181:259-270, table 2 (b) and (f), as SciPy has it.
    """
    import xarray as xr
    from scipy.stats import sobol_indices as indices

    axis, parameters, order = _saltelli(ds)
    field = _computed(ds, values, axis, diverged)
    along = [str(dim) for dim in field.dims if dim != axis]
    array = field.isel({axis: order}).transpose(*along, axis).values.astype(np.float64)
    n, shape = len(order) // (len(parameters) + 2), array.shape[:-1]
    groups = np.moveaxis(array.reshape(-1, n, len(parameters) + 2), -1, 0)  # (A B AB..., value, group)

    def estimate(chosen: np.ndarray) -> np.ndarray:
        a, b, ab = groups[0][:, chosen], groups[1][:, chosen], groups[2:][..., chosen]
        found = indices(func={"f_A": a, "f_B": b, "f_AB": ab}, n=n)
        both = np.stack([found.first_order, found.total_order]).reshape(2, -1, len(parameters))
        return np.moveaxis(both, -1, 1).reshape(2, len(parameters), *shape)

    rng = np.random.default_rng(seed)
    drawn = np.stack([estimate(rng.integers(n, size=n)) for _ in range(resamples)])
    ends = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    coords = {name: c for name, c in field.coords.items() if axis not in c.dims}
    ds = xr.Dataset(coords=coords | {"parameter": parameters, "bound": ["low", "high"]})
    for name, best, bounds in zip(("first", "total"), estimate(np.arange(n)), np.moveaxis(ends, 0, -1)):
        words = {"units": "1", "long_name": f"{name}-order Sobol index"}
        ds[f"{name}_order"] = (("parameter", *along), best, words)
        words = {"units": "1", "long_name": f"{confidence:.0%} interval of the {words['long_name']}"}
        ds[f"{name}_order_interval"] = (("parameter", *along, "bound"), bounds, words)
    return ds.assign_attrs(title=f"Sobol indices of {field.attrs.get('long_name', field.name)}", groups=n)


def _saltelli(ds: xr.Dataset) -> tuple[str, list[str], np.ndarray]:
    """Return the axis that is a table as `designs.saltelli` makes it, its parameters, and its rows in that order."""
    for axis, columns in tables_of(ds).items():
        order = np.argsort(ds[axis].values)
        names = [name for name in columns if np.ptp(ds[name].values) > 0]
        n, over = divmod(len(order), len(names) + 2)
        if not names or over or n < 2 or n & (n - 1):
            continue
        points = np.stack([ds[name].values[order] for name in names], axis=1).reshape(n, -1, len(names))
        a, b, mixed = points[:, :1], points[:, 1:2], points[:, 2:]
        if np.array_equal(mixed, np.where(np.eye(len(names), dtype=bool), b, a)):
            return axis, names, order
    raise UserError(
        "no axis is a whole table of designs.saltelli; expected one, with all of its rows, as in "
        'axes={"point": gba.designs.saltelli(1024, {"muEE": (28, 34)})}'
    )


def _computed(ds: xr.Dataset, values: str | xr.DataArray, axis: str, diverged: float | None) -> xr.DataArray:
    """Return values that are there for every point."""
    if isinstance(values, str) and values not in ds:
        known = [str(name) for name in ds.data_vars]
        raise UserError(f'no variable "{values}"{did_you_mean(values, known) or ";"} Variables: {", ".join(known)}')
    field, state = ds[values] if isinstance(values, str) else values, ds[STATUS]
    if axis not in field.dims or field.sizes[axis] != ds.sizes[axis]:
        raise UserError(f"the values are along {', '.join(map(str, field.dims))}; expected all of {axis} among them")
    undone = int(state.isin([PENDING, FAILED]).sum())
    if undone:
        raise UserError(f"{undone:,} points are pending or have failed; expected all of them: run the study again")
    away = state == DIVERGED
    if diverged is None and away.any():
        raise UserError(
            f"{int(away.sum()):,} points of {away.size:,} diverged; expected narrower ranges, or diverged=..., the "
            "value that they are to have"
        )
    field = field if diverged is None else field.where(~away, diverged).assign_attrs(field.attrs)
    wrong = int((~np.isfinite(field)).sum())
    if wrong:
        raise UserError(f"{wrong:,} of {field.size:,} values are not finite; expected a number at every point")
    return field


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

    from gbaexplore.models.base import Network, checked_values

    declared = type(model).parameters()
    for name in parameters:
        type(model).known_parameter(name)
    values = {name: np.asarray(parameters.get(name, getattr(model, name)), np.float64) for name in declared}
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

    from gbaexplore.models.base import Network, checked_values

    for name in parameters:
        type(model).known_parameter(name)
    values = {name: float(parameters.get(name, getattr(model, name))) for name in type(model).parameters()}
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
    found = np.asarray(matrix, dtype=np.float64)
    if found.ndim != 2 or found.shape[0] != found.shape[1] or not found.size or not np.isfinite(found).all():
        raise UserError(f"a matrix of shape {found.shape}; expected a square one of finite real numbers")
    return found
