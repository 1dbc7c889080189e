"""Models with several inputs, each with a unit and a stimulus of its own."""

from dataclasses import dataclass

import numpy as np
import pytest

from gbaexplore import (
    CalibratedAmplitude,
    Final,
    ODEModel,
    Peak,
    Pulse,
    Sensitivity,
    SpectralAbscissa,
    Stimulus,
    Study,
    UserError,
    parameter,
    replay,
    run,
    simulate,
)
from gbaexplore.store import stores


@dataclass(frozen=True)
class Driven(ODEModel):
    """A rate that a current drives, and a slower one that a rate from elsewhere does."""

    tau: float = parameter(0.02, units="s", doc="time constant", above=0)
    w: float = parameter(0.3, units="1", doc="coupling")
    g: float = parameter(0.1, units="Hz/pA", doc="gain of the current")
    observables = {"r": "Hz", "s": "Hz"}
    inputs = {"I": "pA", "drive": "Hz"}

    def derivative(self, x, p, net, stimulus):
        arrives = p.w * (net.weights @ x.r)
        return {"r": (arrives + p.g * stimulus.I - x.s - x.r) / p.tau, "s": (stimulus.drive + x.r - x.s) / 0.1}

    def starts_at_rest(self, values):
        return True


CURRENT = Pulse(area="V1", onset=0.05, duration=0.1, amplitude=300.0)
DRIVE = Stimulus(
    {"V2": lambda t: np.where(t < 0.12 - 1e-9, 1, 3), "V4": lambda t: 1 + 0 * t},
    onset=0.1,
    duration=0.06,
    amplitude=4.0,
)
BOTH = {"drive": DRIVE, "I": CURRENT}


def study(macaque, measures, **parts):
    given = dict(
        model=Driven(), axes={"w": np.linspace(0.1, 2, 9)}, connectome=macaque, stimulus=BOTH, dt=1e-3, duration=0.4
    )
    return Study("driven", measures=measures, **{**given, **parts})


def integrated(net, w, I=300.0, drive=4.0, steps=400, dt=1e-3):
    """Both rates after each step, by Euler's method in float64: (step, area)."""
    r, s, found = np.zeros(29), np.zeros(29), []
    V1, V2, V4 = (net.index(area) for area in ("V1", "V2", "V4"))
    for k in range(steps):
        into_r, into_s = np.zeros(29), np.zeros(29)
        into_r[V1] = I * (50 <= k < 150)
        into_s[[V2, V4]] = np.array([1 if k < 120 else 3, 1]) * drive * (100 <= k < 160)
        slope = (w * net.weights @ r + 0.1 * into_r - s - r) / 0.02
        r, s = r + dt * slope, s + dt * (into_s + r - s) / 0.1
        found.append((r, s))
    return np.array(found)


def test_each_input_is_driven_by_its_own_stimulus(macaque, run_all):
    """Against an integration in NumPy, along an axis of the amplitude of one of them."""
    asked = study(macaque, [Peak(), Final(of="s")], axes={"amplitude_I": [0.0, 300.0, 900.0]}, precision="float64")
    found = run_all(asked)
    for i, I in enumerate((0.0, 300.0, 900.0)):
        expected = integrated(macaque, 0.3, I=I)
        np.testing.assert_allclose(found["peak_rate"][i], expected[:, 0].max(axis=0).clip(0), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found["final_rate"][i], expected[-1, 1], rtol=1e-9, atol=1e-12)
    assert asked.template().amplitude_I.attrs == {"units": "pA", "long_name": "amplitude of the stimulus into I"}


@pytest.mark.slow
def test_time_courses_and_a_store_have_them_too(macaque, tmp_path):
    one = simulate(Driven(), macaque, BOTH, dt=1e-3, duration=0.4, precision="float64", amplitude_drive=2.0, w=2.0)
    np.testing.assert_allclose(one.s, integrated(macaque, 2.0, drive=2.0)[:, 1], rtol=1e-9, atol=1e-12)
    asked = study(macaque, [Peak()], axes={"w": [0.5, 2.0]}, fixed={"amplitude_drive": 2.0}, precision="float64")
    run(asked, tmp_path / "driven.zarr")
    again = replay(tmp_path / "driven.zarr", study=asked, w=2.0)
    np.testing.assert_array_equal(again.s, one.s)
    level = stores.read_input(tmp_path / "driven.zarr", "stimuli", "all")["level"]
    np.testing.assert_array_equal(level.sel(input="I").max("piece") > 0, level.area == "V1")
    np.testing.assert_array_equal(level.sel(input="drive").max("piece") > 0, level.area.isin(["V2", "V4"]))


def test_points_have_the_same_bits_in_any_batch_and_may_end_early(macaque, run_all, run_in_full):
    asked = study(macaque, [Peak()])
    whole, full, alone = run_all(asked), run_in_full(asked), run_all(study(macaque, [Peak()], axes={"w": [2.0]}))
    np.testing.assert_array_equal(whole["peak_rate"], full["peak_rate"])
    np.testing.assert_array_equal(whole["peak_rate"][-1], alone["peak_rate"][0])


