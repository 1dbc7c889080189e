"""Variants: the model, connectome and stimulus of each combination of labels."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from gbaexplore.basics.errors import UserError, shown
from gbaexplore.basics.points import AMPLITUDE
from gbaexplore.models.base import Model
from gbaexplore.models.checks import check_network
from gbaexplore.networks.axes import same_areas
from gbaexplore.networks.connectome import Connectome
from gbaexplore.stimuli.base import AbstractStimulus
from gbaexplore.stimuli.inputs import inputs_given, joined, stimulus_into
from gbaexplore.store.recipe import variant_name
from gbaexplore.study.areas import parameter_value
from gbaexplore.study.grid import Grid, is_object, mapping

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


def part_of(thing: Any) -> str:
    """Return which part of a study an object is: "model", "connectome" or "stimulus"."""
    return next(name for name, (kind, _) in _KINDS.items() if isinstance(thing, kind))


class Variant(NamedTuple):
    """The objects of one combination of categorical labels."""

    labels: dict[str, str]
    model: Model
    connectome: Connectome
    stimulus: AbstractStimulus
    parameters: dict[str, float | np.ndarray]  # that the labels give


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
        vars(self)["stimulus"] = inputs_given(self.stimulus)
        parts = {name: getattr(self, name) for name in _KINDS}
        check_parts(**{name: thing for name, thing in parts.items() if thing is not None})
        names = [variant_name(variant.labels) for variant in self]
        if repeated := [name for name in names if names.count(name) > 1]:
            raise UserError(f'two combinations of labels read "{repeated[0]}"; leave "=" out of the labels')
        same_areas({variant_name(variant.labels): variant.connectome for variant in self})
        first = self.first.model
        for variant in self:
            check_network(variant.model, variant.connectome)
            if _seen(variant.model) != _seen(first):
                raise UserError(
                    f"models {type(first).__name__} and {type(variant.model).__name__} have different observables; "
                    "expected the same in all models of an axis"
                )

    def __iter__(self) -> Iterator[Variant]:
        return iter(self._all.values())

    @property
    def first(self) -> Variant:
        """The variant of each axis's first label."""
        return next(iter(self))

    @functools.cached_property
    def _all(self) -> dict[tuple[str, ...], Variant]:
        axes = self.grid.categorical
        return {labels: self._made(dict(zip(axes, labels))) for labels in itertools.product(*axes.values())}

    @functools.cached_property
    def networks(self) -> int:
        """Number of different connectomes."""
        return len({variant.connectome for variant in self})

    def of(self, labels: dict[str, str]) -> Variant:
        """Return the variant of one label from each axis."""
        return self._all[tuple(labels[axis] for axis in self.grid.categorical)]

    def _made(self, labels: dict[str, str]) -> Variant:
        objects = [thing for axis, label in labels.items() for thing in self.grid.categorical[axis][label]]
        model = _one_of(Model, [*objects, self.model], "model=ThresholdLinear()")
        connectome = _one_of(Connectome, [*objects, self.connectome], 'connectome=load_connectome("macaque29")')
        driving = joined([thing for thing in [*objects, self.stimulus] if isinstance(thing, AbstractStimulus)])
        given = _one_of(AbstractStimulus, driving, "") if driving else None
        stimulus = stimulus_into(model.inputs, given, type(model).__name__)
        parameters: dict[str, float | np.ndarray] = {}
        for axis, label in labels.items():
            for name, value in self._given(axis, label, type(model)).items():
                if name in parameters:
                    raise UserError(f'"{name}" is given by two axes of labels; expected one source for each parameter')
                parameters[name] = parameter_value(name, value, f'axis "{axis}": {name} of "{label}"', connectome)
        return Variant(labels, model, connectome, stimulus, parameters)

    def _given(self, axis: str, label: str, model: type[Model]) -> dict[str, Any]:
        """Return what a label gives of parameters: that of the axis's name, or those of a mapping's names."""
        found: dict[str, Any] = {}
        for thing in self.grid.categorical[axis][label]:
            if is_object(thing):
                continue
            if axis in (*model.parameters(), AMPLITUDE):
                found[axis] = thing
            elif isinstance(thing, Mapping):
                found |= mapping(thing, f'axis "{axis}": "{label}"')
            else:
                raise UserError(
                    f'axis "{axis}": "{label}" is {shown(thing)}; expected a connectome, a stimulus or a model, or '
                    f'{{parameter: value}}, since {model.__name__} has no parameter "{axis}"'
                )
        return found

    @functools.cached_property
    def labelled(self) -> dict[str, dict[str, dict[str, float | np.ndarray]]]:
        """Axis -> label -> the parameters that it gives, with their values."""
        found: dict[str, dict[str, dict[str, float | np.ndarray]]] = {axis: {} for axis in self.grid.categorical}
        for variant in self:
            for axis, label in variant.labels.items():
                names = self._given(axis, label, type(variant.model))
                found[axis][label] = {name: variant.parameters[name] for name in names}
        return found


def _seen(model: Model) -> dict[str, tuple[str, list[tuple[str, tuple[str, ...]]]]]:
    """Return the unit of each observable, and its dimensions besides the area with their labels."""
    return {
        name: (units, [(dim, tuple(labels)) for dim, labels in model.dimensions.get(name, {}).items()])
        for name, units in model.observables.items()
    }


def _one_of(kind: type, candidates: list[Any], hint: str) -> Any:
    """Return the only object of a kind that the study gives, directly or by an axis."""
    found = [thing for thing in candidates if isinstance(thing, kind)]
    if len(found) == 1:
        return found[0]
    what = "stimulus" if kind is AbstractStimulus else kind.__name__.lower()
    raise UserError(
        f"the study has {'more than one' if found else 'no'} {what}; expected one, either given "
        f"directly{f' ({hint})' if hint else ''} or by one axis of labels"
    )
