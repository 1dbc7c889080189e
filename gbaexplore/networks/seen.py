"""The part of a connectome that a model's step uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gbaexplore.networks.connectome import Connectome


class Network(NamedTuple):
    """The connectome's numbers that a model's step uses."""

    hierarchy: Any  # (area,)
    fln: Any  # (area, area) row = target, column = source, so that fln @ rates is what each area receives
    fln_inhibitory: Any = None  # (area, area) the same onto inhibitory populations; None if equal
    wiring_mm: Any = None  # (area, area) wiring distance, mm; not for steps
    arriving: Any = None  # (area,) delayed input: the variable that `Model.delayed` names, weighted by fln and summed
    arriving_inhibitory: Any = None  # (area,) the same by fln_inhibitory

    @classmethod
    def of(cls, connectome: Connectome) -> Network:
        """Return the network of a connectome."""
        return cls(connectome.hierarchy, connectome.fln, connectome.fln_inhibitory, connectome.wiring_mm)

    @classmethod
    def named(cls, values: Mapping[str, Any]) -> Network:
        """Return the network of values by their names in stores: see `WIRING`."""
        return cls(**{field: values.get(name) for field, name in WIRING.items()})


WIRING = {
    "hierarchy": "hierarchy",
    "fln": "weights",
    "fln_inhibitory": "weights onto inhibitory",
    "arriving": "arriving",
    "arriving_inhibitory": "arriving at inhibitory",
}
"""Field -> its name in the hashes in stores, which must not change when a field is renamed."""
