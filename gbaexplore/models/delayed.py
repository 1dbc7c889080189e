"""The threshold-linear cortex with conduction delays of wiring distance / velocity."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import jax.numpy as jnp
import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.models.parameters import parameter
from gbaexplore.models.threshold_linear import ThresholdLinear
from gbaexplore.networks.seen import Network


class DelayedState(NamedTuple):
    """Changes from rest."""

    E: Any  # (area,) Hz
    I: Any  # (area,) Hz


@dataclass(frozen=True)
class DelayedThresholdLinear(ThresholdLinear):
    r"""`ThresholdLinear` with input from other areas delayed by wiring distance / velocity.

        sum_j FLN_ij E_j(t)   becomes   sum_j FLN_ij E_j(t - d_ij / velocity)

    in both currents; local terms have no delay. Before t = 0 the network is in its initial state. E is interpolated
    linearly between steps, so a delay need not be a whole number of steps; a delay of 0 means the old state, as for
    the local terms. As velocity grows, results approach those of `ThresholdLinear(update="simultaneous")`.

    The connectome must have lengths of its pathways. Points of the same velocity are computed together, one velocity
    after another, so a study with few velocities and many other values is fastest. No finite matrix determines the
    stability of a network with delays, so `SpectralAbscissa`, `NonNormality` and covariances are refused.
    """

    update: Literal["sequential", "simultaneous"] = field(default="simultaneous")

    velocity: float = parameter(3.5, units="m/s", doc="conduction velocity", above=0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.update != "simultaneous":
            raise UserError(f'update="{self.update}"; expected "simultaneous", the only order with delays')

    def start(self, p: Any, net: Network) -> Any:
        zero = jnp.zeros_like(net.weights[0])
        return DelayedState(zero, zero)

    def sends(self, x: Any, p: Any) -> Mapping[str, Any]:
        return {"E": x.E}

    def step(self, x: Any, p: Any, net: Network, stimulus: Any, dt: float, normal: Any = None) -> Any:
        rest = self.rest(p, net)
        gain = 1 + p.eta * net.values["hierarchy"]
        noiseE, noiseI = (0, 0) if normal is None else p.noise * normal / math.sqrt(dt)
        far = net.received.E
        far_inhibitory = net.further_received.get("inhibitory", net.received).E

        IE = p.betaE * (gain * (p.omegaEE * x.E + p.muEE * far) - p.omegaEI * x.I) + stimulus + noiseE
        II = p.betaI * (gain * (p.omegaIE * x.E + p.muIE * far_inhibitory) - p.omegaII * x.I) + noiseI
        E = x.E + dt / p.tauE * (-x.E + jnp.maximum(IE, p.thresholdE - rest["E"]))
        I = x.I + dt / p.tauI * (-x.I + jnp.maximum(II, p.thresholdI - rest["I"]))
        return DelayedState(E, I)

    def jacobian(self, p: Any, net: Network) -> np.ndarray:
        """Raise UserError: a network with delays has none."""
        raise UserError(
            f"{type(self).__name__} has no jacobian, because of its delays; expected a study without measures of "
            "the linearised network, or the network without delays: ThresholdLinear"
        )

    def noise_covariance(self, p: Any, net: Network) -> np.ndarray:
        """Raise UserError: a network with delays has none."""
        raise UserError(
            f"{type(self).__name__} has no stationary covariance in closed form, because of its delays; expected a "
            "simulated variance, or ThresholdLinear"
        )
