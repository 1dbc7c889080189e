"""What areas send to each other, at once and late, against an integration in NumPy that shares nothing."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import pytest

from gbaexplore import (
    Connectome,
    Final,
    Mean,
    ODEModel,
    Peak,
    Sensitivity,
    SpectralAbscissa,
    Study,
    UserError,
    parameter,
    simulate,
)
from gbaexplore.stimuli.silence import Silence
from tests.support.integration import integrated

DT, STEPS = 1e-3, 400


@dataclass(frozen=True)
class Phases(ODEModel):
    """Kuramoto's oscillators: sin and cos of a phase travel."""

    K: float = parameter(20.0, units="1/s", doc="coupling")
    observables = {"theta": "rad"}

    def start(self, p, net):
        return self.state(theta=net.values["phase"])

    def sends(self, x, p):
        return {"sin": jnp.sin(x.theta), "cos": jnp.cos(x.theta)}

    def derivative(self, x, p, net, stimulus):
        pull = net.received.sin * jnp.cos(x.theta) - net.received.cos * jnp.sin(x.theta)
        return {"theta": 2 * jnp.pi * net.values["frequency"] + p.K * pull}


@dataclass(frozen=True)
class Cycles(ODEModel):
    """Stuart and Landau's oscillators, coupled by differences."""

    a: float = parameter(5.0, units="1/s", doc="distance from the bifurcation")
    G: float = parameter(8.0, units="1/s", doc="coupling")
    observables = {"x": "1", "y": "1"}

    def start(self, p, net):
        return self.state(x=jnp.cos(net.values["phase"]), y=jnp.sin(net.values["phase"]))

    def sends(self, x, p):
        return {"x": x.x, "y": x.y}

    def derivative(self, x, p, net, stimulus):
        w, size, strength = 2 * jnp.pi * net.values["frequency"], x.x**2 + x.y**2, net.weights.sum(axis=1)
        return {
            "x": (p.a - size) * x.x - w * x.y + p.G * (net.received.x - strength * x.x),
            "y": (p.a - size) * x.y + w * x.x + p.G * (net.received.y - strength * x.y),
        }


@pytest.fixture(scope="module")
def brain():
    """76 areas with frequencies of their own; pathways of fewer than four steps and of dozens."""
    rng = np.random.default_rng(76)
    weights = rng.lognormal(0, 1, (76, 76)) * (rng.random((76, 76)) < 0.3)
    np.fill_diagonal(weights, 0)
    values = {"frequency": rng.normal(10, 1, 76), "phase": rng.uniform(0, 2 * np.pi, 76)}
    names = tuple(f"a{i}" for i in range(76))
    lengths = rng.uniform(5, 200, (76, 76))
    return Connectome("brain", names, weights / weights.sum(1).max(), lengths_mm=lengths, values=values)


def phases(net, K=20.0):
    def slope(z, received):
        (theta,), (sin, cos) = z, received
        return np.array([2 * np.pi * net.values["frequency"] + K * (sin * np.cos(theta) - cos * np.sin(theta))])

    return np.array([net.values["phase"]]), lambda z: np.array([np.sin(z[0]), np.cos(z[0])]), slope


def cycles(net, a=5.0, G=8.0):
    w, strength = 2 * np.pi * net.values["frequency"], net.weights.sum(axis=1)

    def slope(z, received):
        own = (a - (z**2).sum(axis=0)) * z + w * np.array([-z[1], z[0]])
        return own + G * (received - strength * z)

    return np.array([np.cos(net.values["phase"]), np.sin(net.values["phase"])]), lambda z: z, slope


