"""The part of a connectome that a model's step uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from gbaexplore.networks.anatomy import Named
from gbaexplore.networks.connectome import Connectome

_HIERARCHY, _VALUE, _ONTO, _AT = "hierarchy", "value ", "weights onto ", "arriving at "


class Network(NamedTuple):
    """The connectome's numbers that a model's step uses.

    A step reads the first five by `weights`, `values["..."]`, `further_weights["..."]`, `arriving` and
    `further_arriving["..."]`. A name that the connectome lacks is one clear line.
    """

    weights: Any  # (area, area) row = target, column = source, so that weights @ rates is what each area receives
    by_area: Mapping[str, Any] = {}  # name -> (area,)
    by_pathway: Mapping[str, Any] = {}  # name of further weights -> (area, area)
    arriving: Any = None  # (area,) delayed input: the variable that `Model.delayed` names, weighted and summed
    arriving_by: Mapping[str, Any] = {}  # the same by further weights
    lengths_mm: Any = None  # (area, area) length of each pathway; not for steps

    @property
    def values(self) -> Named:
        """Named values of areas, (area,)."""
        return Named("values", self.by_area)

    @property
    def further_weights(self) -> Named:
        """Named further weights, (area, area), such as those onto inhibitory populations."""
        return Named("further_weights", self.by_pathway)

    @property
    def further_arriving(self) -> Named:
        """Delayed input by further weights, (area,)."""
        return Named("further_weights", self.arriving_by)

    @classmethod
    def of(cls, connectome: Connectome) -> Network:
        """Return the network of a connectome."""
        return cls(
            connectome.weights,
            # In the order in which JAX hands on the parts of a mapping.
            dict(sorted(connectome.values.items())),
            dict(sorted(connectome.further_weights.items())),
            lengths_mm=connectome.lengths_mm,
        )

    def named(self) -> dict[str, Any]:
        """Return what a step uses by the names in the hashes in stores, which must not change."""
        found = {_value(name): array for name, array in self.by_area.items()}
        found |= {"weights": self.weights} | {_ONTO + name: array for name, array in self.by_pathway.items()}
        if self.arriving is not None:
            found |= {"arriving": self.arriving} | {_AT + name: array for name, array in self.arriving_by.items()}
        return found

    @classmethod
    def of_named(cls, found: Mapping[str, Any]) -> Network:
        """Return the network of what `named` returns."""

        def starting(prefix: str) -> dict[str, Any]:
            return {name.removeprefix(prefix): array for name, array in found.items() if name.startswith(prefix)}

        values = starting(_VALUE) | {name: array for name, array in found.items() if name == _HIERARCHY}
        return cls(found["weights"], values, starting(_ONTO), found.get("arriving"), starting(_AT))


def _value(name: str) -> str:
    return name if name == _HIERARCHY else _VALUE + name
