"""The calibrated amplitude really gives the target, however it was found."""

from dataclasses import dataclass

import numpy as np
import pytest
from conftest import STRONG, WEAK
from reference import peaks

from gbaexplore import CalibratedAmplitude, Peak, ThresholdLinear, UserError, run
from gbaexplore.measures.calibrated_amplitude import LEAST, _Search
from gbaexplore.verification.rows import calibration_rows

WINDOW = (1.75, 5.0)
V1 = CalibratedAmplitude(area="V1", target=100.0, window=WINDOW)


@dataclass(frozen=True)
class NotDeclared(ThresholdLinear):
    """The same model, which does not say that it is homogeneous."""

    def homogeneous(self, values):
        return False


def calibrated(make_study, run_all, **parts):
    return run_all(make_study(**{"measures": [V1], "duration": 5.0, "precision": "float64", **parts}))


def test_the_published_amplitudes_are_recovered(macaque):
    rows = calibration_rows(macaque)
    assert len(rows) == 12
    for row in rows:
        assert row.passed, row
    printed = {row.text: f"{row.ours:.{len(row.text.split('.')[1])}f}" for row in rows if "strong" in row.what}
    assert printed == {text: text for text in ("11.54", "37.8", "11.18", "13.63")}


@pytest.mark.parametrize(("precision", "rtol"), [("float64", 1e-9), ("float32", 3e-5)])
def test_homogeneity_and_bracketing_agree(make_study, run_all, precision, rtol):
    axes = {"muEE": [28.0, 33.7, 36.0, 51.5], "omegaEI": [19.7, 25.2]}
    scaled = calibrated(make_study, run_all, axes=axes, precision=precision)
    solved = calibrated(make_study, run_all, axes=axes, precision=precision, model=NotDeclared())
    np.testing.assert_allclose(solved["calibrated_amplitude"], scaled["calibrated_amplitude"], rtol=rtol)
    np.testing.assert_allclose(solved["calibrated_peak"], scaled["calibrated_peak"], rtol=rtol)
    # muEE 36 and 51.5 run away at omegaEI 19.7: no amplitude above 1e-3 Hz keeps them bounded; 0, never NaN.
    found = scaled["calibrated_amplitude"] > 0
    np.testing.assert_array_equal(found, [[True, True], [True, True], [False, True], [False, True]])
    np.testing.assert_array_equal(scaled["calibrated_peak"], np.where(found, 100.0, 0.0))


@pytest.mark.slow
def test_without_homogeneity_the_amplitude_gives_the_target(make_study, run_all, macaque):
    rest = {"restE": 12.0, "restI": 40.0}
    found = calibrated(make_study, run_all, fixed=rest, axes={"muEE": [33.7, 51.5], "omegaEI": [25.2]})
    for muEE, amplitude in zip((33.7, 51.5), found["calibrated_amplitude"][:, 0]):
        rise, _ = peaks(
            macaque.values["hierarchy"],
            macaque.weights,
            amplitude=amplitude,
            muEE=[muEE],
            omegaEI=25.2,
            update="sequential",
            **rest,
        )
        assert rise[0, 0] == pytest.approx(100.0, rel=1e-9)
    again = run_all(
        make_study(
            axes={"muEE": [33.7], "amplitude": found["calibrated_amplitude"][0, 0] * np.array([1.0, 1e-3])},
            fixed={**rest, "omegaEI": 25.2},
            measures=[Peak(window=WINDOW)],
            precision="float64",
        )
    )["peak_rate"][0, :, 0]
    assert again[0] == pytest.approx(100.0, rel=1e-9)
    # A thousandth of the amplitude reaches no floor, and does not give a thousandth of the peak.
    assert abs(again[1] / 0.1 - 1) > 1e-3


def test_what_is_homogeneous():
    values = {name: np.array([getattr(ThresholdLinear(), name)]) for name in ThresholdLinear.parameters()}
    assert ThresholdLinear().homogeneous(values)
    assert not ThresholdLinear().homogeneous(values | {"restE": np.array([10.0, 12.0])})
    assert not ThresholdLinear(background=False).homogeneous(values)
    zero = {"thresholdE": np.zeros(1), "thresholdI": np.zeros(1)}
    assert ThresholdLinear(background=False).homogeneous(values | zero)


