"""The whole-brain models: their equations in NumPy, written anew; steady states; noise; what other packages compute."""

import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import scipy.optimize

from gbaexplore import (
    Connectome,
    Final,
    Hopf,
    JansenRit,
    MontbrioPazoRoxin,
    Pulse,
    ReducedWongWang,
    Study,
    UserError,
    Variance,
    WilsonCowan,
    WongWang,
    feedback_inhibition,
    linear_inhibition,
    simulate,
)
from gbaexplore.basics.points import SHARED, noise_hashes
from gbaexplore.engine import noise
from gbaexplore.models.reduced_wong_wang import response
from tests.support.integration import integrated

DT, AREAS = 1e-3, 12


@pytest.fixture(scope="module")
def brain():
    rng = np.random.default_rng(12)
    weights = rng.lognormal(0, 1, (AREAS, AREAS)) * (rng.random((AREAS, AREAS)) < 0.5)
    np.fill_diagonal(weights, 0)
    names, lengths = tuple(f"a{i}" for i in range(AREAS)), rng.uniform(5, 150, (AREAS, AREAS))
    return Connectome("brain", names, weights / weights.sum(1).max(), lengths_mm=lengths)


def at_start(value, variables):
    return np.full((variables, AREAS), value)


def rate_of(current, a, b, d):
    u = a * current - b
    return u / -np.expm1(-d * u)


def hopf(net):
    w, G = 2 * np.pi * np.linspace(0.5, 4, AREAS), 2.0
    model = Hopf(a=0.5, G=G, sigma=0.0)
    key = noise.keys(noise_hashes(SHARED, 3, {})).T
    start = 0.1 * np.asarray(noise.normals(key, np.int32(noise.START), 2, AREAS))[..., 0].astype(float)

    def slope(z, received):
        own = (0.5 - (z**2).sum(axis=0)) * z + w * np.array([-z[1], z[0]])
        return own + G * (received - net.weights.sum(axis=1) * z)

    return model, {"f": w / 2 / np.pi, "seed": 3}, (start, lambda z: z, slope), lambda z: {"x": z[0], "y": z[1]}


def reduced_wong_wang(net):
    def slope(z, received):
        return -z / 0.1 + (1 - z) * 0.641 * rate_of(0.2609 * (0.9 * z + 2 * received) + 0.3, 270, 108, 0.154)

    return ReducedWongWang(G=2.0, sigma=0.0), {}, (at_start(0.001, 1), lambda z: z, slope), lambda z: {"S": z[0]}


def wong_wang(net):
    J = np.linspace(0.9, 1.4, AREAS)

    def slope(z, received):
        S_E, S_I = z
        r_E = rate_of(0.382 + 1.4 * 0.15 * S_E + 0.8 * 0.15 * received[0] - J * S_I, 310, 125, 0.16)
        r_I = rate_of(0.7 * 0.382 + 0.15 * S_E - S_I + 0.5 * 0.8 * 0.15 * received[0], 615, 177, 0.087)
        return np.array([-S_E / 0.1 + (1 - S_E) * 0.641 * r_E, -S_I / 0.01 + r_I])

    model = WongWang(G=0.8, ffi=0.5, sigma=0.0)
    return model, {"J": J}, (at_start(0.001, 2), lambda z: z[:1], slope), lambda z: {"S_E": z[0], "S_I": z[1]}


def jansen_rit(net):
    def S(v):
        return 5 / (1 + np.exp(0.56 * (6 - v)))

    def slope(z, received):
        y0, y1, y2, *speeds = z
        into = [S(y1 - y2), 220 + 108 * S(135 * y0) + 10 * received[0], 33.75 * S(33.75 * y0)]
        sizes = [(3.25, 100), (3.25, 100), (22, 50)]
        return np.array(
            speeds + [H * k * u - 2 * k * v - k**2 * y for (H, k), u, v, y in zip(sizes, into, speeds, z, strict=False)]
        )

    return JansenRit(), {}, (at_start(0.0, 6), lambda z: S(z[1:2] - z[2:3]), slope), lambda z: {
        "potential": z[1] - z[2], "y5": z[5]
    }  # fmt: skip


def montbrio_pazo_roxin(net):
    def slope(z, received):
        r, V = 0.01 * z[0], z[1]  # r without a unit
        drive = -2 + 15 * r + 3 * 0.01 * received[0]
        return np.array([(1 / np.pi + 2 * r * V) / 0.01**2, (V**2 + drive - np.pi**2 * r**2) / 0.01])

    model = MontbrioPazoRoxin(G=3.0, eta=-2.0)
    return model, {}, (at_start(0.0, 2), lambda z: z[:1], slope), lambda z: {"r": z[0], "V": z[1]}


