"""Coupled phase oscillators of Kuramoto (1984), Chemical Oscillations, Waves, and Turbulence, Springer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
import jax.scipy.special
import numpy as np

from gbaexplore.models.equations import ODEModel
from gbaexplore.models.parameters import parameter
from gbaexplore.networks.seen import Network


@dataclass(frozen=True)
class Kuramoto(ODEModel):
    r"""The phase of one oscillator in each area, pulled towards the phases that it receives.

        d theta_i/dt = 2 pi f + K sum_j w_ij sin(theta_j(t - length_ij / velocity) - theta_i) + stim_i

    Each area sends sin and cos of its phase. The phases start anywhere on the circle, by the point's seed, and are kept
    from -pi to pi.

    In networks of areas with delays: Cabral, Hugues, Sporns & Deco (2011), NeuroImage 57:130-139, whose frequency of
    60 Hz this is. K is this package's choice, as it depends on the weights.
    """

    f: float = parameter(60.0, units="Hz", doc="frequency of an area by itself")
    K: float = parameter(10.0, units="1/s", doc="coupling of areas")
    velocity: float = parameter(np.inf, units="m/s", doc="conduction velocity", above=0)

    states: ClassVar[Mapping[str, str] | None] = {"theta": "rad"}
    observables: ClassVar[Mapping[str, str]] = {"sin": "1", "cos": "1", "theta": "rad"}
    stimulus_units: ClassVar[str | None] = "rad/s"
    random_start: ClassVar[int] = 1

    def start(self, p: Any, net: Network, normal: Any) -> Any:  # type: ignore[override]
        return self.state(theta=2 * math.pi * jax.scipy.special.ndtr(normal[0]))

    def sends(self, x: Any, p: Any) -> Mapping[str, Any]:
        return {"sin": jnp.sin(x.theta), "cos": jnp.cos(x.theta)}

    def outputs(self, x: Any, p: Any, net: Network) -> Mapping[str, Any]:
        return {"sin": jnp.sin(x.theta), "cos": jnp.cos(x.theta)}

    def step(self, x: Any, p: Any, net: Network, stimulus: Any, dt: float, normal: Any = None) -> Any:
        # A phase that grows for ever loses digits: after 10 s at 60 Hz float32 resolves 2e-4 of it.
        (theta,) = super().step(x, p, net, stimulus, dt, normal)
        return self.state(theta=theta - 2 * math.pi * jnp.round(theta / (2 * math.pi)))

    def derivative(self, x: Any, p: Any, net: Network, stimulus: Any) -> Mapping[str, Any]:
        # sin(a - b) = sin a cos b - cos a sin b
        pull = net.received.sin * jnp.cos(x.theta) - net.received.cos * jnp.sin(x.theta)
        return {"theta": 2 * math.pi * p.f + p.K * pull + stimulus}
