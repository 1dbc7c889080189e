"""Values of parameters that differ from area to area: a number for each area, by its name or in order."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from gbaexplore.basics import numbers
from gbaexplore.basics.errors import UserError, listing, unknown
from gbaexplore.basics.points import AMPLITUDE, SEED, VELOCITY
from gbaexplore.networks.connectome import Connectome
from gbaexplore.networks.tables import labels_of

_ONE = (AMPLITUDE, SEED, VELOCITY)
"""Values that no area has of its own: of the stimulus, of the noise, of pathways."""


def parameter_value(name: str, given: Any, what: str, connectome: Connectome) -> float | np.ndarray:
    """Return a parameter's value: a number, or one number for each area, (area,), in the connectome's order.

    Args:
        given: a number; numbers in the order of the areas; a mapping, Series or DataArray by the areas' names. A
            mapping's key `...` stands for all areas that it does not name.
        what: the name of the value, for the message.

    Raises:
        UserError: anything else; unknown areas, or areas without a value; values of areas of what has only one.
    """
    if name in _ONE or not _has_areas(given):
        return numbers.number(given, what)
    areas = connectome.areas
    if isinstance(given, Mapping):
        return _by_name(dict(given), what, connectome)
    found = numbers.array(given, what, lambda at: ", ".join(areas[i] if i < len(areas) else str(i) for i in at))
    labels = next(iter(labels_of(given)), None)
    if found.ndim == 1 and labels is not None and labels != list(range(len(labels))):
        return _by_name(dict(zip(labels, found.tolist())), what, connectome, repeated=len(set(labels)) < len(labels))
    if found.shape != (len(areas),):
        raise UserError(
            f"{what} has shape {found.shape}; expected a finite number, or one for each of the {len(areas)} areas of "
            f"{connectome.name}"
        )
    return found


def _has_areas(given: Any) -> bool:
    return isinstance(given, (Mapping, list, tuple, range)) or getattr(given, "ndim", 0) > 0


def _by_name(given: dict[Any, Any], what: str, connectome: Connectome, repeated: bool = False) -> np.ndarray:
    areas = connectome.areas
    if repeated:
        raise UserError(f"{what} has an area more than once; expected one value of each area")
    others = [given.pop(...)] if ... in given else []
    for area in given:
        if area not in areas:
            raise UserError(unknown(f'{what}: no area "{area}" in {connectome.name}', str(area), areas, "Areas"))
    if not others and (lacking := [area for area in areas if area not in given]):
        raise UserError(
            f"{what} has no value of {listing(lacking, 5)}; expected one of each area, or one for all "
            "others: {..., ...: 1.0}"
        )
    return np.array([numbers.number(given.get(area, *others), f"{what} at {area}") for area in areas])
