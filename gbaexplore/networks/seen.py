"""The part of a connectome that a model's step uses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from gbaexplore.basics.errors import unknown
from gbaexplore.networks.anatomy import Named
from gbaexplore.networks.connectome import Connectome

_HIERARCHY, _VALUE, _ONTO = "hierarchy", "value ", "weights onto "


_KIND = " kind "


def kind_of(name: str, i: int) -> str:
    """Return the name by which one of several kinds of what is sent travels."""
    return f"{name}{_KIND}{i:05}"  # in this order in a sorted mapping too


def _together(arrived: Mapping[str, Any]) -> dict[str, Any]:
    """Return what arrived by the names that a model gave it, its kinds in one array, (kind, area)."""
    kinds: dict[str, list[Any]] = {}
    for name, x in arrived.items():
        kinds.setdefault(name.partition(_KIND)[0], []).append(x)
    import jax.numpy as jnp

    return {name: jnp.stack(xs) if kind_of(name, 0) in arrived else xs[0] for name, xs in kinds.items()}


class Received:
    """What arrives at each area, (area,) or (kind, area), as attributes by the names that a model's `sends` gives."""

    def __init__(self, arrived: Mapping[str, Any]) -> None:
        self.__dict__.update(_together(arrived))

    def __getattr__(self, name: str) -> Any:
        # An AttributeError, so that the message can name the line of the model's code.
        known = list(self.__dict__)
        if not known:
            raise AttributeError(
                f'"{name}" is received nowhere; expected a model with `sends`, and a look at it in `derivative`, '
                "`step` or `outputs` only"
            )
        raise AttributeError(unknown(f'nothing called "{name}" is sent', name, known, "Sent"))


class Network(NamedTuple):
    """The connectome's numbers that a model's step uses.

    A step reads the first five by `weights`, `values["..."]`, `further_weights["..."]`, `received.NAME` and
    `further_received["..."].NAME`. A name that the connectome or the model lacks is one clear line.
    """

    weights: Any  # (area, area) row = target, column = source, so that weights @ rates is what each area receives
    by_area: Mapping[str, Any] = {}  # name -> (area,)
    by_pathway: Mapping[str, Any] = {}  # name of further weights -> (area, area)
    arrived: Mapping[str, Any] | None = None  # name -> (area,) what `Model.sends` gives, weighted and summed
    arrived_by: Mapping[str, Mapping[str, Any]] = {}  # the same by further weights
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
    def received(self) -> Received:
        """What each area receives of what the model sends."""
        return Received(self.arrived or {})

    @property
    def further_received(self) -> Named:
        """The same by further weights."""
        return Named("further_weights", {name: Received(found) for name, found in self.arrived_by.items()})

    def hearing(self, sent: Mapping[str, Any]) -> Network:
        """Return the network in which what is sent arrives at once."""
        return self._replace(
            arrived={name: self.weights @ x for name, x in sent.items()},
            arrived_by={by: {name: w @ x for name, x in sent.items()} for by, w in self.by_pathway.items()},
        )

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
        for i, (name, array) in enumerate((self.arrived or {}).items()):
            found |= {_arrived(i): array} | {_arrived(i, by): x[name] for by, x in self.arrived_by.items()}
        return found

    @classmethod
    def of_named(cls, found: Mapping[str, Any], sent: Sequence[str] = ()) -> Network:
        """Return the network of what `named` returns; `sent` are the names of what arrives late."""

        def starting(prefix: str) -> dict[str, Any]:
            return {name.removeprefix(prefix): array for name, array in found.items() if name.startswith(prefix)}

        values = starting(_VALUE) | {name: array for name, array in found.items() if name == _HIERARCHY}
        further = starting(_ONTO)
        late = {name: found[_arrived(i)] for i, name in enumerate(sent)} if sent else None
        late_by = {by: {name: found[_arrived(i, by)] for i, name in enumerate(sent)} for by in further}
        return cls(found["weights"], values, further, late, late_by if sent else {})


def _arrived(i: int, by: str | None = None) -> str:
    return "arriving" + (f" {i + 1}" if i else "") + ("" if by is None else f" at {by}")


def _value(name: str) -> str:
    return name if name == _HIERARCHY else _VALUE + name
