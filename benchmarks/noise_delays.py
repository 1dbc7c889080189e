"""What noise costs, shared and independent, and what delays cost: a step with them against one without, on one core.

Every step is run, from the start, with all lanes busy. The kinds take turns, so that what disturbs one disturbs all,
and the processor's time counts, so that other programs do little.
"""

import os
import sys
import time
from collections.abc import Callable
from typing import Literal

import numpy as np
from shell import ROOT, say, sized

from gbaexplore import DelayedThresholdLinear, Model, Peak, Pulse, Study, ThresholdLinear, load_connectome

sys.path.append(str(ROOT / "tests" / "support"))
from every_step import every_step

POINTS = 256
SECONDS = sized(1.0, 0.1)
ROUNDS = sized(8, 2)
NOISY = ThresholdLinear(update="simultaneous", noise=0.02)


def main() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    took = rounds(
        {
            "ThresholdLinear": step(ThresholdLinear(update="simultaneous")),
            "ThresholdLinear with noise 0.02, shared": step(NOISY),
            "ThresholdLinear with noise 0.02, independent": step(NOISY, "independent"),
            "DelayedThresholdLinear at 3.5 m/s": step(DelayedThresholdLinear(velocity=3.5)),
        }
    )
    for name, seconds in took.items():
        say(f"step of {name}, {POINTS} points, one core", f"{seconds * 1e9:,.0f} ns a point")
    plain, shared, independent, delayed = took.values()
    say("step, with shared noise / without", f"{shared / plain:.2f}")
    say("step, with independent noise / without", f"{independent / plain:.2f}")
    say("step, with delays / without", f"{delayed / plain:.2f}")


def rounds(steps: dict[str, tuple[Callable[[], object], int]]) -> dict[str, float]:
    """Return the seconds that a step of one point takes, the shortest of some rounds (the first compiles)."""
    found = dict.fromkeys(steps, float("inf"))
    for _ in range(ROUNDS):
        for name, (run, count) in steps.items():
            started = time.process_time()
            run()
            found[name] = min(found[name], (time.process_time() - started) / count)
    return found


def step(model: Model, noise: Literal["shared", "independent"] = "shared") -> tuple[Callable[[], object], int]:
    """Return what runs every point, and how many steps of points these are."""
    study = Study(
        name="step",
        model=model,
        noise=noise,
        axes={"muEE": np.linspace(31, 36, POINTS)},
        fixed={"omegaEI": 24.0},  # bounded
        connectome=load_connectome("macaque29"),
        stimulus=Pulse(area="V1", onset=0.0, duration=0.05, amplitude=22.05 * 1.9),
        measures=[Peak()],
        duration=SECONDS,
        block_points=POINTS,
    )
    (variant,), (block,) = study.variants(), study.blocks()
    simulation = every_step(study)
    steps = simulation.plan(variant).steps
    return lambda: simulation.run_block(block), steps * block.size


if __name__ == "__main__":
    main()
