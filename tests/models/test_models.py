"""What every model must do: a model that does something new enters MODELS, any other OTHERS."""

from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

from gbaexplore import (
    DelayedThresholdLinear,
    Hopf,
    JansenRit,
    Kuramoto,
    Mean,
    Model,
    MontbrioPazoRoxin,
    ODEModel,
    Peak,
    Pulse,
    ReducedWongWang,
    Study,
    ThresholdLinear,
    UserError,
    WilsonCowan,
    WongWang,
    parameter,
)
from gbaexplore.models.checks import checked_values


class LeakyState(NamedTuple):
    r: object  # (area,) Hz


@dataclass(frozen=True)
class Leaky(Model):
    """A user's own model, as short as can be: tau dr/dt = -r + w FLN r + stimulus."""

    tau: float = parameter(0.05, units="s", doc="time constant", above=0)
    w: float = parameter(0.0, units="1", doc="long-range coupling")
    observables: ClassVar = {"r": "Hz"}

    def rest(self, p, net):
        return {"r": 0 * p.tau}

    def start(self, p, net):
        return LeakyState(jnp.zeros_like(net.weights[0]))

    def step(self, x, p, net, stimulus, dt):
        return LeakyState(x.r + dt / p.tau * (-x.r + p.w * (net.weights @ x.r) + stimulus))

    def starts_at_rest(self, values):
        return True


@dataclass(frozen=True)
class Saturating(ODEModel):
    """A user's own equations, as short as can be: tau dr/dt = -r + top tanh((w r + stimulus) / top)."""

    tau: float = parameter(0.05, units="s", doc="time constant", above=0)
    w: float = parameter(0.4, units="1", doc="long-range coupling")
    top: float = parameter(50.0, units="Hz", doc="highest rate", above=0)
    observables = {"r": "Hz"}

    def derivative(self, x, p, net, stimulus):
        return {"r": (p.top * jnp.tanh((p.w * (net.weights @ x.r) + stimulus) / p.top) - x.r) / p.tau}

    def starts_at_rest(self, values):
        return True


MODELS = {
    "threshold-linear, sequential": (ThresholdLinear(), {"muEE": np.linspace(28, 36, 9)}),
    "threshold-linear, simultaneous": (ThresholdLinear(update="simultaneous"), {"muEE": np.linspace(28, 36, 9)}),
    "threshold-linear, from zero": (ThresholdLinear(background=False), {"omegaEI": np.linspace(20, 30, 9)}),
    "leaky": (Leaky(), {"tau": np.linspace(0.01, 0.1, 9)}),
    "equations, euler": (Saturating(), {"tau": np.linspace(0.01, 0.1, 9)}),
    "equations, heun": (Saturating(method="heun"), {"tau": np.linspace(0.01, 0.1, 9)}),
    "equations, rk4": (Saturating(method="rk4"), {"tau": np.linspace(0.01, 0.1, 9)}),
    "wilson-cowan": (WilsonCowan(), {"muEE": np.linspace(0, 4, 9)}),
    "kuramoto": (Kuramoto(), {"K": np.linspace(0, 40, 9)}),
    "hopf": (Hopf(), {"G": np.linspace(0, 2, 9)}),
    "wong-wang": (WongWang(), {"J": np.linspace(0.8, 1.6, 9)}),
    "delayed": (DelayedThresholdLinear(), {"muEE": np.linspace(28, 36, 9)}),
}
OTHERS = [JansenRit(), MontbrioPazoRoxin(), ReducedWongWang()]


FEW = ("threshold-linear, sequential", "wilson-cowan")


@pytest.fixture(params=[name if name in FEW else pytest.param(name, marks=pytest.mark.slow) for name in MODELS])
def model_and_axis(request):
    return MODELS[request.param]


@pytest.fixture
def pulse():
    return Pulse(area="V1", onset=0.3, duration=0.25, amplitude=22.05 * 1.9)


def study_of(model, axes, macaque, pulse, measures, **parts):
    given = dict(model=model, axes=axes, connectome=macaque, stimulus=pulse, measures=measures, duration=1.5)
    return Study("study", **{**given, **parts})


@pytest.mark.parametrize("model", [*(model for model, _ in MODELS.values()), *OTHERS])
def test_every_parameter_declares_unit_and_meaning(model):
    for info in model.parameters().values():
        assert info.units
        assert info.doc
    assert all(model.observables.values())


def test_a_point_has_the_same_bits_in_any_batch_and_however_it_ends(
    model_and_axis, run_all, run_in_full, macaque, pulse
):
    model, axes = model_and_axis
    peak, mean = Peak(window=(0.25, 1.5)), Mean(window=(0.1, 1.5))
    # Each point alone in its batch, to its last step, beside another measure: one program to hold two against.
    alone = run_in_full(study_of(model, axes, macaque, pulse, [peak, mean], block_points=1))
    for measure in (peak, mean):
        whole = run_all(study_of(model, axes, macaque, pulse, [measure]))
        for variable in whole:
            np.testing.assert_array_equal(whole[variable], alone[variable])


