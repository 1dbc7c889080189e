"""Parts that the rules share: names, levels, counts, fractions.

Weights are fractions of an area's input, as FLN is: every row sums to 1 (to 0 in an area that gets
nothing). The same arguments and seed make the same connectome; its name says how it was made.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.numbers import whole_number

_MOST_AREAS = 20_000


def fractions(axons: np.ndarray) -> np.ndarray:
    """Return the numbers of axons with each row divided by its sum."""
    return axons / np.maximum(axons.sum(axis=1, keepdims=True), 1.0)


def number_of_areas(areas: Any) -> int:
    """Return a checked number of areas, from 2 to 20,000.

    Raises:
        UserError: anything else.
    """
    found = whole_number(areas, "the number of areas", least=2)
    if found > _MOST_AREAS:
        raise UserError(f"the number of areas = {found:,}; expected at most {_MOST_AREAS:,}: matrices grow with n^2")
    return found


def names(areas: int) -> tuple[str, ...]:
    """Return a0, a1, ..., padded to one length, so that their alphabetical order is theirs."""
    return tuple(f"a{i:0{len(str(areas - 1))}d}" for i in range(areas))


def levels(areas: int, given: Any, otherwise: np.ndarray | None = None) -> Any:
    """Return the given hierarchy, else that of the places, else an evenly spaced one."""
    if given is not None:
        return given
    return np.linspace(0, 1, areas) if otherwise is None else otherwise


def pathways(areas: int, density: float) -> int:
    """Return the number of pathways at a density.

    Raises:
        UserError: the density is outside 0 to 1, or there would be no pathway.
    """
    count = round(density * areas * (areas - 1)) if 0 < density <= 1 else 0
    if not count:
        raise UserError(f"density = {density:g}; expected a share above 0 and up to 1, of at least one pathway")
    return count
