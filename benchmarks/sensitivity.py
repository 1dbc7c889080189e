"""What derivatives cost: a simulation with those of 1, 2 and 4 parameters against one without, in processor time."""

import os
import time

import numpy as np
from kernel import bounded_points
from shell import best, say, sized

from gbaexplore import Peak, Sensitivity, Study

PEAK = Peak(window=(1.75, 2.75))
PARAMETERS = ("muEE", "omegaEI", "eta", "tauE")


def main() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    plain = seconds(bounded_points(PEAK))
    for count in sized((1, 2, 4), (1,)):
        # The study simulates its points without derivatives too, to know their status.
        both = seconds(bounded_points(Sensitivity(PEAK, PARAMETERS[:count])))
        say(
            f"derivatives with respect to {count} of the parameters, in simulations without",
            f"{(both - plain) / plain:.1f} (central differences: {2 * count + 1})",
        )


def seconds(study: Study) -> float:
    (block,) = study.blocks()
    found = study.run_block(block)
    assert all(np.isfinite(values).all() for values in found.values())
    return best(lambda: study.run_block(block), 5, time.process_time)


if __name__ == "__main__":
    main()
