"""What the golden bits are of: tiny studies and calls that together enter every branch that makes a number.

A case is a function that makes a Study, all of whose variables count, or arrays by name.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pandas as pd
import xarray as xr

import gbaexplore as gba
from gbaexplore import analysis, designs
from gbaexplore.basics import points
from gbaexplore.basics.names import STATUS, canonical
from gbaexplore.engine import noise

Arrays = Mapping[str, np.ndarray]

CASES: dict[str, Callable[[], gba.Study | Arrays]] = {}

MACAQUE = gba.load_connectome("macaque29")
ONE = MACAQUE.without(*MACAQUE.areas[1:])
TWO = MACAQUE.without(*MACAQUE.areas[2:])
PULSE = gba.Pulse(area="V1", onset=0.01, duration=0.03, amplitude=41.9)
LATE = (0.02, 0.07)
ABOVE = {"restE": 20.0, "restI": 45.0}  # of the thresholds: noise is not cut off
ALL = (
    gba.Peak(),
    gba.Peak(window=LATE, of="I", suffix="_I"),
    gba.Mean(),
    gba.Mean(window=LATE, of="I", suffix="_I"),
    gba.Final(),
    gba.Final(window=(0.0, 0.05), suffix="_early"),
    gba.Variance(window=LATE),
    gba.Quantile(q=(0.1, 0.5, 0.85), window=LATE),
    gba.Spectrum(frequencies=(0.0, 25.0, 250.0), window=(0.01, 0.08), segment=0.04),
    gba.Trace(every=0.0014, window=LATE, areas=("V1", "V4", "24c")),
    gba.Trace(every=0.01, of="I", suffix="_I"),
)


def values(name: str) -> dict[str, np.ndarray]:
    """Return every array of a case by its name."""
    made = CASES[name]()
    found = _grid(made) if isinstance(made, gba.Study) else made
    return {str(variable): np.asarray(array) for variable, array in found.items()}


def identity(name: str) -> dict[str, Any]:
    """Return what identifies the programs and the untraced code that make a case's values; of a call, nothing."""
    made = CASES[name]()
    if not isinstance(made, gba.Study):
        return {}
    recipe = made.recipe()
    code = {label: variant["made"]["code"] for label, variant in recipe["variants"].items()}
    return {"revisions": recipe["revisions"], "code": code}


# Where rounding is amplified. Found with jax 0.12 and numpy 2.5 against the recorded 0.10 and 2.4, in this order: 2e-6
# (small differences of large numbers), 6e-6 and 1e-5 (variances about a mean far from 0), 5e-8 (where a flat maximum
# is), 5e-7 (products of other length), 1e-7 (rest in float64 plus a change in float32); of oscillations and of BOLD,
# which sum rounding over the run, 5e-6, 6e-7 and 1e-6.
AMPLIFIED = {
    "wilson_cowan_rk4": 1e-5,
    "across_seeds": 5e-5,
    "across_seeds_by_parts": 5e-5,
    "delayed": 5e-6,
    "linear_theory": 1e-6,
    "non_normality": 1e-6,
    "non_normality_local": 1e-6,
    "many_areas": 5e-6,
    "simulated noise": 5e-7,
    "hopf": 2e-5,
    "wong_wang": 2e-6,
    "wong_wang fc_hrf_r_E": 3e-2,  # Fisher's z of correlations of 0.999999: rounding of 1e-8 is a hundredth there
    "jansen_rit": 5e-6,
    "quantiles_of_steps": 5e-3,  # values that are equal but for rounding: which marker moves is decided by the last bit
}


def tolerance(name: str, variable: str, otherwise: float) -> float:
    """Return how far a variable of a case, or of a part of one, may be off, relative, where rounding differs."""
    part = f"{name} {variable.partition('.')[0]}"
    return max(AMPLIFIED.get(name, 0.0), AMPLIFIED.get(part, 0.0), otherwise)


def _grid(study: gba.Study) -> dict[str, np.ndarray]:
    found: dict[str, np.ndarray] = {}
    for block in study.blocks():
        for name, part in study.run_block(block).items():
            whole = found.setdefault(name, np.empty(study.shape + part.shape[len(study.shape) :], part.dtype))
            whole[block.slices] = part
    return found


def case(function: Callable[[], gba.Study | Arrays]) -> Callable[[], gba.Study | Arrays]:
    CASES[function.__name__] = function
    return function


def small(**parts: Any) -> gba.Study:
    """Return a study; keywords replace parts of it."""
    given: dict[str, Any] = dict(
        name="golden",
        model=gba.ThresholdLinear(),
        axes={"muEE": [28.0, 33.7, 51.5]},
        connectome=MACAQUE,
        stimulus=PULSE,
        measures=[gba.Peak()],
        duration=0.08,
    )
    return gba.Study(**{**given, **parts})


