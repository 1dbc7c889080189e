"""Delays: how many steps of what travels are kept, and how late it arrives."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.points import VELOCITY
from gbaexplore.models.base import Model
from gbaexplore.networks.connectome import Connectome
from gbaexplore.networks.seen import Network


def delay_depth(model: Model, connectome: Connectome, values: Mapping[str, np.ndarray], dt: float) -> int:
    """Return how many steps of what travels have to be kept for the slowest pathway; 0 if nothing travels."""
    if model.travels is None:
        return 0
    if VELOCITY not in model.parameters():
        raise UserError(
            f'in {type(model).__name__} "{model.travels}" travels, but there is no velocity; expected a parameter '
            f'{VELOCITY}: float = parameter(3.5, units="m/s", doc=..., above=0)'
        )
    if connectome.wiring_mm is None:
        raise UserError(
            f"{connectome.name} has no wiring distances, which {type(model).__name__} needs for its delays; expected a "
            "Connectome with wiring_mm=..., (target, source) in mm"
        )
    return int(delay_lags(Network.of(connectome), float(np.min(values[VELOCITY])), dt).max()) + 2


def delay_lags(network: Network, velocity: float, dt: float) -> np.ndarray:
    """Return how many steps what travels is under way on each pathway, (area, area); 0 where there is none."""
    there = np.asarray(network.fln) > 0
    if network.fln_inhibitory is not None:
        there |= np.asarray(network.fln_inhibitory) > 0
    return np.where(there, network.wiring_mm, 0.0) * 1e-3 / velocity / dt
