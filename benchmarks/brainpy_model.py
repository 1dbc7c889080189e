"""The notebook's BrainPy class through BrainPyModel, against the built-in model and BrainPy's own jit(vmap).

All three run every step of their points, float32, on all cores; what is compared is steps of a point in a second of
one core, by the processor time of all threads.
"""

import sys
import time
from collections.abc import Callable

import numpy as np
from shell import ROOT, best, say, sized

from gbaexplore import BrainPyModel, Model, Peak, Pulse, Study, ThresholdLinear, load_connectome, load_study

sys.path.insert(0, str(ROOT / "tests" / "verification"))
sys.path.append(str(ROOT / "tests" / "support"))
from brainpy_notebook import traces_batch
from every_step import every_step

MACAQUE = load_connectome("macaque29")
POINTS, SECONDS, STEPS = sized(256, 2), 2.0, 10_000
TRACED, TRACED_STEPS = sized(64, 2), 50_000  # the notebook's run, with its time courses


def main() -> None:
    brainpy = next(v.model for v in load_study("brainpy_notebook").variants() if isinstance(v.model, BrainPyModel))
    ours = rate(lambda: block(ThresholdLinear()), POINTS * STEPS)
    through = rate(lambda: block(brainpy), POINTS * STEPS)
    muEE = np.linspace(28, 34, TRACED)
    theirs = rate(
        lambda: traces_batch(MACAQUE.values["hierarchy"], MACAQUE.weights, muEE).block_until_ready(),
        TRACED * TRACED_STEPS,
    )
    for what, found in {"ThresholdLinear": ours, "BrainPyModel": through, "BrainPy's jit(vmap)": theirs}.items():
        say(f"{what}, every step", f"{found / 1e6:,.1f} million steps of a point a core-second")
    say("BrainPyModel / ThresholdLinear", f"{through / ours:.2f}")
    say("BrainPyModel / BrainPy's jit(vmap)", f"{through / theirs:.1f}")


def block(model: Model) -> None:
    """Run every step from the start, where the pulse is."""
    study = Study(
        name="brainpy",
        model=model,
        axes={"muEE": np.linspace(28, 33, POINTS)},
        connectome=MACAQUE,
        stimulus=Pulse(area="V1", onset=0.0, duration=0.25, amplitude=41.42),
        measures=[Peak()],
        duration=SECONDS,
        block_points=POINTS,
    )
    (only,) = study.blocks()
    every_step(study).run_block(only)


def rate(function: Callable[[], object], steps: int) -> float:
    """Return steps per second, of the fastest of three runs; the first one compiled."""
    return steps / best(function, 3, time.process_time)


if __name__ == "__main__":
    main()
