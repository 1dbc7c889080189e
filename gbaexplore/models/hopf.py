"""Oscillators near a Hopf bifurcation: the whole-brain model of Deco, Kringelbach, Jirsa & Ritter (2017)."""

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
class Hopf(ODEModel):
    r"""A Stuart-Landau oscillator in each area, coupled by differences.

        dx_i/dt = (a - x_i^2 - y_i^2) x_i - 2 pi f y_i + G sum_j w_ij (x_j(t - delay_ij) - x_i) + stim_i + sigma noise
        dy_i/dt = (a - x_i^2 - y_i^2) y_i + 2 pi f x_i + G sum_j w_ij (y_j(t - delay_ij) - y_i) + sigma noise

    By itself an area is at rest for a < 0, where noise makes it swing, and oscillates with radius sqrt(a) for a > 0.
    Areas start from normal deviates, by the point's seed. Frequencies of areas: `fixed={"f": values of areas}`.

    Deco, Kringelbach, Jirsa & Ritter (2017), Scientific Reports 7:3095, whose sigma of 0.02 this is; their frequencies
    are those of BOLD, 0.04 to 0.07 Hz. a and G are this package's choice, as they fit a and G to data.
    """

    a: float = parameter(-0.02, units="1/s", doc="distance from the bifurcation")
    f: float = parameter(0.05, units="Hz", doc="frequency of an area by itself")
    G: float = parameter(0.5, units="1/s", doc="coupling of areas")
    sigma: float = parameter(0.02, units="s^-0.5", doc="strength of white noise on x and y", minimum=0)
    spread: float = parameter(0.1, units="1", doc="standard deviation of x and y at the start", minimum=0)
    velocity: float = parameter(np.inf, units="m/s", doc="conduction velocity", above=0)

    observables: ClassVar[Mapping[str, str]] = {"x": "1", "y": "1"}
    stimulus_units: ClassVar[str | None] = "1/s"
    random_start: ClassVar[int] = 2

    def start(self, p: Any, net: Network, normal: Any) -> Any:  # type: ignore[override]
        return self.state(x=p.spread * normal[0], y=p.spread * normal[1])

    def sends(self, x: Any, p: Any) -> Mapping[str, Any]:
        return {"x": x.x, "y": x.y}

    def derivative(self, x: Any, p: Any, net: Network, stimulus: Any) -> Mapping[str, Any]:
        # What is subtracted is as it is now, however late the others arrive.
        strength = net.weights.sum(axis=1)
        growth, turning = p.a - x.x**2 - x.y**2, 2 * math.pi * p.f
        return {
            "x": growth * x.x - turning * x.y + p.G * (net.received.x - strength * x.x) + stimulus,
            "y": growth * x.y + turning * x.x + p.G * (net.received.y - strength * x.y),
        }

    def normals_per_step(self, values: Mapping[str, np.ndarray]) -> int:
        return 2 if np.any(values["sigma"]) else 0

    def diffusion(self, x: Any, p: Any, net: Network) -> Mapping[str, Any]:
        return {"x": p.sigma, "y": p.sigma}
