"""Figures of the kernel on one core: every step of every point, all lanes busy, no early end.

Run by run.py, which sets the number of threads; this program pins itself to one core.
"""

import os
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
import plain_jax
from shell import say

from gbaexplore import Final, Measure, Peak, Pulse, Study, ThresholdLinear, load_connectome

MACAQUE = load_connectome("macaque29")
AREAS = len(MACAQUE.areas)
PULSE = Pulse(area="V1", onset=2.0, duration=0.25, amplitude=22.05 * 1.9)
WINDOW = (1.75, 5.0)
STEPS = 15_000  # from the pulse's onset to the window's end; both programs skip the rest before it
LANES = 256  # the kernel's

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
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    kernel, peaks = kernel_rate("Peak (value and time)", Peak(window=WINDOW))
    plain_rates(kernel, peaks)
    cheapest, _ = kernel_rate("Final (the cheapest measure)", Final(window=WINDOW))
    shares({"Peak": kernel, "Final": cheapest})


def best(function: Callable[[], object], repeats: int) -> float:
    """Return the shortest of some runs in seconds, after one that compiles: the others were disturbed."""
    function()
    seconds = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        seconds.append(time.perf_counter() - started)
    return min(seconds)


def bounded_points(measure: Measure) -> Study:
    """1,024 points in the map's bounded region: four times the lanes, in one block."""
    return Study(
        name="kernel",
        model=ThresholdLinear(),
        axes={"muEE": np.linspace(31, 36, 32), "omegaEI": np.linspace(22, 26, 32)},
        connectome=MACAQUE,
        stimulus=PULSE,
        measures=[measure],
    )


def kernel_rate(what: str, measure: Measure) -> tuple[float, dict[str, np.ndarray]]:
    """Return the kernel's points per second, and its results."""
    study = bounded_points(measure)
    (block,) = study.blocks()
    found = study.run_block(block, early_end=False)
    rate = study.size / best(lambda: study.run_block(block, early_end=False), 6)
    say(f"kernel, one core, every step, {what}", f"{rate:,.0f} points/s")
    return rate, found


def plain_rates(kernel: float, found: dict[str, np.ndarray]) -> None:
    """The kernel against plain JAX: the same points and steps, each at the best batch size of four."""
    study = bounded_points(Peak(window=WINDOW))
    points = study.points(study.blocks()[0])
    pulse = PULSE.amplitude * (np.arange(AREAS) == MACAQUE.index(PULSE.area))
    shared = [np.asarray(a, np.float32) for a in (MACAQUE.hierarchy, MACAQUE.fln, pulse)]
    for trajectory in (plain_jax.straightforward, plain_jax.improved):
        run = plain_jax.batched(trajectory)

        def batches(size: int, count: int, run: Callable = run) -> np.ndarray:
            parts = [[np.float32(points[n][i : i + size]) for n in ("muEE", "omegaEI")] for i in range(0, count, size)]
            return np.concatenate([np.asarray(run(*part, *shared)[0]) for part in parts])

        probes = {size: best(lambda size=size: batches(size, 256), 1) for size in (16, 64, 128, 256)}
        size = min(probes, key=probes.get)
        rate = study.size / best(lambda size=size: batches(size, study.size), 1)
        name = f"jit(vmap), {trajectory.__name__}"
        say(f"{name}, one core, every step, best batch ({size})", f"{rate:,.0f} points/s")
        say(f"kernel / {name}", f"{kernel / rate:.1f}")
        expected = found["peak_rate"].reshape(-1, AREAS)
        apart = np.max(np.abs(batches(size, study.size) / expected - 1))
        say(f"{name}, peaks agree with the kernel's to 1e-3", f"{bool(apart < 1e-3)} ({apart:.1e})")


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
    fln = jnp.asarray(MACAQUE.fln / MACAQUE.fln.sum(1, keepdims=True), jnp.float32)
    rates = jnp.asarray(np.random.default_rng(0).random((AREAS, LANES)), jnp.float32)
    return times * 2 * AREAS * AREAS * LANES / best(lambda: compiled(fln, rates).block_until_ready(), 5)


if __name__ == "__main__":
    main()
