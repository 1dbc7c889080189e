"""Cortical columns of Jansen & Rit (1995), Biological Cybernetics 73:357-366, one in each area."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import numpy as np

from gbaexplore.models.equations import ODEModel
from gbaexplore.models.parameters import parameter
from gbaexplore.networks.seen import Network

_STATES = {"y0": "mV", "y1": "mV", "y2": "mV", "y3": "mV/s", "y4": "mV/s", "y5": "mV/s"}


@dataclass(frozen=True)
class JansenRit(ODEModel):
    r"""Postsynaptic potentials of pyramidal cells (y0), and of excitation (y1) and inhibition (y2) of pyramidal cells.

        d^2 y0/dt^2 = A a S(y1 - y2) - 2 a dy0/dt - a^2 y0
        d^2 y1/dt^2 = A a (p + C2 S(C1 y0) + G sum_j w_ij S(y1_j - y2_j)(t - delay_ij) + stim_i + sigma noise)
                      - 2 a dy1/dt - a^2 y1
        d^2 y2/dt^2 = B b C4 S(C3 y0) - 2 b dy2/dt - b^2 y2
        S(v) = 2 e0 / (1 + exp(r (v0 - v)))        C1 = C, C2 = 0.8 C, C3 = C4 = 0.25 C

    The output `potential`, y1 - y2, is the pyramidal cells' potential, which the EEG shows; what areas send is the
    firing rate S of it. y3, y4 and y5 are the time derivatives of y0, y1 and y2. All start at 0. The stimulus is in Hz.

    Values are those of the paper's section 3; p is the middle of its 120 to 320 pulses per second. With them a column
    by itself oscillates at 11 Hz. Its two columns are coupled through one synapse more; here, as in most networks of
    columns since, what arrives is added to p.
    """

    A: float = parameter(3.25, units="mV", doc="height of excitatory potentials", minimum=0)
    B: float = parameter(22.0, units="mV", doc="height of inhibitory potentials", minimum=0)
    a: float = parameter(100.0, units="1/s", doc="rate of excitatory synapses", above=0)
    b: float = parameter(50.0, units="1/s", doc="rate of inhibitory synapses", above=0)
    C: float = parameter(135.0, units="1", doc="number of synapses in a column", minimum=0)
    e0: float = parameter(2.5, units="Hz", doc="half of the highest firing rate", above=0)
    v0: float = parameter(6.0, units="mV", doc="potential of half the highest rate")
    r: float = parameter(0.56, units="1/mV", doc="slope of the response", above=0)
    p: float = parameter(220.0, units="Hz", doc="input from elsewhere")
    G: float = parameter(10.0, units="1", doc="coupling of areas")
    sigma: float = parameter(0.0, units="Hz s^0.5", doc="strength of white noise on p", minimum=0)
    velocity: float = parameter(np.inf, units="m/s", doc="conduction velocity", above=0)

    states: ClassVar[Mapping[str, str] | None] = _STATES
    observables: ClassVar[Mapping[str, str]] = {"potential": "mV"} | _STATES
    stimulus_units: ClassVar[str | None] = "Hz"

    def sends(self, x: Any, p: Any) -> Mapping[str, Any]:
        return {"rate": _rate(x.y1 - x.y2, p)}

    def outputs(self, x: Any, p: Any, net: Network) -> Mapping[str, Any]:
        return {"potential": x.y1 - x.y2}

    def derivative(self, x: Any, p: Any, net: Network, stimulus: Any) -> Mapping[str, Any]:
        arriving = p.p + 0.8 * p.C * _rate(p.C * x.y0, p) + p.G * net.received.rate + stimulus
        inhibition = 0.25 * p.C * _rate(0.25 * p.C * x.y0, p)
        return {
            "y0": x.y3,
            "y1": x.y4,
            "y2": x.y5,
            "y3": p.a * (p.A * _rate(x.y1 - x.y2, p) - 2 * x.y3 - p.a * x.y0),
            "y4": p.a * (p.A * arriving - 2 * x.y4 - p.a * x.y1),
            "y5": p.b * (p.B * inhibition - 2 * x.y5 - p.b * x.y2),
        }

    def normals_per_step(self, values: Mapping[str, np.ndarray]) -> int:
        return 6 if np.any(values["sigma"]) else 0

    def diffusion(self, x: Any, p: Any, net: Network) -> Mapping[str, Any]:
        return {"y4": p.A * p.a * p.sigma}


def _rate(potential: Any, p: Any) -> Any:
    return 2 * p.e0 / (1 + jnp.exp(p.r * (p.v0 - potential)))
