"""A view in the page's address. Anyone can write an address: only what fits the store is shown."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from gbaexplore.basics.errors import UserError, listing, unknown

if TYPE_CHECKING:
    from gbaexplore.plots.explorer.courses import Courses

CHOICES = ("variable", "x", "y", "observable")
FLAGS = ("log", "log_courses")
NAMES = (*CHOICES, *FLAGS, "at", "areas", "point", "pins")
MOST_AREAS, MOST_PINS = 4, 4

_EARLIER = {"population": "observable"}  # links are kept for longer than versions of this page


def read(link: str, offered: dict[str, list[Any]], courses: Courses) -> dict[str, Any]:
    """Return the view that a link names: values of some of `NAMES`.

    Args:
        offered: what can be chosen, for `areas` and each of `CHOICES`.

    Raises:
        UserError: not a view, or not one of this store.
    """
    try:
        asked = json.loads(link)
    except (ValueError, RecursionError):
        asked = None
    if not isinstance(asked, dict):
        raise UserError(f"found {listing([link])}; expected an address that this page has written")
    asked = {_EARLIER.get(name, name): value for name, value in asked.items()}
    return {name: _value(name, value, offered, courses) for name, value in asked.items() if name in NAMES}


def _value(name: str, value: Any, offered: dict[str, list[Any]], courses: Courses) -> Any:
    if name in CHOICES:
        known = offered[name] or [None]
        if value not in known:
            names = [one for one in known if one is not None]
            raise UserError(unknown(f"no {name} {listing([value])}", str(value), names, "Known"))
        return value
    if name in FLAGS:
        return _of_kind(name, value, bool, "true or false")
    if name == "at":
        found = _of_kind(name, value, dict, "a position along each dimension")
        if not all(type(position) is int for position in found.values()):
            raise UserError(f"at = {listing([value])}; expected whole numbers")
        return found
    if name == "areas":
        found = _of_kind(name, value, list, "a list of areas")
        if not all(area in offered["areas"] for area in found) or len(found) > len({*map(str, found)}):
            raise UserError(f"areas = {listing([value])}; expected some of {listing(offered['areas'])}, each once")
        return _at_most(name, found, MOST_AREAS)
    if name == "point":
        return None if value is None else courses.point(_of_kind(name, value, dict, "a label of each axis"))
    pins = _at_most(name, _of_kind(name, value, list, "a list of points"), MOST_PINS)
    return [courses.point(_of_kind("a pin", pin, dict, "a label of each axis")) for pin in pins]


def _of_kind(name: str, value: Any, kind: type, words: str) -> Any:
    if not isinstance(value, kind):
        raise UserError(f"{name} = {listing([value])}; expected {words}")
    return value


def _at_most(name: str, values: list[Any], most: int) -> list[Any]:
    if len(values) > most:
        raise UserError(f"{len(values):,} {name}; expected at most {most}")
    return values
