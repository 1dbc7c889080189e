"""State variables with dimensions besides the area, such as a synaptic variable for each receptor."""

from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import pytest

from gbaexplore import (
    BOLD,
    FC,
    Final,
    Mean,
    Model,
    ODEModel,
    Peak,
    Pulse,
    Sensitivity,
    SpectralAbscissa,
    Study,
    Trace,
    UserError,
    Variance,
    parameter,
    simulate,
)
from tests.support.integration import integrated

RECEPTORS = ("AMPA", "NMDA", "GABA")
TAU = np.array([0.005, 0.1, 0.01])
SIGN = np.array([1.0, 0.5, -0.8])


@dataclass(frozen=True)
class Receptors(ODEModel):
    """A synaptic variable for each receptor, and the rate that they add up to."""

    w: float = parameter(0.5, units="1", doc="coupling")
    bias: float = parameter(2.0, units="Hz", doc="input")
    states = {"s": "Hz", "r": "Hz"}
    observables = {"r": "Hz", "s": "Hz", "current": "Hz"}
    dimensions = {"s": {"receptor": RECEPTORS}, "current": {"receptor": RECEPTORS}}

    def outputs(self, x, p, net):
        return {"current": SIGN[:, None] * x.s}

    def derivative(self, x, p, net, stimulus):
        arrives = p.w * jnp.stack([net.weights @ x.r] * 3) + x.r
        total = (SIGN[:, None] * x.s).sum(0)
        return {"s": (arrives - x.s) / TAU[:, None], "r": (jnp.tanh(total) + stimulus + p.bias - x.r) / 0.02}


PULSE = Pulse(area="V1", onset=0.01, duration=0.05, amplitude=5.0)


def study(macaque, measures, **parts):
    given = dict(
        model=Receptors(), axes={"w": np.linspace(0.1, 2, 9)}, connectome=macaque, stimulus=PULSE, dt=1e-3, duration=0.1
    )
    return Study("receptors", measures=measures, **{**given, **parts})


def expected(macaque, w, heun=False, steps=100):
    """Rates and synaptic variables after each step, (step, 1 + receptor, area), integrated in NumPy."""
    k = iter(np.repeat(np.arange(steps), 2 if heun else 1))

    def slope(z, heard):
        r, s = z[0], z[1:]
        drive = 5.0 * (np.arange(29) == macaque.index("V1")) * (10 <= next(k) < 60)
        ds = (w * heard[:1] + r - s) / TAU[:, None]
        return np.concatenate([((np.tanh((SIGN[:, None] * s).sum(0)) + drive + 2.0 - r) / 0.02)[None], ds])

    return integrated(macaque, np.zeros((4, 29)), lambda z: z[:1], slope, 1e-3, steps, heun=heun)