def numbers(found: xr.Dataset | pd.DataFrame) -> dict[str, np.ndarray]:
    """Return what is no text, coordinates too."""
    ds = xr.Dataset.from_dataframe(found) if isinstance(found, pd.DataFrame) else found
    return {str(name): array.values for name, array in ds.variables.items() if array.dtype.kind in "biuf"}


def parts(**found: Arrays) -> dict[str, np.ndarray]:
    return {f"{part}.{name}": array for part, arrays in found.items() for name, array in arrays.items()}


# ThresholdLinear.


@case
def threshold_linear() -> gba.Study:
    return small(measures=[*ALL, gba.SpectralAbscissa()])


@case
def threshold_linear_float64() -> gba.Study:
    measures = [gba.Peak(), gba.Mean(of="I"), gba.Variance(), gba.Quantile(q=(0.3,)), gba.SpectralAbscissa()]
    return small(measures=measures, precision="float64")


@case
def threshold_linear_simultaneous() -> gba.Study:
    models = {update: gba.ThresholdLinear(update=update) for update in ("sequential", "simultaneous")}
    return small(model=None, axes={"update": models, "omegaEI": [19.7, 25.2]}, duration=0.3)


@case
def threshold_linear_targeted() -> gba.Study:
    """Inhibition has pathways of its own."""
    models = {update: gba.ThresholdLinear(update=update) for update in ("sequential", "simultaneous")}
    return small(
        model=None, axes={"update": models, "muIE": [20.0, 25.3]}, connectome=MACAQUE.with_targeted_inhibition(0.5),
        measures=[gba.Peak(), gba.SpectralAbscissa()],
    )  # fmt: skip


@case
def threshold_linear_without_background() -> gba.Study:
    """It starts from zero rates, and moves without stimulus."""
    return small(model=gba.ThresholdLinear(background=False), measures=[gba.Peak(), gba.Mean(), gba.Final(of="I")])


@case
def threshold_linear_parameters() -> gba.Study:
    """Every parameter that no other case moves, each from its default."""
    changed = {
        "eta": 0.5, "betaE": 0.06, "betaI": 0.3, "tauE": 0.025, "tauI": 0.015, "omegaEE": 22.0, "omegaIE": 11.0,
        "omegaII": 13.5, "thresholdE": 9.0, "thresholdI": 33.0,
    }  # fmt: skip
    declared = gba.ThresholdLinear.parameters()
    rows = [{n: changed[n] if n == own else declared[n].default for n in changed} for own in changed]
    return small(axes={"changed": pd.DataFrame(rows)}, measures=[gba.Peak(), gba.Final(of="I")])


@case
def threshold_linear_noise() -> gba.Study:
    """Noise above the thresholds and on them; axes, labels and seeds tell its numbers apart."""
    return small(
        axes={"seed": [0, 1, 7], "rest": {"on": gba.ThresholdLinear(), "above": gba.ThresholdLinear(**ABOVE)}},
        noise="independent", model=None, fixed={"noise": 0.1},
        measures=[gba.Mean(), gba.Trace(every=0.008, areas=("V1", "24c"))],
    )  # fmt: skip


@case
def threshold_linear_noise_float64() -> gba.Study:
    """No stimulus; noise of amplitude 0 among others; a seed for all points."""
    return small(
        axes={"noise": [0.0, 0.1]}, fixed={"seed": 3.0, **ABOVE}, stimulus=None, precision="float64",
        noise="independent", measures=[gba.Final(), gba.Peak(of="I")],
    )  # fmt: skip


@case
def diverging() -> gba.Study:
    """A bounded point, one that runs away, and one whose squares are beyond the largest float32 at once."""
    points = pd.DataFrame({"muEE": [33.7, 150.0, 33.7], "omegaEE": [24.3, 24.3, 5e3]})
    return small(axes={"point": points}, measures=ALL, ceiling=100.0)


# DelayedThresholdLinear.


@case
def delayed() -> gba.Study:
    """Points of several velocities; a response that is over ends early."""
    axes = {"velocity": [1.5, 3.5, 20.0], "muEE": [20.0, 33.7]}
    return small(model=gba.DelayedThresholdLinear(), axes=axes, duration=0.3)


@case
def delayed_float64() -> gba.Study:
    """From rest, but in slices that differ: no lane may end before the others."""
    return small(
        model=gba.DelayedThresholdLinear(), connectome=MACAQUE.with_targeted_inhibition(0.5), fixed={"velocity": 2.0},
        stimulus=dataclasses.replace(PULSE, onset=0.0102, duration=0.0302), precision="float64",
    )  # fmt: skip


@case
def delayed_noise() -> gba.Study:
    return small(
        model=gba.DelayedThresholdLinear(**ABOVE), axes={"velocity": [1.5, 3.5], "seed": [0, 1]}, fixed={"noise": 0.1},
        noise="independent", measures=[gba.Mean(), gba.Final(of="I")],
    )  # fmt: skip


