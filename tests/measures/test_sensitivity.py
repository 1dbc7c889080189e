"""Derivatives of measures against central differences, closed forms and exact identities."""

import functools
import itertools
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from conftest import STRONG, WEAK
from reference import peaks

from gbaexplore import (
    DelayedThresholdLinear,
    Final,
    Mean,
    Model,
    Peak,
    Pulse,
    Sensitivity,
    SpectralAbscissa,
    StreamingMeasure,
    Study,
    ThresholdLinear,
    Trace,
    UserError,
    parameter,
    run,
)
from gbaexplore.analysis import elasticity
from gbaexplore.measures.base import Variable
from gbaexplore.store.recipe import explained

PARAMETERS = ("muEE", "omegaEI", "eta", "tauE", "muIE", "amplitude")
WINDOW = (1.9, 2.7)
PEAK = Peak(window=WINDOW)
DEFAULTS = {name: info.default for name, info in ThresholdLinear.parameters().items()} | {"amplitude": 22.05 * 1.9}

REGIMES = {"weak": WEAK, "strong": STRONG}
STEPS = (1e-4, 1e-5, 1e-6)  # relative


@functools.cache
def differences(connectome, order):
    """Central differences of the independent integration's peaks, and whether the peak's sample moves.

    {(regime, parameter): (derivatives, moved)}, (step, area) each; all are integrated together.
    """
    keys = list(itertools.product(REGIMES, PARAMETERS[:-1], STEPS, (-1, 1)))
    points = [{**DEFAULTS, **REGIMES[regime]} for regime, *_ in keys]
    for point, (_, name, step, sign) in zip(points, keys):
        point[name] *= 1 + sign * step
    given = {name: np.array([point[name] for point in points]) for name in {*PARAMETERS[:-1], *WEAK}}
    rise, when = peaks(connectome.values["hierarchy"], connectome.weights, window=WINDOW, update=order, **given)
    shape = (len(REGIMES), len(PARAMETERS) - 1, len(STEPS), 2, -1)
    rise, when = rise.T.reshape(shape), when.T.reshape(shape)
    value = np.array([[{**DEFAULTS, **point}[name] for name in PARAMETERS[:-1]] for point in REGIMES.values()])
    slope = (rise[:, :, :, 1] - rise[:, :, :, 0]) / (2 * np.array(STEPS)[:, None] * value[:, :, None, None])
    moved = when[:, :, :, 0] != when[:, :, :, 1]
    names = itertools.product(range(len(REGIMES)), range(len(PARAMETERS) - 1))
    return {(list(REGIMES)[i], PARAMETERS[j]): (slope[i, j], moved[i, j]) for i, j in names}


@pytest.fixture(scope="module")
def exact(macaque, pulse):
    """Derivatives of the peak in float64: both orders, with and without feedback, weak and strong."""
    study = Study(
        name="exact",
        axes={
            "feedback": {"on": macaque, "off": macaque.without_feedback()},
            "order": {order: ThresholdLinear(update=order) for order in ("sequential", "simultaneous")},
            "muEE": [WEAK["muEE"], STRONG["muEE"]],
            "omegaEI": [WEAK["omegaEI"], STRONG["omegaEI"]],
        },
        stimulus=pulse,
        measures=[PEAK, Sensitivity(PEAK, PARAMETERS)],
        precision="float64",
    )
    return study.compute()