@pytest.mark.parametrize(("model", "equations"), [(Phases(), phases), (Cycles(), cycles)], ids=["phases", "cycles"])
@pytest.mark.parametrize("velocity", [pytest.param(None, marks=pytest.mark.slow), 8.0])
def test_oscillators_are_the_independent_integration(brain, model, equations, velocity):
    expected = integrated(brain, *equations(brain), DT, STEPS, velocity=velocity)
    assert np.ptp(expected[-1][0]) > 0.5
    given = {} if velocity is None else {"velocity": velocity}
    for precision, rtol in (("float64", 1e-10), ("float32", 1e-5)):
        ds = simulate(model, brain, Silence(), dt=DT, duration=STEPS * DT, precision=precision, **given)
        for i, name in enumerate(model.observables):
            np.testing.assert_allclose(ds[name], expected[:, i], rtol=rtol, atol=rtol * np.abs(expected[:, i]).max())


def test_what_arrives_at_once_is_heard_anew_at_each_evaluation(brain):
    expected = integrated(brain, *cycles(brain), DT, STEPS, heun=True)
    ds = simulate(Cycles(method="heun"), brain, Silence(), dt=DT, duration=STEPS * DT, precision="float64")
    np.testing.assert_allclose(ds.y, expected[:, 1], rtol=1e-9, atol=1e-11)


@dataclass(frozen=True)
class Sending(ODEModel):
    """A rate."""

    tau: float = parameter(0.02, units="s", doc="time constant", above=0)
    observables = {"r": "Hz"}

    def sends(self, x, p):
        return {"rate": x.r}

    def derivative(self, x, p, net, stimulus):
        return {"r": (0.5 * net.received.rate - x.r + 1) / p.tau}


def study(brain, model, **parts):
    given = dict(axes={"tau": [0.02, 0.03]}, connectome=brain, measures=[Final()], dt=DT, duration=0.1)
    return Study("sent", model=model, **{**given, **parts})


def test_without_a_velocity_it_is_the_program_of_a_product(brain, run_all):
    @dataclass(frozen=True)
    class Product(ODEModel):
        tau: float = parameter(0.02, units="s", doc="time constant", above=0)
        observables = {"r": "Hz"}

        def derivative(self, x, p, net, stimulus):
            return {"r": (0.5 * (net.weights @ x.r) - x.r + 1) / p.tau}

    both = [study(brain, model) for model in (Sending(), Product())]
    codes = [[variant["made"]["code"] for variant in asked.recipe()["variants"].values()] for asked in both]
    assert codes[0] == codes[1]
    np.testing.assert_array_equal(*[run_all(asked)["final_rate"] for asked in both])


@pytest.mark.slow
def test_a_model_that_is_written_by_its_step_receives_too(brain):
    class Stepped(Sending):
        hears_anew = False

        def step(self, x, p, net, stimulus, dt):
            return self.state(r=x.r + dt * (0.5 * net.received.rate - x.r + 1) / p.tau)

    for velocity in ({}, {"velocity": 3.0}):
        runs = [
            simulate(model, brain, Silence(), dt=DT, duration=0.1, precision="float64", **velocity)
            for model in (Sending(), Stepped())
        ]
        np.testing.assert_allclose(runs[0].r, runs[1].r, rtol=1e-13)


@pytest.mark.slow
def test_points_of_each_velocity_are_what_they_are_alone(brain, run_all):
    axes = {"velocity": [2.0, 8.0, 30.0], "tau": [0.02, 0.03]}
    whole = run_all(study(brain, Sending(), axes=axes))["final_rate"]
    alone = run_all(study(brain, Sending(), axes={"tau": [0.03]}, fixed={"velocity": 8.0}))["final_rate"]
    np.testing.assert_allclose(alone[0], whole[1, 1], rtol=1e-6)
    assert len(np.unique(whole[:, 0], axis=0)) == 3


def test_a_velocity_is_every_senders(brain):
    info = Sending.parameters()["velocity"]
    assert (info.default, info.units) == (np.inf, "m/s")
    assert Sending(velocity=3.0).velocity == 3.0
    nowhere = Connectome("no lengths", brain.areas, brain.weights)
    study(nowhere, Sending())
    with pytest.raises(UserError, match="no lengths of its pathways"):
        study(nowhere, Sending(), fixed={"velocity": 3.0})