@case
def shared_noise() -> gba.Study:
    """Lanes of one seed, and a last batch of both."""
    return small(
        axes={"muEE": np.linspace(20.0, 40.0, 70), "seed": [0, 7]}, fixed={"noise": 0.1, **ABOVE},
        measures=[gba.Mean(), gba.Final(of="I")],
    )  # fmt: skip


@case
def shared_noise_delayed() -> gba.Study:
    return small(
        model=gba.DelayedThresholdLinear(**ABOVE), axes={"velocity": [1.5, 3.5], "seed": [0, 1]}, fixed={"noise": 0.1},
        measures=[gba.Mean(), gba.Final(of="I")],
    )  # fmt: skip


# WilsonCowan.


def wilson_cowan(method: Any, **parts: Any) -> gba.Study:
    return small(model=gba.WilsonCowan(method=method), **{"axes": {"P": [0.0, 1.25]}, **parts})


@case
def wilson_cowan_euler() -> gba.Study:
    return wilson_cowan("euler", measures=[gba.Peak(), gba.Mean(), gba.Trace(every=0.01, of="I", areas=("V1",))])


@case
def wilson_cowan_heun() -> gba.Study:
    return wilson_cowan("heun", measures=[gba.Peak(), gba.Final(of="I")], precision="float64")


@case
def wilson_cowan_rk4() -> gba.Study:
    return wilson_cowan("rk4", measures=[gba.Peak(), gba.Final(of="I")], fixed={"Q": 0.3})


@case
def wilson_cowan_at_rest() -> gba.Study:
    """From rest, and linearised there by JAX."""
    return wilson_cowan(
        "heun", axes={"muIE": [0.0, 0.5], "rE": [1.0, 0.5]}, measures=[gba.Peak(), gba.SpectralAbscissa()]
    )


# LocalCircuit.


@case
def local_circuit() -> gba.Study:
    """From away from rest; rates come down to their floor; one parameter follows another."""
    return small(
        model=gba.LocalCircuit(), axes={"wEE": [5.0, 6.0], "wIE": [3.0, 4.5], "startE": [0.0, 1.0]}, connectome=ONE,
        derived={"wII": lambda wIE: 1.1 * wIE}, stimulus=None, duration=0.3,
        measures=[gba.Peak(), gba.Peak(of="I", suffix="_I"), gba.Trace(every=0.02), gba.SpectralAbscissa()],
    )  # fmt: skip


@case
def local_circuit_float64() -> gba.Study:
    return small(
        model=gba.LocalCircuit(), axes={"amplitude": [0.0, 5.0]}, measures=[gba.Mean(), gba.Final(of="I")],
        precision="float64",
    )  # fmt: skip


# Whole-brain models, and what looks seldom.

PATTERN = np.corrcoef(np.log(MACAQUE.weights + 1e-3))
OSCILLATES = dict(stimulus=None, dt=1e-3, duration=0.3)
"""Of studies of models that need no stimulus."""


@case
def hopf() -> gba.Study:
    """Random starts and noise; what is sent arrives late."""
    return small(
        model=gba.Hopf(), axes={"G": [0.5, 2.0], "velocity": [5.0, 20.0]}, fixed={"sigma": 0.02}, **OSCILLATES,
        measures=[
            gba.KuramotoOrder(of=("x", "y"), window=(0.1, 0.3)),
            gba.SpectralPeak(of="y", frequencies=range(0, 100, 10), segment=0.1, every=0.005),
            gba.AutocorrelationTime(every=0.002, longest=0.1),
        ],
    )  # fmt: skip


@case
def kuramoto() -> gba.Study:
    return small(
        model=gba.Kuramoto(), axes={"velocity": [5.0, 20.0]}, **OSCILLATES,
        measures=[gba.KuramotoOrder(of="theta", every=0.01), gba.Final()],
    )  # fmt: skip


@case
def wong_wang() -> gba.Study:
    """Inhibition solved for a rate; two signals and samples of them."""
    looks = dict(of=gba.BOLD("S_E"), every=0.02)
    return small(
        model=gba.WongWang(), axes={"G": [0.5, 1.0]}, derived={"J": gba.feedback_inhibition}, **OSCILLATES,
        measures=[
            gba.Mean(of="r_E", every=0.003), gba.Variance(of="S_I"), gba.Trace(**looks, areas=("V1", "24c")),
            gba.FC(**looks, window=(0.06, 0.3)), gba.FCD(**looks, length=0.12, step=0.04),
            gba.FC(of=gba.DoubleGamma("r_E"), every=0.03, fisher_z=True),
            gba.Final(of=gba.BOLD("S_E", parameters="stephan2007", linear=True), every=0.1, suffix="_linear"),
        ],
    )  # fmt: skip


