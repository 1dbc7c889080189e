"""The excitatory-inhibitory whole-brain model of Deco, Ponce-Alvarez, Hagmann, Romani, Mantini & Corbetta (2014)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.special

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.numbers import number
from gbaexplore.models.equations import ODEModel
from gbaexplore.models.parameters import parameter
from gbaexplore.models.reduced_wong_wang import kept_from_0_to_1, response
from gbaexplore.networks.connectome import Connectome
from gbaexplore.networks.seen import Network


@dataclass(frozen=True)
class WongWang(ODEModel):
    r"""Gating S_E (NMDA) and S_I (GABA) of each area's excitatory and inhibitory cells, and their firing rates.

        dS_E/dt = -S_E / tau_E + (1 - S_E) gamma r_E + sigma noise          r_E = H_E(I_E)
        dS_I/dt = -S_I / tau_I + r_I + sigma noise                          r_I = H_I(I_I)
        I_E = W_E I_o + w J_N S_E + G J_N sum_j w_ij S_E,j(t - delay_ij) - J S_I + stim_i
        I_I = W_I I_o + J_N S_E - S_I + ffi G J_N sum_j w_ij S_E,j(t - delay_ij)
        H(I) = (a I - b) / (1 - exp(-d (a I - b)))

    S_E and S_I are kept from 0 to 1 and start at 0.001. The stimulus is in nA. J is the feedback inhibition: one
    number, one for each area, or a function in `derived`: `gba.feedback_inhibition`, with which every area fires at
    3 Hz, or `gba.linear_inhibition`, a rule that is near to it.

    Deco, Ponce-Alvarez, Hagmann, Romani, Mantini & Corbetta (2014), Journal of Neuroscience 34:7886-7898. sigma is
    their 0.01 per ms^0.5, ffi is 1 in their network with feedforward inhibition. G is this package's choice, as it
    depends on the weights.
    """

    G: float = parameter(1.0, units="1", doc="coupling of areas", minimum=0)
    w: float = parameter(1.4, units="1", doc="local recurrence", minimum=0)
    J_N: float = parameter(0.15, units="nA", doc="excitatory synaptic coupling", minimum=0)
    J: float = parameter(1.0, units="nA", doc="feedback inhibition, I to E", minimum=0)
    ffi: float = parameter(0.0, units="1", doc="long-range E to I coupling, relative to E to E", minimum=0)
    I_o: float = parameter(0.382, units="nA", doc="background current")
    W_E: float = parameter(1.0, units="1", doc="share of I_o that E receives")
    W_I: float = parameter(0.7, units="1", doc="share of I_o that I receives")
    a_E: float = parameter(310.0, units="Hz/nA", doc="slope of the excitatory response", above=0)
    b_E: float = parameter(125.0, units="Hz", doc="threshold of the excitatory response")
    d_E: float = parameter(0.16, units="s", doc="sharpness of the excitatory response", above=0)
    a_I: float = parameter(615.0, units="Hz/nA", doc="slope of the inhibitory response", above=0)
    b_I: float = parameter(177.0, units="Hz", doc="threshold of the inhibitory response")
    d_I: float = parameter(0.087, units="s", doc="sharpness of the inhibitory response", above=0)
    gamma: float = parameter(0.641, units="1", doc="opening of NMDA channels for each spike", minimum=0)
    tau_E: float = parameter(0.1, units="s", doc="time constant of NMDA channels", above=0)
    tau_I: float = parameter(0.01, units="s", doc="time constant of GABA channels", above=0)
    sigma: float = parameter(0.316, units="s^-0.5", doc="strength of white noise on S_E and S_I", minimum=0)
    velocity: float = parameter(np.inf, units="m/s", doc="conduction velocity", above=0)

    states: ClassVar[Mapping[str, str] | None] = {"S_E": "1", "S_I": "1"}
    observables: ClassVar[Mapping[str, str]] = {"S_E": "1", "S_I": "1", "r_E": "Hz", "r_I": "Hz"}
    stimulus_units: ClassVar[str | None] = "nA"

    def start(self, p: Any, net: Network) -> Any:
        return self.state(S_E=0 * p.G + 0.001, S_I=0 * p.G + 0.001)

    def sends(self, x: Any, p: Any) -> Mapping[str, Any]:
        return {"S_E": x.S_E}

    def _rates(self, x: Any, p: Any, net: Network, stimulus: Any = 0.0) -> tuple[Any, Any]:
        far = p.G * p.J_N * net.received.S_E
        I_E = p.W_E * p.I_o + p.w * p.J_N * x.S_E + far - p.J * x.S_I + stimulus
        I_I = p.W_I * p.I_o + p.J_N * x.S_E - x.S_I + p.ffi * far
        return response(I_E, p.a_E, p.b_E, p.d_E), response(I_I, p.a_I, p.b_I, p.d_I)

    def outputs(self, x: Any, p: Any, net: Network) -> Mapping[str, Any]:
        return dict(zip(("r_E", "r_I"), self._rates(x, p, net)))

    def step(self, x: Any, p: Any, net: Network, stimulus: Any, dt: float, normal: Any = None) -> Any:
        return kept_from_0_to_1(super().step(x, p, net, stimulus, dt, normal))

    def derivative(self, x: Any, p: Any, net: Network, stimulus: Any) -> Mapping[str, Any]:
        r_E, r_I = self._rates(x, p, net, stimulus)
        return {
            "S_E": -x.S_E / p.tau_E + (1 - x.S_E) * p.gamma * r_E,
            "S_I": -x.S_I / p.tau_I + r_I,
        }

    def normals_per_step(self, values: Mapping[str, np.ndarray]) -> int:
        return 2 if np.any(values["sigma"]) else 0

    def diffusion(self, x: Any, p: Any, net: Network) -> Mapping[str, Any]:
        return {"S_E": p.sigma, "S_I": p.sigma}


def feedback_inhibition(
    net: Connectome,
    G: Any,
    w: Any,
    J_N: Any,
    ffi: Any,
    I_o: Any,
    W_E: Any,
    W_I: Any,
    a_E: Any,
    b_E: Any,
    d_E: Any,
    a_I: Any,
    b_I: Any,
    d_I: Any,
    gamma: Any,
    tau_E: Any,
    tau_I: Any,
    rate: float = 3.0,
) -> np.ndarray:
    """Return the J with which excitatory cells of every area fire at `rate` in `WongWang`'s steady state: (area,).

    For a study: `derived={"J": gba.feedback_inhibition}`, or `functools.partial(gba.feedback_inhibition, rate=5.0)`.
    The other arguments are the model's parameters, which the study gives, numbers or one for each area. Feedback
    inhibition control of Deco et al. (2014), solved exactly as by Demirtaş et al. (2019), Neuron 101:1181-1194. Noise,
    which the steady state has not, moves mean rates a little.

    Raises:
        UserError: the rate is not above 0.
    """
    target = number(rate, "rate", "Hz")
    if target <= 0:
        raise UserError(f"rate = {target:g} Hz; expected a firing rate above 0")
    S_E = tau_E * gamma * target / (1 + tau_E * gamma * target)
    far = G * J_N * S_E * net.strength
    S_I = _inhibitory_gating(W_I * I_o + J_N * S_E + ffi * far, tau_I, a_I, b_I, d_I)
    return (W_E * I_o + w * J_N * S_E + far - (_above_threshold(target, d_E) + b_E) / a_E) / S_I


def linear_inhibition(net: Connectome, G: Any, alpha: float = 0.75) -> np.ndarray:
    """Return J = 1 + alpha G k_i, where k_i is the sum of the weights of all that area i receives: (area,), nA.

    For a study: `derived={"J": gba.linear_inhibition}`. The rule of Herzog et al. (2024), Network Neuroscience
    8:1590-1612, with their alpha. It needs nothing but G. `feedback_inhibition` is linear in G k_i too, with a slope of
    0.62 nA where the model has its defaults, so rates are somewhat below 3 Hz.

    Args:
        net: the connectome.
        G: coupling of areas.
        alpha: nA.
    """
    return 1 + number(alpha, "alpha", "nA") * G * net.strength


def _above_threshold(rate: float, d: Any) -> np.ndarray:
    """Return u = a I - b with u / (1 - exp(-d u)) = rate, by Lambert's W on the branch on which u is not always 0."""
    c = rate * np.asarray(d, float)
    branches = [scipy.special.lambertw(-c * np.exp(-c), branch).real for branch in (-1, 0)]
    # The branches meet at c = 1, where W has no digits: 1 / d + u / 2 = rate.
    return np.where(np.abs(c - 1) < 1e-5, 2 * (rate - 1 / d), rate + np.where(c < 1, *branches) / d)


def _inhibitory_gating(current: Any, tau: Any, a: Any, b: Any, d: Any) -> np.ndarray:
    """Return S_I = tau H(current - S_I), by halving: H is at most max(u, 0) + 1 / d, and grows."""
    low, high = np.zeros_like(current), tau * (np.maximum(a * current - b, 0) + 1 / d)
    for _ in range(80):
        middle = (low + high) / 2
        z = np.maximum(d * (a * (current - middle) - b), -700.0)
        rate = np.where(np.abs(z) < 1e-9, 1 + z / 2, z / -np.expm1(-np.where(z == 0, 1.0, z))) / d
        low, high = np.where(tau * rate > middle, middle, low), np.where(tau * rate > middle, high, middle)
    return high