@pytest.mark.slow
def test_it_is_linearised_where_all_arrives_at_once(brain, run_all):
    def settled(net):
        return np.linalg.solve(np.eye(76) - 0.5 * net.weights, np.ones(76))

    class Settled(Sending):
        def start(self, p, net):
            return self.state(r=jnp.asarray(settled(brain), net.weights.dtype))

    found = run_all(study(brain, Settled(), measures=[SpectralAbscissa()], precision="float64"))["spectral_abscissa"]
    growth = np.linalg.eigvals(0.5 * brain.weights - np.eye(76)).real.max()
    np.testing.assert_allclose(found, growth / np.array([0.02, 0.03]), rtol=1e-10)
    with pytest.raises(UserError, match="Settled has no jacobian at a finite velocity"):
        study(brain, Settled(), measures=[SpectralAbscissa()], fixed={"velocity": 3.0}).compute()
    sensitivity = Sensitivity(Mean(), parameters=("tau",))
    assert np.isfinite(run_all(study(brain, Sending(), measures=[sensitivity]))["d_mean_rate"]).all()
    with pytest.raises(UserError, match="can't differentiate through the delays of Sending"):
        study(brain, Sending(), measures=[sensitivity], fixed={"velocity": 3.0})
    with pytest.raises(UserError, match="no derivative with respect to velocity, which is infinite"):
        study(brain, Sending(), measures=[Sensitivity(Mean(), parameters=("velocity",))])


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        ({"rates": "r"}, r'nothing called "rate" is sent; did you mean "rates".*test_sends.py'),
        ({}, "Own.sends returns a dict of ; expected .name: what is sent. .*test_sends.py"),
        ({"rate": "sum"}, r"Own.sends makes rate of shape \(\); expected one number per area: \(76,\) .*test_sends.py"),
    ],
)
@pytest.mark.parametrize("velocity", [{}, {"velocity": 3.0}])
def test_a_mistake_names_its_line(brain, sent, said, velocity):
    class Own(Sending):
        def sends(self, x, p):
            return {name: x.r.sum() if value == "sum" else x.r for name, value in sent.items()}

    with pytest.raises(UserError, match=said):
        study(brain, Own(), fixed=velocity, measures=[Peak()]).compute()


class Told(Sending):
    states = {"r": "Hz"}
    observables = {"r": "Hz", "input": "Hz"}

    def outputs(self, x, p, net):
        return {"input": net.received.rate}


@pytest.mark.slow
def test_outputs_see_what_arrives(brain, run_all):
    given = dict(dt=DT, duration=0.1, precision="float64")
    ds = simulate(Told(), brain, Silence(), **given)
    np.testing.assert_allclose(ds.input, ds.r.values @ brain.weights.T, rtol=1e-12)

    late = simulate(Told(), brain, Silence(), velocity=3.0, **given)
    past = np.vstack([np.zeros(76), late.r])
    lag, i = brain.lengths_mm * 1e-3 / 3.0 / DT, np.arange(76)
    for k in range(100):
        arrived = [past[np.maximum(k - np.floor(lag).astype(int) - more, 0), i] for more in (0, 1)]
        expected = (brain.weights * (arrived[0] * (1 - lag % 1) + arrived[1] * (lag % 1))).sum(axis=1)
        np.testing.assert_allclose(late.input[k], expected, rtol=1e-10, atol=1e-14)
    measured = study(brain, Told(), fixed={"velocity": 3.0}, measures=[Final(of="input")], axes={"tau": [0.02]})
    np.testing.assert_allclose(run_all(measured)["final_rate"][0], late.input[-1], rtol=1e-5)

    class Misplaced(Told):
        def start(self, p, net):
            return self.state(r=net.received.rate)

    with pytest.raises(UserError, match=r'"rate" is received nowhere; .* or `outputs` only'):
        study(brain, Misplaced()).compute()
