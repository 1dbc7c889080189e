"""The exact mean field of quadratic integrate-and-fire neurons, by Montbrió, Pazó & Roxin (2015)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from gbaexplore.models.equations import ODEModel
from gbaexplore.models.parameters import parameter
from gbaexplore.networks.seen import Network


@dataclass(frozen=True)
class MontbrioPazoRoxin(ODEModel):
    r"""Firing rate r and mean membrane potential V of each area's neurons.

        tau dr_i/dt = Delta / (pi tau) + 2 r_i V_i
        tau dV_i/dt = V_i^2 + eta - (pi tau r_i)^2 + J tau r_i + G tau sum_j w_ij r_j(t - delay_ij) + stim_i + noise
        noise = tau sigma times white noise

    Excitabilities of the neurons are spread around eta with half-width Delta (a Lorentzian). V is in units of the
    neuron model, as are eta, J, G and the stimulus. Areas start at r = V = 0. With the defaults an area by itself has
    two stable states, firing little and much.

    Montbrió, Pazó & Roxin (2015), Physical Review X 5:021028: equations 12 in seconds, with the values of its figure 2.
    Coupled as in Rabuffo, Fousek, Bernard & Jirsa (2021), eNeuro 8(4), who take Delta 0.7, eta -4.6, J 14.5 and G 0.56.
    G and the noise, on V alone so that r stays above 0, are this package's choice.
    """

    tau: float = parameter(0.01, units="s", doc="membrane time constant", above=0)
    Delta: float = parameter(1.0, units="1", doc="half-width of the neurons' excitabilities", above=0)
    eta: float = parameter(-5.0, units="1", doc="median of the neurons' excitabilities")
    J: float = parameter(15.0, units="1", doc="local coupling")
    G: float = parameter(1.0, units="1", doc="coupling of areas")
    sigma: float = parameter(0.0, units="s^-0.5", doc="strength of white noise on V", minimum=0)
    velocity: float = parameter(np.inf, units="m/s", doc="conduction velocity", above=0)

    observables: ClassVar[Mapping[str, str]] = {"r": "Hz", "V": "1"}
    stimulus_units: ClassVar[str | None] = "1"

    def sends(self, x: Any, p: Any) -> Mapping[str, Any]:
        return {"r": x.r}

    def derivative(self, x: Any, p: Any, net: Network, stimulus: Any) -> Mapping[str, Any]:
        drive = p.eta + p.J * p.tau * x.r + p.G * p.tau * net.received.r + stimulus
        return {
            "r": (p.Delta / (math.pi * p.tau) + 2 * x.r * x.V) / p.tau,
            "V": (x.V**2 - (math.pi * p.tau * x.r) ** 2 + drive) / p.tau,
        }

    def normals_per_step(self, values: Mapping[str, np.ndarray]) -> int:
        return 2 if np.any(values["sigma"]) else 0

    def diffusion(self, x: Any, p: Any, net: Network) -> Mapping[str, Any]:
        return {"V": p.sigma}
