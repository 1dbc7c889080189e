"""The model as a BrainPy user writes it: an independent reference, and the baseline that benchmarks compare with.

Rates are raw (10 Hz and 35 Hz at rest, not changes from it), times are in ms, and a step updates E first: the
inhibitory current then sees the new E and the old I. The model is `notebook_model` in `gbaexplore.verification`, which
shares nothing with the simulator.

As a program, `python brainpy_notebook.py float64|float32` reads a JSON list of keyword arguments from its standard
input, of `peaks` or of `traces_batch`, and prints the peaks as JSON. That is how the tests run it: BrainPy's x64
switch is for a whole process.

As a module, for timing (float32 unless x64 was switched on; the first call compiles, so make one before):

    traces = traces_batch(hierarchy, fln, np.linspace(28, 34, 64))
    traces.block_until_ready()  # (64, 50000, 29): 5.8 MB a point
"""

import json
import sys

import brainpy.math as bm
import jax
import numpy as np

from gbaexplore.verification.notebook import notebook_change as change
from gbaexplore.verification.notebook import notebook_traces as traces

_mapped = jax.jit(jax.vmap(traces, in_axes=(None, None, 0, 0, None)))


def traces_batch(hierarchy, fln, muEE, omegaEI=19.7, amplitude=21.8 * 1.9):
    """Return E at every step of every point, (point, step, area), Hz.

    Args:
        hierarchy: (area,), in 0 to 1. fln: (area, area), row = target.
        muEE, omegaEI: (point,), or one number for all points; at least one has to be an array.
        amplitude: of the pulse, Hz.
    """
    return _mapped(hierarchy, fln, *np.broadcast_arrays(muEE, omegaEI), amplitude)


def peaks(hierarchy, fln, muEE, omegaEI, amplitude):
    """Return the peak change of E in each area, (area,), Hz, in one run of its own."""
    return change(traces(np.asarray(hierarchy), np.asarray(fln), muEE, omegaEI, amplitude))


def main():
    """Print the peaks of the cases on standard input."""
    precision = sys.argv[1]
    cases = json.load(sys.stdin)
    if precision == "float64":
        bm.enable_x64()
        found = [peaks(**case) for case in cases]
    else:
        found = [change(traces_batch(**{name: np.asarray(value) for name, value in case.items()})) for case in cases]
    for values in found:
        assert values.dtype == precision, f"rates are {values.dtype}; expected {precision}"
    json.dump([values.tolist() for values in found], sys.stdout)


if __name__ == "__main__":
    main()