@pytest.mark.slow
@pytest.mark.parametrize("regime", REGIMES)
@pytest.mark.parametrize("feedback", ["on", "off"])
@pytest.mark.parametrize("order", ["sequential", "simultaneous"])
def test_derivatives_agree_with_central_differences(exact, macaque, regime, feedback, order):
    tried = differences(macaque if feedback == "on" else macaque.without_feedback(), order)
    ds = exact.sel(feedback=feedback, order=order, **REGIMES[regime])
    for name in PARAMETERS[:-1]:  # the amplitude has an exact identity, below
        found = ds.d_peak_rate.sel(parameter=name).values
        # Of three steps the best: rounding spoils small ones, curvature large ones, a peak that moves to the next
        # sample either.
        slopes, moves = tried[regime, name]
        apart = np.min(np.abs(found - slopes) / np.maximum(np.abs(slopes), 1e-12), axis=0)
        apart[ds.peak_rate == 0] = np.abs(found[ds.peak_rate == 0])  # nothing arrives there
        moved = moves.all(axis=0)
        # The reference integrates raw rates: it loses digits of what is small on top of 10 Hz.
        allowed = 2e-5 + 1e-9 / np.maximum(ds.peak_rate.values, 1e-12)
        assert (apart < np.where(moved, 1e-3, 0) + allowed).all(), (name, apart, allowed)
        assert moved.sum() < 10


def test_twice_the_stimulus_is_twice_the_response(exact):
    ok = exact.status == 1
    assert 8 <= ok.sum() < ok.size
    scaled = 22.05 * 1.9 * exact.d_peak_rate.sel(parameter="amplitude")
    np.testing.assert_allclose(scaled.where(ok), exact.peak_rate.where(ok), rtol=1e-12, atol=1e-300)


def test_only_points_that_diverge_have_no_derivative(exact):
    assert 0 < (exact.status == 2).sum() < exact.status.size
    assert (exact.d_peak_rate.isnull() == (exact.status == 2)).all()


def test_elasticities_do_not_depend_on_units(exact, make_study):
    study = make_study(measures=[PEAK, Sensitivity(PEAK, PARAMETERS)])
    ds = study.template().load()
    slopes = xr.zeros_like(ds.d_peak_rate) + 2.0
    found = elasticity(ds.assign(status=ds.status + 1, peak_rate=0 * slopes[..., 0] + 4.0, d_peak_rate=slopes))
    assert found.dims == ds.d_peak_rate.dims
    np.testing.assert_allclose(found.sel(parameter="muEE", area="V1", omegaEI=22.0), ds.muEE / 2)
    np.testing.assert_allclose(found.sel(parameter="eta"), 0.34)
    np.testing.assert_allclose(found.sel(parameter="amplitude"), 22.05 * 1.9 / 2)
    at = exact.assign_attrs(study.template().attrs).sel(feedback="on", order="sequential")
    one = elasticity(at).sel(parameter="muEE")
    assert one.isnull().any()  # a point that has diverged
    np.testing.assert_allclose(one[0, 0], (at.muEE * at.d_peak_rate.sel(parameter="muEE") / at.peak_rate)[0, 0])
    other = elasticity(at.rename(peak_rate="peak_v", d_peak_rate="d_peak_v"))  # as of a model without rates
    np.testing.assert_array_equal(other, elasticity(at, "peak_rate"))
    for missing, message in (("d_peak_rate", "no d_peak_rate among"), ("peak_rate", "no peak_rate among")):
        with pytest.raises(UserError, match=message):
            elasticity(ds.drop_vars(missing))


def test_elasticities_know_each_variants_parameters(make_study):
    axes = {"regime": {name: ThresholdLinear(muEE=value) for name, value in (("a", 30.0), ("b", 40.0))}}
    measures = [PEAK, Sensitivity(PEAK, ("muEE", "eta"))]
    ds = make_study(axes=axes, model=None, measures=measures).template().load()
    ones = xr.ones_like(ds.d_peak_rate)
    ds = ds.assign(status=ds.status + 1, peak_rate=ones[..., 0].drop_vars("parameter"), d_peak_rate=ones)
    np.testing.assert_allclose(elasticity(ds).sel(parameter="muEE").mean("area"), [30.0, 40.0])
    np.testing.assert_allclose(elasticity(ds.sel(regime="b")).sel(parameter="muEE"), 40.0)
    with pytest.raises(UserError, match='no coordinate "regime" in the Dataset, which the value of muEE depends on'):
        elasticity(ds.sel(regime="b", drop=True))


