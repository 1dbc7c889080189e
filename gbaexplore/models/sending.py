"""What areas send to each other, and what arrives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gbaexplore.models.base import Model
from gbaexplore.models.checks import checked, checked_outputs
from gbaexplore.networks.seen import Network, kind_of


def checked_sends(model: Model, x: Any, p: Any, areas: int) -> Mapping[str, Any]:
    """Return what `model.sends` gives.

    Raises:
        UserError: it is not a mapping of some names to (area,), or to (kind, area).
    """
    found = model.sends(x, p)
    fits = isinstance(found, Mapping) and bool(found) == model.has_sends
    like = {name: np.empty((*np.shape(value)[-2:-1], areas)) for name, value in found.items()} if fits else {}
    return checked(model, "sends", found, fits, "{name: what is sent}", like)


def apart(sent: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is sent, each (area,): the kinds of (kind, area) by names of their own, which `Received` undoes."""
    found: dict[str, Any] = {}
    for name, x in sent.items():
        found |= {name: x} if x.ndim == 1 else {kind_of(name, i): row for i, row in enumerate(x)}
    return found


def hearing(model: Model, x: Any, p: Any, net: Network) -> Network:
    """Return the network with what arrives at each area now; what arrives late is there already."""
    if not model.has_sends or net.arrived is not None:
        return net
    return net.hearing(apart(checked_sends(model, x, p, len(net.weights))))


def advanced(model: Model, x: Any, p: Any, net: Network, stimulus: Any, dt: float, *normal: Any) -> Any:
    """Return what `model.step` does, with what arrives at each area, and the stimulus into each input."""
    heard = net if model.hears_anew else hearing(model, x, p, net)
    return model.step(x, p, heard, model.driven(p, stimulus), dt, *normal)


def looks(model: Model, x: Any, p: Any, net: Network) -> Mapping[str, Any]:
    """Return the observables that a model computes of a state."""
    return checked_outputs(model, x, p, hearing(model, x, p, net))
