"""Tables of points: a row for each point, a column for each parameter, along one dimension."""

from __future__ import annotations

import hashlib
import sys
from typing import Any, NamedTuple

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.numbers import coordinates


class Table(NamedTuple):
    """An axis of listed points."""

    labels: np.ndarray  # (row,) int64: the rows' labels
    columns: dict[str, np.ndarray]  # parameter -> (row,) float64, canonical

    def recipe(self) -> dict[str, Any]:
        """Return the table's identity, as JSON data; a hash stands for its values, which are coordinates of a store."""
        return {
            "rows": len(self.labels),
            "labels": _hash(self.labels),
            "columns": {name: _hash(values) for name, values in self.columns.items()},
        }


def _hash(values: np.ndarray) -> str:
    return hashlib.sha256(values.tobytes()).hexdigest()


def is_table(values: Any) -> bool:
    """Return whether an axis's values are a table, that is a pandas DataFrame."""
    # There is no DataFrame where nobody has imported pandas, which takes as long as a small study's first steps.
    return "pandas" in sys.modules and isinstance(values, sys.modules["pandas"].DataFrame)


def table(axis: str, frame: Any) -> Table:
    """Return the table of a DataFrame.

    Raises:
        UserError: no rows; a column that is not numeric or not named uniquely; an index that does not number the rows.
    """
    names = list(frame.columns)
    if not len(frame) or not names:
        raise UserError(
            f'axis "{axis}" is a table of {len(frame)} rows and {len(names)} columns; expected at least one of each'
        )
    for name in names:
        if not isinstance(name, str) or names.count(name) > 1:
            what = "more than once" if isinstance(name, str) else "as a column's name"
            raise UserError(f'axis "{axis}" is a table that has {name!r} {what}; expected parameters, each once')
    return Table(_labels(axis, frame.index), {name: _column(axis, name, frame[name]) for name in names})


def _labels(axis: str, index: Any) -> np.ndarray:
    found = index.to_numpy()
    if found.ndim != 1 or found.dtype.kind not in "iu" or not index.is_unique or np.any(found > np.iinfo(np.int64).max):
        shown = ", ".join(str(label) for label in index[:3])
        raise UserError(
            f'axis "{axis}" is a table whose index is {shown}, ...; expected whole numbers below 2**63, each once, '
            "because they name the rows: reset_index(drop=True) numbers them"
        )
    return found.astype(np.int64)


def _column(axis: str, name: str, series: Any) -> np.ndarray:
    try:
        return coordinates(series, f'column "{name}" of the table "{axis}"')
    except UserError as error:
        raise UserError(f"{error} (what has labels is an axis of its own)") from None