@pytest.mark.slow
def test_float32_agrees_with_float64(exact, make_study, run_all):
    axes = {"muEE": [WEAK["muEE"], STRONG["muEE"]], "omegaEI": [WEAK["omegaEI"], STRONG["omegaEI"]]}
    single = run_all(make_study(axes=axes, measures=[Sensitivity(PEAK, PARAMETERS)]))
    assert single["d_peak_rate"].dtype == np.float32
    double = exact.sel(feedback="on", order="sequential")
    ok = (double.status == 1).values
    np.testing.assert_array_equal(single["status"], double.status)
    np.testing.assert_allclose(single["d_peak_rate"][ok], double.d_peak_rate.values[ok], rtol=2e-3, atol=1e-12)


# A model with a closed form.


class LeakyState(NamedTuple):
    r: object  # (area,) Hz
    steps: object  # (area,) a whole number


@dataclass(frozen=True)
class Leaky(Model):
    """Tau dr/dt = -r + stimulus from a start of one's choice, and a counter, which has no derivative."""

    tau: float = parameter(0.05, units="s", doc="time constant", above=0)
    first: float = parameter(0.0, units="Hz", doc="rate at the start")
    base: float = parameter(0.0, units="Hz", doc="rate that r is a change from")
    observables: ClassVar = {"r": "Hz"}

    def rest(self, p, net):
        return {"r": p.base}

    def start(self, p, net):
        return LeakyState(p.first, jnp.zeros_like(net.weights[0], dtype=jnp.int32))

    def step(self, x, p, net, stimulus, dt):
        return LeakyState(x.r + dt / p.tau * (-x.r + stimulus), x.steps + 1)


DT, ONSET, PULSE, STOP = 1e-3, 50, 100, 200
STIMULUS = Pulse(area="V4", onset=ONSET * DT, duration=PULSE * DT, amplitude=30.0)


def study_of(model, macaque, differentiated=(), parameters=("tau", "first", "base", "amplitude"), **parts):
    given = dict(
        name="small",
        model=model,
        connectome=macaque,
        stimulus=STIMULUS,
        axes={"tau": [0.02, 0.05]},
        measures=[Sensitivity(measure, parameters) for measure in differentiated],
        dt=DT,
        duration=STOP * DT,
        precision="float64",
    )
    return Study(**{**given, **parts})


def leaky(tau, first, base, amplitude):
    """The rates of V4 after every step, (step,): the recursion, in float64 or complex."""
    r, found = first, []
    for k in range(STOP):
        r = r + DT / tau * (-r + amplitude * (ONSET <= k < ONSET + PULSE))
        found.append(r)
    return np.array(found)


@pytest.mark.slow
def test_a_linear_model_has_the_derivatives_of_its_formula(macaque, run_all):
    """Complex steps differentiate the same recursion to rounding: no cancellation."""
    window = (0.03, STOP * DT)
    measures = [Peak(window=window), Mean(window=window), Final(window=window), Trace(window=window, every=0.01)]
    found = run_all(study_of(Leaky(), macaque, measures, fixed={"first": 0.5, "base": 3.0}))
    assert found["d_rate_change"].shape == (2, 17, 29, 4)
    for i, tau in enumerate((0.02, 0.05)):
        point = dict(tau=tau, first=0.5, base=3.0, amplitude=30.0)
        for j, name in enumerate(point):
            slope = leaky(**{**point, name: point[name] + 1e-30j}).imag / 1e-30
            at, seen = leaky(**point)[30:].argmax(), slope[30:]
            V4 = macaque.index("V4")
            expected = {"peak": seen[at] - seen[0], "mean": seen.mean(), "final": seen[-1]}
            for kind, value in expected.items():
                shift = 1.0 if name == "base" and kind != "peak" else 0.0
                assert found[f"d_{kind}_rate"][i, V4, j] == pytest.approx(value + shift, rel=1e-10, abs=1e-13)
            np.testing.assert_allclose(found["d_rate_change"][i, :, V4, j], seen[::10], rtol=1e-10, atol=1e-13)
    # The pulse is over before the last sample, so the final rate is amplitude x (1 - q^n) q^m, q = 1 - dt / tau.
    q = 1 - DT / 0.05
    expected = (1 - q**PULSE) * q ** (STOP - ONSET - PULSE)
    assert found["d_final_rate"][1, V4, 3] == pytest.approx(expected, rel=1e-12)


