"""Record what other packages compute of the shipped models, in `tests/models/peers.json`.

    python -m venv PEERS && PEERS/bin/pip install tvb-library==2.10.0 cubnm==0.1.0 tvboptim==0.4.0
    PEERS/bin/python benchmarks/peers/record_models.py

Three kinds of numbers, in the packages' own units (TVB and tvboptim count time in ms, and rates per ms):

- TVB's derivatives at random states and inputs;
- the ends of noise-free runs of whole networks by tvboptim, with and without delays;
- the feedback inhibition that cuBNM solves for.
"""

import json
from importlib.metadata import version
from pathlib import Path

import jax
import numpy as np

AREAS = 12
HERE = Path(__file__).parent

jax.config.update("jax_enable_x64", True)


def network() -> tuple[np.ndarray, np.ndarray]:
    """Return weights, (target, source), and lengths in mm."""
    rng = np.random.default_rng(5)
    weights = rng.lognormal(size=(AREAS, AREAS))
    np.fill_diagonal(weights, 0)
    # Whole numbers of ms at 8 m/s: tvboptim rounds delays to steps.
    return weights / weights.sum(1).max(), 8.0 * rng.integers(1, 16, (AREAS, AREAS))


def derivatives() -> dict[str, dict[str, list]]:
    """Return states and inputs, (variable, area), and TVB's derivatives there."""
    from tvb.simulator.models.infinite_theta import MontbrioPazoRoxin
    from tvb.simulator.models.jansen_rit import JansenRit
    from tvb.simulator.models.oscillator import SupHopf
    from tvb.simulator.models.wilson_cowan import WilsonCowan
    from tvb.simulator.models.wong_wang import ReducedWongWang
    from tvb.simulator.models.wong_wang_exc_inh import ReducedWongWangExcInh

    rng = np.random.default_rng(7)
    one = np.array
    top = 1 - 1 / (1 + np.exp(one([1.3 * 4.0, 2.0 * 3.7])))  # largest responses of Wilson & Cowan
    cases = {
        "Hopf": (SupHopf(a=one([0.002]), omega=one([0.05])), [(-1, 1)] * 2, [(-0.5, 0.5)] * 2),
        "ReducedWongWang": (ReducedWongWang(w=one([0.9]), I_o=one([0.3])), [(0, 1)], [(0, 0.5)]),
        "WongWang": (ReducedWongWangExcInh(G=one([1.5]), lamda=one([0.5]), J_i=one([1.2])), [(0, 1)] * 2, [(0, 0.5)]),
        "JansenRit": (
            JansenRit(v0=one([6.0])),
            [(0, 0.2), (0, 30), (0, 25), (-1, 1), (-2, 2), (-2, 2)],
            [(0, 0.05)] * 2,
        ),
        "MontbrioPazoRoxin": (MontbrioPazoRoxin(tau=one([10.0])), [(0, 0.1), (-2, 2)], [(0, 0.2), (0, 0)]),
        "WilsonCowan": (
            WilsonCowan(
                c_ee=one([16.0]), c_ei=one([12.0]), c_ie=one([15.0]), c_ii=one([3.0]), a_e=one([1.3]), b_e=one([4.0]),
                a_i=one([2.0]), b_i=one([3.7]), k_e=top[:1], k_i=top[1:], tau_e=one([10.0]), tau_i=one([10.0]),
                P=one([1.25]), alpha_e=one([1.0]), alpha_i=one([1.0]), c_e=one([1.0]), c_i=one([1.0]),
                theta_e=one([0.0]), theta_i=one([0.0]), r_e=one([1.0]), r_i=one([1.0]),
            ),
            [(0, 0.5)] * 2,
            [(0, 1), (0, 0)],
        ),
    }  # fmt: skip
    found = {}
    for name, (model, states, inputs) in cases.items():
        model.configure()
        state, heard = (np.array([rng.uniform(*r, AREAS) for r in ranges]) for ranges in (states, inputs))
        slope = np.asarray(model.dfun(state[..., None], heard[..., None]))[..., 0]
        found[name] = {"state": state.tolist(), "input": heard.tolist(), "derivative": slope.tolist()}
    return found


def runs() -> dict[str, list]:
    """Return the last state, (variable, area), of runs of 200 Euler steps of 1 ms."""
    import jax.numpy as jnp
    from tvboptim.experimental.network_dynamics import Network, prepare
    from tvboptim.experimental.network_dynamics.coupling import DelayedLinearCoupling, LinearCoupling
    from tvboptim.experimental.network_dynamics.dynamics.tvb import ReducedWongWang, WongWangExcInh
    from tvboptim.experimental.network_dynamics.graph import DenseDelayGraph, DenseGraph
    from tvboptim.experimental.network_dynamics.solvers import Euler

    weights, lengths = map(jnp.asarray, network())
    found = {}
    for name, dynamics, sent, G in (
        ("ReducedWongWang", ReducedWongWang(w=0.9, I_o=0.3), "S", 2.0),
        ("WongWang", WongWangExcInh(G=0.8), "S_e", 1.0),
    ):
        for late in (False, True):
            kind, coupling = ("delayed", DelayedLinearCoupling) if late else ("instant", LinearCoupling)
            graph = DenseDelayGraph(weights, lengths / 8.0) if late else DenseGraph(weights)
            whole = Network(dynamics=dynamics, coupling={kind: coupling(incoming_states=sent, G=G)}, graph=graph)
            simulate, config = prepare(whole, Euler(), t1=200.0, dt=1.0)
            found[name + " late" * late] = np.asarray(simulate(config).ys)[-1].tolist()
    return found


def inhibition() -> dict[str, list]:
    """Return cuBNM's feedback inhibition, (area,), at several couplings."""
    from cubnm import sim

    couplings = [0.5, 2.0, 5.0]
    group = sim.rWWSimGroup(
        duration=2, TR=1, sc=network()[0], sim_seed=1, do_fic=True, do_fc=False, do_fcd=False, force_cpu=True,
        bold_remove_s=0, gof_terms=[],
    )  # fmt: skip
    group.N = len(couplings)
    group.param_lists["G"] = np.array(couplings)
    group._set_default_params(missing=True)
    group.param_lists["G"] = np.array(couplings)
    group.run()
    return {"G": couplings, "J": np.asarray(group.param_lists["wIE"]).tolist()}


if __name__ == "__main__":
    packages = {name: version(name) for name in ("tvb-library", "tvboptim", "cubnm")}
    weights, lengths = network()
    found = {"versions": packages, "weights": weights.tolist(), "lengths_mm": lengths.tolist()}
    found |= {"derivatives": derivatives(), "runs": runs(), "inhibition": inhibition()}
    (HERE.parents[1] / "tests" / "models" / "peers.json").write_text(json.dumps(found) + "\n")
