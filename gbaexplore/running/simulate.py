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
from gbaexplore.models.setup import Setup
from gbaexplore.networks.connectome import Connectome
from gbaexplore.networks.seen import Network
from gbaexplore.stimuli.base import AbstractStimulus
from gbaexplore.stimuli.inputs import inputs_given, stimulus_into
from gbaexplore.study.areas import parameter_value
from gbaexplore.study.variants import check_parts

if TYPE_CHECKING:
    import xarray as xr


def simulate(
    model: Model,
    connectome: Connectome,
    stimulus: AbstractStimulus | Mapping[str, AbstractStimulus] | None = None,
    *,
    window: tuple[float, float] | None = None,
    every: float | None = None,
    dt: float = 2e-4,
    duration: float = 10.0,
    precision: Literal["float32", "float64"] = "float32",
    seed: int = 0,
    at: Mapping[str, float | str] | None = None,
    **parameters: Any,
) -> xr.Dataset:
    """Return the time courses of one point: each observable of the model, (time, area), or (time, its own, area).

    Args:
        stimulus: none if None; of a model with several inputs, {input: stimulus}.
        window: (start, stop) of the samples to return, s; the whole run if None.
        every: seconds from sample to sample, a multiple of dt; each step if None.
        dt: step, s.
        duration: of the run, s.
        precision: of the integration. Results are float64 all the same: rest plus the simulated change, so
            that a change of 1e-6 Hz on top of 10 Hz survives.
        seed: of noise, if there is any: that of all points of this seed in a study.
        at: a point of a study with noise="independent", axis -> number or label: with its seed and this the noise is
            the same as there.
        parameters: any of the model's, and "amplitude" of the stimulus. A parameter may have a number for each area, as
            in `Study.fixed`; it is then a coordinate of the result.

    From where an observable has overflowed it is NaN, and the attribute `status` is "diverged".

    Raises:
        UserError: an unknown parameter or area, values or times that make no sense.
    """
    noise = SHARED if at is None else INDEPENDENT
    setup = checked_setup(model, connectome, inputs_given(stimulus), parameters, dt, duration, precision, noise)
    return courses(Programs(), setup, window, every, seed, at)


def checked_setup(
    model: Model,
    connectome: Connectome,
    given: AbstractStimulus | None,
    parameters: Mapping[str, Any],
    dt: float,
    duration: float,
    precision: str,
    noise: str,
) -> Setup:
    """Return the setup of one point; parameters that are not given have their defaults.

    Raises:
        UserError: see `simulate`.
    """
    check_parts(model=model, connectome=connectome, **({} if given is None else {"stimulus": given}))
    stimulus = stimulus_into(model.inputs, given, type(model).__name__)
    check_network(model, connectome)
    values = _checked(model, connectome, stimulus, parameters)
    if not isinstance(precision, str) or precision not in ("float32", "float64"):
        raise UserError(f'precision = {precision!r}; expected "float32" or "float64"')
    dt = number(dt, "dt", "s")
    return Setup(
        model=model,
        connectome=connectome,
        stimulus=stimulus,
        swept={name: np.array([value]) for name, value in values.items()},  # so other values compile nothing anew
        fixed={},
        dt=dt,
        n_steps=whole_steps(duration, dt, "duration"),
        precision=precision,
        noise=noise,
    )


def courses(
    programs: Programs,
    setup: Setup,
    window: tuple[float, float] | None,
    every: float | None,
    seed: int,
    at: Mapping[str, float | str] | None,
) -> xr.Dataset:
    """Return the time courses of a setup's only point; see `simulate`."""
    import xarray as xr

    model, connectome = setup.model, setup.connectome
    points = dict(setup.swept)
    if model.is_random(points):
        points[NOISE] = noise_hashes(setup.noise, seed, _coordinates(at, checked_seed(seed)))
    traces = tuple(Trace(window=window, of=name, every=every) for name in model.observables)
    plan = make_plan(setup, traces)
    results = simulate_batch(plan, Network.of(connectome), points, 1, 1, key(programs.of(plan.batch)))
    values = {name: v[0] if v.ndim > 1 else float(v[0]) for name, v in setup.swept.items()}
    rest = resting(plan.batch.model, Network.of(connectome), values)
    (time, (times, attrs)), *_ = traces[0].coordinates(connectome, setup.dt, setup.n_steps).items()
    ds = xr.Dataset(coords={time: (time, times, attrs)})
    ds.coords[AREA] = (AREA, np.array(connectome.areas, dtype=object), {"long_name": "area"})
    for (name, units), made in zip(model.observables.items(), results.values):
        (change,) = made.values()
        rates = rest[name] + change[0].astype(np.float64)
        known = np.where(np.isfinite(rates), rates, np.nan)
        dims = model.dimensions.get(name, {})
        ds = ds.assign_coords({dim: np.array(labels, dtype=object) for dim, labels in dims.items()})
        ds[name] = ((time, *dims, AREA), known, {"units": units, "long_name": name})
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
    model: Model, connectome: Connectome, stimulus: AbstractStimulus, parameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Return all parameters and the stimulus' amplitude, or say which makes no sense."""
    for name in parameters:
        type(model).known_parameter(name, also=(AMPLITUDE,))
    values: dict[str, Any] = parameter_values(model) | {AMPLITUDE: float(stimulus.amplitude)}
    values |= stimulus.amplitudes
    values |= {name: parameter_value(name, value, name, connectome) for name, value in parameters.items()}
    checked_values(model, {name: np.array([value]) for name, value in values.items()})
    return values
