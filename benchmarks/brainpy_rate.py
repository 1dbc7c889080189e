"""Print how many points a second BrainPy's jit(vmap) runs, as the notebook does it: 10 s, traces kept, all cores."""

import sys
import time

import numpy as np
from shell import ROOT

from gbaexplore import load_connectome

sys.path.insert(0, str(ROOT / "tests"))
from brainpy_notebook import traces_batch

POINTS = 64

if __name__ == "__main__":
    macaque = load_connectome("macaque29")
    muEE = np.linspace(28, 34, POINTS)
    seconds = []
    for _ in range(4):
        started = time.perf_counter()
        traces_batch(macaque.hierarchy, macaque.fln, muEE).block_until_ready()
        seconds.append(time.perf_counter() - started)
    print(POINTS / min(seconds[1:]))  # the first one compiled