def test_another_area_variant_and_start(make_study, run_all, macaque):
    """The amplitude belongs to each label, and does not depend on the study's own."""
    measure = CalibratedAmplitude(area="24c", target=1e-3, window=WINDOW)
    axes = {
        "feedback": {"on": macaque, "off": macaque.without_feedback()},
        "muEE": [STRONG["muEE"]],
        "omegaEI": [STRONG["omegaEI"]],
        "amplitude": [1.0, 300.0],
    }
    found = calibrated(make_study, run_all, axes=axes, connectome=None, measures=[measure])["calibrated_amplitude"]
    np.testing.assert_allclose(found[..., 0], found[..., 1], rtol=1e-12)
    assert found[1, 0, 0, 0] > 2 * found[0, 0, 0, 0]
    # 24c rises by 0.951788 Hz for 11.54 x 1.9 Hz.
    assert found[0, 0, 0, 0] == pytest.approx(11.54 * 1.9 / 951.788, rel=1e-6)


@pytest.mark.slow
def test_a_target_above_the_ceiling_has_no_amplitude(make_study, run_all):
    axes = {name: [value] for name, value in WEAK.items()}
    for model in (ThresholdLinear(), NotDeclared()):
        found = calibrated(make_study, run_all, axes=axes, model=model, ceiling=80.0, precision="float32")
        assert found["calibrated_amplitude"].item() == found["calibrated_peak"].item() == 0


def test_it_is_a_variable_of_the_store(make_study, tmp_path):
    axes = {"muEE": [28.0, 33.7], "omegaEI": [19.7]}
    ds = run(make_study(axes=axes, measures=[V1, Peak(window=WINDOW)], duration=5.0), store=tmp_path)
    assert ds.calibrated_amplitude.dims == ("muEE", "omegaEI")
    assert ds.calibrated_amplitude.attrs["units"] == "Hz"
    assert ds.calibrated_peak.attrs["units"] == "Hz"
    expected = 22.05 * 1.9 * 100 / ds.peak_rate.sel(area="V1", drop=True)
    np.testing.assert_allclose(ds.calibrated_amplitude, expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        (lambda: CalibratedAmplitude(target=0.0), r"target=0.0\): expected a finite number above 0"),
        (lambda: CalibratedAmplitude(target=float("nan")), "target of .* = nan; expected a finite number"),
        (lambda: CalibratedAmplitude(area="v1"), 'no area "v1" in macaque29; did you mean "V1"'),
        (lambda: CalibratedAmplitude(window=(4.0, 11.0)), "window of Peak is 4 to 11 s, the run 0 to 10 s"),
        (lambda: CalibratedAmplitude(of="e"), r'CalibratedAmplitude\(of="e"\): no such observable'),
    ],
)
def test_bad_calibrations(make_study, measure, message):
    with pytest.raises(UserError, match=message):
        make_study(measures=[measure()])


def searched(response, guess=1.0, ceiling=np.inf):
    """The search alone, on a made-up response of one point; also the number of runs."""
    search = _Search(np.array([guess]), 100.0, "float64")
    runs = 0
    while search.open[0] and runs < 100:
        runs += 1
        peak = response(search.guess)
        search.learn(np.array([0]), np.minimum(peak, ceiling), peak <= ceiling)
    return search.amplitude[0], search.peak[0], runs


@pytest.mark.parametrize("guess", [1e-3, 1.0, 1e5])
@pytest.mark.parametrize("ceiling", [np.inf, 500.0])
def test_the_search_on_made_up_responses(guess, ceiling):
    root = {
        "square": (lambda a: a**2, 10.0),
        "threshold": (lambda a: np.maximum(a - 50, 0), 150.0),
        "root": (lambda a: np.sqrt(a), 1e4),
        "exponential": (lambda a: np.expm1(np.minimum(a, 700)), np.log(101)),
    }
    for name, (response, expected) in root.items():
        amplitude, peak, runs = searched(response, guess, ceiling)
        assert amplitude == pytest.approx(expected, rel=1e-9), name
        assert peak == pytest.approx(100, rel=1e-9)
        assert runs < 60


def test_the_search_gives_up_where_there_is_nothing():
    assert searched(lambda a: np.tanh(a) * 99)[:2] == (0, 0)  # never reaches the target
    assert searched(lambda a: 0 * a)[:2] == (0, 0)
    assert searched(lambda a: np.where(a < 3, 50.0, 150.0))[:2] == (0, 0)  # jumps over it
    assert searched(lambda a: a * 1e9 / LEAST, ceiling=500.0)[:2] == (0, 0)  # runs away at any amplitude
