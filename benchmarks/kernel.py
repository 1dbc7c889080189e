"""Figures of the kernel: every step of every point, all lanes busy, no early end.

`kernel.py one_core` pins itself to a core; the number of threads is set by run.py, in the environment.
`kernel.py all_cores` gives the kernel a thread per core, as `gbaexplore run` does.
"""

import os
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import jax
import jax.numpy as jnp
import numpy as np
import plain_jax
from shell import ROOT, best, say, sized

from gbaexplore import Final, Measure, Peak, Pulse, Study, ThresholdLinear, load_connectome

sys.path.append(str(ROOT / "tests" / "support"))
from every_step import every_step

MACAQUE = load_connectome("macaque29")
AREAS = len(MACAQUE.areas)
PULSE = Pulse(area="V1", onset=2.0, duration=0.25, amplitude=22.05 * 1.9)
WINDOW = (1.75, 5.0)
STEPS = 15_000  # from the pulse's onset to the window's end; both programs skip the rest before it
LANES = 64  # the kernel's

# Operations of a step per area, from ThresholdLinear.step as it is written; a multiply-add is 2. Counted are
# multiplications, additions and subtractions. max, the measures' comparisons and selections, and what is the
# same in all steps (1 + eta h, dt / tau, threshold - rest) are not.
#   fln @ E                                                          2 x 29
#   IE: omegaEE E 1, + muEE far 2, gain 1, - omegaEI I 2, betaE 1, + stimulus 1   8
#   E:  current - E 1, times dt / tauE 1, + E 1                      3
#   II: omegaIE E 1, + muIE far 2, gain 1, - omegaII I 2, betaI 1    7
#   I:  as E                                                         3
PER_AREA = 2 * AREAS + 8 + 3 + 7 + 3
FLOP_PER_POINT = STEPS * AREAS * PER_AREA


def main() -> None:
    {"one_core": one_core, "all_cores": all_cores}[sys.argv[1]]()


def one_core() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    kernel, peaks = kernel_rate("Peak (value and time)", Peak(window=WINDOW))
    plain_rates(kernel, peaks)
    # The cheapest measure; but the engine adds a Peak to it, to see whether a point has diverged.
    cheapest, _ = kernel_rate("Final", Final(window=WINDOW))
    shares({"Peak": kernel, "Final": cheapest})


def all_cores() -> None:
    study = bounded_points(Peak(window=WINDOW))
    cores = len(os.sched_getaffinity(0))
    with ThreadPoolExecutor(cores) as pool:
        blocks = study.blocks() * cores

        def kernel() -> list[object]:
            return list(pool.map(every_step(study).run_block, blocks))

        rate = cores * study.size / best(kernel, 4)
    say(f"kernel, {cores} threads, every step, Peak (value and time)", f"{rate:,.0f} points/s")
    # XLA is free to use all cores for it, and does not.
    _, plain = plain_rate(plain_jax.straightforward, study)
    say("jit(vmap), straightforward, all cores, every step", f"{plain:,.0f} points/s")
    say(f"kernel, {cores} threads / jit(vmap), straightforward, all cores", f"{rate / plain:.1f}")


def bounded_points(measure: Measure) -> Study:
    """1,024 points in the map's bounded region, in one block."""
    side = sized(32, 2)
    return Study(
        name="kernel",
        model=ThresholdLinear(),
        axes={"muEE": np.linspace(31, 36, side), "omegaEI": np.linspace(22, 26, side)},
        connectome=MACAQUE,
        stimulus=PULSE,
        measures=[measure],
        block_points=side * side,
    )


def kernel_rate(what: str, measure: Measure) -> tuple[float, dict[str, np.ndarray]]:
    """Return the kernel's points per second, and its results."""
    study = bounded_points(measure)
    (block,) = study.blocks()
    simulation = every_step(study)
    found = simulation.run_block(block)
    rate = study.size / best(lambda: simulation.run_block(block), 6)
    say(f"kernel, one core, every step, {what}", f"{rate:,.0f} points/s")
    return rate, found


