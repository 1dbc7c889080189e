"""Ranges of free parameters, linear or logarithmic, and values for groups of areas."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from gbaexplore.basics.errors import UserError, listing, shown
from gbaexplore.basics.names import canonical
from gbaexplore.basics.numbers import number


@dataclass(frozen=True)
class Range:
    """The range of a free parameter: an optimiser moves along it from 0 to 1."""

    low: float
    high: float
    log: bool = False

    def values(self, units: np.ndarray) -> np.ndarray:
        """Return the values, canonical, at positions from 0 to 1."""
        if self.log:
            found = np.exp(np.log(self.low) + units * np.log(self.high / self.low))
        else:
            found = self.low + units * (self.high - self.low)
        return canonical(np.clip(found, self.low, self.high))

    def units(self, values: np.ndarray) -> np.ndarray:
        """Return the positions, from 0 to 1, of values."""
        if self.log:
            return np.log(values / self.low) / np.log(self.high / self.low)
        return (values - self.low) / (self.high - self.low)

    def slopes(self, values: np.ndarray) -> np.ndarray:
        """Return d(value)/d(position) at values."""
        return values * np.log(self.high / self.low) if self.log else np.full(np.shape(values), self.high - self.low)

    def recipe(self) -> list[Any]:
        """Return its identity, as JSON data."""
        return [self.low, self.high, "log" if self.log else "linear"]


def values_at(ranges: Mapping[str, Range], units: np.ndarray) -> np.ndarray:
    """Return the values, (point, parameter), at positions from 0 to 1."""
    return np.stack([one.values(column) for one, column in zip(ranges.values(), units.T)], axis=1)


def log(low: float, high: float) -> Range:
    """Return a range along which an optimiser moves by factors: `free={"sigma": gba.log(1e-3, 1e-1)}`.

    Raises:
        UserError: ends that are no numbers, not above 0, or not in this order.
    """
    found = _range((low, high), "the range of gba.log")
    if found.low <= 0:
        raise UserError(f"gba.log({low!r}, {high!r}): a logarithm needs numbers above 0; expected a low end above 0")
    return Range(found.low, found.high, log=True)


@dataclass(frozen=True, eq=False)
class ByGroup:
    """A free parameter that has one value for each group of areas: `free={"w": gba.ByGroup(groups, (0.5, 2.0))}`.

    Args:
        groups: group -> names of its areas; each area of the connectome is in one.
        range: (low, high), or `gba.log(low, high)`, of each group's value.

    Raises:
        UserError: no groups; an area in two of them; a group's name that is no word; a range upside down.
    """

    groups: Mapping[str, Sequence[str]]
    range: Any

    def __post_init__(self) -> None:
        if not isinstance(self.groups, Mapping) or not self.groups:
            raise UserError(f"ByGroup(groups={shown(self.groups)}): expected a mapping from groups to names of areas")
        for group, areas in self.groups.items():
            if not isinstance(group, str) or not f"x_{group}".isidentifier():
                raise UserError(f"ByGroup has the group {group!r}; expected a word, such as visual")
            if isinstance(areas, str) or not all(isinstance(area, str) for area in areas):
                raise UserError(f"ByGroup: the areas of {group} are {shown(areas)}; expected a list of names")
        names = [area for areas in self.groups.values() for area in areas]
        twice = [area for area in names if names.count(area) > 1]
        if twice:
            raise UserError(f'ByGroup: the area "{twice[0]}" is in a group twice; expected each area in one group')
        object.__setattr__(self, "range", _range(self.range, "the range of ByGroup"))


def expanded(free: Any) -> tuple[dict[str, Range], dict[str, Callable[..., Any]]]:
    """Return the range of each free number, and the functions that give parameters of groups of areas.

    Raises:
        UserError: nothing is free, or something has no range.
    """
    if not isinstance(free, Mapping) or not free:
        raise UserError(f'free = {shown(free)}; expected ranges by name, such as {{"G": (0.0, 3.0)}}')
    ranges: dict[str, Range] = {}
    functions: dict[str, Callable[..., Any]] = {}
    for name, given in free.items():
        if not isinstance(name, str) or not name.isidentifier():
            raise UserError(f"free has the name {name!r}; expected a parameter's name, such as G")
        if isinstance(given, ByGroup):
            own = {group: f"{name}_{group}" for group in given.groups}
            functions[name] = _of_groups(name, given.groups, own)
            ranges |= dict.fromkeys(own.values(), given.range)
        else:
            ranges[name] = _range(given, f'free["{name}"]')
    return ranges, functions


def _range(given: Any, what: str) -> Range:
    if isinstance(given, Range):
        return given
    if not isinstance(given, (tuple, list)) or len(given) != 2:
        raise UserError(f"{what} = {shown(given)}; expected (low, high) or gba.log(low, high)")
    low, high = (number(end, f"{what}[{i}]") for i, end in enumerate(given))
    if low >= high:
        raise UserError(f"{what} goes from {low:g} to {high:g}; expected the lower end first, and a higher one")
    return Range(low, high)


def _of_groups(name: str, groups: Mapping[str, Sequence[str]], own: Mapping[str, str]) -> Callable[..., Any]:
    """Return a function, as `Study(derived=...)` takes it, from the values of groups to those of areas."""
    group_of = {area: group for group, areas in groups.items() for area in areas}

    def values(net: Any, **of_groups: float) -> np.ndarray:
        missing = [area for area in net.areas if area not in group_of]
        if missing or len(group_of) > len(net.areas):
            unknown = [area for area in group_of if area not in net.areas]
            what = f"lack {listing(missing)}" if missing else f"have {listing(unknown)}, which {net.name} lacks"
            raise UserError(f'the groups of "{name}" {what}; expected each area of {net.name} in one group')
        return np.array([of_groups[own[group_of[area]]] for area in net.areas])

    arguments = [inspect.Parameter(word, inspect.Parameter.POSITIONAL_OR_KEYWORD) for word in (*own.values(), "net")]
    values.__signature__ = inspect.Signature(arguments)  # type: ignore[attr-defined]
    return values