@pytest.mark.slow
def test_bits_do_not_depend_on_the_batch_and_other_measures_keep_theirs(macaque, run_all):
    measures = [Peak(), Sensitivity(Peak(), ("tau", "amplitude"))]
    parts = dict(measures=measures, precision="float32")
    whole = run_all(study_of(Leaky(), macaque, axes={"tau": [0.02, 0.03, 0.05]}, **parts))
    alone = run_all(study_of(Leaky(), macaque, axes={"tau": [0.03]}, **parts))
    plain = run_all(study_of(Leaky(), macaque, axes={"tau": [0.02, 0.03, 0.05]}, **{**parts, "measures": [Peak()]}))
    for name in whole:
        np.testing.assert_array_equal(whole[name][1], alone[name][0])
    for name in plain:
        np.testing.assert_array_equal(whole[name], plain[name])


@pytest.mark.slow
def test_at_a_kink_it_is_the_derivative_towards_larger_values(macaque, make_study, run_all):
    """No stimulus, no long-range coupling, a steady state on its threshold: all rectifiers are at their kink."""
    point = {"muEE": 0.0, "muIE": 0.0}  # without the latter the next area would be inhibited only
    last = Final(window=(1.75, 2.27))
    measures = [PEAK, Sensitivity(PEAK, ("amplitude", "muEE")), Sensitivity(last, ("restE",), suffix="_last")]
    study = make_study(axes={"amplitude": [0.0, 40.0]}, fixed=point, measures=measures, precision="float64")
    found = run_all(study)
    slopes = found["d_peak_rate"]
    # The response is proportional to the pulse: its slope at 0 is that of any pulse.
    np.testing.assert_allclose(slopes[0, :, 0], found["peak_rate"][1] / 40.0, rtol=1e-12)
    assert not slopes[0, :, 1].any()

    def response(name, values):
        ends = []
        rise, _ = peaks(
            macaque.values["hierarchy"], macaque.weights, amplitude=40.0, window=(1.75, 2.27),
            record=lambda k, E, I: ends.append(E), **{**point, name: values},
        )  # fmt: skip
        return rise if name == "muEE" else ends[-1]

    for name, start, slope in (("muEE", 0.0, slopes[1, :, 1]), ("restE", 10.0, found["d_final_rate_last"][1, :, 0])):
        near = response(name, start + np.array([0.0, 1e-5, 2e-5])).T
        np.testing.assert_allclose(slope, (-3 * near[0] + 4 * near[1] - near[2]) / 2e-5, rtol=1e-4, atol=1e-6)
    assert slopes[1, 1, 1] > 0.01


@dataclass(frozen=True)
class Squares(StreamingMeasure):
    """A user's own measure: the mean square, and two things that have no derivative."""

    counted: bool = False

    def variables(self, model):
        found = {
            "mean_square": Variable(("area",), "Hz2", "mean square"),
            "late": Variable(("area",), "s", "last time"),
        }
        return {**found, **({"count": Variable(("area",), "1", "samples")} if self.counted else {})}

    def init(self, change, run):
        return change**2, jnp.zeros_like(change, dtype=jnp.int32)

    def update(self, acc, change, now, run):
        return acc[0] + change**2, now.step

    def finish(self, acc, rest, run):
        found = {"mean_square": acc[0] / run.samples, "late": acc[1] * run.dt}
        return {**found, **({"count": acc[1]} if self.counted else {})}


