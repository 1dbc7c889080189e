"""Print how many points a second BrainPy's jit(vmap) runs, as the notebook does it: 10 s, traces kept, all cores.

`brainpy_rate.py POINTS`: so many at once.
"""

import sys

import numpy as np
from shell import ROOT, best

from gbaexplore import load_connectome

sys.path.insert(0, str(ROOT / "tests" / "verification"))
from brainpy_notebook import traces_batch

if __name__ == "__main__":
    macaque = load_connectome("macaque29")
    muEE = np.linspace(28, 34, int(sys.argv[1]))
    print(
        len(muEE)
        / best(lambda: traces_batch(macaque.values["hierarchy"], macaque.weights, muEE).block_until_ready(), 4)
    )
