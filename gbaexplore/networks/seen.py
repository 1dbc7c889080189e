"""A connectome as a model's step sees it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gbaexplore.networks.connectome import Connectome


class Network(NamedTuple):
    """A connectome as a model's step sees it."""

    hierarchy: Any  # (area,)
    fln: Any  # (area, area) row = target, column = source, so that fln @ rates is what each area receives
    fln_inhibitory: Any = None  # (area, area) the same onto inhibitory populations, where it is another one
    wiring_mm: Any = None  # (area, area) wiring distance, mm; a step does not see it
    arriving: Any = None  # (area,) what arrives now of what `Model.travels` names: late, weighted by fln, summed
    arriving_inhibitory: Any = None  # (area,) the same by fln_inhibitory

    @classmethod
    def of(cls, connectome: Connectome) -> Network:
        """Return a connectome's numbers."""
        return cls(connectome.hierarchy, connectome.fln, connectome.fln_inhibitory, connectome.wiring_mm)

    @classmethod
    def named(cls, values: Mapping[str, Any]) -> Network:
        """Return the network of values by the names that stores know them by: see `WIRING`."""
        return cls(**{field: values.get(name) for field, name in WIRING.items()})


WIRING = {
    "hierarchy": "hierarchy",
    "fln": "weights",
    "fln_inhibitory": "weights onto inhibitory",
    "arriving": "arriving",
    "arriving_inhibitory": "arriving at inhibitory",
}
"""What a step sees of a network, by names that outlive those of the fields: hashes in stores are made of them."""
