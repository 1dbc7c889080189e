"""The model as a BrainPy user writes it: an independent reference, and the baseline that benchmarks compare with.

Rates are raw (10 Hz and 35 Hz at rest, not changes from it), times are in ms, and a step updates E first: the
inhibitory current then sees the new E and the old I. Nothing is shared with the package.

As a program, `python brainpy_notebook.py float64|float32` reads a JSON list of keyword arguments from its standard
input, of `peaks` or of `traces_batch`, and prints the peaks as JSON. That is how the tests run it: BrainPy's x64
switch is for a whole process.

As a module, for timing (float32 unless x64 was switched on; the first call compiles, so make one before):

    traces = traces_batch(hierarchy, fln, np.linspace(28, 34, 64))
    traces.block_until_ready()  # (64, 50000, 29): 5.8 MB a point
"""

import json
import sys

import brainpy as bp
import brainpy.math as bm
import jax
import numpy as np

DT = 0.2  # ms
WINDOW = slice(8750, 25000)  # samples at 1.75 s <= t < 5 s; sample k is the state after step k

ETA = 0.68
BETA_E, BETA_I = 0.066, 0.351  # Hz/pA
TAU_E, TAU_I = 20.0, 10.0  # ms
OMEGA_EE, OMEGA_IE, OMEGA_II, MU_IE = 24.3, 12.2, 12.5, 25.3  # pA/Hz
REST_E, REST_I = 10.0, 35.0  # Hz: the steady state, and the thresholds


class Cortex(bp.DynamicalSystem):
    """An excitatory and an inhibitory rate in each area; the first area is the one that is stimulated."""

    def __init__(self, hierarchy, fln, muEE, omegaEI):
        super().__init__()
        self.gain = 1.0 + ETA * bm.as_jax(hierarchy)
        self.fln = bm.as_jax(fln)
        self.muEE = muEE
        self.omegaEI = omegaEI
        areas = len(hierarchy)
        self.E = bm.Variable(bm.ones(areas) * REST_E)
        self.I = bm.Variable(bm.ones(areas) * REST_I)
        # In the steady state the current equals the rate; what recurrence lacks, the background gives.
        self.background_E = REST_E - self.recurrent_E()
        self.background_I = REST_I - self.recurrent_I()

    def recurrent_E(self):
        E, I = self.E.value, self.I.value
        return BETA_E * (self.gain * (OMEGA_EE * E + self.muEE * (self.fln @ E)) - self.omegaEI * I)

    def recurrent_I(self):
        E, I = self.E.value, self.I.value
        return BETA_I * (self.gain * (OMEGA_IE * E + MU_IE * (self.fln @ E)) - OMEGA_II * I)

    def update(self, stimulus):
        dt = bp.share["dt"]
        current = (self.recurrent_E() + self.background_E).at[0].add(stimulus)
        self.E.value = self.E.value + dt / TAU_E * (-self.E.value + bm.maximum(current, REST_E))
        # Only now, so that it sees the new E.
        current = self.recurrent_I() + self.background_I
        self.I.value = self.I.value + dt / TAU_I * (-self.I.value + bm.maximum(current, REST_I))


def traces(hierarchy, fln, muEE, omegaEI, amplitude):
    """Return E at every step of a run of 10 s, (step, area), Hz; the pulse is on for 2 s <= t < 2.25 s."""
    pulse = bp.inputs.section_input([0.0, 1.0, 0.0], durations=[2000.0, 250.0, 7750.0], dt=DT)
    model = Cortex(hierarchy, fln, muEE, omegaEI)
    runner = bp.DSRunner(model, monitors=["E"], dt=DT, progress_bar=False, numpy_mon_after_run=False)
    runner.run(inputs=amplitude * pulse)
    return runner.mon["E"]


_mapped = jax.jit(jax.vmap(traces, in_axes=(None, None, 0, 0, None)))


def traces_batch(hierarchy, fln, muEE, omegaEI=19.7, amplitude=21.8 * 1.9):
    """Return E at every step of every point, (point, step, area), Hz.

    Args:
        hierarchy: (area,), in 0 to 1. fln: (area, area), row = target.
        muEE, omegaEI: (point,), or one number for all points; at least one has to be an array.
        amplitude: of the pulse, Hz.
    """
    return _mapped(hierarchy, fln, *np.broadcast_arrays(muEE, omegaEI), amplitude)


def change(traces):
    """Return the largest rise since the window's start, from (..., step, area) to (..., area)."""
    seen = np.asarray(traces)[..., WINDOW, :]
    return np.max(seen, axis=-2) - seen[..., 0, :]


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
