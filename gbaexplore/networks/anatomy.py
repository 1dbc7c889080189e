"""The content of files, tables and graphs, before it becomes a connectome."""

from __future__ import annotations

from collections import Counter
from typing import Any, NamedTuple

import numpy as np

from gbaexplore.basics.errors import UserError, listing, shown

_LONGEST = 200  # characters of an area's name


class Anatomy(NamedTuple):
    """Areas in any order, and their numbers in the same order."""

    areas: tuple[str, ...]
    hierarchy: np.ndarray  # (n,) 0 to 1
    matrices: dict[str, np.ndarray]  # field of Connectome -> (n, n), row = target, column = source

    def ordered(self) -> Anatomy:
        """Return the anatomy in hierarchical order; areas at the same position keep theirs."""
        n = len(self.areas)
        if self.hierarchy.shape != (n,) or any(matrix.shape != (n, n) for matrix in self.matrices.values()):
            return self  # Connectome reports what does not fit
        order = np.argsort(self.hierarchy, kind="stable")
        matrices = {field: matrix[np.ix_(order, order)] for field, matrix in self.matrices.items()}
        return Anatomy(tuple(self.areas[i] for i in order), self.hierarchy[order], matrices)


def relative(raw: np.ndarray) -> np.ndarray:
    """Return a raw hierarchy divided by its largest value."""
    top = raw.max(initial=0.0)
    return raw / top if top > 0 else raw


def area_names(areas: Any, what: str) -> tuple[str, ...]:
    """Return the names of areas, all different.

    Raises:
        UserError: text instead of a list; a set, which has no order; names that are not text, repeated, too long to
            read, or with characters that do not print.
    """
    try:
        if isinstance(areas, (str, bytes, set, frozenset)):
            raise TypeError
        names = tuple(areas)
    except TypeError:
        raise UserError(f"{what}: areas are {type(areas).__name__}; expected a list of names, in order") from None
    if not names:
        raise UserError(f"{what}: no areas; expected at least one")
    for name in names:
        if not isinstance(name, str) or not name or name != name.strip():
            raise UserError(f"{what}: area names must be non-empty text, without blanks around it; found {shown(name)}")
        if not name.isprintable() or len(name) > _LONGEST:
            raise UserError(
                f"{what}: the area name {name[:40]!r} has characters that do not print, or more than {_LONGEST}; "
                "expected a name for labels and messages: rename it"
            )
    repeated = sorted(name for name, count in Counter(names).items() if count > 1)
    if repeated:
        raise UserError(f"{what}: area {listing(repeated)} is there more than once; expected each area once")
    return tuple(map(str, names))
