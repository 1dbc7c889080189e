"""The simulator against the source notebook's model in BrainPy, which runs in a process of its own."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import STRONG, WEAK

from gbaexplore import Pulse

pytestmark = pytest.mark.slow

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
    return {"hierarchy": connectome.values["hierarchy"].tolist(), "fln": connectome.weights.tolist(), **parameters}


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


def ours(make_study, run_all, variants, precision, amplitude, **axes):
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
    found = ours(make_study, run_all, variants, "float64", amplitude, **axes)[:, 0, 0]
    for feedback, peak in zip(FEEDBACK, found):
        assert peak.shape == (29,)
        # 1e-14: what float64 keeps of a change on top of 10 Hz. Areas that nothing reaches are 0 up to that;
        # the smallest other response, without feedback, is 9e-8 Hz.
        np.testing.assert_allclose(peak, expected[regime, feedback], rtol=1e-6, atol=1e-14)


@pytest.mark.parametrize(
    ("regime", "V1", "last"), [("weak", "100.0370", "0.00595078"), ("strong", "97.0062", "0.951788")]
)
def test_brainpy_gives_the_published_peaks_to_their_printed_digits(macaque, expected, regime, V1, last):
    peak = expected[regime, "on"]
    for area, printed in {"V1": V1, "24c": last}.items():
        digits = len(printed.split(".")[1])
        assert f"{peak[macaque.index(area)]:.{digits}f}" == printed


def test_the_notebooks_float32_loses_the_far_end_and_ours_does_not(make_study, run_all, macaque):
    muEE, amplitude = [28.0, 30.0, 32.0, 34.0], 21.8 * 1.9
    V1, last = macaque.index("V1"), macaque.index("24c")
    (theirs,) = brainpy_peaks("float32", [case(macaque, muEE=muEE, omegaEI=19.7, amplitude=amplitude)])
    (found,) = ours(make_study, run_all, {"on": macaque}, "float32", amplitude, muEE=muEE)
    np.testing.assert_allclose(theirs[:, V1], found[:, V1], rtol=1e-4)
    # A step adds a hundredth of the current's change, which is lost on top of 10 Hz below 5e-5 Hz.
    np.testing.assert_array_equal(theirs[:3, last], 0)
    np.testing.assert_allclose(found[:, last], [2.50922e-06, 7.24225e-06, 3.11993e-05, 1.82448e-02], rtol=1e-4)
