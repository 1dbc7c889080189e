from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import pytest
from conftest import WEAK
from reference import peaks

from gbaexplore import Final, Mean, Peak, SpectralAbscissa, StreamingMeasure, ThresholdLinear, Trace, UserError
from gbaexplore.measures.base import Variable

DT = 2e-4


@pytest.fixture(scope="module")
def course(macaque):
    """E and I of the weak point, (sample, area): samples 8750 to 24999."""
    rates = []
    peaks(macaque.values["hierarchy"], macaque.weights, **WEAK, record=lambda k, E, I: rates.append((E[:, 0], I[:, 0])))
    return np.swapaxes(rates, 0, 1)


def one_point(make_study, run_all, *measures, **parts):
    axes = {name: [value] for name, value in WEAK.items()}
    found = run_all(make_study(axes=axes, measures=measures, duration=5.0, **parts))
    return {name: values[0, 0] for name, values in found.items()}


def samples(course, start, stop):
    return course[round(start / DT) - 8750 : round(stop / DT) - 8750]


@pytest.mark.slow
@pytest.mark.parametrize("window", [(1.75, 5.0), (2.1, 2.2), (2.2002, 3.0)])
def test_mean_and_final_agree_with_numpy(make_study, run_all, course, window):
    found = one_point(
        make_study, run_all, Mean(window=window), Final(window=window), Mean(window=window, of="I", suffix="_I")
    )
    E, I = (samples(rates, *window) for rates in course)
    np.testing.assert_allclose(found["mean_rate"], E.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found["mean_rate_I"], I.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found["final_rate"], E[-1], rtol=1e-6)


