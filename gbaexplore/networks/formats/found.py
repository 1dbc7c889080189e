"""What a reader finds in a file: tables by name."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from gbaexplore.basics.errors import UserError

MOST_BYTES = 2 << 30
"""What is read at most: a network of 16,000 areas in double precision."""


class Table(NamedTuple):
    """Numbers or names in a file; what can't be read has an error, for the case that it is needed."""

    array: Any = None  # numbers, of any dimensions
    rows: tuple[str, ...] | None = None  # names of the rows; without an array, just names
    columns: tuple[str, ...] | None = None
    error: UserError | None = None

    @property
    def size(self) -> str:
        """What it is, in a few words."""
        if self.error is not None:
            return "not readable"
        if self.array is None:
            return f"{len(self.rows or ())} names"
        return " x ".join(map(str, np.shape(self.array))) or "one number"


Found = dict[str, Table]


def check_size(size: int, what: str) -> None:
    """Raise UserError for more bytes than are read: said before anything takes memory."""
    if size > MOST_BYTES:
        raise UserError(
            f"{what} holds {size / 2**30:.1f} GiB; expected at most {MOST_BYTES / 2**30:.0f} GiB: keep only what "
            "belongs to the connectome"
        )
