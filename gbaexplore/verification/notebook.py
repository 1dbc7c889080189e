"""The published notebook's model, in BrainPy."""

from __future__ import annotations

import functools
import json
import sys
from typing import Any

import numpy as np


@functools.cache
def notebook_model() -> Any:
    """Return the published notebook's network as a class of BrainPy's: raw rates, times in ms, E before I.

    It is the notebook's model brought to the current BrainPy, and shares nothing with the simulator. A step
    updates E first, and the inhibitory current then sees the new E and the old I. The first area is the one
    that is stimulated.
    """
    import brainpy as bp
    import brainpy.math as bm

    tauE, tauI = 20.0, 10.0  # ms
    betaE, betaI = 0.066, 0.351  # Hz/pA
    omegaEE, omegaIE, omegaII, muIE = 24.3, 12.2, 12.5, 25.3  # pA/Hz
    restE, restI = 10.0, 35.0  # Hz: the steady state, and the thresholds

    class Cortex(bp.DynamicalSystem):
        def __init__(self, hierarchy: Any, fln: Any, muEE: Any, omegaEI: Any) -> None:
            super().__init__()
            self.gain = 1.0 + 0.68 * bm.as_jax(hierarchy)
            self.fln = bm.as_jax(fln)
            self.muEE = muEE
            self.omegaEI = omegaEI
            areas = len(hierarchy)
            self.E = bm.Variable(bm.ones(areas) * restE)
            self.I = bm.Variable(bm.ones(areas) * restI)
            # In the steady state the current equals the rate; what recurrence lacks, the background gives.
            self.background_E = restE - self.recurrent_E()
            self.background_I = restI - self.recurrent_I()

        def recurrent_E(self) -> Any:
            E, I = self.E.value, self.I.value
            return betaE * (self.gain * (omegaEE * E + self.muEE * (self.fln @ E)) - self.omegaEI * I)

        def recurrent_I(self) -> Any:
            E, I = self.E.value, self.I.value
            return betaI * (self.gain * (omegaIE * E + muIE * (self.fln @ E)) - omegaII * I)

        def update(self, stimulus: Any) -> None:
            dt = bp.share["dt"]
            current = (self.recurrent_E() + self.background_E).at[0].add(stimulus)
            self.E.value = self.E.value + dt / tauE * (-self.E.value + bm.maximum(current, restE))
            # Only now, so that it sees the new E.
            current = self.recurrent_I() + self.background_I
            self.I.value = self.I.value + dt / tauI * (-self.I.value + bm.maximum(current, restI))

    return Cortex


def notebook_traces(hierarchy: Any, fln: Any, muEE: Any, omegaEI: Any, amplitude: Any) -> Any:
    """Return E at every step of the notebook's run of 10 s, (step, area), Hz, in BrainPy's current precision.

    The pulse, of `amplitude` Hz, is on for 2 s <= t < 2.25 s; the step is 0.2 ms.
    """
    import brainpy as bp

    pulse = bp.inputs.section_input([0.0, 1.0, 0.0], durations=[2000.0, 250.0, 7750.0], dt=0.2)
    model = notebook_model()(hierarchy, fln, muEE, omegaEI)
    runner = bp.DSRunner(model, monitors=["E"], dt=0.2, progress_bar=False, numpy_mon_after_run=False)
    runner.run(inputs=amplitude * pulse)
    return runner.mon["E"]


def notebook_change(traces: Any) -> np.ndarray:
    """Return the largest rise from 1.75 s on, before 5 s: (..., step, area) -> (..., area), Hz."""
    seen = np.asarray(traces)[..., 8750:25000, :]
    return np.max(seen, axis=-2) - seen[..., 0, :]


def brainpy_process() -> None:
    """Read cases as JSON from standard input, and print their peaks: BrainPy's x64 switch is for a whole process."""
    import brainpy.math as bm

    bm.enable_x64()
    found = [
        notebook_change(notebook_traces(**{name: np.asarray(value) for name, value in case.items()}))
        for case in json.load(sys.stdin)
    ]
    if any(values.dtype != np.float64 for values in found):
        raise RuntimeError("BrainPy did not compute in float64")
    json.dump([values.tolist() for values in found], sys.stdout)