@pytest.mark.parametrize("method", ["euler", "heun"])
def test_it_is_integrated_as_in_numpy(macaque, method):
    one = simulate(Receptors(method=method), macaque, PULSE, dt=1e-3, duration=0.1, precision="float64", w=2.0)
    found = expected(macaque, 2.0, heun=method == "heun")
    assert one.s.dims == ("time", "receptor", "area")
    assert one.receptor.values.tolist() == list(RECEPTORS)
    np.testing.assert_allclose(one.r, found[:, 0], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(one.s, found[:, 1:], rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(one.current.sel(receptor="GABA"), -0.8 * found[:, 3], rtol=1e-10, atol=1e-12)


def test_measures_keep_the_dimension(macaque):
    asked = study(
        macaque,
        [
            *(measure(of="s") for measure in (Peak, Mean, Final, Variance)),
            Trace(of="current", every=0.01, areas=("V1", "V4")),
        ],
        precision="float64",
        axes={"w": [0.5, 2.0]},
    )
    ds = asked.compute()
    assert ds.mean_rate.dims == ("w", "receptor", "area")
    s = expected(macaque, 2.0)[:, 1:]
    one = ds.sel(w=2.0)
    np.testing.assert_allclose(one.peak_rate, s.max(0) - s[0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(one.mean_rate, s.mean(0), rtol=1e-9)
    np.testing.assert_allclose(one.final_rate, s[-1], rtol=1e-9)
    np.testing.assert_allclose(one.rate_variance, s.var(0), rtol=1e-8, atol=1e-12)
    at = [macaque.index(area) for area in ("V1", "V4")]
    np.testing.assert_allclose(one.rate_change, SIGN[:, None] * s[::10][..., at], rtol=1e-9, atol=1e-12)


@pytest.mark.slow
def test_its_sensitivity_is_a_difference_quotient(macaque, run_all):
    found = run_all(study(macaque, [Sensitivity(Final(of="s"), ("w",))], precision="float64", axes={"w": [2.0]}))
    ends = [expected(macaque, 2.0 + step)[-1, 1:] for step in (1e-6, -1e-6)]
    assert found["d_final_rate"].shape == (1, 3, 29, 1)
    np.testing.assert_allclose(found["d_final_rate"][0, ..., 0], (ends[0] - ends[1]) / 2e-6, rtol=1e-5, atol=1e-6)


class First(Receptors):
    """The synaptic variable is the one that the ceiling watches."""

    observables = {"s": "Hz", "r": "Hz"}
    dimensions = {"s": {"receptor": RECEPTORS}}
    outputs = ODEModel.outputs


def test_points_have_the_same_bits_in_any_batch_and_the_ceiling_watches_it(macaque, run_all):
    wants, parts = [Final(of="r")], dict(model=First(), ceiling=10.3)
    whole = run_all(study(macaque, wants, **parts))
    alone = run_all(study(macaque, wants, **parts, axes={"w": [0.1]}))
    np.testing.assert_array_equal(whole["final_rate"][0], alone["final_rate"][0])
    diverged = [expected(macaque, w)[:, 1:].max() > 10.3 for w in np.linspace(0.1, 2, 9)]
    assert 0 < sum(diverged) < 9
    np.testing.assert_array_equal(whole["status"] == 2, diverged)


@dataclass(frozen=True)
class Layers(ODEModel):
    """Two layers in each area, which hear those of their kind, and the sum of both."""

    sigma: float = parameter(0.0, units="1/s^0.5", doc="noise")
    observables = {"mean": "1", "x": "1"}
    states = {"y": "1", "x": "1"}
    dimensions = {"x": {"layer": ("deep", "upper")}}
    random_start = 3

    def start(self, p, net, normal):
        return self.state(x=normal[:2], y=normal[2])

    def sends(self, x, p):
        return {"x": x.x, "sum": x.x.sum(0)}

    def outputs(self, x, p, net):
        return {"mean": x.x.mean(0)}

    def derivative(self, x, p, net, stimulus):
        return {"x": net.received.x - 0.5 * net.received.sum - 3 * x.x, "y": 0 * x.y}


class Still(Layers):
    """It stays where it starts."""

    def derivative(self, x, p, net, stimulus):
        return {"x": 0 * x.x, "y": 0 * x.y}


PARTS = dict(dt=1e-3, duration=0.05, precision="float64", seed=3)


@pytest.mark.parametrize("velocity", [pytest.param(None, marks=pytest.mark.slow), 5.0])
def test_it_starts_at_random_and_what_is_sent_has_the_dimension(macaque, velocity):
    """Every kind travels by its own, at once and late."""
    speed = {} if velocity is None else {"velocity": velocity}
    z = simulate(Still(), macaque, **PARTS, **speed).x.values[0]
    assert abs(z.std() - 1) < 0.4
    assert len(np.unique(z)) == 2 * 29
    one = simulate(Layers(), macaque, **PARTS, **speed)
    found = integrated(
        macaque,
        z,
        lambda z: np.concatenate([z, z.sum(0)[None]]),
        lambda z, heard: heard[:2] - 0.5 * heard[2] - 3 * z,
        1e-3,
        50,
        velocity,
    )
    np.testing.assert_allclose(one.x, found, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(one["mean"], found.mean(1), rtol=1e-9, atol=1e-12)


def test_every_kind_has_noise_of_its_own(macaque, run_all):
    """The variance of independent walks: sigma^2 t."""

    class Noisy(Still):
        def diffusion(self, x, p, net):
            return {"x": p.sigma * jnp.array([1.0, 2.0])[:, None] * jnp.ones_like(x.x)}

    one = simulate(Noisy(), macaque, **{**PARTS, "precision": "float32"}, sigma=3.0)
    steps = np.diff(one.x.values, axis=0) / np.sqrt(1e-3) / 3.0
    np.testing.assert_allclose(steps.std((0, 2)), [1.0, 2.0], rtol=0.05)
    assert abs(np.corrcoef(steps[:, 0].ravel(), steps[:, 1].ravel())[0, 1]) < 0.1


class Both(NamedTuple):
    s: Any  # (receptor, area)


@dataclass(frozen=True)
class Exact(Model):
    """Relaxation, exact between steps."""

    observables = {"s": "1"}
    dimensions = {"s": {"receptor": RECEPTORS}}

    def rest(self, p, net):
        return {"s": jnp.full((3, 29), 1.0)}

    def start(self, p, net):
        return Both(jnp.zeros((3, 29)))

    def step(self, x, p, net, stimulus, dt):
        return Both(stimulus + (x.s - stimulus) * jnp.exp(-dt / TAU)[:, None])


def test_a_step_of_ones_own_takes_it(macaque):
    found = simulate(Exact(), macaque, PULSE, dt=1e-3, duration=0.06, precision="float64")
    t = np.maximum(found.time.values + 1e-3 - 0.01, 0)  # a sample is the state after its step
    np.testing.assert_allclose(found.s.sel(area="V1"), 1 + 5 * (1 - np.exp(-t[:, None] / TAU)), rtol=1e-12)
    assert (found.s.sel(area="V2") == 1).all()


@pytest.mark.slow
def test_it_is_linearised(macaque, run_all):
    """As the same equations with three variables of one number for each area."""

    class Apart(ODEModel):
        w: float = 0.5
        observables = {"r": "Hz", "a": "Hz", "b": "Hz", "c": "Hz"}

        def derivative(self, x, p, net, stimulus):
            arrives, s = 0.5 * (net.weights @ x.r) + x.r, (x.a, x.b, x.c)
            found = {name: (arrives - one) / tau for name, one, tau in zip("abc", s, TAU)}
            total = sum(sign * one for sign, one in zip(SIGN, s))
            return found | {"r": (jnp.tanh(total) - x.r) / 0.02}

    together = study(macaque, [SpectralAbscissa()], axes={"w": [0.5]}, fixed={"bias": 0.0})
    apart = study(macaque, [SpectralAbscissa()], model=Apart(), axes={"amplitude": [0.0]})
    found = [run_all(one)["spectral_abscissa"] for one in (together, apart)]
    np.testing.assert_allclose(*found, rtol=1e-6)


@pytest.mark.parametrize(
    ("measure", "message"),
    [
        (FC(of="s", every=0.01), r'FC takes one number for each area, and "s" of Receptors is \(receptor, area\)'),
        (Mean(of=BOLD("s"), every=0.01), r'Mean takes one number for each area, and "s"'),
    ],
)
def test_what_takes_one_number_for_each_area_says_so(macaque, measure, message):
    with pytest.raises(UserError, match=message):
        study(macaque, [measure])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"S": {"receptor": RECEPTORS}}, 'no variable "S"; did you mean "s"'),
        ({"s": {"area": RECEPTORS}}, "expected a dimension with a name of its own"),
        ({"s": {"receptor": "AMPA"}}, "expected a dimension with a name of its own"),
        ({"s": {"receptor": ("AMPA", "AMPA")}}, "expected some, each once"),
        ({"s": {"receptor": RECEPTORS}, "current": {"receptor": ("AMPA",)}}, "the same for all variables"),
    ],
)
def test_mistakes_in_dimensions(macaque, given, message):
    class Wrong(Receptors):
        dimensions = given

    with pytest.raises(UserError, match=message):
        study(macaque, [Peak()], model=Wrong())


def test_a_wrong_shape_is_told(macaque):
    class Wrong(Receptors):
        def derivative(self, x, p, net, stimulus):
            return {"s": x.r, "r": x.r}

    with pytest.raises(
        UserError, match=r"makes s of shape \(29,\); expected one number per receptor and area: \(3, 29\)"
    ):
        simulate(Wrong(), macaque, dt=1e-3, duration=0.1)