@pytest.mark.slow
def test_a_measure_of_ones_own(macaque, run_all):
    study = study_of(Leaky(), macaque, [Squares(), Squares(window=(0.1, 0.2), suffix="_late")], ("tau",))
    assert set(study.variables) == {"d_mean_square", "d_mean_square_late"}
    found = run_all(study)
    point = dict(tau=0.02, first=0.0, base=0.0, amplitude=30.0)
    expected = (leaky(**{**point, "tau": 0.02 + 1e-30j}) ** 2).imag / 1e-30
    V4 = macaque.index("V4")
    assert found["d_mean_square"][0, V4, 0] == pytest.approx(expected.mean(), rel=1e-10)
    assert found["d_mean_square_late"][0, V4, 0] == pytest.approx(expected[100:].mean(), rel=1e-10)
    assert not np.delete(found["d_mean_square"], V4, axis=1).any()


def test_it_is_a_labelled_variable_with_units(macaque, tmp_path):
    ds = run(study_of(Leaky(), macaque, [Peak()]), store=tmp_path)
    assert set(ds.data_vars) == {"d_peak_rate", "status"}  # a time counted in steps has no derivative
    assert ds.d_peak_rate.dims == ("tau", "area", "parameter")
    assert ds.d_peak_rate.attrs["units"] == "Hz per parameter_units"
    assert ds.d_peak_rate.attrs["comment"] == "from the start of the window"
    assert ds.d_peak_rate.sel(parameter="tau").parameter_units.item() == "s"
    assert ds.parameter_units.values.tolist() == ["s", "Hz", "Hz", "Hz"]


@dataclass(frozen=True)
class TwiceSquares(Squares):
    def finish(self, acc, rest, run):
        return {name: 2 * value for name, value in super().finish(acc, rest, run).items()}


def test_the_measures_program_is_part_of_the_recipe(macaque):
    recipe = study_of(Leaky(), macaque, [Squares()], ("tau",)).recipe()
    assert recipe["measures"][0]["measure"]["kind"] == "Squares"
    assert recipe["measures"][0]["parameters"] == ["tau"]
    assert recipe["revisions"].keys() == {"engine", "Sensitivity"}
    other = study_of(Leaky(), macaque, [TwiceSquares()], ("tau",)).recipe()
    assert explained(recipe, other) == ['measures.0.measure.kind: "Squares" there, "TwiceSquares" here']
    for one in (recipe, other):
        del one["measures"]
    (line,) = explained({**recipe, "measures": []}, {**other, "measures": []})
    assert line.startswith("variants.all.code.measures.0.programs")


@dataclass(frozen=True)
class Noisy(Leaky):
    """The same with white noise of amplitude `first`."""

    def normals_per_step(self, values):
        return 1 if np.any(values["first"]) else 0

    def start(self, p, net):
        return LeakyState(jnp.zeros_like(net.weights[0]), jnp.zeros_like(net.weights[0], dtype=jnp.int32))

    def step(self, x, p, net, stimulus, dt, normal=None):
        noise = 0 if normal is None else p.first * normal[0] / dt**0.5
        return LeakyState(x.r + dt / p.tau * (-x.r + stimulus + noise), x.steps)


@pytest.mark.slow
def test_with_noise_it_is_the_derivative_with_the_same_random_numbers(macaque, run_all):
    parts = dict(fixed={"first": 0.5}, measures=[Sensitivity(Final(), ("first",)), Final()])
    found = run_all(study_of(Noisy(), macaque, **parts))
    others = np.arange(29) != macaque.index("V4")
    # Without a pulse a linear network's rates are proportional to the amplitude of its noise.
    expected = found["final_rate"][:, others] / 0.5
    assert np.abs(expected).min() > 0
    np.testing.assert_allclose(found["d_final_rate"][:, others, 0], expected, rtol=1e-12)


@dataclass(frozen=True)
class Outside(Leaky):
    """A step that leaves JAX."""

    def step(self, x, p, net, stimulus, dt):
        rate = jax.pure_callback(np.asarray, jax.ShapeDtypeStruct(x.r.shape, x.r.dtype), x.r, vmap_method="expand_dims")
        return LeakyState(rate * (1 - dt / p.tau) + stimulus, x.steps)


