"""Models by their equations: convergence, what they say of themselves, and mistakes in them."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import pytest
import scipy.integrate

from gbaexplore import Final, ODEModel, Peak, SpectralAbscissa, Study, UserError, analysis, parameter, simulate
from gbaexplore.models.base import Model
from gbaexplore.models.schemes import SCHEMES, Scheme
from gbaexplore.networks.connectome import Connectome
from gbaexplore.stimuli.pulse import Pulse
from gbaexplore.stimuli.silence import Silence


@dataclass(frozen=True)
class Oscillator(ODEModel):
    """Van der Pol's oscillator in each area, coupled; smooth, and away from rest."""

    mu: float = parameter(1.0, units="1", doc="nonlinearity", minimum=0)
    k: float = parameter(0.5, units="1", doc="coupling")
    observables = {"x": "1", "y": "1"}

    def start(self, p, net):
        return self.state(x=2.0 - net.values["hierarchy"], y=0 * net.weights[0])

    def derivative(self, x, p, net, stimulus):
        return {"x": x.y, "y": p.mu * (1 - x.x**2) * x.y - x.x + p.k * (net.weights @ x.x) + stimulus}


@pytest.fixture(scope="module")
def two():
    return Connectome(
        "two", ("a", "b"), weights=np.array([[0, 0.2], [0.3, 0]]), values={"hierarchy": np.array([0.0, 1.0])}
    )


def final(two, method, dt):
    ds = simulate(Oscillator(method=method), two, Silence(), dt=dt, duration=2.0 + dt, precision="float64")
    return ds.x.isel(time=-2).values


@pytest.mark.parametrize("method", SCHEMES)
def test_a_method_converges_to_solve_ivp_at_its_order(two, method):
    order = SCHEMES[method].order

    def slope(t, z):
        x, y = z[:2], z[2:]
        return np.r_[y, (1 - x**2) * y - x + 0.5 * (two.weights @ x)]

    # The sample of step k is the state after k + 1 steps.
    exact = scipy.integrate.solve_ivp(slope, (0, 2.0), [2.0, 1.0, 0, 0], method="DOP853", rtol=1e-13, atol=1e-13)
    coarse, fine = (np.abs(final(two, method, dt) - exact.y[:2, -1]).max() for dt in (0.01, 0.005))
    assert np.log2(coarse / fine) == pytest.approx(order, abs=0.15)
    assert fine < {1: 1e-2, 2: 1e-4, 3: 1e-6, 4: 1e-9}[order]


@pytest.mark.slow
def test_a_scheme_is_a_row(two, monkeypatch):
    """Ralston's scheme of order 2: k1 at the old state, k2 two thirds of a step on, weights 1/4 and 3/4."""
    monkeypatch.setitem(SCHEMES, "ralston", Scheme(2, False, ((3, (2,)), (4, (1, 3)))))
    test_a_method_converges_to_solve_ivp_at_its_order(two, "ralston")
    with pytest.raises(UserError, match='which method="ralston" does not take; expected "euler" or "heun"'):
        Diffusing(method="ralston")


def test_the_documentation_lists_every_scheme():
    """Name, number of slopes, order."""
    rows = [[cell.strip() for cell in line.split("|")] for line in ODEModel.__doc__.splitlines() if line.count("|") > 4]
    shown = {row[1].strip('`"'): (row[3], row[4]) for row in rows[2:]}
    powers = {1: "~ dt"} | {order: f"~ dt^{order}" for order in range(2, 9)}
    assert shown == {name: (str(len(s.tableau)), powers[s.order]) for name, s in SCHEMES.items()}


def test_the_stimulus_is_constant_within_a_step(two):
    """A step of Runge-Kutta across a pulse's edge would see half of it: then its order was lost."""
    pulse = Pulse(area="a", onset=0.1, duration=0.4, amplitude=3.0)

    @dataclass(frozen=True)
    class Leaky(ODEModel):
        tau: float = parameter(0.2, units="s", doc="time constant", above=0)
        observables = {"r": "Hz"}

        def derivative(self, x, p, net, stimulus):
            return {"r": (stimulus - x.r) / p.tau}

    ds = simulate(Leaky(method="rk4"), two, pulse, dt=0.02, duration=0.6, precision="float64")
    t = ds.time.values + 0.02
    expected = np.where(t < 0.1, 0, 3 * (1 - np.exp(-(np.clip(t, None, 0.5) - 0.1) / 0.2)))
    expected *= np.exp(-np.clip(t - 0.5, 0, None) / 0.2)
    np.testing.assert_allclose(ds.r.sel(area="a"), expected, atol=3e-6)


def test_the_method_is_part_of_the_identity():
    assert Oscillator(method="heun").recipe() == {"kind": "Oscillator", "method": "heun"}
    with pytest.raises(UserError, match='method="rk5"; expected one of euler, heun, rk4'):
        Oscillator(method="rk5")