@pytest.mark.slow
def test_labels_may_give_some_of_them(macaque, run_all):
    """Along two axes of labels, and as a study of one."""
    later = Pulse(area="V4", onset=0.1, duration=0.1, amplitude=50.0)
    axes = {
        "current": {"V1": {"I": CURRENT}, "V4": {"I": later}},
        "drive": {"on": {"drive": DRIVE}, "late": {"drive": later}},
    }
    together = study(macaque, [Peak()], stimulus=None, axes=axes)
    found = run_all(together)["peak_rate"].reshape(2, 2, 29)
    own = study(macaque, [Peak()], stimulus={"I": later}, axes={"drive": axes["drive"]})
    np.testing.assert_array_equal(run_all(own)["peak_rate"], found[1])
    picked = together.at({"current": "V4"}, {}).at({"drive": "late"}, {})
    np.testing.assert_array_equal(run_all(picked)["peak_rate"].ravel(), found[1, 1])


def test_an_input_that_nothing_drives_is_silent(macaque):
    silent = simulate(Driven(), macaque, {"I": CURRENT}, dt=1e-3, duration=0.4, precision="float64", w=2.0)
    np.testing.assert_allclose(silent.r, integrated(macaque, 2.0, drive=0.0)[:, 0], rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_amplitudes_are_parameters(macaque, run_all):
    """One for each area, a function of others, a sensitivity; "amplitude" multiplies all."""
    per_area = study(macaque, [Peak()], fixed={"amplitude_I": {"V1": 300.0, ...: 7.0}})
    np.testing.assert_array_equal(run_all(per_area)["peak_rate"], run_all(study(macaque, [Peak()]))["peak_rate"])
    wants = [
        Final(of="s", window=(0.0, 0.2)),
        Sensitivity(Final(of="s", window=(0.0, 0.2)), ("amplitude_drive", "amplitude")),
    ]
    parts = dict(axes={"amplitude_I": [100.0, 300.0]}, precision="float64")
    found = run_all(study(macaque, wants, derived={"amplitude_drive": lambda amplitude_I: amplitude_I / 75}, **parts))
    final, slope = found["final_rate"], found["d_final_rate"]
    np.testing.assert_allclose(slope[..., 1], final, rtol=1e-9, atol=1e-12)  # the model is linear
    undriven = run_all(study(macaque, wants[:1], fixed={"amplitude_drive": 0.0}, **parts))["final_rate"]
    np.testing.assert_allclose(slope[1, :, 0] * 4.0, (final - undriven)[1], rtol=1e-9, atol=1e-9)


def test_a_linearisation_and_a_calibration_take_them(macaque, run_all):
    found = run_all(study(macaque, [SpectralAbscissa(), CalibratedAmplitude(area="V2", target=1.0)], axes={"w": [0.5]}))
    assert found["spectral_abscissa"] < 0
    c = found["calibrated_amplitude"][0]
    one = simulate(Driven(), macaque, BOTH, dt=1e-3, duration=0.4, w=0.5, amplitude=c)
    assert one.r.sel(area="V2").max().item() == pytest.approx(1.0, rel=1e-4)
    assert study(macaque, [CalibratedAmplitude()]).template().calibrated_amplitude.attrs["units"] == "1"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"stimulus": CURRENT}, r'the Pulse does not say into which; expected {"I": Pulse\(...\)}'),
        ({"stimulus": {"Drive": DRIVE}}, 'Driven has no input "Drive"; did you mean "drive"'),
        ({"stimulus": {"I": 3.0}}, "stimulus has 'I': float; expected the model's inputs"),
        ({"stimulus": {"I": BOTH}}, "stimulus has 'I': dict"),
        ({"axes": {"I": {"a": {"I": CURRENT}, "b": {"I": CURRENT}}}}, "more than one stimulus"),
        ({"fixed": {"amplitude_i": 3.0}}, 'no parameter "amplitude_i"'),
    ],
)  # fmt: skip
def test_mistakes_are_one_clear_line(macaque, given, message):
    with pytest.raises(UserError, match=message):
        study(macaque, [Peak()], **given)


def test_a_wrong_name_in_the_equations_names_the_line(macaque):
    class Misspelt(Driven):
        def derivative(self, x, p, net, stimulus):
            return {"r": stimulus.i - x.r, "s": -x.s}

    with pytest.raises(UserError, match='no input "i"; did you mean "I"'):
        run(study(macaque, [Peak()], model=Misspelt()))


def test_a_model_with_one_input_takes_no_names(macaque):
    class Plain(ODEModel):
        observables = {"r": "Hz"}

        def derivative(self, x, p, net, stimulus):
            return {"r": stimulus - x.r}

    with pytest.raises(UserError, match="Plain has one input, without a name, and the stimulus is into I"):
        simulate(Plain(), macaque, {"I": CURRENT}, dt=1e-3, duration=0.4)
    with pytest.raises(TypeError, match="amplitude_I"):
        Driven(amplitude_I=3.0)
