"""Conduction delays, against exact solutions and an integration of the delayed equations that shares nothing."""

import dataclasses

import numpy as np
import pytest
import scipy.special
from reference import DEFAULTS

from gbaexplore import DelayedThresholdLinear, Final, Peak, Pulse, SpectralAbscissa, Study, ThresholdLinear, UserError
from gbaexplore import simulate as simulated
from gbaexplore.networks.connectome import Connectome

DT = 1e-3
PULSE = Pulse(area="b", onset=0.05, duration=0.1, amplitude=30.0)

LEVELS = {"hierarchy": [0.0, 1.0]}


@pytest.fixture(scope="module")
def three():
    """Areas in a ring, at different distances."""
    fln = np.array([[0, 0.5, 0.1], [0.3, 0, 0.2], [0, 0.4, 0]])
    wiring = np.array([[0, 21.0, 9.5], [21.0, 0, 33.3], [9.5, 33.3, 0]])
    return Connectome(
        "three", ("a", "b", "c"), weights=fln, lengths_mm=wiring, values={"hierarchy": np.array([0, 0.5, 1.0])}
    )


def study(three, velocity, **parts):
    given = dict(
        axes={"velocity": velocity, "muEE": [30.0, 40.0]}, model=DelayedThresholdLinear(), connectome=three,
        stimulus=PULSE, measures=[Peak()], dt=DT, duration=0.6, ceiling=1e6,
    )  # fmt: skip
    return Study("late", **{**given, **parts})


def integrated(net, velocity, dt, duration, muEE=28.0, p=DEFAULTS, pulse=PULSE):
    """E of the delayed network by Euler steps in NumPy: (step, area), its past interpolated by np.interp."""
    n, steps = len(net.areas), round(duration / dt)
    gain, lag = 1 + p["eta"] * net.values["hierarchy"], net.lengths_mm * 1e-3 / velocity
    t, E, I = dt * np.arange(steps + 1), np.zeros((steps + 1, n)), np.zeros(n)
    for k in range(steps):
        past = lambda i, j: np.interp(t[k] - lag[i, j], t[: k + 1], E[: k + 1, j], left=0.0)  # noqa: B023, E731
        far = np.array([sum(net.weights[i, j] * past(i, j) for j in range(n) if net.weights[i, j]) for i in range(n)])
        stimulus = np.zeros(n)
        if round(pulse.onset / dt) <= k < round((pulse.onset + pulse.duration) / dt):
            stimulus[net.index(pulse.area)] = pulse.amplitude
        IE = p["betaE"] * (gain * (p["omegaEE"] * E[k] + muEE * far) - p["omegaEI"] * I) + stimulus
        II = p["betaI"] * (gain * (p["omegaIE"] * E[k] + p["muIE"] * far) - p["omegaII"] * I)
        E[k + 1] = E[k] + dt / p["tauE"] * (-E[k] + np.maximum(IE, 0))
        I = I + dt / p["tauI"] * (-I + np.maximum(II, 0))
    return E[1:]


@pytest.mark.parametrize("velocity", [2.0, 4.0, 1000.0])
def test_it_is_the_independent_integration_step_by_step(three, velocity):
    """Pathways of more than four steps, of more and of fewer, and of less than one."""
    ds = simulated(
        DelayedThresholdLinear(),
        three,
        PULSE,
        dt=DT,
        duration=0.6,
        precision="float64",
        muEE=40.0,
        velocity=velocity,
    )
    expected = integrated(three, velocity, DT, 0.6, muEE=40.0)
    assert expected.max() > 10
    np.testing.assert_allclose(ds.E - 10, expected, rtol=1e-9, atol=1e-11)


