"""Excitatory and inhibitory populations of Wilson & Cowan (1972), Biophysical Journal 12:1-24, in each area."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from gbaexplore.models.equations import ODEModel
from gbaexplore.models.parameters import parameter
from gbaexplore.networks.seen import Network


@dataclass(frozen=True)
class WilsonCowan(ODEModel):
    r"""Firing fractions E and I of each area's excitatory and inhibitory cells, with sigmoid responses.

        tauE dE_i/dt = -E_i + (kE - rE E_i) S_E(c1 E_i - c2 I_i + muEE sum_j w_ij E_j(t - delay_ij) + P + stim_i)
        tauI dI_i/dt = -I_i + (kI - rI I_i) S_I(c3 E_i - c4 I_i + muIE sum_j w_ij E_j(t - delay_ij) + Q)
        S(x) = 1 / (1 + exp(-a (x - theta))) - 1 / (1 + exp(a theta))        k = S(infinity)

    S(0) = 0, so without input (P = Q = 0) all areas rest at 0 and start there. With the defaults, the paper's single
    population oscillates at P = 1.25 (c1 = 16, c2 = 12, c3 = 15, c4 = 3, aE = 1.3, thetaE = 4, aI = 2,
    thetaI = 3.7, r = 1); the time constants of 10 ms and the coupling of areas are this package's choice.
    """

    c1: float = parameter(16.0, units="1", doc="local E to E coupling", minimum=0)
    c2: float = parameter(12.0, units="1", doc="local I to E coupling", minimum=0)
    c3: float = parameter(15.0, units="1", doc="local E to I coupling", minimum=0)
    c4: float = parameter(3.0, units="1", doc="local I to I coupling", minimum=0)
    muEE: float = parameter(1.0, units="1", doc="long-range E to E coupling", minimum=0)
    muIE: float = parameter(0.0, units="1", doc="long-range E to I coupling", minimum=0)
    aE: float = parameter(1.3, units="1", doc="slope of the excitatory response", above=0)
    aI: float = parameter(2.0, units="1", doc="slope of the inhibitory response", above=0)
    thetaE: float = parameter(4.0, units="1", doc="input of steepest excitatory response")
    thetaI: float = parameter(3.7, units="1", doc="input of steepest inhibitory response")
    rE: float = parameter(1.0, units="1", doc="refractory fraction of firing excitatory cells", minimum=0)
    rI: float = parameter(1.0, units="1", doc="refractory fraction of firing inhibitory cells", minimum=0)
    tauE: float = parameter(0.01, units="s", doc="excitatory time constant", above=0)
    tauI: float = parameter(0.01, units="s", doc="inhibitory time constant", above=0)
    P: float = parameter(0.0, units="1", doc="constant input to excitatory cells")
    Q: float = parameter(0.0, units="1", doc="constant input to inhibitory cells")
    velocity: float = parameter(np.inf, units="m/s", doc="conduction velocity", above=0)

    observables: ClassVar[Mapping[str, str]] = {"E": "1", "I": "1"}

    def sends(self, x: Any, p: Any) -> Mapping[str, Any]:
        return {"E": x.E}

    def derivative(self, x: Any, p: Any, net: Network, stimulus: Any) -> Mapping[str, Any]:
        far = net.received.E
        SE, kE = _response(p.c1 * x.E - p.c2 * x.I + p.muEE * far + p.P + stimulus, p.aE, p.thetaE)
        SI, kI = _response(p.c3 * x.E - p.c4 * x.I + p.muIE * far + p.Q, p.aI, p.thetaI)
        return {
            "E": (-x.E + (kE - p.rE * x.E) * SE) / p.tauE,
            "I": (-x.I + (kI - p.rI * x.I) * SI) / p.tauI,
        }

    def starts_at_rest(self, values: Mapping[str, np.ndarray]) -> bool:
        return not (np.any(values["P"]) or np.any(values["Q"]))


def _response(x: Any, a: Any, theta: Any) -> tuple[Any, Any]:
    """Return S(x) and S(infinity).

    Uses tanh A - tanh B = tanh(A - B) (1 - tanh A tanh B): a difference of two sigmoids would lose small responses
    and not be exactly 0 at 0.
    """
    low = jnp.tanh(-a * theta / 2)
    return jnp.tanh(a * x / 2) * (1 - jnp.tanh(a * (x - theta) / 2) * low) / 2, (1 - low) / 2