@dataclass(frozen=True)
class Root(Leaky):
    """A step with an infinite slope at 0."""

    def step(self, x, p, net, stimulus, dt):
        return LeakyState(x.r + dt * jnp.sqrt(p.first), x.steps)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Sensitivity(SpectralAbscissa(), ("muEE",)), r"Sensitivity\(SpectralAbscissa, .*such as Peak\(\)"),
        (lambda: Sensitivity(3, ("muEE",)), r"Sensitivity\(3, .*expected a streaming measure"),
        (lambda: Sensitivity(PEAK, "muEE"), "parameters='muEE'.*expected names of parameters, each once"),
        (lambda: Sensitivity(PEAK, ()), "expected names of parameters"),
        (lambda: Sensitivity(PEAK, ("muEE", "muEE")), "each once"),
        (lambda: Sensitivity(PEAK, ("muee",)), 'no parameter "muee" in ThresholdLinear; did you mean "muEE"'),
        (lambda: Sensitivity(PEAK, ("seed",)), 'no parameter "seed"'),
        (lambda: Sensitivity(Peak(of="e"), ("muEE",)), r'Sensitivity\(of="e"\): no such observable'),
        (lambda: Sensitivity(Peak(window=(4.0, 11.0)), ("muEE",)), "window of Peak is 4 to 11 s"),
        (lambda: Sensitivity(PEAK, ("thresholdE",)), r"to thresholdE, which can't grow \(restE = 10 Hz is below"),
        (lambda: Sensitivity(PEAK, ("noise",)), r"to noise, which can't grow \(from 0 it changes which random"),
    ],
)
def test_what_has_no_derivative(make_study, make, message):
    with pytest.raises(UserError, match=message):
        make_study(measures=[make()])


def test_what_travels_can_not_be_followed(make_study):
    with pytest.raises(UserError, match="can't differentiate through the delays of DelayedThresholdLinear"):
        make_study(model=DelayedThresholdLinear(), measures=[Sensitivity(PEAK, ("muEE",))])


def test_measures_without_a_derivative(macaque, run_all):
    @dataclass(frozen=True)
    class Times(Squares):
        def variables(self, model):
            return {"late": Variable(("area",), "s", "last time")}

    with pytest.raises(UserError, match=r"Sensitivity\(Times\(\)\): it makes only times"):
        study_of(Leaky(), macaque, [Times()])
    with pytest.raises(UserError, match="d_count: Squares makes it of whole numbers, which have no derivative"):
        run_all(study_of(Leaky(), macaque, [Squares(counted=True)]))


def test_models_without_a_derivative(macaque, run_all):
    with pytest.raises(UserError, match=r"JAX can't differentiate pure_callback \(.*test_sensitivity.py:\d+.*\): Pure"):
        run_all(study_of(Outside(), macaque, [Peak()]))


@pytest.mark.slow
def test_an_infinite_slope_is_undefined(macaque, run_all):
    found = run_all(study_of(Root(), macaque, [Peak()]))
    assert (found["status"] == 4).any()
    wrong = np.isnan(found["d_peak_rate"]).any(axis=tuple(range(found["status"].ndim, found["d_peak_rate"].ndim)))
    np.testing.assert_array_equal(wrong, found["status"] == 4)


def test_two_lists_of_parameters_need_a_suffix(make_study):
    both = Sensitivity(PEAK, ("muEE",)), Sensitivity(Mean(), ("eta",))
    with pytest.raises(UserError, match=r'two measures have different values along "parameter".*suffix'):
        make_study(measures=list(both))
    study = make_study(measures=[both[0], Sensitivity(Mean(), ("eta", "tauE"), suffix="_mean")])
    assert study.variables["d_mean_rate_mean"].dims == ("area", "parameter_mean")
    assert "parameter_mean_units" in study.template().coords