@case
def reduced_wong_wang() -> gba.Study:
    """Fits to data, in float64."""
    return small(
        model=gba.ReducedWongWang(), axes={"G": [0.1, 0.5]}, fixed={"sigma": 0.01}, precision="float64", **OSCILLATES,
        measures=[
            gba.Mean(of="rate"), gba.FCFit(data=PATTERN, every=0.01),
            gba.FCDFit(data=np.linspace(-0.2, 0.9, 50), every=0.01, length=0.1, step=0.02),
        ],
    )  # fmt: skip


@case
def jansen_rit() -> gba.Study:
    return small(
        model=gba.JansenRit(), axes={"G": [0.0, 10.0]}, **OSCILLATES, measures=[gba.Peak(), gba.Mean(every=0.01)]
    )


@case
def montbrio_pazo_roxin() -> gba.Study:
    return small(
        model=gba.MontbrioPazoRoxin(), axes={"G": [0.0, 0.5], "velocity": [5.0, 20.0]}, **OSCILLATES,
        measures=[gba.Peak(), gba.Final(of="V")],
    )  # fmt: skip


# A user's own models.


@dataclasses.dataclass(frozen=True)
class Bounded(gba.ODEModel):
    """Saturating units, with noise that grows with one of two variables."""

    tau: float = gba.parameter(0.02, units="s", doc="time constant", above=0)
    coupling: float = gba.parameter(0.8, units="1", doc="long-range coupling")
    cap: float = gba.parameter(6.0, units="Hz", doc="largest input", above=0)
    brake: float = gba.parameter(0.2, units="1", doc="of the stimulus, where it is above 0")
    strength: float = gba.parameter(0.0, units="Hz s^-0.5", doc="of the noise", minimum=0)

    observables: ClassVar[Mapping[str, str]] = {"x": "Hz", "y": "Hz"}

    def derivative(self, x: Any, p: Any, net: gba.Network, stimulus: Any) -> Mapping[str, Any]:
        gone = jnp.minimum(-p.brake * stimulus, 0.0)
        return {
            "x": (-x.x + jnp.clip(p.coupling * (net.weights @ x.x) - 0.5 * x.y + stimulus + gone, 0.0, p.cap)) / p.tau,
            "y": (x.x - x.y) / p.tau,
        }

    def starts_at_rest(self, values: Mapping[str, np.ndarray]) -> bool:
        return True


@dataclasses.dataclass(frozen=True)
class Shaken(Bounded):
    """The same, with noise that depends on the state: Ito and Stratonovich differ."""

    def diffusion(self, x: Any, p: Any, net: gba.Network) -> Mapping[str, Any]:
        return {"y": p.strength * (1.0 + x.x)}


@case
def own_model() -> gba.Study:
    return small(model=Bounded(method="heun"), axes={"coupling": [0.5, 0.8]}, duration=0.3)


@case
def own_model_noise() -> gba.Study:
    models = {method: Shaken(method=method) for method in ("euler", "heun")}
    return small(
        noise="independent", model=None, axes={"method": models, "strength": [0.1, 2.0]},
        measures=[gba.Mean(), gba.Mean(of="y", suffix="_y"), gba.SpectralAbscissa()],
    )  # fmt: skip


class Heard(NamedTuple):
    x: Any


@dataclasses.dataclass(frozen=True)
class Copying(gba.Model):
    """What goes in comes out: numbers that rounding does not touch."""

    gain: float = gba.parameter(1.0, units="1", doc="of the stimulus")

    observables: ClassVar[Mapping[str, str]] = {"x": "Hz"}

    def rest(self, p: Any, net: gba.Network) -> Mapping[str, Any]:
        return {"x": jnp.zeros_like(net.weights[0])}

    def start(self, p: Any, net: gba.Network) -> Heard:
        return Heard(jnp.zeros_like(net.weights[0]))

    def step(self, x: Heard, p: Any, net: gba.Network, stimulus: Any, dt: float) -> Heard:
        return Heard(p.gain * stimulus)

    def starts_at_rest(self, values: Mapping[str, np.ndarray]) -> bool:
        return True


@dataclasses.dataclass(frozen=True)
class Returning(gba.ODEModel):
    """A response that dies away, but for a rest that grows again: how deep it goes is how large the rest is."""

    left: float = gba.parameter(1e-3, units="1", doc="share of the stimulus that grows")

    observables: ClassVar[Mapping[str, str]] = {"x": "Hz", "y": "Hz"}

    def derivative(self, x: Any, p: Any, net: gba.Network, stimulus: Any) -> Mapping[str, Any]:
        # x + y dies away, x - y grows.
        down, up = (x.x + x.y) * -100.0 + stimulus, (x.x - x.y) * 40.0 + p.left * stimulus
        return {"x": (down + up) / 2, "y": (down - up) / 2}

    def starts_at_rest(self, values: Mapping[str, np.ndarray]) -> bool:
        return True


