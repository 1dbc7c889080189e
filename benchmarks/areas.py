"""The kernel in networks of 29 to 1,000 areas, one core: its cost per point and step, and the matrix product's own.

Both have the engine's number of lanes, and take as many steps; the product is FLN (n x n) by rates (n x lanes), as XLA
does it. The last line of each size says what other numbers of lanes would cost.
"""

import functools
import os
import sys

import jax
import jax.numpy as jnp
import numpy as np
from shell import ROOT, best, say, sized

from gbaexplore import Connectome, Network, Peak, Pulse, Study, ThresholdLinear, distance_rule
from gbaexplore.basics.points import AMPLITUDE
from gbaexplore.engine.plan import Plan
from gbaexplore.engine.queue import simulate_batch

sys.path.append(str(ROOT / "tests" / "support"))
from every_step import every_step

SIZES = sized((29, 58, 116, 232, 464, 1000), (29,))
OTHERS = sized((16, 64, 256), (16,))
FLOP = sized(4e9, 1e6)  # of the products in one timing, at least: a tenth of a second
REPEATS = 6


def main() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    for areas in SIZES:
        connectome = distance_rule(areas, density=0.3)
        lanes = planned(study_of(connectome, 1)).batch.lanes
        kernel, product = kernel_seconds(connectome, lanes), product_seconds(connectome, lanes)
        say(f"areas {areas}, {lanes} lanes, kernel, a point's step", f"{kernel * 1e9:,.0f} ns")
        say(f"areas {areas}, {lanes} lanes, XLA's product, a point's", f"{product * 1e9:,.0f} ns")
        say(f"areas {areas}, kernel / product", f"{kernel / product:.2f}")
        others = {other: kernel_seconds(connectome, other) / kernel for other in OTHERS if other != lanes}
        words = ", ".join(f"{other} lanes {ratio:.2f}" for other, ratio in others.items())
        say(f"areas {areas}, kernel with other lanes / with {lanes}", words)


def steps_of(areas: int, lanes: int) -> int:
    return int(np.clip(FLOP / (2 * areas**2 * lanes) // 50, 1, 50)) * 50


def kernel_seconds(connectome: Connectome, lanes: int) -> float:
    """Return the kernel's seconds for a step of one point, all lanes busy, every step."""
    study = study_of(connectome, lanes, steps_of(len(connectome.areas), lanes))
    plan, network = planned(study), Network.of(connectome)
    plan = plan._replace(batch=plan.batch._replace(lanes=lanes))
    (block,) = study.blocks()
    points = study.points(block) | {AMPLITUDE: np.array([study.stimulus.amplitude])}
    run = functools.partial(simulate_batch, plan, network, points, count=lanes, size=lanes)
    return best(run, REPEATS) / (plan.steps * lanes)


def study_of(connectome: Connectome, points: int, steps: int = 50) -> Study:
    return Study(
        name="areas",
        model=ThresholdLinear(),
        connectome=connectome,
        axes={"muEE": np.linspace(10, 15, points)},  # bounded
        stimulus=Pulse(area=connectome.areas[0], onset=0.0, duration=0.01, amplitude=20.0),
        measures=[Peak()],
        duration=steps * 2e-4,
        block_points=points,
    )


def planned(study: Study) -> Plan:
    """Return how a study's points are simulated, every step of them."""
    (variant,) = study.variants()
    return every_step(study).plan(variant)


def product_seconds(connectome: Connectome, lanes: int) -> float:
    """Return the seconds of the product alone, for one point, with what the kernel is compiled with."""
    areas = len(connectome.areas)
    steps = steps_of(areas, lanes)

    def products(fln, rates):
        return jax.lax.fori_loop(0, steps, lambda _, x: fln @ x, rates)

    compiled = jax.jit(products, compiler_options={"xla_cpu_prefer_vector_width": 512})
    fln = jnp.asarray(connectome.weights, jnp.float32)  # rows sum to 1: numbers neither grow nor die away
    rates = jnp.asarray(np.random.default_rng(0).random((areas, lanes)), jnp.float32)
    return best(lambda: compiled(fln, rates).block_until_ready(), REPEATS) / (steps * lanes)


if __name__ == "__main__":
    main()
