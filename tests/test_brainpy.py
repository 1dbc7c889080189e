"""The simulator against the source notebook's model in BrainPy, which runs in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import STRONG, WEAK

from gbaexplore import Pulse

NOTEBOOK = Path(__file__).with_name("brainpy_notebook.py")
REGIMES = {"weak": (WEAK, 22.05 * 1.9), "strong": (STRONG, 11.54 * 1.9)}
FEEDBACK = ("on", "off")


def brainpy_peaks(precision, cases):
    """The peak change of every area in each case, from the other process."""
    command = [sys.executable, "-W", "error", str(NOTEBOOK), precision]
    done = subprocess.run(command, input=json.dumps(cases), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return [np.array(values) for values in json.loads(done.stdout)]


def case(connectome, **parameters):
    return {"hierarchy": connectome.hierarchy.tolist(), "fln": connectome.fln.tolist(), **parameters}


@pytest.fixture(scope="module")
def variants(macaque):
    return dict(zip(FEEDBACK, (macaque, macaque.without_feedback())))


@pytest.fixture(scope="module")
def expected(variants):
    """BrainPy's float64 peaks, {(regime, feedback): (area,)}."""
    keys = [(regime, feedback) for regime in REGIMES for feedback in FEEDBACK]
    cases = []
    for regime, feedback in keys:
        parameters, amplitude = REGIMES[regime]
        cases.append(case(variants[feedback], **parameters, amplitude=amplitude))
    return dict(zip(keys, brainpy_peaks("float64", cases)))


def ours(make_study, run_all, variants, precision="float64", amplitude=22.05 * 1.9, **axes):
    """The package's peaks, (feedback, *axes, area)."""
    study = make_study(
        connectome=None,
        axes={"feedback": variants, **axes},
        stimulus=Pulse(area="V1", onset=2.0, duration=0.25, amplitude=amplitude),
        precision=precision,
    )
    return run_all(study)["peak_rate"]


@pytest.mark.parametrize("regime", REGIMES)
def test_every_area_agrees_with_brainpy_in_float64(make_study, run_all, variants, expected, regime):
    parameters, amplitude = REGIMES[regime]
    axes = {name: [value] for name, value in parameters.items()}
    found = ours(make_study, run_all, variants, amplitude=amplitude, **axes)[:, 0, 0]
    for feedback, peak in zip(FEEDBACK, found):
        values = expected[regime, feedback]
        print(regime, feedback, np.sort(values)[:5], np.max(np.abs(peak - values)), np.max(np.abs(peak/np.where(values>0,values,np.nan)-1)[values>0]), [(a, b) for a, b in zip(peak, values) if b < 1e-6 or a < 1e-6])


@pytest.mark.parametrize(
    ("regime", "V1", "last"), [("weak", "100.0370", "0.00595078"), ("strong", "97.0062", "0.951788")]
)
def test_brainpy_gives_the_published_peaks_to_their_printed_digits(macaque, expected, regime, V1, last):
    peak = expected[regime, "on"]
    for area, printed in {"V1": V1, "24c": last}.items():
        digits = len(printed.split(".")[1])
        assert f"{peak[macaque.index(area)]:.{digits}f}" == printed


