"""Wilson and Cowan's populations, against scipy."""

import numpy as np
import pytest
import scipy.integrate
import scipy.optimize

from gbaexplore import (
    Final,
    Kuramoto,
    Peak,
    Pulse,
    SpectralAbscissa,
    Study,
    ThresholdLinear,
    UserError,
    WilsonCowan,
    WongWang,
)
from gbaexplore import simulate as simulated
from gbaexplore.networks.connectome import Connectome
from gbaexplore.stimuli.silence import Silence

ONE = Connectome("one", ("a",), [[0.0]])
TWO = Connectome("two", ("a", "b"), [[0, 0.2], [0.8, 0]])


def sigmoid(x, a, theta):
    return 1 / (1 + np.exp(-a * (x - theta))) - 1 / (1 + np.exp(a * theta))


def slope(t, z, net=ONE, P=1.25, muEE=0.0, muIE=0.0, tau=0.01):
    """The paper's equations, as they are written."""
    E, I = np.split(np.asarray(z), 2)
    kE, kI = 1 - 1 / (1 + np.exp(1.3 * 4)), 1 - 1 / (1 + np.exp(2 * 3.7))
    far = net.weights @ E
    SE, SI = sigmoid(16 * E - 12 * I + muEE * far + P, 1.3, 4), sigmoid(15 * E - 3 * I + muIE * far, 2, 3.7)
    return np.r_[-E + (kE - E) * SE, -I + (kI - I) * SI] / tau


def solved(duration, start, **parts):
    found = scipy.integrate.solve_ivp(
        lambda t, z: slope(t, z, **parts), (0, duration), start, method="DOP853", rtol=1e-12, atol=1e-12,
        dense_output=True,
    )  # fmt: skip
    return found.sol


@pytest.mark.slow
def test_a_network_converges_to_solve_ivp():
    """To its limit, at the methods' orders, through the first cycle of both areas."""
    exact = solved(0.05, [0.0] * 4, net=TWO, muEE=2.0, muIE=0.5)
    errors = {}
    for method, dt in (("euler", 2.5e-4), ("euler", 1.25e-4), ("rk4", 1e-3), ("rk4", 5e-4)):
        given = dict(dt=dt, duration=0.05, precision="float64", muEE=2.0, muIE=0.5, P=1.25)
        ds = simulated(WilsonCowan(method=method), TWO, Silence(), **given)
        expected = exact(ds.time.values + dt)
        errors[method, dt] = np.abs(np.hstack([ds.E, ds.I]) - expected.T).max()
    assert np.log2(errors["euler", 2.5e-4] / errors["euler", 1.25e-4]) == pytest.approx(1, abs=0.1)
    assert np.log2(errors["rk4", 1e-3] / errors["rk4", 5e-4]) == pytest.approx(4, abs=0.2)
    assert errors["rk4", 5e-4] < 1e-6


def test_the_limit_cycle_has_its_period():
    ds = simulated(
        WilsonCowan(method="rk4"), ONE, Silence(), dt=5e-4, duration=1.0, window=(0.5, 1.0), P=1.25,
        precision="float64",
    )  # fmt: skip
    exact = solved(1.0, [0.0, 0.0])
    t = np.linspace(0.5, 1.0, 100001)
    expected = rises(t, exact(t)[0])
    found = rises(ds.time.values, ds.E.values[:, 0])
    assert np.ptp(np.diff(expected)) < 1e-6, "it is a cycle"
    assert np.ptp(ds.E.values) > 0.15
    assert np.diff(found).mean() == pytest.approx(np.diff(expected).mean(), rel=1e-4)


def rises(t, E, level=0.2):
    """When E goes up through a level, on straight lines."""
    at = np.flatnonzero((E[:-1] < level) & (E[1:] >= level))
    return t[at] + (level - E[at]) / (E[at + 1] - E[at]) * (t[at + 1] - t[at])


def test_the_fixed_points_are_those_of_a_root_solver(run_all):
    P = np.array([0.0, 0.3, 0.6, 4.0])
    study = Study(
        "fixed", axes={"P": P}, model=WilsonCowan(method="heun"), connectome=TWO, dt=5e-4, duration=3.0,
        measures=[Final(), Final(of="I", suffix="_I")], fixed={"muEE": 0.5}, precision="float64",
    )  # fmt: skip
    found = run_all(study)
    for i in range(len(P)):
        z = np.r_[found["final_E"][i], found["final_I_I"][i]]
        root = scipy.optimize.root(lambda z, i=i: slope(0, z, net=TWO, P=P[i], muEE=0.5), z + 1e-3, tol=1e-13)
        assert root.success
        np.testing.assert_allclose(z, root.x, atol=1e-9)


def test_at_rest_it_is_still_and_small_responses_are_kept():
    weak = Pulse(area="a", onset=0.02, duration=0.05, amplitude=1e-6)
    single, double = (
        simulated(WilsonCowan(), TWO, weak, dt=1e-3, duration=0.2, precision=precision)
        for precision in ("float32", "float64")
    )
    assert not single.E[:20].any()
    assert 0 < double.E.sel(area="b").max() < 1e-7
    np.testing.assert_allclose(single.E, double.E, rtol=1e-4, atol=1e-20)
    assert WilsonCowan().starts_at_rest({"P": np.zeros(1), "Q": np.zeros(1)})
    assert not WilsonCowan().starts_at_rest({"P": np.array([0.0, 1.0]), "Q": np.zeros(1)})


def test_it_is_linearised_at_rest_and_nowhere_else(run_all):
    def study(P):
        return Study(
            "linear", axes={"c1": [16.0, 200.0]}, model=WilsonCowan(P=P), connectome=ONE, duration=0.1,
            measures=[SpectralAbscissa()],
        )  # fmt: skip

    def matrix(c1):
        # S is (kE, kI) times its slope at 0, a / (4 cosh^2(a theta / 2)), of each input.
        kE, kI = 1 - 1 / (1 + np.exp(1.3 * 4)), 1 - 1 / (1 + np.exp(2 * 3.7))
        gE, gI = kE * 1.3 / 4 / np.cosh(1.3 * 2) ** 2, kI * 2 / 4 / np.cosh(3.7) ** 2
        return np.array([[-1 + gE * c1, -12 * gE], [15 * gI, -1 - 3 * gI]]) / 0.01

    found = run_all(study(0.0))["spectral_abscissa"]
    np.testing.assert_allclose(found, [np.linalg.eigvals(matrix(c1)).real.max() for c1 in (16, 200)], rtol=1e-6)
    assert found[0] < 0 < found[1]
    with pytest.raises(UserError, match="WilsonCowan does not start in a fixed point"):
        run_all(study(0.5))


def test_the_stimulus_has_the_models_unit(macaque):
    study = Study(
        name="driven", model=WilsonCowan(), connectome=macaque, axes={"amplitude": [0.1, 0.2]},
        stimulus=Pulse("V1", 0.1, 0.1, 0.1), measures=[Peak()], duration=0.3,
    )  # fmt: skip
    assert study.template().amplitude.attrs["units"] == "1"
    assert Kuramoto().units_of("amplitude") == "rad/s"
    assert WongWang().units_of("amplitude") == "nA"
    assert ThresholdLinear().units_of("amplitude") == "Hz"
    assert ThresholdLinear().units_of("muEE") == "pA/Hz"
