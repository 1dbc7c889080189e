"""tvboptim's compiled kernel: `jit` of `lax.map` in batches over its reduced Wong-Wang network, nothing stored."""

import jax
import jax.numpy as jnp
import work
from tvboptim.experimental.network_dynamics import Network, prepare
from tvboptim.experimental.network_dynamics.coupling import DelayedLinearCoupling, LinearCoupling
from tvboptim.experimental.network_dynamics.dynamics.tvb import ReducedWongWang
from tvboptim.experimental.network_dynamics.graph import DenseDelayGraph, DenseGraph
from tvboptim.experimental.network_dynamics.noise import AdditiveNoise
from tvboptim.experimental.network_dynamics.solvers import Heun

BATCH = 8  # the best of 4 to 64 on two cores


def kernel(points: int, kind: str):
    weights = jnp.asarray(work.weights(work.AREAS))
    delays = jnp.asarray(work.lengths(work.AREAS) / work.VELOCITY)  # its unit of time is 1 ms
    delayed, name = (True, "delayed") if kind == "delays" else (False, "instant")
    coupling = (DelayedLinearCoupling if delayed else LinearCoupling)(incoming_states="S", G=1.0)
    network = Network(
        dynamics=ReducedWongWang(),
        coupling={name: coupling},
        graph=DenseDelayGraph(weights, delays) if delayed else DenseGraph(weights),
        noise=AdditiveNoise(sigma=work.NOISE * 1e-3**0.5) if kind == "noise" else None,
    )
    simulate, config = prepare(network, Heun(), t1=work.SECONDS * 1e3, dt=work.DT * 1e3)

    def one(G):
        own = jax.tree.map(lambda leaf: leaf, config)
        getattr(own.coupling, name).G = G
        values = simulate(own).ys[:, 0]
        return values[len(values) // 2 :].mean(0)

    run = jax.jit(lambda G: jax.lax.map(one, G, batch_size=BATCH))
    G = jnp.asarray(work.couplings(points), jnp.float32)
    return lambda: jax.block_until_ready(run(G))


if __name__ == "__main__":
    work.serve(
        {f"{points} {kind}": kernel(points, kind) for points in work.POINTS for kind in ("plain", "noise", "delays")}
    )
