"""What noise costs, and what delays cost: a step with them against one without, of the same points, on one core.

Every step is run, from the start, with all lanes busy.
"""

import os
import sys

import numpy as np
from shell import ROOT, best, say, sized

from gbaexplore import DelayedThresholdLinear, Model, Peak, Pulse, Study, ThresholdLinear, load_connectome

sys.path.append(str(ROOT / "tests" / "support"))
from every_step import every_step

POINTS = 256
SECONDS = sized(1.0, 0.1)


def main() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    plain = told("ThresholdLinear", ThresholdLinear(update="simultaneous"))
    noisy = told("ThresholdLinear with noise 0.02", ThresholdLinear(update="simultaneous", noise=0.02))
    delayed = told("DelayedThresholdLinear at 3.5 m/s", DelayedThresholdLinear(velocity=3.5))
    say("step, with noise / without", f"{noisy / plain:.1f}")
    say("step, with delays / without", f"{delayed / plain:.1f}")


def told(what: str, model: Model) -> float:
    seconds = step_seconds(model)
    say(f"step of {what}, {POINTS} points, one core", f"{seconds * 1e9:,.0f} ns a point")
    return seconds


def step_seconds(model: Model) -> float:
    """Return the seconds that a step of one point takes."""
    study = Study(
        name="step",
        model=model,
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
    return best(lambda: simulation.run_block(block), 6) / (steps * block.size)


if __name__ == "__main__":
    main()
