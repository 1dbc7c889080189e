"""Functional connectivity, its dynamics, fits to data, order, spectral peaks, memory: against NumPy and SciPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from scipy.stats import ks_2samp

import gbaexplore as gba
from gbaexplore import UserError
from gbaexplore.measures import Now, Run

AREAS = ("a", "b", "c", "d")
EVERY = 0.5


def measured(measure, *x):
    """Return what a measure makes of samples, (sample, area), one array for each observable."""
    run = Run(dt=EVERY, onset=0, samples=len(x[0]), areas=AREAS, every=EVERY, what="x")
    values = tuple(jnp.asarray(v, jnp.float32) for v in x)

    def seen(k):
        found = tuple(v[k] for v in values)
        return found if len(found) > 1 else found[0]

    def later(k, acc):
        return measure.update(acc, seen(k), Now(k, k), run)

    whole = jax.jit(
        lambda: measure.finish(jax.lax.fori_loop(1, len(x[0]), later, measure.init(seen(0), run)), 0.0, run)
    )
    return {name: np.asarray(values) for name, values in whole().items()}


@pytest.fixture(scope="module")
def signals():
    """Slow signals of four areas on top of different means, whose correlations come and go."""
    rng = np.random.default_rng(1)
    white = rng.normal(size=(400, 4))
    slow = np.zeros((400, 4))
    for k in range(1, 400):
        slow[k] = 0.9 * slow[k - 1] + white[k]
    mixed = slow + np.sin(np.arange(400) / 40)[:, None] * slow[:, [1, 0, 0, 2]]
    return mixed + np.array([100.0, 0.0, -5.0, 3.0])


def windows(x, length, step):
    above = np.triu_indices(4, 1)
    found = [np.corrcoef(x[k : k + length].T)[above] for k in range(0, len(x) - length + 1, step)]
    return np.corrcoef(np.array(found))


def test_fcd_is_the_correlation_of_the_windows_connectivities(signals):
    expected = windows(signals, 60, 9)
    fcd = gba.FCD(length=30.0, step=4.5, matrix=True)
    found = measured(fcd, signals)["fcd_x"]
    np.testing.assert_allclose(found, expected, atol=2e-4)
    pairs = expected[np.triu_indices(len(expected), 1)]
    shares = measured(gba.FCD(length=30.0, step=4.5, bins=20), signals)["fcd_x"]
    counts = np.histogram(pairs, bins=20, range=(-1, 1))[0]
    np.testing.assert_allclose(shares * len(pairs), counts, atol=2.001)  # some lie on an edge
    assert shares.sum() == pytest.approx(1, abs=1e-6)


def test_a_constant_area_has_no_connectivity(signals):
    x = signals.copy()
    x[100:200, 2] = 7.0
    assert np.isnan(measured(gba.FCD(length=30.0, step=5.0), x)["fcd_x"]).all()
    assert np.isfinite(measured(gba.FC(), x)["fc_x"]).all()
    x[:, 2] = 7.0
    assert np.isnan(measured(gba.FCFit(data=np.eye(4)), x)["fc_fit_x"])


def test_fits_are_those_of_the_data(signals):
    rng = np.random.default_rng(2)
    data = np.corrcoef((signals + rng.normal(size=signals.shape) * 3).T)
    above = np.triu_indices(4, 1)
    fc = np.corrcoef(signals.T)
    found = measured(gba.FCFit(data=data), signals)["fc_fit_x"]
    assert found == pytest.approx(np.corrcoef(fc[above], data[above])[0, 1], abs=1e-5)
    z = measured(gba.FCFit(data=data, fisher_z=True), signals)["fc_fit_x"]
    assert z == pytest.approx(np.corrcoef(np.arctanh(fc[above]), np.arctanh(data[above]))[0, 1], abs=1e-5)
    # With names, in another order and with an area more.
    order = ["d", "more", "b", "a", "c"]
    named = xr.DataArray(np.eye(5), dims=("area", "other"), coords={"area": order, "other": order})
    for i, one in enumerate(AREAS):
        for j, other in enumerate(AREAS):
            named.loc[one, other] = data[i, j]
    assert measured(gba.FCFit(data=named), signals)["fc_fit_x"] == found

    expected = windows(signals, 60, 9)
    pairs = expected[np.triu_indices(len(expected), 1)]
    for other in (rng.uniform(-0.5, 1, 200), pairs + 0.1 * (1 - pairs)):
        fit = measured(gba.FCDFit(data=other, length=30.0, step=4.5), signals)["fcd_fit_x"]
        assert fit == pytest.approx(ks_2samp(pairs, other).statistic, abs=0.005)
    same = windows(signals, 60, 9)
    assert measured(gba.FCDFit(data=same, length=30.0, step=4.5), signals)["fcd_fit_x"] < 0.01


def test_pairs_that_do_not_count_are_left_out(signals):
    rng = np.random.default_rng(4)
    data = np.corrcoef((signals + rng.normal(size=signals.shape) * 3).T)
    side = np.array([0, 0, 0, 1])
    within = side[:, None] == side
    pairs = np.nonzero(np.triu(within, 1))
    found = measured(gba.FCFit(data=data, pairs=within), signals)["fc_fit_x"]
    assert found == pytest.approx(np.corrcoef(np.corrcoef(signals.T)[pairs], data[pairs])[0, 1], abs=1e-5)
    of_windows = [np.corrcoef(signals[first : first + 60].T)[pairs] for first in range(0, len(signals) - 59, 9)]
    matrix = measured(gba.FCD(length=30.0, step=4.5, matrix=True, pairs=within), signals)["fcd_x"]
    np.testing.assert_allclose(matrix, np.corrcoef(of_windows), atol=1e-4)
    between = np.corrcoef(of_windows)[np.triu_indices(len(of_windows), 1)]
    other = rng.uniform(-0.5, 1, 200)
    fit = measured(gba.FCDFit(data=other, length=30.0, step=4.5, pairs=within), signals)["fcd_fit_x"]
    assert fit == pytest.approx(ks_2samp(between, other).statistic, abs=0.005)
    every = np.ones((4, 4), bool)
    assert measured(gba.FCFit(data=data, pairs=every), signals) == measured(gba.FCFit(data=data), signals)
    assert gba.FCD(pairs=within).recipe() != gba.FCD(pairs=every).recipe()
    assert "pairs" not in gba.FCD().recipe()


def test_the_order_parameter():
    rng = np.random.default_rng(3)
    theta = np.cumsum(rng.normal(size=(300, 4)), axis=0)
    order = np.abs(np.exp(1j * theta).mean(axis=1))
    size = rng.uniform(0.5, 2, size=theta.shape)
    for found in (
        measured(gba.KuramotoOrder(), theta),
        measured(gba.KuramotoOrder(of=("x", "y")), size * np.cos(theta), size * np.sin(theta)),
    ):
        assert found["synchrony"] == pytest.approx(order.mean(), rel=1e-5)
        assert found["metastability"] == pytest.approx(order.std(), rel=1e-4)


def test_spectral_peaks_and_memory():
    t, rng = EVERY * np.arange(4000), np.random.default_rng(4)
    x = np.cos(2 * np.pi * np.array([0.1, 0.25, 0.4, 0.0]) * t[:, None])
    x[:, 3] = 2.0
    found = measured(gba.SpectralPeak(frequencies=tuple(np.arange(1, 20) / 20), segment=20.0), x)["peak_frequency_x"]
    np.testing.assert_allclose(found, [0.1, 0.25, 0.4, np.nan], rtol=1e-6)

    decay = np.exp(-EVERY / np.array([1.0, 3.0, 10.0, 30.0]))
    slow = np.zeros((4000, 4))
    for k in range(1, 4000):
        slow[k] = decay * slow[k - 1] + rng.normal(size=4)
    found = measured(gba.AutocorrelationTime(longest=200.0), slow + 50.0)["autocorrelation_time_x"]
    centred = slow - slow.mean(axis=0)
    for i in range(4):
        r = np.array([(centred[: 4000 - k, i] * centred[k:, i]).sum() / (4000 - k) for k in range(401)])
        at = int((r / r[0] <= np.exp(-1)).argmax())
        before, after = r[at - 1] / r[0], r[at] / r[0]
        expected = EVERY * (at - 1 + (before - np.exp(-1)) / (before - after))
        assert found[i] == pytest.approx(expected, rel=1e-3)
    np.testing.assert_allclose(found[:3], [1.0, 3.0, 10.0], rtol=0.3)


@pytest.mark.slow
def test_a_study_of_oscillators():
    """All of them in the loop of a simulation, from one coupling to a stronger one."""
    rng = np.random.default_rng(5)
    weights = rng.uniform(0.2, 1.0, (4, 4)) * (1 - np.eye(4))
    net = gba.Connectome("four", AREAS, weights)
    seldom = dict(every=0.01, window=(1.0, 5.0))
    study = gba.Study(
        "order",
        model=gba.Kuramoto(),
        connectome=net,
        axes={"K": [0.0, 80.0], "seed": [0, 1]},
        measures=[
            gba.KuramotoOrder(of="theta", **seldom),
            gba.KuramotoOrder(of=("cos", "sin"), **seldom, suffix="_xy"),
            gba.FC(of="sin", **seldom),
            gba.FCFit(of="sin", data=np.corrcoef(rng.normal(size=(4, 9))), **seldom),
            gba.FCD(of="sin", length=0.5, step=0.1, **seldom),
            gba.Trace(of="theta", **seldom),
            gba.AutocorrelationTime(of="sin", **seldom),
        ],
        derived={"f": lambda net: 40.0 + 0.5 * np.arange(4)},
        dt=1e-3,
        duration=5.0,
    )
    ds = study.compute()
    order = np.abs(np.exp(1j * ds.theta_change.astype(float)).mean("area"))
    np.testing.assert_allclose(ds.synchrony, order.mean("time"), rtol=1e-5)
    np.testing.assert_allclose(ds.synchrony_xy, ds.synchrony, rtol=1e-5)
    np.testing.assert_allclose(ds.metastability, order.std("time"), rtol=1e-3, atol=1e-5)
    assert (ds.synchrony.sel(K=80) > 0.99).all()
    assert (ds.synchrony.sel(K=0) < 0.8).all()
    np.testing.assert_allclose(ds.fcd_sin.sum("fcd_correlation"), 1, atol=1e-5)
    np.testing.assert_allclose(ds.fc_sin[0, 0], np.corrcoef(np.sin(ds.theta_change[0, 0].astype(float)).T), atol=1e-4)
    assert study.recipe() == study.recipe()


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        (lambda: gba.FCD(length=1.0, step=0.0005), "step of FCD = 0.0005 s is 0.05 steps"),
        (lambda: gba.FCD(length=60.0), "room for two: change length, step, every or window"),
        (lambda: gba.FCD(bins=0), "bins of FCD = 0; expected a whole number of at least 2"),
        (lambda: gba.FCFit(data=np.eye(3)), "data of FCFit is of 3 areas without names, the network of 4"),
        (lambda: gba.FCFit(data=np.ones((4, 3))), r"data of FCFit has shape \(4, 3\)"),
        (lambda: gba.FCFit(data=np.full((4, 4), np.nan)), "values that are not finite"),
        (lambda: gba.FCFit(data="fc.npy"), "data of FCFit is"),
        (lambda: gba.FCFit(data=np.eye(4), pairs=np.eye(4)), "pairs of FCFit has 0 pairs of the network's areas"),
        (lambda: gba.FCD(pairs=np.triu(np.ones((4, 4)))), "pairs of FCD is .*; expected True or False for each two"),
        (lambda: gba.FCDFit(data=[0.5], pairs=np.full((4, 4), 0.5)), "pairs of FCDFit is .*; expected True or False"),
        (
            lambda: gba.FCFit(
                data=xr.DataArray(np.eye(4), dims=("x", "y"), coords={"x": list("abcD"), "y": list("abcD")})
            ),
            'data of FCFit lacks the area "d"; did you mean "D"',
        ),
        (lambda: gba.FCDFit(data=[2.0], length=1.0, step=0.1), "expected correlations from -1 to 1"),
        (lambda: gba.KuramotoOrder(of=("theta",)), "expected a phase, such as"),
        (lambda: gba.AutocorrelationTime(longest=4.0), "looks at lags up to 400 samples, of 500"),
    ],
)
def test_bad_measures(measure, message):
    net = gba.Connectome("four", AREAS, 1 - np.eye(4))
    given = dict(model=gba.Kuramoto(), connectome=net, axes={"K": [1.0]}, dt=0.01, duration=5.0)
    with pytest.raises(UserError, match=message):
        gba.Study("bad", measures=[measure()], **given)