@case
def returning() -> gba.Study:
    """Which responses count as over, from one that surely does to one that surely does not."""
    return small(
        model=Returning(), axes={"left": np.geomspace(2e-5, 2e-3, 21)}, connectome=ONE, duration=0.3,
        stimulus=gba.Pulse(area="V1", onset=0.01, duration=0.005, amplitude=1000.0),
    )  # fmt: skip


@functools.cache
def leaky() -> Any:
    """A system of BrainPy's: tau dr/dt = -r + w tanh(FLN r) + input, and what it was 2 ms ago."""
    import brainpy as bp
    import brainpy.math as bm

    class Leaky(bp.DynamicalSystem):
        def __init__(self, weights: Any, net: Any, tau: float = 20.0, w: float = 2.0, gain: float = 1.0) -> None:
            super().__init__()
            self.weights, self.hierarchy, self.tau, self.w, self.gain = weights, net.values["hierarchy"], tau, w, gain
            self.input = bm.Variable(bm.zeros(len(weights)))
            self.r = bm.Variable(bm.zeros(len(weights)))
            self.past = bp.VarDelay(self.r, time=2.0, entries={"past": 2.0})
            self.late = bm.Variable(bm.zeros(len(weights)))

        def update(self, x: Any = 0.0) -> None:
            far = self.w * bm.tanh(self.weights @ self.r.value) * (1 + self.hierarchy)
            slope = (-self.r.value + far + self.gain * (x + self.input.value)) / self.tau
            self.r.value += bp.share["dt"] * slope
            self.late.value = self.past.at("past")
            self.past.update()
            self.input.value = bm.zeros_like(self.input.value)

    return Leaky


@case
def brainpy() -> gba.Study:
    model = gba.BrainPyModel(leaky(), {"r": "Hz", "late": "Hz"}, at_rest=True)
    return small(model=model, axes={"tau": [10.0, 20.0]}, measures=[gba.Peak(), gba.Peak(of="late", suffix="_late")])


@case
def brainpy_float64() -> gba.Study:
    """The stimulus goes into a Variable; every step counts."""
    model = gba.BrainPyModel(leaky(), ["r"], input="input", options={"gain": 0.5}, time_unit_s=1e-2)
    return small(model=model, axes={"w": [1.0, 2.0]}, measures=[gba.Mean(), gba.Final()], precision="float64")


# Measures of noise.


def shaken(measures: Any, **parts: Any) -> gba.Study:
    """One cycle of the whole network with noise, long enough for estimates to settle."""
    given = dict(noise="independent", axes={"noise": [0.05, 0.2]}, fixed=ABOVE, connectome=TWO, duration=0.6)
    return small(measures=measures, **given | parts)


@case
def fluctuations() -> gba.Study:
    return shaken(
        [
            gba.Variance(),
            gba.Quantile(q=(0.02, 0.5, 0.9)),
            gba.Spectrum(frequencies=(0.0, 10.0, 50.0, 2500.0), segment=0.1),
            gba.Spectrum(frequencies=(0.0, 40.0), window=(0.1, 0.55), of="I", suffix="_whole"),
        ]
    )


@case
def quantiles_of_steps() -> gba.Study:
    """Whole numbers, many of them equal or far apart: markers go along lines where the parabola leaves the order."""
    draw = np.random.default_rng(5)
    steps = np.where(draw.random(300) < 0.6, draw.integers(0, 4, 300), draw.integers(0, 150, 300))
    return small(
        model=Copying(), axes={"gain": [1.0, 3.0]}, connectome=ONE,
        stimulus=gba.Stimulus({"V1": steps}, onset=0.01), measures=[gba.Peak(), gba.Quantile(q=(0.1, 0.5, 0.9))],
    )  # fmt: skip


@case
def across_seeds() -> gba.Study:
    """One of the points diverges with some of the seeds."""
    return small(
        noise="independent", axes={"muEE": [33.7, 51.5]}, fixed={"noise": 0.6, **ABOVE}, ceiling=60.0,
        measures=[gba.AcrossSeeds(gba.Peak(), seeds=6, quantiles=(0.25, 0.5, 0.9))],
    )  # fmt: skip


@case
def across_seeds_by_parts() -> gba.Study:
    """More simulations than are made at once, so that moments are merged."""
    return small(
        axes={"muEE": np.linspace(20.0, 50.0, 40), "omegaEI": np.linspace(19.0, 26.0, 35)},
        noise="independent", fixed={"noise": 0.3, **ABOVE}, connectome=TWO, duration=0.05,
        measures=[gba.AcrossSeeds(gba.Mean(of="I"), seeds=4)],
    )  # fmt: skip


# Sensitivities.