def test_float32_agrees_with_float64(model_and_axis, run_all, macaque, pulse):
    model, axes = model_and_axis
    measures = [Peak(window=(0.25, 1.5))]
    single = run_all(study_of(model, axes, macaque, pulse, measures))
    double = run_all(study_of(model, axes, macaque, pulse, measures, precision="float64"))
    peak = next(name for name in double if name.startswith("peak_"))
    assert double[peak].dtype == np.float64
    assert single[peak].dtype == np.float32
    np.testing.assert_array_equal(single["status"], double["status"])
    ok = double["status"] == 1
    # Started from zero, changes are the rates themselves: float32 keeps 1e-7 of 100 Hz.
    # So are those of oscillators, whose radius is about 1.
    from_zero = isinstance(model, ThresholdLinear) and not model.background
    atol = 1e-4 if from_zero or model.random_start else 1e-12
    np.testing.assert_allclose(single[peak][ok], double[peak][ok], rtol=1e-4, atol=atol)


def test_the_leaky_model_follows_its_formula(run_all, macaque):
    """A user's model in a study: the response to a pulse is known in closed form."""
    tau, amplitude, duration = np.array([0.02, 0.05]), 30.0, 0.25
    pulse = Pulse(area="V4", onset=0.6, duration=duration, amplitude=amplitude)
    study = study_of(Leaky(), {"tau": tau}, macaque, pulse, [Peak(window=(0.5, 1.5))])
    found = run_all(study)
    peak = found["peak_rate"]
    expected = amplitude * (1 - (1 - 2e-4 / tau) ** round(duration / 2e-4))
    np.testing.assert_allclose(peak[:, macaque.index("V4")], expected, rtol=1e-5)
    assert not np.delete(peak, macaque.index("V4"), axis=1).any()
    assert found["time_to_peak"][0, macaque.index("V4")] == pytest.approx(duration - 2e-4)
    assert not np.delete(found["time_to_peak"], macaque.index("V4"), axis=1).any()


def test_a_model_without_a_jacobian_says_so(run_all, macaque, pulse):
    from gbaexplore import SpectralAbscissa

    with pytest.raises(UserError, match="Leaky has no jacobian, which measures of the linearised network need"):
        run_all(study_of(Leaky(), {"tau": [0.05]}, macaque, pulse, [SpectralAbscissa()]))


class HiddenState(NamedTuple):
    r: object  # (area,) Hz
    slow: object  # (area,) Hz, not an observable


@dataclass(frozen=True)
class Hidden(Model):
    """A response that comes back after it has died away, from a state that no measure sees."""

    tau: float = parameter(0.02, units="s", doc="time constant", above=0)
    observables: ClassVar = {"r": "Hz"}

    def rest(self, p, net):
        return {"r": 0 * p.tau}

    def start(self, p, net):
        return HiddenState(0 * net.weights[0], 0 * net.weights[0])

    def step(self, x, p, net, stimulus, dt):
        late = jnp.where((x.slow > 0.1) & (x.slow < 0.5), 50.0, 0.0)
        slow = jnp.where(stimulus > 0, 10.0, x.slow) * (1 - dt / 0.3)
        return HiddenState(x.r + dt / p.tau * (-x.r + stimulus + late), slow)

    def starts_at_rest(self, values):
        return True


@pytest.mark.slow
def test_a_point_ends_early_only_when_its_whole_state_is_back(run_all, run_in_full, macaque):
    pulse = Pulse(area="V1", onset=0.2, duration=0.1, amplitude=10.0)
    study = study_of(Hidden(), {"tau": [0.02]}, macaque, pulse, [Peak()])
    early, full = run_all(study), run_in_full(study)
    assert full["peak_rate"][0, 0] > 40
    np.testing.assert_array_equal(early["peak_rate"], full["peak_rate"])


def test_a_default_can_not_be_changed_by_accident():
    with pytest.raises(UserError, match=r"Mine.muEE = 33.7 would not change the parameter; expected muEE: float = "):

        class Mine(ThresholdLinear):
            muEE = 33.7

    @dataclass(frozen=True)
    class Ours(ThresholdLinear):
        muEE: float = parameter(33.7, units="pA/Hz", doc="long-range E to E coupling")

    assert Ours.parameters()["muEE"].default == Ours().muEE == 33.7


def test_a_value_out_of_range_is_said_with_its_unit_if_it_has_one():
    for model, name, value, said in [
        (WongWang(), "w", -3.0, "w = -3; expected at least 0: local recurrence"),
        (WongWang(), "tau_E", 0.0, "tau_E = 0 s; expected above 0"),
        (WongWang(), "w", 1e39, r"w exceeds 3.4e\+38; expected"),
    ]:
        with pytest.raises(UserError, match=said):
            checked_values(model, {name: np.array([value])})