def test_it_is_linearised_where_it_starts(two, run_all):
    @dataclass(frozen=True)
    class Coupled(ODEModel):
        tau: float = parameter(0.05, units="s", doc="time constant", above=0)
        w: float = parameter(0.5, units="1", doc="coupling")
        observables = {"r": "Hz"}

        def derivative(self, x, p, net, stimulus):
            return {"r": (-x.r + jnp.tanh(p.w * (net.weights @ x.r))) / p.tau}

    w = np.array([0.0, 2.0, 5.0])
    study = Study("linear", axes={"w": w}, model=Coupled(), connectome=two, measures=[SpectralAbscissa()], duration=0.1)
    np.testing.assert_allclose(run_all(study)["spectral_abscissa"], (w * np.sqrt(0.06) - 1) / 0.05, rtol=1e-6)


def test_a_class_without_its_decorator_is_told():
    class Bare(ODEModel):
        tau: float = parameter(0.05, units="s", doc="time constant", above=0)
        observables = {"r": "Hz"}

        def derivative(self, x, p, net, stimulus):
            return {"r": -x.r / p.tau}

    with pytest.raises(
        UserError, match=r"Bare declares parameters but is not a dataclass; expected @dataclass\(frozen="
    ):
        Bare()


def test_every_state_variable_is_an_observable_at_rest_at_zero(two, run_all):
    @dataclass(frozen=True)
    class Still(ODEModel):
        tau: float = parameter(0.05, units="s", doc="time constant", above=0)
        observables = {"r": "Hz", "s": "mV"}

        def derivative(self, x, p, net, stimulus):
            return {"s": -x.s / p.tau, "r": -x.r / p.tau}

    study = Study(
        "still", axes={"tau": [0.1, 0.2]}, model=Still(), connectome=two, measures=[Peak(of="s")], duration=0.1
    )
    assert study.variables["peak_s"].units == "mV"
    assert not run_all(study)["peak_s"].any()
    assert not Still().starts_at_rest({})


@dataclass(frozen=True)
class Diffusing(ODEModel):
    """Ornstein and Uhlenbeck's process, and one whose noise grows with the state: log(1 + y) is known."""

    tau: float = parameter(0.02, units="s", doc="time constant", above=0)
    sigma: float = parameter(0.5, units="s^-0.5", doc="strength of the noise", minimum=0)

    observables = {"x": "1", "y": "1"}

    def derivative(self, x, p, net, stimulus):
        return {"x": -x.x / p.tau, "y": 0 * x.y}

    def diffusion(self, x, p, net):
        return {"x": p.sigma, "y": p.sigma * (1 + x.y)}


@pytest.fixture(scope="module")
def diffused(macaque):
    """x and y after 0.2 s from 64 seeds in 29 areas, by method."""

    def found(method):
        study = Study(
            name="diffusing",
            model=Diffusing(method=method),
            axes={"seed": range(64)},
            connectome=macaque,
            measures=[Final(), Final(of="y", suffix="_y")],
            duration=0.2,
            precision="float64",
        )
        values = study.run_block(study.blocks()[0])
        return values["final_x"].ravel(), values["final_y_y"].ravel()

    return {method: found(method) for method in ("euler", "heun")}


@pytest.mark.slow
@pytest.mark.parametrize(("method", "drift"), [("euler", -0.5), ("heun", 0.0)])
def test_noise_in_the_sense_of_the_method(diffused, method, drift):
    """Additive noise is the same in both; multiplied, log(1 + y) drifts by -sigma^2 t / 2 in Ito's sense only."""
    x, y = diffused[method]
    assert x.var() == pytest.approx(0.5**2 * 0.02 / 2, rel=0.12)
    assert abs(x.mean()) < 4 * x.std() / np.sqrt(x.size)
    spread = np.sqrt(0.25 * 0.2)
    assert np.log1p(y).std() == pytest.approx(spread, rel=0.08)
    assert abs(np.log1p(y).mean() - drift * 0.25 * 0.2) < 4 * spread / np.sqrt(y.size)


def test_linear_theory_of_noise(two):
    theory = analysis.stationary_covariance(_Relaxing(), two, sigma=0.3)
    np.testing.assert_allclose(theory.variance, 0.3**2 * 0.02 / 2)


@dataclass(frozen=True)
class _Relaxing(ODEModel):
    sigma: float = parameter(0.5, units="s^-0.5", doc="strength of the noise", minimum=0)
    observables = {"x": "1"}

    def derivative(self, x, p, net, stimulus):
        return {"x": -x.x / 0.02}

    def diffusion(self, x, p, net):
        return {"x": p.sigma}


def test_mistakes_with_noise(two):
    with pytest.raises(UserError, match='Diffusing has noise, which method="rk4" does not take'):
        Diffusing(method="rk4")

    @dataclass(frozen=True)
    class Wrong(_Relaxing):
        def diffusion(self, x, p, net):
            return {"z": p.sigma}

    with pytest.raises(UserError, match=r"Wrong.diffusion returns a dict of x, z; exp.* \{variable: diffusion\} for x"):
        simulate(Wrong(), two, Silence(), duration=0.01)


def test_a_step_with_noise_has_to_ask_for_it():
    @dataclass(frozen=True)
    class Unasked(Model):
        observables = {"x": "1"}

        def rest(self, p, net): ...
        def start(self, p, net): ...
        def step(self, x, p, net, stimulus, dt, normal=None): ...

    with pytest.raises(UserError, match=r"Unasked.step takes normal, but .*; define Unasked.normals_per_step"):
        Unasked()