@case
def sensitivity() -> gba.Study:
    """With no amplitude every rectifier has a tie; a point that has diverged has no derivative."""
    points = pd.DataFrame({"amplitude": [0.0, 41.9, 41.9], "muEE": [33.7, 33.7, 400.0]})
    return small(
        axes={"point": points}, connectome=MACAQUE.with_targeted_inhibition(0.5),
        measures=[
            gba.Sensitivity(gba.Peak(), ("muEE", "tauE", "amplitude")),
            gba.Sensitivity(gba.Mean(window=LATE, of="I"), ("omegaEI", "restE"), suffix="_I"),
        ],
    )  # fmt: skip


@case
def sensitivity_of_fluctuations() -> gba.Study:
    return shaken([gba.Sensitivity(gba.Variance(), ("noise", "omegaEE"))], duration=0.15, precision="float64")


@case
def sensitivity_wilson_cowan() -> gba.Study:
    return wilson_cowan("heun", measures=[gba.Sensitivity(gba.Final(), ("P", "thetaE"))], precision="float64")


@case
def sensitivity_own_model() -> gba.Study:
    """A tie of a minimum and of clip; limits that are reached."""
    return small(
        model=Bounded(), axes={"amplitude": [0.0, 4.0, 20.0]},
        measures=[gba.Sensitivity(gba.Peak(), ("amplitude", "brake", "cap"))],
    )  # fmt: skip


# Calibration.


@case
def calibration_by_homogeneity() -> gba.Study:
    """Some are found, some are past the ceiling or run away; the search may begin at no amplitude."""
    return small(
        axes={"muEE": [28.0, 33.7, 400.0], "amplitude": [0.0, 41.9]}, ceiling=60.0,
        measures=[gba.CalibratedAmplitude("V1", 50.0), gba.CalibratedAmplitude("24c", 1.0, suffix="_none")],
    )  # fmt: skip


@case
def calibration_by_brackets() -> gba.Study:
    """From above the thresholds a fall is cut off: from guesses far below and far above."""
    measures = [gba.CalibratedAmplitude("V1", 50.0), gba.CalibratedAmplitude("24c", 1e-4, suffix="_24c")]
    return small(
        axes={"amplitude": [0.01, 41.9, 5e4], "omegaEI": [19.7, 26.0]}, fixed={"restE": 12.0, "restI": 37.0},
        ceiling=1e5, measures=measures,
    )  # fmt: skip


@case
def calibration_by_brackets_float64() -> gba.Study:
    return small(
        axes={"amplitude": [1.0, 100.0], "omegaEI": [19.7, 26.0]}, fixed={"restE": 12.0, "restI": 37.0},
        measures=[gba.CalibratedAmplitude("V1", 20.0, window=(0.0, 0.05), of="I")], precision="float64",
    )  # fmt: skip


@case
def calibration_that_starts_away_from_rest() -> gba.Study:
    """Saturation, a jump over the target, and a target that is met without stimulus: no amplitude."""
    return wilson_cowan(
        "euler", axes={"P": [0.5, 1.0, 1.25]},
        measures=[gba.CalibratedAmplitude("V1", target, suffix=f"_{i}") for i, target in enumerate((0.2, 0.3, 0.6))],
    )  # fmt: skip


# Stimuli.


@case
def stimulus_stepwise() -> gba.Study:
    """More levels than are constant pieces; lanes end early, and are refilled."""
    ramp = gba.Stimulus({"V1": lambda t: 2e3 * (t - 0.01), "V4": lambda t: 40 * np.sin(300 * t) ** 2}, 0.01, 0.03)
    courses = {"ramp": ramp, "noise": gba.Stimulus({"V2": np.random.default_rng(1).uniform(0, 60, 150)}, onset=0.01)}
    return small(axes={"course": courses, "amplitude": [0.5, 1.0]}, stimulus=None, duration=0.3)


@case
def stimulus_stepwise_to_the_end() -> gba.Study:
    stimulus = gba.Stimulus({"V1": lambda t: 40 * np.exp(-t / 0.02)}, onset=0.01, duration=0.05)
    return small(stimulus=stimulus, measures=[gba.Mean(), gba.Peak(window=LATE)])


@case
def stimulus_of_pieces() -> gba.Study:
    """Some levels, each for some time, into two areas."""
    levels = np.repeat([10.0, 0.0, 40.0, 25.0], 50)
    stimulus = gba.Stimulus({"V1": levels, "24c": levels[::-1] / 2}, onset=0.01, amplitude=1.5)
    return small(stimulus=stimulus, measures=[gba.Peak(), gba.Peak(of="I", suffix="_I")])


# The engine.


@case
def lanes_are_refilled() -> gba.Study:
    """More points than lanes, some of which end early, some of which diverge, in several blocks."""
    axes = {"muEE": np.linspace(10.0, 100.0, 26), "omegaEI": np.linspace(15.0, 26.0, 24)}
    return small(axes=axes, duration=0.3, block_points=100)


