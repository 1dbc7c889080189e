"""One labelled run with its time courses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gbaexplore.basics.errors import UserError, shown
from gbaexplore.basics.names import AREA, STATUS_MEANINGS
from gbaexplore.basics.numbers import number
from gbaexplore.basics.points import AMPLITUDE, INDEPENDENT, NOISE, SEED, SHARED, checked_seed, noise_hashes
from gbaexplore.basics.time import whole_steps
from gbaexplore.engine.first_step import resting
from gbaexplore.engine.plan import make_plan
from gbaexplore.engine.programs import Programs, key
from gbaexplore.engine.queue import simulate_batch
from gbaexplore.measures.trace import Trace
from gbaexplore.models.base import Model
from gbaexplore.models.checks import check_network, checked_values, parameter_values
from gbaexplore.networks.connectome import Connectome
from gbaexplore.networks.seen import Network
from gbaexplore.stimuli.base import AbstractStimulus, pieces_of
from gbaexplore.stimuli.silence import Silence
from gbaexplore.study.areas import parameter_value
from gbaexplore.study.variants import check_parts

if TYPE_CHECKING:
    import xarray as xr

_HIGHEST = 1e30


def simulate(
    model: Model,
    connectome: Connectome,
    stimulus: AbstractStimulus | None = None,
    *,
    window: tuple[float, float] | None = None,
    every: int = 5,
    dt: float = 2e-4,
    duration: float = 10.0,
    precision: Literal["float32", "float64"] = "float32",
    seed: int = 0,
    at: Mapping[str, float | str] | None = None,
    **parameters: Any,
) -> xr.Dataset:
    """Return the time courses of one point: each observable of the model, (time, area), in Hz.

    Args:
        stimulus: none if None.
        window: (start, stop) of the samples to return, s; the whole run if None.
        every: return every n-th sample (5: one per ms at the default dt).
        dt: step, s.
        duration: of the run, s.
        precision: of the integration. Rates are float64 all the same: rest plus the simulated change, so
            that changes of 1e-6 Hz survive.
        seed: of noise, if there is any: that of all points of this seed in a study.
        at: a point of a study with noise="independent", axis -> number or label: with its seed and this the noise is
            the same as there.
        parameters: any of the model's, and "amplitude" of the stimulus. A parameter may have a number for each area, as
            in `Study.fixed`; it is then a coordinate of the result.

    From where a rate has overflowed it is NaN, and the attribute `status` is "diverged".

    Raises:
        UserError: an unknown parameter or area, values or times that make no sense.
    """
    noise = SHARED if at is None else INDEPENDENT
    given = dict(
        window=window, every=every, dt=dt, duration=duration, precision=precision, seed=seed, at=at, noise=noise
    )
    driven = Silence() if stimulus is None else stimulus
    return one_point(Programs(), model, connectome, driven, parameters, **given)  # type: ignore[arg-type]


def one_point(
    programs: Programs,
    model: Model,
    connectome: Connectome,
    stimulus: AbstractStimulus,
    parameters: Mapping[str, float],
    *,
    window: tuple[float, float] | None,
    every: int,
    dt: float,
    duration: float,
    precision: Literal["float32", "float64"],
    seed: int,
    at: Mapping[str, float | str] | None,
    noise: str,
) -> xr.Dataset:
    """Return what `simulate` does, with programs that may have been looked at before."""
    import xarray as xr

    check_parts(model=model, connectome=connectome, stimulus=stimulus)
    check_network(model, connectome)
    values = _checked(model, connectome, stimulus, parameters, precision)
    dt = number(dt, "dt", "s")
    # As arrays, so that other values compile nothing anew.
    points = {name: np.array([value]) for name, value in values.items()}
    if model.is_random(points):
        points[NOISE] = noise_hashes(noise, seed, _coordinates(at, checked_seed(seed)))
    n_steps = whole_steps(duration, dt, "duration")
    traces = tuple(Trace(window=window, of=name, every=every) for name in model.observables)
    plan = make_plan(
        model=model,
        measures=traces,
        connectome=connectome,
        pieces=pieces_of(stimulus, connectome, dt, n_steps),
        swept={name: value for name, value in points.items() if name != NOISE},
        fixed={},
        dt=dt,
        n_steps=n_steps,
        ceiling=_HIGHEST,
        precision=precision,
        noise=noise,
    )
    results = simulate_batch(plan, Network.of(connectome), points, 1, 1, key(programs.of(plan.batch)))
    rest = resting(plan.batch.model, Network.of(connectome), values)
    (time, (times, attrs)), *_ = traces[0].coordinates(connectome, dt, n_steps).items()
    ds = xr.Dataset(coords={time: (time, times, attrs)})
    ds.coords[AREA] = (AREA, np.array(connectome.areas, dtype=object), {"long_name": "cortical area"})
    for (name, units), found in zip(model.observables.items(), results.values):
        rates = rest[name] + found["rate_change"][0].astype(np.float64)
        known = np.where(np.isfinite(rates), rates, np.nan)
        ds[name] = ((time, AREA), known, {"units": units, "long_name": f"{name} rate"})
    for name, value in values.items():
        if isinstance(value, np.ndarray):
            info = type(model).parameters()[name]
            ds.coords[name] = (AREA, value, {"units": info.units, "long_name": info.doc})
    same = {name: value for name, value in values.items() if name not in ds.coords}
    ds.attrs = {"status": STATUS_MEANINGS[results.status[0]], **same}
    return ds


def _coordinates(at: Any, seed: int) -> dict[str, float | str]:
    """Return the labels and numbers of a point of a study, with its seed."""
    if at is not None and not isinstance(at, Mapping):
        raise UserError(f"at = {shown(at)}; expected a point of a study, axis -> number or label")
    found = {
        str(axis): value if isinstance(value, str) else number(value, str(axis)) for axis, value in (at or {}).items()
    }
    if seed and found.get(SEED, seed) != seed:
        raise UserError(f"seed = {seed}, and at has the seed {found[SEED]:g}; expected one of them")
    return {SEED: seed, **found}


def _checked(
    model: Model, connectome: Connectome, stimulus: AbstractStimulus, parameters: Mapping[str, Any], precision: str
) -> dict[str, Any]:
    """Return all parameters and the stimulus' amplitude, or say which makes no sense."""
    for name in parameters:
        type(model).known_parameter(name, also=(AMPLITUDE,))
    values: dict[str, Any] = parameter_values(model) | {AMPLITUDE: float(stimulus.amplitude)}
    values |= {name: parameter_value(name, value, name, connectome) for name, value in parameters.items()}
    checked_values(model, {name: np.array([value]) for name, value in values.items()})
    if not isinstance(precision, str) or precision not in ("float32", "float64"):
        raise UserError(f'precision = {precision!r}; expected "float32" or "float64"')
    return values