def plain_rates(kernel: float, found: dict[str, np.ndarray]) -> None:
    """The kernel against plain JAX on the same points."""
    expected = found["peak_rate"].reshape(-1, AREAS)
    study = bounded_points(Peak(window=WINDOW))
    for trajectory in (plain_jax.straightforward, plain_jax.improved):
        peaks, rate = plain_rate(trajectory, study)
        name = f"jit(vmap), {trajectory.__name__}"
        say(f"{name}, one core, every step", f"{rate:,.0f} points/s")
        say(f"kernel / {name}", f"{kernel / rate:.1f}")
        apart = np.max(np.abs(peaks / expected - 1))
        say(f"{name}, peaks agree with the kernel's to 1e-3", f"{bool(apart < 1e-3)} ({apart:.1e})")


def plain_rate(trajectory: Callable, study: Study) -> tuple[np.ndarray, float]:
    """Return the peaks that plain JAX finds, and its points per second at the best batch size of four."""
    points = study.points(study.blocks()[0])
    muEE, omegaEI = (np.float32(points[name]) for name in ("muEE", "omegaEI"))
    pulse = PULSE.amplitude * (np.arange(AREAS) == MACAQUE.index(PULSE.area))
    shared = [np.float32(a) for a in (MACAQUE.values["hierarchy"], MACAQUE.weights, pulse)]
    run = plain_jax.batched(trajectory)

    def peaks(size: int, count: int) -> np.ndarray:
        parts = [slice(i, i + size) for i in range(0, count, size)]
        return np.concatenate([np.asarray(run(muEE[part], omegaEI[part], *shared)[0]) for part in parts])

    # The rates are flat around the best size: a quarter of the points is enough to find it.
    size = min((16, 64, 128, 256), key=lambda size: best(lambda: peaks(size, study.size // 4), 2))
    return peaks(size, study.size), study.size / best(lambda: peaks(size, study.size), 2)


def shares(kernels: dict[str, float]) -> None:
    """The kernel's rate of arithmetic as a share of the core's."""
    rates = {"sgemm (NumPy, 2048 x 2048)": sgemm_rate(), f"XLA's {AREAS}x{AREAS} @ {AREAS}x{LANES}": product_rate()}
    for name, rate in rates.items():
        say(f"{name}, one core", f"{rate / 1e9:.1f} GFLOP/s")
    for measure, points in kernels.items():
        rate = points * FLOP_PER_POINT
        say(f"kernel, {measure}, {AREAS * PER_AREA:,} operations a step", f"{rate / 1e9:.1f} GFLOP/s")
        for name, of in rates.items():
            say(f"kernel, {measure} / {name}", f"{100 * rate / of:.0f} %")


def sgemm_rate(n: int = 2048) -> float:
    a, b, out = (np.random.default_rng(0).random((n, n), np.float32) for _ in range(3))
    return 2 * n**3 / best(lambda: np.matmul(a, b, out=out), 5)


def product_rate(times: int = 20_000) -> float:
    """The kernel's matrix product alone, in a loop, with what the kernel is compiled with."""

    def products(fln, rates):
        return jax.lax.fori_loop(0, times, lambda _, x: fln @ x, rates)

    compiled = jax.jit(products, compiler_options={"xla_cpu_prefer_vector_width": 512})
    # Rows that sum to 1 keep the numbers from growing or dying away.
    fln = jnp.asarray(MACAQUE.weights / MACAQUE.weights.sum(1, keepdims=True), jnp.float32)
    rates = jnp.asarray(np.random.default_rng(0).random((AREAS, LANES)), jnp.float32)
    return times * 2 * AREAS * AREAS * LANES / best(lambda: compiled(fln, rates).block_until_ready(), 5)


if __name__ == "__main__":
    main()
