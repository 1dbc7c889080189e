"""Variants: the model, connectome and stimulus of each combination of labels."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from gbaexplore.basics.errors import UserError
from gbaexplore.models.base import Model
from gbaexplore.models.checks import check_network
from gbaexplore.networks.axes import same_areas
from gbaexplore.networks.connectome import Connectome
from gbaexplore.stimuli.base import AbstractStimulus
from gbaexplore.stimuli.silence import Silence
from gbaexplore.store.recipe import variant_name
from gbaexplore.study.grid import Grid

_KINDS: dict[str, tuple[type, str]] = {
    "model": (Model, "ThresholdLinear()"),
    "connectome": (Connectome, 'load_connectome("macaque29")'),
    "stimulus": (AbstractStimulus, 'Pulse(area="V1", onset=2.0, duration=0.25, amplitude=20.0)'),
}


def check_parts(**parts: Any) -> None:
    """Check the types of `model`, `connectome` and `stimulus`, where given.

    Raises:
        UserError: one has another type.
    """
    for name, thing in parts.items():
        kind, example = _KINDS[name]
        if not isinstance(thing, kind):
            what = f"the class {thing.__name__}" if isinstance(thing, type) else f"of type {type(thing).__name__}"
            raise UserError(f"{name} is {what}; expected an object such as {example}")


class Variant(NamedTuple):
    """The objects of one combination of categorical labels."""

    labels: dict[str, str]
    model: Model
    connectome: Connectome
    stimulus: AbstractStimulus


@dataclass(frozen=True, eq=False)
class Variants:
    """The variants of a study, one for each combination of labels.

    Raises:
        UserError: no object, or more than one, of a kind; connectomes or models that do not fit each other.
    """

    grid: Grid
    model: Any
    connectome: Any
    stimulus: Any

    def __post_init__(self) -> None:
        parts = {name: getattr(self, name) for name in _KINDS}
        check_parts(**{name: thing for name, thing in parts.items() if thing is not None})
        names = [variant_name(variant.labels) for variant in self]
        if repeated := [name for name in names if names.count(name) > 1]:
            raise UserError(f'two combinations of labels read "{repeated[0]}"; leave "=" out of the labels')
        same_areas({variant_name(variant.labels): variant.connectome for variant in self})
        first = self.first.model
        for variant in self:
            check_network(variant.model, variant.connectome)
            if dict(variant.model.observables) != dict(first.observables):
                raise UserError(
                    f"models {type(first).__name__} and {type(variant.model).__name__} have different observables; "
                    "expected the same in all models of an axis"
                )

    def __iter__(self) -> Iterator[Variant]:
        return iter(self._all)

    @property
    def first(self) -> Variant:
        """The variant of each axis's first label."""
        return self._all[0]

    @functools.cached_property
    def _all(self) -> tuple[Variant, ...]:
        axes = self.grid.categorical
        return tuple(self.of(dict(zip(axes, labels))) for labels in itertools.product(*axes.values()))

    def of(self, labels: dict[str, str]) -> Variant:
        """Return the variant of one label from each axis."""
        objects = [thing for axis, label in labels.items() for thing in self.grid.categorical[axis][label]]
        return Variant(
            labels,
            model=_one_of(Model, [*objects, self.model], "model=ThresholdLinear()"),
            connectome=_one_of(Connectome, [*objects, self.connectome], 'connectome=load_connectome("macaque29")'),
            stimulus=_one_of(AbstractStimulus, [*objects, self.stimulus], "", otherwise=Silence()),
        )


def _one_of(kind: type, candidates: list[Any], hint: str, otherwise: Any = None) -> Any:
    """Return the only object of a kind that the study gives, directly or by an axis."""
    found = [thing for thing in candidates if isinstance(thing, kind)] or [otherwise]
    if len(found) == 1 and found[0] is not None:
        return found[0]
    what = "stimulus" if kind is AbstractStimulus else kind.__name__.lower()
    raise UserError(
        f"the study has {'no' if found == [None] else 'more than one'} {what}; expected one, either given "
        f"directly{f' ({hint})' if hint else ''} or by one axis of labels"
    )