def test_the_whole_run_is_the_default_window(make_study, run_all, course):
    found = one_point(make_study, run_all, Mean(), Final())
    # Before sample 8750 the reference is not run: it is at rest, 10 Hz.
    mean = (8750 * 10.0 + course[0].sum(axis=0)) / 25_000
    np.testing.assert_allclose(found["mean_rate"], mean, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("window", [(1.75, 5.0), (1.9, 2.4), (2.0002, 3.0), (0.0, 2.3)])
@pytest.mark.parametrize("every", [None, 7 * DT])
def test_trace_keeps_every_nth_sample_of_its_window(make_study, run_all, macaque, course, window, every):
    study = make_study(
        axes={"muEE": [WEAK["muEE"]], "omegaEI": [WEAK["omegaEI"], 22.0]},
        measures=[Trace(window=window, every=every)],
        duration=5.0,
    )
    change = run_all(study)["rate_change"][0, 0]
    times = study.coordinates()["time"][0]
    expected = np.zeros((len(times), 29))
    k = np.round(times / DT).astype(int)
    np.testing.assert_array_equal(k, np.arange(round(window[0] / DT), round(window[1] / DT), 1 if every is None else 7))
    expected[k >= 8750] = course[0][k[k >= 8750] - 8750] - 10.0
    np.testing.assert_allclose(change, expected, rtol=1e-4, atol=1e-9)


@pytest.mark.slow
def test_trace_of_some_areas_and_of_the_inhibitory_rate(make_study, run_all, macaque, course):
    areas = ("24c", "V1", "9/46d")
    found = one_point(make_study, run_all, Trace(window=(2.0, 2.6), of="I", areas=areas, suffix="_I"))
    expected = samples(course[1], 2.0, 2.6)[:, [macaque.index(a) for a in areas]] - 35.0
    np.testing.assert_allclose(found["rate_change_I"], expected, rtol=1e-4, atol=1e-9)


@pytest.mark.slow
def test_trace_does_not_change_what_other_measures_give(make_study, run_all):
    peak = Peak(window=(1.75, 5.0))
    both = run_all(make_study(measures=[Trace(window=(2.0, 2.3), every=0.002), peak]))
    alone = run_all(make_study(measures=[peak]))
    for name in alone:
        np.testing.assert_array_equal(both[name], alone[name])


def test_spectral_abscissa_is_the_published_one(make_study, run_all):
    study = make_study(
        axes={"muEE": [28.0, 33.7, 51.5], "omegaEI": [19.7, 25.2]}, measures=[SpectralAbscissa()], precision="float64"
    )
    found = run_all(study)["spectral_abscissa"]
    assert found[0, 0] == pytest.approx(4.85, abs=0.005)
    assert found[1, 0] == pytest.approx(-1.3152, abs=5e-5)
    assert found[2, 1] == pytest.approx(-0.9232, abs=5e-5)


def test_jacobian_is_the_derivative_of_the_step(macaque):
    """One step of a small perturbation, far above the thresholds, is (1 + dt J) x in the simultaneous order."""
    import jax

    from gbaexplore import Network

    model = ThresholdLinear(update="simultaneous", restE=1e6, restI=1e6)
    values = {name: getattr(model, name) for name in model.parameters()}
    p = type("P", (), values)
    J = model.jacobian(p, Network.of(macaque))
    x = np.random.default_rng(0).normal(size=58)
    with jax.enable_x64(True):
        net = Network(jnp.asarray(macaque.weights), {"hierarchy": jnp.asarray(macaque.values["hierarchy"])})
        vector = type("P", (), {name: jnp.full(29, value) for name, value in values.items()})
        E, I = jnp.asarray(x[:29]), jnp.asarray(x[29:])
        state = model.start(vector, net)._replace(E=E, I=I, far=net.weights @ E)
        new = model.step(state, vector, net, jnp.zeros(29), 1e-5)
        stepped = np.r_[new.E, new.I]
    np.testing.assert_allclose((stepped - x) / 1e-5, J @ x, rtol=1e-6, atol=1e-6)


@dataclass(frozen=True)
class TimeAbove(StreamingMeasure):
    """A user's own measure: how many samples an area is more than 1 Hz above rest."""

    def variables(self, model):
        return {"time_above": Variable(("area",), "s", "time more than 1 Hz above rest")}

    def init(self, change, run):
        return (change > 1).astype(change.dtype)

    def update(self, acc, change, now, run):
        return acc + (change > 1)

    def finish(self, acc, rest, run):
        return {"time_above": acc * run.dt}


def test_a_measure_of_ones_own(make_study, run_all, course):
    found = one_point(make_study, run_all, TimeAbove(window=(1.75, 5.0)), Peak(window=(1.75, 5.0)))
    np.testing.assert_allclose(found["time_above"], (course[0] > 11).sum(axis=0) * DT, atol=1.01 * DT)


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        (lambda: Peak(window=(4.0, 11.0)), r"window of Peak is 4 to 11 s, the run 0 to 10 s"),
        (lambda: Peak(window=(3.0, 3.0)), "a window inside the run, not empty"),
        (lambda: Mean(window=(1.00005, 3.0)), "expected a whole number of steps"),
        (lambda: Peak(of="e"), r'Peak\(of="e"\): no such observable in ThresholdLinear; did you mean "E"'),
        (lambda: Trace(every=0), "every of Trace = 0 s; expected seconds from sample to sample, from dt = 0.0002 s to"),
        (lambda: Mean(every=50), "every of Mean = 50 s; .* to the length of the window, 10 s"),
        (lambda: Mean(every=3e-4), "expected a whole number of steps"),
        (
            lambda: Mean(of=("E", "I")),
            r"Mean\(of=\('E', 'I'\)\): expected the name of an observable",
        ),
        (lambda: Trace(areas=("V1", "v2")), 'no area "v2"'),
    ],
)
def test_bad_measures(make_study, measure, message):
    with pytest.raises(UserError, match=message):
        make_study(measures=[measure()])


def test_two_measures_of_one_name_need_a_suffix(make_study):
    with pytest.raises(UserError, match=r'two measures make "peak_rate".*suffix'):
        make_study(measures=[Peak(), Peak(window=(2.0, 3.0))])
    assert "peak_rate_late" in make_study(measures=[Peak(), Peak(window=(3.0, 4.0), suffix="_late")]).variables


@pytest.mark.slow
@pytest.mark.parametrize("window", [(4.9998, 5.0), (2.2, 2.2002)])
def test_a_window_of_one_sample(make_study, run_all, course, window):
    found = one_point(make_study, run_all, Mean(window=window), Final(window=window), Peak(window=window))
    sample = samples(course[0], *window)[0]
    np.testing.assert_allclose(found["final_rate"], sample, rtol=1e-6)
    np.testing.assert_allclose(found["mean_rate"], sample, rtol=1e-6)
    assert not found["peak_rate"].any()
