"""The one-variable whole-brain model of Deco, Ponce-Alvarez, Mantini, Romani, Hagmann & Corbetta (2013)."""

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
class ReducedWongWang(ODEModel):
    r"""The share S of open NMDA channels in each area, and the firing rate that opens them.

        dS_i/dt = -S_i / tau_s + (1 - S_i) gamma H(I_i) + sigma noise
        I_i = w J_N S_i + G J_N sum_j w_ij S_j(t - delay_ij) + I_o + stim_i
        H(I) = (a I - b) / (1 - exp(-d (a I - b)))

    The output `rate` is H. S is kept from 0 to 1; it starts at S_start in all areas, which decides between two steady
    states where there are two. The stimulus is in nA.

    Deco, Ponce-Alvarez, Mantini, Romani, Hagmann & Corbetta (2013), Journal of Neuroscience 33:11239-11252, after Wong
    & Wang (2006), Journal of Neuroscience 26:1314-1328. sigma is their 0.001 per ms^0.5. G is this package's choice, as
    it depends on the weights. In TVB the defaults of w and I_o are others, 0.6 and 0.33 nA.
    """

    G: float = parameter(1.0, units="1", doc="coupling of areas", minimum=0)
    w: float = parameter(0.9, units="1", doc="local recurrence", minimum=0)
    J_N: float = parameter(0.2609, units="nA", doc="synaptic coupling", minimum=0)
    I_o: float = parameter(0.3, units="nA", doc="background current")
    a: float = parameter(270.0, units="Hz/nA", doc="slope of the response", above=0)
    b: float = parameter(108.0, units="Hz", doc="threshold of the response")
    d: float = parameter(0.154, units="s", doc="sharpness of the response", above=0)
    gamma: float = parameter(0.641, units="1", doc="opening of channels for each spike", minimum=0)
    tau_s: float = parameter(0.1, units="s", doc="time constant of NMDA channels", above=0)
    sigma: float = parameter(0.0316, units="s^-0.5", doc="strength of white noise on S", minimum=0)
    S_start: float = parameter(0.001, units="1", doc="S at the start", minimum=0)
    velocity: float = parameter(np.inf, units="m/s", doc="conduction velocity", above=0)

    states: ClassVar[Mapping[str, str] | None] = {"S": "1"}
    observables: ClassVar[Mapping[str, str]] = {"S": "1", "rate": "Hz"}
    stimulus_units: ClassVar[str | None] = "nA"

    def start(self, p: Any, net: Network) -> Any:
        return self.state(S=p.S_start)

    def sends(self, x: Any, p: Any) -> Mapping[str, Any]:
        return {"S": x.S}

    def _rate(self, x: Any, p: Any, net: Network, stimulus: Any = 0.0) -> Any:
        current = p.w * p.J_N * x.S + p.G * p.J_N * net.received.S + p.I_o + stimulus
        return response(current, p.a, p.b, p.d)

    def outputs(self, x: Any, p: Any, net: Network) -> Mapping[str, Any]:
        return {"rate": self._rate(x, p, net)}

    def step(self, x: Any, p: Any, net: Network, stimulus: Any, dt: float, normal: Any = None) -> Any:
        return kept_from_0_to_1(super().step(x, p, net, stimulus, dt, normal))

    def derivative(self, x: Any, p: Any, net: Network, stimulus: Any) -> Mapping[str, Any]:
        return {"S": -x.S / p.tau_s + (1 - x.S) * p.gamma * self._rate(x, p, net, stimulus)}

    def normals_per_step(self, values: Mapping[str, np.ndarray]) -> int:
        return 1 if np.any(values["sigma"]) else 0

    def diffusion(self, x: Any, p: Any, net: Network) -> Mapping[str, Any]:
        return {"S": p.sigma}


def kept_from_0_to_1(x: Any) -> Any:
    """Return a state of shares that noise has not pushed out of their range."""
    return type(x)(*(jnp.minimum(jnp.maximum(share, 0), 1) for share in x))


_SERIES = (1.0, 1 / 12, -1 / 720, 1 / 30240, -1 / 1209600, 1 / 47900160)
_NEAR = 0.25


def response(current: Any, a: Any, b: Any, d: Any) -> Any:
    """Return H(I) = u / (1 - exp(-d u)), u = a I - b, in Hz.

    At u = 0 it is 1 / d. Around there the numerator and the denominator have lost their digits, so the series is used,
    z / (1 - exp(-z)) = 1 + z/2 + z^2/12 - z^4/720 + ...: right to the last digit, and so is its derivative.
    """
    z = d * (a * current - b)
    near = jnp.abs(z) < _NEAR
    # What is not taken must be finite too, or the derivative is not.
    far = jnp.maximum(z, -80.0) / (1 - jnp.exp(-jnp.maximum(z + near, -80.0)))
    square = jnp.minimum(z * z, _NEAR**2)
    series: Any = _SERIES[-1]
    for coefficient in _SERIES[-2::-1]:
        series = series * square + coefficient
    return jnp.where(near, series + z / 2, far) / d
