"""What other packages compute of the same models, recorded by `record_models.py` and others in benchmarks/peers."""

import json
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gbaexplore import (
    BOLD,
    Connectome,
    Hopf,
    JansenRit,
    MontbrioPazoRoxin,
    ReducedWongWang,
    WilsonCowan,
    WongWang,
    feedback_inhibition,
    simulate,
)
from gbaexplore.measures.bold import BALLOONS
from gbaexplore.models.parameters import Parameters
from gbaexplore.networks.seen import Network

PEERS = json.loads(Path(__file__).with_name("peers.json").read_text())
CUBNM = json.loads(Path(__file__).with_name("cubnm.json").read_text())
AREAS = len(PEERS["weights"])

# Each model with the recorded parameters, the names of what arrives, and the factors of states and of what arrives: TVB
# counts time in ms. It couples JansenRit's columns by the same firing rates, in 1/ms.
DERIVATIVES = {
    "Hopf": (Hopf(a=2.0, f=50 / 2 / np.pi, G=1e3), ("x", "y"), (1e3**0.5,) * 2, (1e3**0.5,) * 2),
    "ReducedWongWang": (ReducedWongWang(G=1.0), ("S",), (1,), (1,)),
    "WongWang": (WongWang(G=1.5, ffi=0.5, J=1.2), ("S_E",), (1, 1), (1,)),
    "JansenRit": (JansenRit(G=1.0), ("rate",), (1, 1, 1, 1e3, 1e3, 1e3), (1e3, 1e3)),
    "MontbrioPazoRoxin": (MontbrioPazoRoxin(G=1.0), ("r",), (1e3, 1), (1e2,)),
    "WilsonCowan": (WilsonCowan(P=1.25), ("E",), (1, 1), (1,)),
}


@pytest.mark.parametrize("name", DERIVATIVES)
def test_a_derivative_is_tvbs(name):
    model, sent, units, scales = DERIVATIVES[name]
    told = PEERS["derivatives"][name]
    state = dict(zip(model.state_units(), np.array(told["state"]) * np.array(units)[:, None], strict=True))
    arrived = dict(zip(sent, np.array(told["input"]) * np.array(scales)[:, None][: len(told["input"])], strict=False))
    with jax.enable_x64(True):
        p = Parameters({p: np.full(AREAS, getattr(model, p)) for p in model.parameters()})
        # Without weights Hopf subtracts nothing in its coupling: TVB's does not. Wilson-Cowan makes the product itself.
        weights = np.diag(arrived["E"] / state["E"]) if name == "WilsonCowan" else np.zeros((AREAS, AREAS))
        net = Network(weights, arrived=arrived)
        found = model.derivative(model.state(**state), p, net, np.zeros(AREAS))
    expected = np.array(told["derivative"]) * 1e3 * np.array(units)[:, None]
    for i, variable in enumerate(state):
        np.testing.assert_allclose(found[variable], expected[i], rtol=1e-11, atol=1e-11 * np.abs(expected[i]).max())


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("model", [ReducedWongWang(G=2.0, sigma=0.0), WongWang(G=0.8, sigma=0.0)])
def test_a_network_ends_where_tvboptims_does(model, late):
    names = tuple(f"a{i}" for i in range(AREAS))
    net = Connectome("peers", names, np.array(PEERS["weights"]), lengths_mm=np.array(PEERS["lengths_mm"]))
    start = {} if isinstance(model, WongWang) else {"S_start": 0.1}
    given = start | ({"velocity": 8.0} if late else {})
    ds = simulate(model, net, dt=1e-3, duration=0.2, precision="float64", **given)
    expected = np.array(PEERS["runs"][type(model).__name__ + " late" * late])
    for variable, values in zip(model.state_units(), expected, strict=True):
        np.testing.assert_allclose(ds[variable][-1], values, rtol=1e-9)


def test_feedback_inhibition_is_cubnms():
    names = tuple(f"a{i}" for i in range(AREAS))
    net = Connectome("peers", names, np.array(PEERS["weights"]).T)  # its rows are sources
    own = {name: info.default for name, info in WongWang.parameters().items() if name not in ("J", "sigma", "velocity")}
    for G, J in zip(PEERS["inhibition"]["G"], PEERS["inhibition"]["J"], strict=True):
        # Its steady state, S_E = 0.164757, is that of this rate.
        np.testing.assert_allclose(feedback_inhibition(net, **(own | {"G": G}), rate=3.0773), J, rtol=1e-5)


def test_a_network_is_cubnms():
    """E-I Wong-Wang areas without noise, from their start on; there areas hear each other one step later."""
    theirs, model = CUBNM["without noise"], WongWang(sigma=0.0)
    J, weights, dt = np.array(theirs["J"]), np.array(theirs["sc"]).T, 1e-4

    def later(x, _):
        net = Network(weights, arrived={"S_E": weights @ x.S_E})
        x = model.step(x, p, net, jnp.zeros(len(J)), dt)
        return x, x.S_E

    with jax.enable_x64(True):
        p = Parameters({name: np.full(len(J), getattr(model, name)) for name in model.parameters()} | {"J": J})
        start = model.start(p, Network(weights))
        found = jax.jit(lambda x: jax.lax.scan(later, x, length=10_000)[1])(start)[499::500]
    np.testing.assert_allclose(found.T, theirs["S_E_each_50_ms"], rtol=2e-3)


def test_bold_is_cubnms():
    """Of its own activity with noise; its Euler steps of 1 ms are off by some 1e-4."""
    # It takes kappa and gamma as times, in s, and V0 in percent.
    bold = BOLD("S_E", {**BALLOONS["friston2003"], "kappa": 1 / 0.65, "gamma": 1 / 0.41, "V0": 2.0})

    def later(x, z):
        x = bold.advanced(x, z, 0.01)
        return x, bold.value(x)

    z = np.float32(CUBNM["with noise"]["S_E_each_10_ms"])[:, None]
    found = jax.jit(lambda z: jax.lax.scan(later, bold.start(1), z)[1])(z)[99::100, 0]
    expected = np.array(CUBNM["with noise"]["bold_each_second"])
    np.testing.assert_allclose(found, expected, atol=5e-4 * expected.max())