@case
def lanes_are_refilled_ragged() -> gba.Study:
    """The same with slices that differ in length, and a window that ends before the others."""
    stimulus = dataclasses.replace(PULSE, onset=0.0102, duration=0.0302)
    measures = [gba.Peak(), gba.Peak(window=(0.0, 0.0804), of="I", suffix="_I")]
    axes = {"muEE": np.linspace(10.0, 100.0, 25), "omegaEI": np.linspace(15.0, 26.0, 16)}
    return small(axes=axes, stimulus=stimulus, measures=measures, duration=0.3)


@case
def lanes_run_to_the_end() -> gba.Study:
    """More points than lanes, none of which may end early; windows that open late, in slices of different length."""
    return small(
        axes={"muEE": np.linspace(10.0, 60.0, 300)},
        measures=[gba.Mean(window=(0.0306, 0.0712)), gba.Final(window=LATE)],
    )


@case
def many_areas() -> gba.Study:
    """So many that there are fewest lanes."""
    network = gba.erdos_renyi(150, density=0.3, seed=2)
    stimulus = dataclasses.replace(PULSE, area=network.areas[3])
    return small(connectome=network, stimulus=stimulus, axes={"muEE": np.linspace(10.0, 30.0, 250)}, duration=0.05)


@case
def axes_of_every_kind() -> gba.Study:
    """A table, labels that change network and stimulus, numbers, and parameters that follow from these."""
    table = designs.halton(5, {"muEE": (28, 40), "tauE": (0.01, 0.03)})
    both = {
        "on": (MACAQUE, PULSE),
        "off": (MACAQUE.without_feedback(), dataclasses.replace(PULSE, area="V2", amplitude=30.0)),
    }
    return small(
        axes={"point": table, "feedback": both, "eta": [0.6, 0.7]},
        derived={
            "omegaEI": lambda muEE, feedback: 19.7 + (muEE - 33.7) * 55 / 178 + (feedback == "off"),
            "omegaII": lambda omegaEI, eta: omegaEI - 10 * eta,
        },
        fixed={"muIE": 25.0}, connectome=None, stimulus=None, measures=[gba.Peak(), gba.SpectralAbscissa()],
    )  # fmt: skip


# Single runs.


@case
def simulated() -> dict[str, np.ndarray]:
    def run(model: gba.Model, **parts: Any) -> dict[str, np.ndarray]:
        return numbers(gba.simulate(model, MACAQUE, PULSE, **{"duration": 0.08, "every": 0.004, **parts}))

    late = gba.DelayedThresholdLinear(**ABOVE)
    return parts(
        float32=run(gba.ThresholdLinear(), muEE=33.7),
        float64=run(gba.ThresholdLinear(), muEE=33.7, precision="float64", window=(0.02, 0.0612)),
        noise=run(late, velocity=2.0, dt=4e-4, every=0.008, noise=0.1, seed=4, at={"muEE": 28.0, "feedback": "on"}),
    )


# Random numbers.


@case
def random_numbers() -> dict[str, np.ndarray]:
    """The generator's bits, from seed and coordinates to what a step gets."""
    hashes = points.coordinate_hashes({"seed": np.arange(5.0), "muEE": np.linspace(28, 34, 5), "feedback": "on"})
    keys = noise.keys(hashes)
    counter = jnp.arange(5, dtype=jnp.uint32)
    bits, normals = jax.jit(
        lambda k: (noise.threefry(*k, counter, jnp.uint32(7)), noise.normals(k, jnp.int32(12), 3, 29))
    )(keys.T)
    reseeded = points.reseeded(hashes, 3)
    return {"hashes": hashes, "reseeded": reseeded, "keys": keys, "bits": np.stack(bits), "normals": normals}


# Solved on the host.


@case
def linear_theory() -> dict[str, np.ndarray]:
    made = dict(noise=0.1, omegaEE=20.0)
    return parts(
        covariance=numbers(analysis.stationary_covariance(gba.ThresholdLinear(), MACAQUE, **made)),
        covariance_own=numbers(analysis.stationary_covariance(Shaken(), TWO, strength=0.5)),
    )


@case
def non_normality() -> gba.Study:
    axes = {"muEE": [5.0, 28.0]}
    return small(axes=axes, fixed={"omegaEE": 20.0}, measures=[gba.NonNormality()], precision="float64")


@case
def non_normality_local() -> gba.Study:
    model, axes = gba.LocalCircuit(), {"wEE": [6.0]}
    return small(model=model, axes=axes, connectome=ONE, measures=[gba.NonNormality()], precision="float64")