def wilson_cowan(net):
    def S(x, a, theta):
        return 1 / (1 + np.exp(-a * (x - theta))) - 1 / (1 + np.exp(a * theta))

    def slope(z, received):
        E, I = z
        S_E, S_I = S(16 * E - 12 * I + 2 * received[0] + 1.25, 1.3, 4), S(15 * E - 3 * I + 0.5 * received[0], 2, 3.7)
        k_E, k_I = 1 - 1 / (1 + np.exp(1.3 * 4)), 1 - 1 / (1 + np.exp(2 * 3.7))
        return np.array([-E + (k_E - E) * S_E, -I + (k_I - I) * S_I]) / 0.01

    model = WilsonCowan(P=1.25, muEE=2.0, muIE=0.5)
    return model, {}, (at_start(0.0, 2), lambda z: z[:1], slope), lambda z: {"E": z[0], "I": z[1]}


MODELS = [hopf, reduced_wong_wang, wong_wang, jansen_rit, montbrio_pazo_roxin, wilson_cowan]


@pytest.mark.slow
@pytest.mark.parametrize("equations", MODELS)
@pytest.mark.parametrize("velocity", [None, 8.0])
def test_a_model_is_the_independent_integration(brain, equations, velocity):
    model, given, system, look = equations(brain)
    steps, dt = 200, 2e-4 if equations is montbrio_pazo_roxin else DT
    expected = look(integrated(brain, *system, dt, steps, velocity=velocity).transpose(1, 0, 2))
    given = given | ({} if velocity is None else {"velocity": velocity})
    exact = 1e-6 if model.random_start else 1e-9  # a random start is as exact as its float32 numbers
    precision, rtol = ("float32", 2e-5) if velocity is None else ("float64", exact)
    ds = simulate(model, brain, dt=dt, duration=steps * dt, precision=precision, **given)
    for name, values in expected.items():
        np.testing.assert_allclose(ds[name], values, rtol=rtol, atol=rtol * np.abs(values).max(), err_msg=name)


@pytest.mark.slow
@pytest.mark.parametrize("velocity", [None, 8.0])
def test_rates_are_those_of_what_arrives(brain, velocity):
    given = dict(dt=DT, duration=0.2, precision="float64") | ({} if velocity is None else {"velocity": velocity})
    one = simulate(ReducedWongWang(G=2.0, sigma=0.0), brain, **given)
    S = one.S.values
    # dS/dt of the next step tells the rate, at once exactly and late but for what arrives in one step.
    rate = ((S[1:] - S[:-1]) / DT + S[:-1] / 0.1) / (1 - S[:-1]) / 0.641
    np.testing.assert_allclose(one.rate[:-1], rate, rtol=1e-9 if velocity is None else 5e-3)

    two = simulate(WongWang(sigma=0.0), brain, **given)
    S_I = two.S_I.values
    np.testing.assert_allclose(two.r_I[:-1], (S_I[1:] - S_I[:-1]) / DT + S_I[:-1] / 0.01, rtol=1e-9)


@pytest.mark.slow
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_response_is_exact_at_its_removable_singularity(dtype):
    with jax.enable_x64(dtype == "float64"):
        eps = np.finfo(dtype).eps
        z = np.concatenate([[0.0, -1e30, -800.0, 800.0], *(s * np.geomspace(1e-30, 60, 400) for s in (-1, 1))])
        one = jnp.ones((), dtype)
        found = response(jnp.asarray(z, dtype), one, 0 * one, one)
        slope = jax.vmap(jax.grad(response), (0, None, None, None))(jnp.asarray(z, dtype), one, 0 * one, one)
    z = z.astype(dtype).astype(np.longdouble)
    safe = np.where(z == 0, 1, np.maximum(z, -700))
    np.testing.assert_allclose(found, np.where(z == 0, 1, safe / -np.expm1(-safe)), rtol=20 * eps, atol=1e-32)
    near = np.abs(z) < 0.02  # where the formula has lost its digits
    wanted = (1 - (1 + safe) * np.exp(-safe)) / np.expm1(-safe) ** 2
    wanted = np.where(near, 0.5 + z / 6 - z**3 / 180 + z**5 / 5040, np.where(z < -700, 0, wanted))
    np.testing.assert_allclose(slope, wanted, rtol=200 * eps, atol=1e-18)


def only(found):
    """The values of the one measure."""
    (values,) = [values for name, values in found.items() if name != "status"]
    return values


def steady(brain, **parts):
    given = dict(connectome=brain, measures=[Final(of="r_E")], dt=DT, duration=4.0, precision="float64")
    return Study("steady", model=WongWang(sigma=0.0), **{**given, **parts})


@pytest.mark.slow
def test_feedback_inhibition_keeps_every_area_at_its_rate(brain, run_all):
    lopsided = {"w": np.linspace(1.0, 1.8, AREAS)}
    for rate, fixed in ((3.0, {}), (6.25, lopsided | {"ffi": 1.0})):  # 6.25 Hz = 1 / d_E is the response's singularity
        J = functools.partial(feedback_inhibition, rate=rate)
        found = run_all(steady(brain, axes={"G": [0.0, 0.5, 0.8]}, derived={"J": J}, fixed=fixed))
        np.testing.assert_allclose(only(found), rate, rtol=1e-3)
    without = run_all(steady(brain, axes={"G": [0.0, 0.8]}))
    assert only(without)[1].max() > 4