@pytest.mark.slow
def test_pathways_of_many_lengths_are_the_independent_integration():
    """Of 16 areas: some dozen pathways are short at one velocity, most at another; pieces of a ring that wraps."""
    rng = np.random.default_rng(3)
    fln = rng.random((16, 16)) * (rng.random((16, 16)) < 0.4) * 0.2
    np.fill_diagonal(fln, 0)
    names = tuple("abcdefghijklmnop")
    net = Connectome("many", names, fln, rng.uniform(1, 60, (16, 16)), {"hierarchy": np.linspace(0, 1, 16)})
    for velocity in (1.7, 9.0):
        run = simulated(
            DelayedThresholdLinear(), net, PULSE, dt=DT, duration=0.25, precision="float64", velocity=velocity
        )
        expected = integrated(net, velocity, DT, 0.25)
        assert (expected.max(axis=0) > 1e-3).all()
        np.testing.assert_allclose(run.E - 10, expected, rtol=1e-8, atol=1e-10)


@pytest.mark.slow
def test_it_converges_at_first_order(three):
    """Delays of 10.5, 4.75 and 16.65 ms are no whole steps of any of these."""
    at = {}
    for dt in (2e-3, 1e-3, 5e-4, 6.25e-5):
        run = simulated(DelayedThresholdLinear(), three, PULSE, dt=dt, duration=0.3, precision="float64", velocity=2.0)
        at[dt] = run.E.values[round(0.25 / dt) - 1] - 10
    # Euler's error is c dt + O(dt^2): differences between three steps show its order.
    first, second = at[2e-3] - at[1e-3], at[1e-3] - at[5e-4]
    np.testing.assert_allclose(np.log2(np.abs(first / second)), 1.0, atol=0.25)
    extrapolated = at[5e-4] + (at[5e-4] - at[1e-3])
    np.testing.assert_allclose(at[6.25e-5], extrapolated, rtol=0.02)


def test_nothing_is_seen_before_it_can_have_arrived(three):
    """b is driven; from there it is 21 mm to a and 33.3 mm to c, and over a it is no shorter way."""
    ds = simulated(DelayedThresholdLinear(), three, PULSE, dt=DT, duration=0.2, velocity=2.0)
    for area, mm in (("a", 21.0), ("c", 33.3)):
        first = ds.time.values[np.flatnonzero(ds.E.sel(area=area).values != 10.0)[0]]
        assert 0 <= first - (0.05 + mm * 1e-3 / 2.0) < 2 * DT


def linear(**parts):
    """Two areas that only excite each other, linear above a floor that is never met."""
    values = dict(eta=0.0, omegaEE=0.0, omegaEI=0.0, omegaIE=0.0, omegaII=0.0, muIE=0.0, thresholdE=0.0, thresholdI=0.0)
    return DelayedThresholdLinear(**{**values, "restE": 1e4, "restI": 1e4, "betaE": 1.0, **parts})


def test_the_growth_rate_is_lamberts(run_all):
    """tau x' = -x + g x(t - d): the real root is W(g d/tau exp(d/tau))/d - 1/tau."""
    pair = Connectome("pair", ("a", "b"), [[0, 1.0], [1.0, 0]], [[0, 35.0], [35.0, 0]], LEVELS)
    tau, g, d, dt = 0.02, 1.5, 0.01, 1e-4
    ds = simulated(linear(muEE=g), pair, Pulse("a", 0.0, 0.01, 5.0), dt=dt, duration=0.5, precision="float64")
    total = ds.E.sum("area").values - 2e4  # the even mode alone
    found = np.log(total[-1] / total[-1001]) / (1000 * dt)
    expected = scipy.special.lambertw(g * d / tau * np.exp(d / tau)).real / d - 1 / tau
    assert expected > 5
    assert found == pytest.approx(expected, rel=0.01)


