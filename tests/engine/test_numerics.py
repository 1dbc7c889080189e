"""The simulator against an independent float64 integration, and the published numbers."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import pandas as pd
import pytest
from conftest import STRONG, WEAK
from reference import peaks

from gbaexplore import ODEModel, Peak, Pulse, Stimulus, Study, ThresholdLinear, parameter

MUEE = [28.0, 31.0, 33.7, 42.1, 51.5, 53.0]
OMEGAEI = [19.0, 19.7, 22.5, 25.2, 26.0]


def on_and_off(macaque):
    return {"on": macaque, "off": macaque.without_feedback()}


def reference_map(connectome, update):
    mu, om = (a.ravel() for a in np.meshgrid(MUEE, OMEGAEI, indexing="ij"))
    return peaks(connectome.values["hierarchy"], connectome.weights, muEE=mu, omegaEI=om, update=update)


@pytest.mark.slow
@pytest.mark.parametrize("update", ["sequential", "simultaneous"])
@pytest.mark.parametrize(("precision", "tolerance"), [("float32", 1e-4), ("float64", 1e-6)])
def test_every_area_agrees_with_numpy_at_both_ends_of_the_map(
    make_study, run_all, macaque, update, precision, tolerance
):
    variants = on_and_off(macaque)
    study = make_study(
        model=ThresholdLinear(update=update),
        connectome=None,
        axes={"muEE": MUEE, "omegaEI": OMEGAEI, "feedback": variants},
        precision=precision,
    )
    found = run_all(study)
    for i, connectome in enumerate(variants.values()):
        expected, when = reference_map(connectome, update)
        peak = found["peak_rate"][:, :, i].reshape(-1, 29).T
        time = found["time_to_peak"][:, :, i].reshape(-1, 29).T
        bounded = (expected <= 500).all(axis=0)
        np.testing.assert_array_equal(found["status"][:, :, i].ravel() == 1, bounded)
        assert 5 < bounded.sum() < bounded.size, "the sample must have both bounded and diverged points"
        seen = expected[:, bounded]
        assert seen[seen > 0].min() < 1e-7, "the tails must be in the sample"
        # 1e-14: what float64 keeps of a change when it is integrated on top of 10 Hz, as the reference does.
        np.testing.assert_allclose(peak[:, bounded], seen, rtol=tolerance, atol=1e-14)
        responds = seen > 0
        # Around a flat peak float32 may take a neighbouring step.
        np.testing.assert_allclose(time[:, bounded][responds], when[:, bounded][responds], atol=3e-3)
        assert np.isnan(peak[:, ~bounded]).all()
        assert np.isnan(time[:, ~bounded]).all()


PUBLISHED = {  # V1 weak, 24c weak, V1 strong, 24c strong, at dt = 0.2 ms in float64
    "sequential": ("100.0370", "0.00595078", "97.0062", "0.951788"),
    "simultaneous": ("100.0726", "0.00619437", "100.0115", "1.016820"),
}


@pytest.mark.parametrize("update", PUBLISHED)
def test_published_peaks_to_their_printed_digits(make_study, run_all, update):
    found = []
    for regime, amplitude in ((WEAK, 22.05 * 1.9), (STRONG, 11.54 * 1.9)):
        study = make_study(
            model=ThresholdLinear(update=update),
            axes={name: [value] for name, value in regime.items()},
            stimulus=Pulse(area="V1", onset=2.0, duration=0.25, amplitude=amplitude),
            precision="float64",
        )
        peak = run_all(study)["peak_rate"][0, 0]
        found += [peak[study.areas.index("V1")], peak[study.areas.index("24c")]]
    for value, printed in zip(found, PUBLISHED[update]):
        assert f"{value:.{len(printed.split('.')[1])}f}" == printed


FIG2C = {
    "sequential": {
        "on": "2.50922e-06 7.24225e-06 3.11993e-05 1.82448e-02",
        "off": "2.44100e-06 6.94397e-06 2.92822e-05 8.54465e-03 0.347905 3.65172 21.9588 96.7413",
    },
    "simultaneous": {
        "on": "4.71798e-06 1.28311e-05 5.07503e-05 1.89421e-02",
        "off": "4.54346e-06 1.21391e-05 4.68005e-05 8.80960e-03 0.355770 3.73006 22.4203 98.7472",
    },
}


@pytest.mark.parametrize("update", FIG2C)
def test_figure_2c_to_its_printed_digits(make_study, run_all, macaque, update):
    study = make_study(
        model=ThresholdLinear(update=update),
        connectome=None,
        axes={"muEE": np.arange(28, 43, 2), "feedback": on_and_off(macaque)},
        fixed={"omegaEI": 19.7},
        stimulus=Pulse(area="V1", onset=2.0, duration=0.25, amplitude=21.8 * 1.9),
        precision="float64",
    )
    found = run_all(study)
    peak = found["peak_rate"][..., study.areas.index("24c")]
    for i, feedback in enumerate(("on", "off")):
        printed = FIG2C[update][feedback].split()
        assert [f"{float(p):.5e}" for p in printed] == [f"{v:.5e}" for v in peak[: len(printed), i]]
    # With feedback the network runs away from muEE = 36 on.
    np.testing.assert_array_equal(found["status"][:, 0], [1] * 4 + [2] * 4)


@pytest.mark.slow
@pytest.mark.parametrize("update", ["sequential", "simultaneous"])
@pytest.mark.parametrize(
    ("model", "window"),
    [
        (dict(restE=20.0, restI=45.0), (1.75, 5.0)),  # above the thresholds: no rectification near rest
        (dict(background=False), (1.0, 3.0)),  # no steady state: the run starts from 0
        (dict(eta=0.3, tauE=0.03, muIE=20.0, thresholdE=5.0, restE=12.0), (1.75, 3.0)),
    ],
)
def test_other_steady_states_and_parameters_agree_with_numpy(make_study, run_all, macaque, update, model, window):
    study = make_study(
        model=ThresholdLinear(update=update, **model),
        axes={"muEE": [20.0, 30.0], "omegaEI": [19.7, 24.0]},
        measures=[Peak(window=window)],
        duration=5.0,
    )
    found = run_all(study)
    mu, om = (a.ravel() for a in np.meshgrid([20.0, 30.0], [19.7, 24.0], indexing="ij"))
    expected, _ = peaks(
        macaque.values["hierarchy"], macaque.weights, muEE=mu, omegaEI=om, update=update, window=window, **model
    )
    bounded = (expected <= 490).all(axis=0)
    assert bounded.any()
    # Without a steady state to measure changes from, float32 keeps 1e-7 of the rate itself.
    atol = 1e-4 if model.get("background") is False else 1e-9
    got = found["peak_rate"].reshape(-1, 29).T
    np.testing.assert_allclose(got[:, bounded], expected[:, bounded], rtol=1e-4, atol=atol)


def test_a_point_has_the_same_bits_in_any_batch(make_study, run_all, macaque):
    """Lanes, neighbours, queue position and padding change nothing."""
    rng = np.random.default_rng(1)
    mu, om = np.sort(rng.choice(np.linspace(31, 53, 221), 40, False)), np.linspace(19, 26, 15)
    whole = run_all(make_study(axes={"muEE": mu, "omegaEI": om}))
    assert {1, 2} <= set(whole["status"].ravel())
    alone = run_all(make_study(axes={"muEE": mu[7:8], "omegaEI": om[4:5]}))
    few = run_all(make_study(axes={"muEE": mu[5:30:3][::-1], "omegaEI": om[3:9]}))
    for name in whole:
        np.testing.assert_array_equal(whole[name][7, 4], alone[name][0, 0])
        np.testing.assert_array_equal(whole[name][5:30:3][::-1, 3:9], few[name])


@pytest.mark.slow
@pytest.mark.parametrize("feedback", ["on", "off"])
def test_ending_points_early_changes_no_bit(make_study, run_all, run_in_full, macaque, feedback):
    study = make_study(
        connectome=on_and_off(macaque)[feedback],
        axes={"muEE": np.linspace(31, 53, 221)[::6], "omegaEI": np.linspace(19, 26, 71)[::5]},
    )
    early, full = run_all(study), run_in_full(study)
    assert {1, 2} <= set(early["status"].ravel())
    for name in early:
        np.testing.assert_array_equal(early[name], full[name])


@dataclass(frozen=True)
class Released(ODEModel):
    """Fast inhibition outlasted by slow excitation: what both drive begins when they are at 1/20 of their peaks."""

    tau: float = parameter(0.1, units="s", doc="time constant", above=0)
    observables = {"slow": "Hz", "fast": "Hz", "driven": "Hz"}

    def derivative(self, x, p, net, stimulus):
        driven = jnp.maximum(x.slow - 20 * x.fast, 0)
        return {
            "slow": (stimulus - x.slow) / p.tau,
            "fast": (stimulus - x.fast) / (p.tau / 2),
            "driven": (driven - x.driven) / p.tau,
        }

    def starts_at_rest(self, values):
        return True


@pytest.mark.slow
def test_a_response_is_not_over_while_a_twentieth_of_it_can_drive_another(macaque, run_all, run_in_full):
    """Every variable is down to a fifth of its peak, or has not moved, long before the last one rises at all."""
    pulse = Pulse(area="V1", onset=0.1, duration=0.5, amplitude=100.0)
    parts = dict(connectome=macaque, stimulus=pulse, measures=[Peak(of="driven")], duration=1.6)
    study = Study(name="released", model=Released(), axes={"tau": [0.08, 0.1]}, **parts)
    early, full = run_all(study), run_in_full(study)
    assert (full["peak_rate"][:, macaque.index("V1")] > 0.5).all()
    np.testing.assert_array_equal(early["peak_rate"], full["peak_rate"])


@pytest.mark.slow
@pytest.mark.parametrize("window", [(1.75, 3.0), (2.0, 3.0), (2.1234, 3.0), (1.75, 2.9998)])
def test_windows_that_share_no_slice_with_the_pulse(make_study, run_all, run_in_full, macaque, window):
    study = make_study(measures=[Peak(window=window)])
    found, full = run_all(study), run_in_full(study)
    mu, om = (a.ravel() for a in np.meshgrid([28.0, 33.7], [19.7, 22.0, 25.2], indexing="ij"))
    expected, _ = peaks(macaque.values["hierarchy"], macaque.weights, muEE=mu, omegaEI=om, window=window)
    got = found["peak_rate"].reshape(-1, 29).T
    # A change from a window's start that lies in the response is a difference of two numbers of its size.
    np.testing.assert_allclose(got, expected, rtol=1e-4, atol=1e-4 if window[0] > 2 else 1e-9)
    for name in found:
        np.testing.assert_array_equal(found[name], full[name])


def test_a_diverging_point_has_no_values_and_leaves_its_neighbours_alone(make_study, run_all):
    study = make_study(axes={"muEE": [30.0, 36.0, 44.0, 80.0]}, fixed={"omegaEI": 19.7})
    found = run_all(study)
    np.testing.assert_array_equal(found["status"], [1, 2, 2, 2])
    assert all(np.isnan(values[1:]).all() for name, values in found.items() if name != "status")
    alone = run_all(make_study(axes={"muEE": [30.0]}, fixed={"omegaEI": 19.7}))
    np.testing.assert_array_equal(found["peak_rate"][0], alone["peak_rate"][0])


@pytest.mark.slow
def test_the_ceiling_is_watched_at_every_step_whatever_is_measured(make_study, run_all):
    """A rate that is past the ceiling for a moment only has diverged, with or without a Peak."""
    from gbaexplore import Final

    top = run_all(make_study())["peak_rate"].max(axis=-1)
    ceiling = float(np.sort(top.ravel())[3])
    expected = np.where(top > ceiling, 2, 1)
    assert len(np.unique(expected)) == 2
    for measures in ([Peak(window=(1.75, 5.0))], [Final()], [Peak(window=(3.0, 3.5)), Final(window=(3.0, 3.5))]):
        found = run_all(make_study(measures=measures, ceiling=ceiling))
        np.testing.assert_array_equal(found["status"], expected)


def test_a_stimulus_of_any_course_agrees_with_the_same_pulse(make_study, run_all):
    pulse = run_all(make_study())
    square = Stimulus({"V1": lambda t: 0 * t + 22.05}, onset=2.0, duration=0.25, amplitude=1.9)
    for stimulus in (square, Stimulus({"V1": np.full(1250, 22.05 * 1.9)}, onset=2.0)):
        found = run_all(make_study(stimulus=stimulus))
        np.testing.assert_allclose(found["peak_rate"], pulse["peak_rate"], rtol=2e-6)


@pytest.mark.slow
def test_a_stimulus_that_changes_at_every_step(make_study, run_all, macaque):
    """Far above the thresholds the network is linear: the response to a ramp is a sum of impulse responses."""

    def ramp(t):
        return 40 * (t - 2.0) / 0.25

    rest = dict(restE=200.0, restI=200.0)
    found = run_all(
        make_study(
            model=ThresholdLinear(**rest),
            axes={name: [value] for name, value in WEAK.items()},
            stimulus=Stimulus({"V1": ramp, "V4": ramp}, onset=2.0, duration=0.25),
            precision="float64",
        )
    )
    dt, inputs = 2e-4, ramp(2.0 + np.arange(1250) * 2e-4)
    response = np.zeros((29, 15000))
    for area in ("V1", "V4"):
        impulse = np.zeros((29, 15000))

        def record(k, E, I, impulse=impulse):
            impulse[:, max(k - 10000, 0)] = (E[:, 0] - 200.0) / 1e4

        parts = dict(**WEAK, **rest, amplitude=1e4, pulse=dt, window=(2.0, 5.0))
        peaks(macaque.values["hierarchy"], macaque.weights, driven=macaque.index(area), record=record, **parts)
        response += np.array([np.convolve(row, inputs)[:15000] for row in impulse])
    np.testing.assert_allclose(found["peak_rate"][0, 0], response.max(axis=1), rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("onset", [0.0, 0.0002, 1.0])
def test_a_lane_forgets_the_point_before(make_study, run_all, onset):
    """More points than lanes, every other one running away: whoever takes over its lane starts anew."""
    amplitude = np.tile([1.0, 1e4], 400) + np.arange(800) * 1e-3
    parts = dict(stimulus=Pulse("V1", onset, 0.25, 1.0), fixed={"muEE": 33.7}, measures=[Peak()], duration=1.5)
    # The rows of a table keep their order.
    found = run_all(make_study(axes={"point": pd.DataFrame({"amplitude": amplitude})}, **parts))
    np.testing.assert_array_equal(found["status"], np.tile([1, 2], 400))
    tame = run_all(make_study(axes={"amplitude": amplitude[::2]}, **parts))
    np.testing.assert_array_equal(found["peak_rate"][::2], tame["peak_rate"])
    rise = tame["peak_rate"][:, 0] / amplitude[::2]
    np.testing.assert_allclose(rise, rise[0], rtol=1e-4)
