"""What areas send to each other, and what arrives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gbaexplore.basics.points import VELOCITY
from gbaexplore.models.base import Model
from gbaexplore.models.checks import checked, checked_outputs
from gbaexplore.networks.seen import Network


def checked_sends(model: Model, x: Any, p: Any, areas: int) -> Mapping[str, Any]:
    """Return what `model.sends` gives.

    Raises:
        UserError: it is not a mapping of some names to (area,).
    """
    found = model.sends(x, p)
    fits = isinstance(found, Mapping) and bool(found) == model.has_sends
    names = dict.fromkeys(found if fits else (), np.empty(areas))
    return checked(model, "sends", found, fits, "{name: what is sent}", names)


def hearing(model: Model, x: Any, p: Any, net: Network) -> Network:
    """Return the network with what arrives at each area now; what arrives late is there already."""
    if not model.has_sends or net.arrived is not None:
        return net
    return net.hearing(checked_sends(model, x, p, len(net.weights)))


def advanced(model: Model, x: Any, p: Any, net: Network, stimulus: Any, dt: float, *normal: Any) -> Any:
    """Return what `model.step` does, with what arrives at each area."""
    return model.step(x, p, net if model.hears_anew else hearing(model, x, p, net), stimulus, dt, *normal)


def looks(model: Model, x: Any, p: Any, net: Network) -> Mapping[str, Any]:
    """Return the observables that a model computes of a state; they see what arrives at once, and nothing late."""
    return checked_outputs(model, x, p, net if hasattr(p, VELOCITY) else hearing(model, x, p, net))
