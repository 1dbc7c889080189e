"""Matrices of areas by areas that a user gives: measured ones to compare results with, and which pairs count."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np

from gbaexplore.basics.errors import UserError, shown, unknown


class GivenMatrix:
    """A measured matrix, with the names of its areas if it has any.

    Args:
        given: (area, area), or a DataArray or DataFrame of it with the areas' names along both sides.

    Raises:
        UserError: it is not square, not finite, or its sides have different names.
    """

    def __init__(self, given: Any, what: str) -> None:
        self.what = what
        try:
            self.values = np.array(getattr(given, "values", given), dtype=np.float64)
        except (TypeError, ValueError):
            raise UserError(f"{what} is {shown(given)}; expected numbers, (area, area)") from None
        if self.values.ndim != 2 or len(set(self.values.shape)) > 1 or len(self.values) < 3:
            raise UserError(f"{what} has shape {self.values.shape}; expected (area, area), of at least 3 areas")
        off = self.values[~np.eye(len(self.values), dtype=bool)]
        if not np.isfinite(off).all():
            raise UserError(f"{what} has values that are not finite; expected a number for each two areas")
        sides = _sides(given)
        if len(sides) == 2 and sides[0] != sides[1]:
            raise UserError(
                f"{what} has other areas along its rows than along its columns; expected the same, in order"
            )
        self.areas = sides[0] if sides else None

    def of(self, areas: tuple[str, ...]) -> np.ndarray:
        """Return the matrix of these areas, in their order.

        Raises:
            UserError: an area is missing; without names, there are not as many.
        """
        if self.areas is None:
            if len(self.values) != len(areas):
                raise UserError(
                    f"{self.what} is of {len(self.values)} areas without names, the network of {len(areas)}; expected "
                    "as many, or a DataArray with names of areas"
                )
            return self.values
        for area in areas:
            if area not in self.areas:
                raise UserError(unknown(f'{self.what} lacks the area "{area}"', area, self.areas, "Areas"))
        at = [self.areas.index(area) for area in areas]
        return self.values[np.ix_(at, at)]

    @property
    def sha256(self) -> str:
        """The identity of the numbers and names."""
        return hashlib.sha256(repr(self.areas).encode() + self.values.tobytes()).hexdigest()


class GivenPairs:
    """Which pairs of different areas count: all of them, or those that a matrix has.

    Args:
        given: None for all; or True for pairs that count, (area, area), as `GivenMatrix` takes it, the same for (i, j)
            as for (j, i).

    Raises:
        UserError: it is no such matrix.
    """

    def __init__(self, given: Any, what: str) -> None:
        self.what = what
        self.matrix = None if given is None else GivenMatrix(given, what)
        if self.matrix is not None:
            values = self.matrix.values
            if not np.isin(values, (0, 1)).all() or not (values == values.T).all():
                raise UserError(f"{what} is {shown(given)}; expected True or False for each two areas, symmetric")

    def of(self, areas: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Return the pairs' rows and columns, above the diagonal.

        Raises:
            UserError: an area is missing; fewer than 3 pairs.
        """
        above = np.triu_indices(len(areas), 1)
        if self.matrix is None:
            return above
        counts = self.matrix.of(areas)[above] == 1
        if counts.sum() < 3:
            raise UserError(f"{self.what} has {counts.sum()} pairs of the network's areas; expected at least 3")
        return above[0][counts], above[1][counts]

    def recipe(self) -> dict[str, str]:
        """Return its identity, as JSON data; nothing for all pairs."""
        return {} if self.matrix is None else {"pairs": self.matrix.sha256}


def _sides(given: Any) -> list[list[str]]:
    """Return the names along the sides that have names."""
    if hasattr(given, "columns"):
        found = [list(given.index), list(given.columns)]
    elif hasattr(given, "coords"):
        found = [given.coords[dim].values.tolist() for dim in given.dims if dim in given.coords]
    else:
        found = []
    return [[str(name) for name in side] for side in found if all(isinstance(name, str) for name in side)]
