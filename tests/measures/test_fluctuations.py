"""Variance, quantiles and spectra over time, against NumPy and SciPy on the same samples."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal

from gbaexplore import Mean, Quantile, Spectrum, Study, ThresholdLinear, Trace, UserError, Variance
from gbaexplore.measures.base import Now, Run

Q = (0.05, 0.5, 0.9)
WINDOW = (0.2, 2.1)  # three segments of 0.6 s, and some more
FREQUENCIES = (0.0, 5.0, 10.0, 20.0, 50.0)


@pytest.fixture(scope="module")
def found(macaque):
    """Streamed results and the samples themselves, (point, sample, area)."""
    study = Study(
        name="fluctuations",
        model=ThresholdLinear(),
        axes={"seed": [0, 1], "muEE": [36.0, 44.0]},
        connectome=macaque,
        fixed={"noise": 0.05, "restE": 20.0, "restI": 45.0, "omegaEI": 26.0},
        measures=[
            Variance(window=WINDOW),
            Quantile(window=WINDOW, q=Q),
            Spectrum(window=WINDOW, frequencies=FREQUENCIES, segment=0.6),
            Trace(window=WINDOW),
            Mean(window=WINDOW),
        ],
        duration=2.1,
    )
    values = study.run_block(study.blocks()[0])
    found = {name: v.reshape(4, *v.shape[2:]).astype(np.float64) for name, v in values.items()}
    return {**found, "samples": found["rate_change"] + 20.0, "template": study.template()}


@pytest.mark.slow
def test_variance(found):
    np.testing.assert_allclose(found["rate_variance"], found["samples"].var(axis=1), rtol=1e-4)
    np.testing.assert_allclose(found["mean_rate"], found["samples"].mean(axis=1), rtol=1e-6)
    assert found["template"].rate_variance.attrs["units"] == "Hz2"


def test_quantiles(found):
    """Of samples that are alike for 200 steps and more: some fifty that tell anything."""
    exact = np.moveaxis(np.quantile(found["samples"], Q, axis=1), 0, 1)
    off = (found["rate_quantile"] - exact) / found["samples"].std(axis=1)[:, None]
    assert np.sqrt((off[:, 1] ** 2).mean()) < 0.08
    assert np.sqrt((off**2).mean()) < 0.25
    assert found["template"].rate_quantile.dims == ("seed", "muEE", "quantile", "area")


@pytest.mark.parametrize("draw", ["normal", "exponential", "uniform"])
def test_quantiles_of_independent_samples(draw):
    """What is claimed: a hundredth of the spread for some thousand."""
    samples = jnp.asarray(getattr(np.random.default_rng(0), draw)(size=(5000, 40)), jnp.float32)
    measure, run = Quantile(q=Q), Run(dt=1.0, onset=0, samples=5000, areas=tuple(map(str, range(40))))

    def update(acc, at):
        return measure.update(acc, samples[at], Now(at, at), run), None

    acc, _ = jax.lax.scan(update, measure.init(samples[0], run), jnp.arange(1, 5000))
    estimate = measure.finish(acc, 0.0, run)["rate_quantile"]
    off = (estimate - np.quantile(samples, Q, axis=0)) / np.std(samples, axis=0)
    assert np.sqrt((off**2).mean()) < 0.02


def test_quantiles_of_few_samples_are_those_of_a_sorted_list():
    samples = np.array([3.0, -1.0, 4.0, 1.5, 9.0], np.float32)[:, None]
    measure, run = Quantile(q=(0.5,)), Run(dt=1.0, onset=0, samples=5, areas=("a",))
    acc = measure.init(samples[0], run)
    for at in range(1, 5):
        acc = measure.update(acc, samples[at], Now(jnp.asarray(at), jnp.asarray(at)), run)
    assert [float(h[0, 0]) for h in acc[0]] == [-1.0, 1.5, 3.0, 4.0, 9.0]


def test_spectrum(found):
    f, power = scipy.signal.welch(
        found["samples"], fs=5000.0, window="hann", nperseg=3000, noverlap=0, detrend="constant", axis=1
    )
    at = [np.flatnonzero(np.isclose(f, frequency))[0] for frequency in FREQUENCIES]
    expected = power[:, at]
    assert (np.abs(found["rate_spectrum"][:, 1:] - expected[:, 1:]) < 1e-3 * expected[:, 1:].max(axis=1)[:, None]).all()
    np.testing.assert_allclose(found["rate_spectrum"][:, :4], expected[:, :4], rtol=1e-2)
    assert found["template"].rate_spectrum.attrs["units"] == "Hz2 Hz-1"


@pytest.mark.slow
def test_without_noise_the_rest_before_a_stimulus_counts(make_study, run_all):
    study = make_study(
        axes={"muEE": [28.0]},
        measures=[Variance(window=(1.5, 2.6)), Quantile(window=(1.5, 2.6), q=(0.5,)), Trace(window=(1.5, 2.6))],
        duration=2.6,
    )
    found = run_all(study)
    samples = found["rate_change"][0].astype(np.float64)
    np.testing.assert_allclose(found["rate_variance"][0], samples.var(axis=0), rtol=1e-4)
    assert np.quantile(samples, 0.3, axis=0).max() == 0  # nothing happens for much of the window


def test_a_short_window_and_wrong_quantiles(make_study):
    with pytest.raises(UserError, match="Quantile needs a window of at least 5 samples; found 2"):
        make_study(measures=[Quantile(window=(2.0, 2.0004))])
    with pytest.raises(UserError, match=r"Quantile\(q=...\) has \(0.5, 0.5\); expected different numbers"):
        Quantile(q=(0.5, 0.5))


def streamed(measure, samples, dt):
    """What a measure makes of samples, (time,), in float32."""
    x = jnp.asarray(samples, jnp.float32)[:, None]
    run = Run(dt=dt, onset=0, samples=len(x), areas=("a",), every=dt)

    def update(acc, at):
        return measure.update(acc, x[at], Now(at, at), run), None

    acc, _ = jax.lax.scan(update, measure.init(x[0], run), jnp.arange(1, len(x)))
    return {name: np.asarray(values)[..., 0] for name, values in measure.finish(acc, jnp.zeros(1), run).items()}


STEP_S = 2e-4
TIMES = STEP_S * np.arange(100_000)


@pytest.mark.parametrize(
    "signal",
    [
        100 + 0.1 * np.sin(2 * np.pi * TIMES / 30),
        np.where(TIMES < 1, 40.0, 40.01),
        np.where(TIMES < 1, 40.0, 0.01),
        400 + 0.05 * np.sin(2 * np.pi * 10 * TIMES),
    ],
)
def test_small_fluctuations_on_top_of_a_large_mean(signal):
    """Of the float32 samples themselves: to 1e-5, where the mean's own last digit is as large as a sample's change."""
    exact = signal.astype(np.float32).astype(np.float64)
    found = streamed(Variance(), signal, STEP_S)["rate_variance"]
    np.testing.assert_allclose(found, exact.var(), rtol=1e-5)
    assert streamed(Mean(), signal, STEP_S)["mean_rate"] == pytest.approx(exact.mean(), rel=1e-6)
    spectrum = streamed(Spectrum(frequencies=(1.0, 10.0), segment=1.0), signal, STEP_S)["rate_spectrum"]
    welch = {"fs": 1 / STEP_S, "window": "hann", "nperseg": 5000, "noverlap": 0, "detrend": "constant"}
    expected = scipy.signal.welch(exact, **welch)[1][[1, 10]]
    np.testing.assert_allclose(spectrum, expected, rtol=1e-3, atol=1e-6 * expected.max())
