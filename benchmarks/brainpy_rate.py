"""Print how many points a second BrainPy's jit(vmap) runs, as the notebook does it: 10 s, traces kept, all cores.

Then how many in a second of one core, by the processor time of all threads.

`brainpy_rate.py POINTS`: so many at once.
"""

import sys
import time

import numpy as np
from shell import ROOT, best

from gbaexplore import load_connectome

sys.path.insert(0, str(ROOT / "tests" / "verification"))
from brainpy_notebook import traces_batch

if __name__ == "__main__":
    macaque = load_connectome("macaque29")
    hierarchy = macaque.values["hierarchy"]
    muEE = np.linspace(28, 34, int(sys.argv[1]))
    for clock in (time.perf_counter, time.process_time):
        print(len(muEE) / best(lambda: traces_batch(hierarchy, macaque.weights, muEE).block_until_ready(), 4, clock))