def test_the_response_is_the_method_of_steps(run_all):
    """A step into a, and what b does of it until the first echo could come back: both are known in closed form."""
    pair = Connectome("pair", ("a", "b"), [[0, 0.0], [1.0, 0]], [[0, 35.0], [35.0, 0]], LEVELS)
    tau, g, d, dt = 0.02, 0.8, 0.01, 1e-4
    ds = simulated(linear(muEE=g), pair, Pulse("a", 0.0, 0.1, 5.0), dt=dt, duration=0.1, precision="float64")
    t = ds.time.values + dt
    s = np.clip(t - d, 0, None) / tau
    np.testing.assert_allclose(ds.E.sel(area="a") - 1e4, 5 * (1 - np.exp(-t / tau)), atol=0.01)
    np.testing.assert_allclose(ds.E.sel(area="b") - 1e4, 5 * g * (1 - np.exp(-s) * (1 + s)), atol=0.01)
    assert not (ds.E.sel(area="b").values[: round(d / dt)] - 1e4).any()


@pytest.mark.slow
def test_fast_enough_it_is_the_network_without_delays(three, run_all):
    plain = dict(axes={"muEE": [30.0, 40.0]}, model=ThresholdLinear(update="simultaneous"), precision="float64")
    late = run_all(study(three, [1e9], precision="float64"))
    now = run_all(study(three, None, **plain))
    np.testing.assert_allclose(late["peak_rate"][0], now["peak_rate"], rtol=1e-6)
    np.testing.assert_allclose(late["time_to_peak"][0], now["time_to_peak"], atol=DT / 2)


@pytest.mark.slow
def test_a_point_has_the_same_bits_whatever_velocities_are_beside_it(three, run_all, run_in_full):
    """More velocities make other queues, and slower ones keep more of the past."""
    both = [Peak(), Final()]
    whole = run_all(study(three, [0.3, 2.0, 3.5, 10.0], measures=both))
    part = run_all(study(three, [2.0, 10.0], measures=both))
    fixed = run_all(study(three, None, axes={"muEE": [30.0, 40.0]}, fixed={"velocity": 2.0}, measures=both))
    full = run_in_full(study(three, [0.3, 2.0, 3.5, 10.0], measures=both))
    for name in whole:
        np.testing.assert_array_equal(whole[name][[1, 3]], part[name])
        np.testing.assert_array_equal(whole[name][1], fixed[name])
        np.testing.assert_array_equal(whole[name], full[name])
    assert len(np.unique(whole["peak_rate"][:, 0, 0])) == 4


def test_what_is_under_way_is_not_over(run_all):
    """The way takes longer than a whole response: a point must not end before it has come."""
    far = Connectome("far", ("a", "b"), [[0, 0.0], [0.9, 0]], [[0, 50.0], [50.0, 0]], LEVELS)
    given = dict(stimulus=Pulse("a", 0.05, 0.05, 40.0), measures=[Peak()], duration=3.0)
    found = run_all(study(far, [0.1], **given))  # half a second
    assert (found["peak_rate"][0, :, 1] > 1).all()
    assert (found["time_to_peak"][0, :, 1] > 0.5).all()


@pytest.mark.slow
def test_targeted_inhibition_arrives_late_too(three, run_all):
    more = dataclasses.replace(three, further_weights={"inhibitory": 2 * three.weights})
    as_parameter = run_all(study(three, [2.0], fixed={"muIE": 2 * 25.3}, precision="float64"))
    as_pathways = run_all(study(more, [2.0], precision="float64"))
    np.testing.assert_allclose(as_pathways["peak_rate"], as_parameter["peak_rate"], rtol=1e-9)


def test_what_can_not_be_is_told(three, run_all):
    near = dataclasses.replace(three, name="near", lengths_mm=None)
    with pytest.raises(UserError, match="near has no lengths of its pathways, which DelayedThresholdLinear needs"):
        study(near, [2.0])
    with pytest.raises(UserError, match="DelayedThresholdLinear has no jacobian, because of its delays"):
        run_all(study(three, [2.0], measures=[SpectralAbscissa()]))
    with pytest.raises(UserError, match="no stationary covariance"):
        DelayedThresholdLinear().noise_covariance(None, None)
    with pytest.raises(UserError, match='update="sequential"; expected "simultaneous"'):
        DelayedThresholdLinear(update="sequential")
    with pytest.raises(UserError, match=r"velocity = 0 m/s; expected above 0"):
        study(three, [0.0])