@case
def boundaries_of_a_grid() -> dict[str, np.ndarray]:
    x, y = np.linspace(28, 34, 7), np.linspace(19, 26, 8)
    height = (x[:, None] - 31) ** 2 - (y - 22) + np.array([0.0, 2.0])[:, None, None]
    dims = ("feedback", "muEE", "omegaEI")
    ds = xr.Dataset(coords={"feedback": ["on", "off"], "muEE": x, "omegaEI": y})
    ds["spectral_abscissa"] = (dims, height)
    ds[STATUS] = (dims, np.where(height > 4, 2, np.where(height < -3, 0, 1)).astype(np.uint8))
    return parts(
        linear=numbers(analysis.linear_boundary(ds).to_dataset(name="y")),
        divergence=numbers(analysis.divergence_boundary(ds).to_dataset(name="y")),
    )


@case
def derived_fields() -> dict[str, np.ndarray]:
    """Sobol indices, elasticities and ratios of made-up results."""
    table = designs.saltelli(16, {"a": (0.0, 1.0), "b": (1.0, 3.0)})
    a, b = table["a"].to_numpy(), table["b"].to_numpy()
    made = small(axes={"point": designs.saltelli(16, {"muEE": (28, 34), "eta": (0.5, 0.8)})}).template()
    areas = np.arange(1.0, 30.0)
    peak = (a * b)[:, None] * areas + a[:, None] ** 2
    ds = made.assign(peak_rate=(("point", "area"), peak), status=("point", np.ones(64, np.uint8)))
    slopes = peak[..., None] * [0.1, -0.2]
    ds["d_peak_rate"] = (("point", "area", "parameter"), slopes)
    ds = ds.assign_coords(parameter=["muEE", "eta"])
    return parts(
        sobol=numbers(analysis.sobol_indices(ds, resamples=20, seed=1)),
        elasticity={"elasticity": analysis.elasticity(ds).values},
        ratio={"ratio": analysis.propagation_ratio(ds, "24c", "V2").values},
    )


@case
def networks() -> dict[str, np.ndarray]:
    targeted = MACAQUE.with_targeted_inhibition(0.5)
    made = {
        "macaque29": MACAQUE,
        "distance rule": gba.distance_rule(20, seed=3),
        "distance rule, macaque": gba.distance_rule(MACAQUE, length_mm=6.0, density=0.5, seed=1),
        "erdos renyi": gba.erdos_renyi(20, density=0.4, seed=3),
        "shuffled degree": gba.shuffled(targeted, "degree", seed=1),
        "shuffled weights": gba.shuffled(MACAQUE, "weights", seed=1),
        "targeted": targeted,
        "without feedback": targeted.without_feedback(),
        "arithmetic": MACAQUE.symmetrized("arithmetic"),
        "geometric": MACAQUE.symmetrized("geometric"),
        "thresholded": MACAQUE.thresholded(0.01),
        "scaled": MACAQUE.scaled(0.5).scaled(2.0, target="V1").without_pathway("V4", "V2"),
        "lesioned": MACAQUE.lesioned("V4", "TEO"),
    }
    found: dict[str, np.ndarray] = {}
    for name, network in made.items():
        parts = {
            "hierarchy": network.values["hierarchy"],
            "fln": network.weights,
            "sln": network.pathway_values.get("sln"),
            "wiring_mm": network.lengths_mm,
            "fln_inhibitory": network.further_weights.get("inhibitory"),
        }
        found |= {f"{name}.{part}": array for part, array in parts.items() if array is not None}
    return found


@case
def tables() -> dict[str, np.ndarray]:
    ranges = {"muEE": (31.0, 53.0), "tauE": (1e-3, 1e-1), "eta": (-1.0, 1.0)}
    makes = (designs.latin_hypercube, designs.halton, designs.sobol, designs.saltelli)
    rough = np.array([31 + 3 * 0.1, 1 / 3, -2e-17, 1e30 / 7, 123456789012.5, 0.0])
    return parts(**{make.__name__: numbers(make(8, ranges, log=("tauE",), seed=2)) for make in makes}) | {
        "canonical": canonical(rough)
    }


@case
def boundary_in_two_dimensions() -> dict[str, np.ndarray]:
    made = small(axes={"muEE": [20.0, 200.0], "omegaEI": [15.0, 26.0]}, connectome=TWO, ceiling=60.0, duration=0.1)
    found = gba.find_boundary(made, tolerance={"muEE": 6.0}, start=4)
    return parts(points=numbers(found.points), curves=numbers(found.curves))


@case
def boundary_in_three_dimensions() -> dict[str, np.ndarray]:
    """Of a number, which says how far off it is."""
    made = small(axes={"muEE": [20, 50], "omegaEI": [15, 26], "tauE": [0.01, 0.03]}, connectome=TWO, duration=0.05)
    found = gba.find_boundary(
        made,
        lambda ds: ds.peak_rate.sel(area="V2").fillna(np.inf) - 0.5,
        tolerance={"muEE": 3.0, "omegaEI": 2.0, "tauE": 4e-3},
        start=3,
    )
    return parts(points=numbers(found.points), curves=numbers(found.curves))
