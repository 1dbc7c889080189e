"""Observables that are no state variables: a model computes them of its state."""

from dataclasses import dataclass

import jax.numpy as jnp
import numpy as np
import pytest

from gbaexplore import (
    CalibratedAmplitude,
    Final,
    Mean,
    ODEModel,
    Peak,
    Pulse,
    Sensitivity,
    Study,
    Trace,
    UserError,
    analysis,
    parameter,
    simulate,
)


@dataclass(frozen=True)
class Gating(ODEModel):
    """A gating variable, and the firing rate that drives it."""

    tau: float = parameter(0.1, units="s", doc="time constant", above=0)
    w: float = parameter(0.5, units="nA", doc="coupling")
    bias: float = parameter(0.1, units="nA", doc="constant input")
    states = {"S": "1"}
    observables = {"rate": "Hz", "S": "1"}

    def outputs(self, x, p, net):
        return {"rate": 50 * jnp.tanh(p.w * (net.weights @ x.S) + p.bias)}

    def derivative(self, x, p, net, stimulus):
        return {"S": -x.S / p.tau + (1 - x.S) * (0.6 * self.outputs(x, p, net)["rate"] / 50 + stimulus)}

    def diffusion(self, x, p, net):
        return {"S": 0.01 * x.S}

    def starts_at_rest(self, values):
        return not np.any(values["bias"])


PULSE = Pulse(area="V1", onset=0.05, duration=0.1, amplitude=3.0)


def study(macaque, measures, **parts):
    given = dict(
        model=Gating(), axes={"w": np.linspace(0.1, 2, 9)}, connectome=macaque, stimulus=PULSE, dt=1e-3, duration=0.4
    )
    return Study("gating", measures=measures, **{**given, **parts})


def test_an_output_is_the_function_of_the_state_of_its_step(macaque, run_all):
    traces = [Trace(of="rate", suffix="_r"), Trace(of="S", suffix="_S")]
    found = run_all(study(macaque, traces, precision="float64"))
    S, w = found["S_change_S"], np.linspace(0.1, 2, 9)[:, None, None]
    expected = 50 * np.tanh(w * np.einsum("ij,ptj->pti", macaque.weights, S) + 0.1)
    np.testing.assert_allclose(found["rate_change_r"], expected, rtol=1e-12)
    one = simulate(Gating(), macaque, PULSE, dt=1e-3, duration=0.4, precision="float64", w=2.0)
    assert list(one) == ["rate", "S"]
    assert one.rate.attrs["units"] == "Hz"
    np.testing.assert_allclose(one.rate, found["rate_change_r"][-1], rtol=1e-12)


@pytest.mark.slow
def test_it_has_the_same_bits_in_any_batch_and_at_rest(macaque, run_all, run_in_full):
    for bias in (0.0, 0.1):
        asked = study(macaque, [Peak(), Mean(of="S", suffix="_S")], fixed={"bias": bias})
        whole, full = run_all(asked), run_in_full(asked)
        alone = run_all(study(macaque, [Peak(), Mean(of="S", suffix="_S")], fixed={"bias": bias}, axes={"w": [2.0]}))
        for name in whole:
            np.testing.assert_array_equal(whole[name], full[name])
            np.testing.assert_array_equal(whole[name][-1], alone[name][0])


def test_a_course_of_it_is_whole_where_the_state_rests(macaque, run_all):
    """At rest the state is 0, and what is computed of it need not be."""

    class Offset(Gating):
        def outputs(self, x, p, net):
            return {"rate": 4 + x.S}

        def derivative(self, x, p, net, stimulus):
            return {"S": -x.S / p.tau + stimulus}

        diffusion = ODEModel.diffusion

    found = run_all(study(macaque, [Trace()], model=Offset(), fixed={"bias": 0.0}))
    assert (found["rate_change"] >= 4).all()


@pytest.mark.slow
def test_the_ceiling_watches_an_output(macaque, run_all):
    highest = run_all(study(macaque, [Trace()]))["rate_change"].max(axis=(1, 2))
    found = run_all(study(macaque, [Final(of="S")], ceiling=float(np.sort(highest)[4:6].mean())))
    np.testing.assert_array_equal(found["status"] == 2, highest > np.median(highest))


@pytest.mark.slow
def test_its_sensitivity_is_a_difference_quotient(macaque, run_all):
    class Quiet(Gating):
        diffusion = ODEModel.diffusion

    wants = [Mean(window=(0.1, 0.3)), Sensitivity(Mean(window=(0.1, 0.3)), parameters=("w", "bias"))]
    found = run_all(study(macaque, wants, model=Quiet(), precision="float64", axes={"w": [0.5, 1.0]}))
    for i, name in enumerate(("w", "bias")):
        at = {"w": 1.0, "bias": 0.1}
        means = []
        for step in (1e-6, -1e-6):
            values = at | {name: at[name] + step}
            parts = dict(model=Quiet(), precision="float64", axes={"w": [values["w"]]}, fixed={"bias": values["bias"]})
            means.append(run_all(study(macaque, wants[:1], **parts))["mean_rate"][0])
        np.testing.assert_allclose(found["d_mean_rate"][1][:, i], (means[0] - means[1]) / 2e-6, rtol=1e-6)


def test_it_can_be_calibrated(macaque, run_all):
    found = run_all(study(macaque, [CalibratedAmplitude(area="V2", target=1.0)], axes={"w": [1.0, 2.0]}))
    np.testing.assert_allclose(found["calibrated_peak"], 1.0, rtol=1e-4)


def test_the_linearised_network_is_that_of_the_states(macaque):
    class Resting(Gating):
        def diffusion(self, x, p, net):
            return {"S": 0.01 + 0 * x.S}

    ds = analysis.stationary_covariance(Resting(), macaque, bias=0.0, w=0.1)
    assert list(ds.observable) == ["S"]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"rat": 1}, "Own.outputs returns a dict of rat; expected {observable: values} for rate .*test_outputs.py"),
        ({}, "Own.outputs returns a dict of ; expected"),
        ({"rate": "sum"}, r"Own.outputs makes rate of shape \(\); expected one number per area: \(29,\)"),
    ],
)
def test_a_wrong_output_names_its_line(macaque, found, said):
    class Own(Gating):
        def derivative(self, x, p, net, stimulus):
            return {"S": -x.S}

        def outputs(self, x, p, net):
            return {name: x.S.sum() if value == "sum" else x.S for name, value in found.items()}

    with pytest.raises(UserError, match=said.replace("{", r"\{").replace("}", r"\}")):
        study(macaque, [Peak()], model=Own()).compute()


def test_a_measure_of_a_wrong_name_is_found_when_the_study_is_made(macaque):
    with pytest.raises(UserError, match='no such observable in Gating; did you mean "rate"'):
        study(macaque, [Mean(of="rates")])