def test_feedback_inhibition_is_linear_in_the_strength(brain):
    values = {name: info.default for name, info in WongWang.parameters().items()}
    given = {name: values[name] for name in feedback_inhibition.__code__.co_varnames[1:17]} | {"G": 1.5}
    J = feedback_inhibition(brain, **given)
    S_E = 0.0641 * 3 / (1 + 0.0641 * 3)
    S_I = scipy.optimize.brentq(lambda S: S - 0.01 * rate_of(0.7 * 0.382 + 0.15 * S_E - S, 615, 177, 0.087), 0, 1)
    np.testing.assert_allclose(np.polyfit(1.5 * brain.strength, J, 1)[0], 0.15 * S_E / S_I, rtol=1e-9)
    # I_E - b / a = -0.026 nA is the criterion of Deco et al. (2014) for about 3 Hz.
    I_E = 0.382 + 0.15 * S_E * (1.4 + 1.5 * brain.strength) - J * S_I
    np.testing.assert_allclose(I_E - 125 / 310, -0.026, atol=1e-3)
    with pytest.raises(UserError, match=r"rate = -1 Hz; expected a firing rate above 0"):
        feedback_inhibition(brain, **given, rate=-1.0)


def test_the_linear_rule_is_near_to_the_solution(brain, run_all):
    values = {name: info.default for name, info in WongWang.parameters().items()}
    given = {name: values[name] for name in feedback_inhibition.__code__.co_varnames[1:17]} | {"G": 1.5}
    rule = linear_inhibition(brain, 1.5)
    np.testing.assert_allclose(rule, 1 + 0.75 * 1.5 * brain.strength, rtol=1e-12)
    np.testing.assert_allclose(rule, feedback_inhibition(brain, **given), rtol=0.15)
    rates = only(run_all(steady(brain, axes={"G": [0.0, 0.5, 0.8]}, derived={"J": linear_inhibition})))
    assert (np.abs(rates - 3) < 0.7).all(), rates


@pytest.mark.slow
def test_a_jansen_rit_column_oscillates_in_the_alpha_band(brain):
    alone = brain.scaled(0)
    ds = simulate(JansenRit(method="heun"), alone, dt=DT, duration=3.0)
    late = ds.potential.isel(area=0, time=slice(1000, None)).values
    crossings = np.flatnonzero(np.diff(np.sign(late - late.mean())) > 0)
    assert 1 / (np.diff(crossings).mean() * DT) == pytest.approx(10.8, abs=0.5)
    # Without enough input, or with more than enough, it rests.
    for p in (50.0, 400.0):
        ds = simulate(JansenRit(method="heun"), alone, dt=DT, duration=3.0, p=p)
        assert np.ptp(ds.potential.isel(area=0, time=slice(2500, None)).values) < 0.2


@pytest.mark.slow
def test_neurons_of_montbrio_have_their_two_stable_states(brain):
    """Fixed points in closed form: V = -Delta / (2 pi tau r), and a polynomial in r."""
    alone = brain.scaled(0)
    poly = [-(np.pi**2), 15.0, -5.0, 0.0, 1 / (4 * np.pi**2)]  # in tau r, times r^2
    roots = np.roots(poly)
    states = np.sort(roots[(np.abs(roots.imag) < 1e-9) & (roots.real > 0)].real) / 0.01
    assert len(states) == 3
    low = simulate(MontbrioPazoRoxin(), alone, dt=1e-4, duration=1.0, precision="float64")
    np.testing.assert_allclose(low.r[-1], states[0], rtol=1e-6)
    kicked = simulate(MontbrioPazoRoxin(), alone, pulse(brain), dt=1e-4, duration=1.0, precision="float64")
    np.testing.assert_allclose(kicked.r[-1, 0], states[2], rtol=1e-6)


def pulse(brain):
    return Pulse(area="a0", onset=0.2, duration=0.3, amplitude=3.0)


def test_noise_of_hopf_is_that_of_the_linear_theory(brain, run_all):
    """For weak noise below the bifurcation the covariance solves a Lyapunov equation."""
    model = Hopf(a=-1.0, f=1.0, G=2.0, sigma=0.01, spread=0.01)
    asked = Study(
        "noise", model=model, connectome=brain, axes={"seed": range(64)}, dt=2e-3, duration=22.0,
        measures=[Variance(window=(2.0, 22.0))],
    )  # fmt: skip
    found = only(run_all(asked)).mean(axis=0)
    laplacian = brain.weights - np.diag(brain.strength)
    A = np.kron(np.eye(2), 2.0 * laplacian - np.eye(AREAS)) + np.kron([[0, -1], [1, 0]], 2 * math.pi * np.eye(AREAS))
    expected = np.diag(scipy.linalg.solve_continuous_lyapunov(A, -1e-4 * np.eye(2 * AREAS)))[:AREAS]
    np.testing.assert_allclose(found, expected, rtol=0.08)


@pytest.mark.slow
def test_shares_stay_from_0_to_1(brain):
    for model in (WongWang(sigma=5.0), ReducedWongWang(sigma=5.0)):
        ds = simulate(model, brain, dt=DT, duration=0.3)
        for name in model.states:
            assert ds[name].min() == 0
            assert ds[name].max() == 1
