"""The local circuit of Joglekar, Mejias, Yang & Wang (2018), Neuron 98:222-234, figure 1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np

from gbaexplore.models.base import Model
from gbaexplore.models.parameters import parameter
from gbaexplore.networks.seen import Network


class LocalState(NamedTuple):
    """Rates; rest is 0, so they are the changes from it."""

    E: Any  # (area,) Hz
    I: Any  # (area,) Hz


@dataclass(frozen=True)
class LocalCircuit(Model):
    r"""One excitatory and one inhibitory population, linear, rates floored at 0, forward Euler.

        tau dE/dt = (wEE - 1) E - wEI I + stimulus
        tau dI/dt = wIE E - (wII + 1) I

    Both populations see the old state. The run starts away from rest, at E = startE and I = 0: how far E rises
    before it decays is local balanced amplification. Areas are not coupled (the connectome's weights are ignored), so
    one area is enough; with several, each is a circuit of its own.

    The default of wII is 1.1 times the default of wIE, and does not follow when wIE changes: link them with
    `derived`.
    """

    wEE: float = parameter(6.0, units="1", doc="local E to E coupling", minimum=0)
    wEI: float = parameter(6.7, units="1", doc="local I to E coupling", minimum=0)
    wIE: float = parameter(4 + 2 / 7, units="1", doc="local E to I coupling", minimum=0)
    wII: float = parameter(1.1 * (4 + 2 / 7), units="1", doc="local I to I coupling", minimum=0)
    tau: float = parameter(0.02, units="s", doc="time constant of both populations", above=0)
    startE: float = parameter(1.0, units="Hz", doc="excitatory rate at t = 0", minimum=0)

    observables: ClassVar[Mapping[str, str]] = {"E": "Hz", "I": "Hz"}

    def rest(self, p: Any, net: Network) -> Mapping[str, Any]:
        return {"E": 0 * p.startE, "I": 0 * p.startE}

    def start(self, p: Any, net: Network) -> LocalState:
        return LocalState(E=p.startE, I=jnp.zeros_like(p.startE))

    def step(self, x: LocalState, p: Any, net: Network, stimulus: Any, dt: float) -> LocalState:
        E = x.E + dt / p.tau * ((p.wEE - 1) * x.E - p.wEI * x.I + stimulus)
        I = x.I + dt / p.tau * (p.wIE * x.E - (p.wII + 1) * x.I)
        return LocalState(jnp.maximum(E, 0), jnp.maximum(I, 0))

    def jacobian(self, p: Any, net: Network) -> np.ndarray:
        """Return d(E', I')/d(E, I) away from the floor: (2 area, 2 area), 1/s."""
        one = np.eye(len(net.weights))
        circuit = [[p.wEE - 1, -p.wEI], [p.wIE, -p.wII - 1]]
        return np.block([[rate / p.tau * one for rate in row] for row in circuit])
