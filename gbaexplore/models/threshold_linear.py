"""The threshold-linear large-scale cortex of Joglekar, Mejias, Yang & Wang (2018), Neuron 98:222-234."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.models.base import Model
from gbaexplore.models.parameters import parameter
from gbaexplore.networks.seen import Network


class State(NamedTuple):
    """Changes from rest, and the long-range input that they cause (kept: one matrix product per step)."""

    E: Any  # (area,) Hz
    I: Any  # (area,) Hz
    far: Any  # (area,) Hz, weights @ E


@dataclass(frozen=True)
class ThresholdLinear(Model):
    r"""Excitatory and inhibitory rates of each area, rectified current, forward Euler.

        tauE dE_i/dt = -E_i + max(I^E_i, thresholdE)        tauI dI_i/dt = -I_i + max(I^I_i, thresholdI)
        I^E_i = betaE (1 + eta h_i) (omegaEE E_i + muEE sum_j FLN_ij E_j) - betaE omegaEI I_i + bgE_i + stim_i
        I^I_i = betaI (1 + eta h_i) (omegaIE E_i + muIE sum_j FLN_ij E_j) - betaI omegaII I_i + bgI_i

    The background currents bgE, bgI make (restE, restI) a steady state in every area, and the run starts
    there. With `background=False` there are none, and the run starts from zero rates.

    `update` is the order within a step. "sequential", as in the published notebook, updates E first, and
    the inhibitory current then sees the new E; with "simultaneous", as in the paper's own code, both currents
    see the old state. Results differ by a few per cent at dt = 0.2 ms and converge to the same limit.

    `noise` adds independent white noise to both currents of each area: noise * N(0, 1) / sqrt(dt) in each step. At
    the default steady state, which sits on the thresholds, they cut off half of it; above them they do not.
    """

    update: Literal["sequential", "simultaneous"] = "sequential"
    background: bool = True

    eta: float = parameter(0.68, units="1", doc="gain of excitation per unit of hierarchy")
    betaE: float = parameter(0.066, units="Hz/pA", doc="slope of the excitatory f-I curve", minimum=0)
    betaI: float = parameter(0.351, units="Hz/pA", doc="slope of the inhibitory f-I curve", minimum=0)
    tauE: float = parameter(0.02, units="s", doc="excitatory time constant", above=0)
    tauI: float = parameter(0.01, units="s", doc="inhibitory time constant", above=0)
    omegaEE: float = parameter(24.3, units="pA/Hz", doc="local E to E coupling")
    omegaEI: float = parameter(19.7, units="pA/Hz", doc="local I to E coupling")
    omegaIE: float = parameter(12.2, units="pA/Hz", doc="local E to I coupling")
    omegaII: float = parameter(12.5, units="pA/Hz", doc="local I to I coupling")
    muEE: float = parameter(28.0, units="pA/Hz", doc="long-range E to E coupling")
    muIE: float = parameter(25.3, units="pA/Hz", doc="long-range E to I coupling")
    thresholdE: float = parameter(10.0, units="Hz", doc="floor of the excitatory current", minimum=0)
    thresholdI: float = parameter(35.0, units="Hz", doc="floor of the inhibitory current", minimum=0)
    restE: float = parameter(10.0, units="Hz", doc="steady-state excitatory rate", minimum=0)
    restI: float = parameter(35.0, units="Hz", doc="steady-state inhibitory rate", minimum=0)
    noise: float = parameter(0.0, units="Hz s^0.5", doc="amplitude of white noise on each current", minimum=0)

    observables: ClassVar[Mapping[str, str]] = {"E": "Hz", "I": "Hz"}
    takes_negative_weights: ClassVar[bool] = False  # they are shares of what excites an area

    def __post_init__(self) -> None:
        if not isinstance(self.background, bool):
            raise UserError(f"background = {' '.join(repr(self.background)[:60].split())}; expected True or False")
        if not isinstance(self.update, str) or self.update not in ("sequential", "simultaneous"):
            raise UserError(f'update="{self.update}"; expected "sequential" or "simultaneous"')

    def rest(self, p: Any, net: Network) -> Mapping[str, Any]:
        return {"E": p.restE, "I": p.restI} if self.background else {"E": 0 * p.restE, "I": 0 * p.restI}

    def start(self, p: Any, net: Network) -> State:
        zero = jnp.zeros_like(net.weights[0])
        return State(zero, zero, zero)

    def normals_per_step(self, values: Mapping[str, np.ndarray]) -> int:
        return 2 if np.any(values["noise"]) else 0

    def step(self, x: State, p: Any, net: Network, stimulus: Any, dt: float, normal: Any = None) -> State:
        rest = self.rest(p, net)
        gain = 1 + p.eta * net.values["hierarchy"]
        noiseE, noiseI = (0, 0) if normal is None else p.noise * normal / math.sqrt(dt)

        # In changes from rest the background cancels, and a floor at 10 Hz becomes a floor at 10 Hz - rest. At the
        # default steady state that is exactly 0: it sits on the kink.
        IE = p.betaE * (gain * (p.omegaEE * x.E + p.muEE * x.far) - p.omegaEI * x.I) + stimulus + noiseE
        E = x.E + dt / p.tauE * (-x.E + jnp.maximum(IE, p.thresholdE - rest["E"]))
        far = net.weights @ E

        seen, seen_far = (E, far) if self.update == "sequential" else (x.E, x.far)
        if "inhibitory" in net.further_weights:
            seen_far = net.further_weights["inhibitory"] @ seen
        II = p.betaI * (gain * (p.omegaIE * seen + p.muIE * seen_far) - p.omegaII * x.I) + noiseI
        I = x.I + dt / p.tauI * (-x.I + jnp.maximum(II, p.thresholdI - rest["I"]))
        return State(E, I, far)

    def starts_at_rest(self, values: Mapping[str, np.ndarray]) -> bool:
        # check() ensures that a chosen steady state is at or above the thresholds.
        return self.background or not (np.any(values["thresholdE"]) or np.any(values["thresholdI"]))

    def homogeneous(self, values: Mapping[str, np.ndarray]) -> bool:
        # With rest on the thresholds every floor is 0 in changes from rest, and max(c x, 0) = c max(x, 0).
        rests = [values[f"rest{population}"] if self.background else 0.0 for population in "EI"]
        floors = [values["thresholdE"], values["thresholdI"]]
        on_the_kink = all(np.unique(np.append(rest, floor)).size == 1 for rest, floor in zip(rests, floors))
        return on_the_kink and not np.any(values["noise"])

    def check(self, values: Mapping[str, np.ndarray]) -> None:
        for population in "EI" if self.background else "":
            rest, threshold = values[f"rest{population}"], values[f"threshold{population}"]
            low, high = np.broadcast_arrays(np.min(rest, axis=0), np.max(threshold, axis=0))
            if (low < high).any():
                worst = np.unravel_index(np.argmin(low - high), low.shape)
                raise UserError(
                    f"rest{population} = {low[worst]:g} Hz is below threshold{population} = {high[worst]:g} Hz, so it "
                    "can't be a steady state; expected at least the threshold"
                )

    def jacobian(self, p: Any, net: Network) -> np.ndarray:
        """Return d(E', I')/d(E, I) with every rectifier open: (2 area, 2 area), 1/s."""
        one = np.eye(len(net.weights))
        gain = 1 + p.eta * net.values["hierarchy"][:, None]
        EE = p.betaE * gain * (p.omegaEE * one + p.muEE * net.weights)
        far_inhibitory = net.further_weights.get("inhibitory", net.weights)
        IE = p.betaI * gain * (p.omegaIE * one + p.muIE * far_inhibitory)
        return np.block(
            [
                [(EE - one) / p.tauE, -p.betaE * p.omegaEI * one / p.tauE],
                [IE / p.tauI, (-p.betaI * p.omegaII - 1) * one / p.tauI],
            ]
        )

    def noise_covariance(self, p: Any, net: Network) -> np.ndarray:
        """Return the diagonal matrix of (noise / tau)^2: (2 area, 2 area), Hz^2/s."""
        strengths = (p.noise / p.tauE) ** 2, (p.noise / p.tauI) ** 2
        return np.diag(np.concatenate([np.full(len(net.weights), np.ravel(strength)) for strength in strengths]))
