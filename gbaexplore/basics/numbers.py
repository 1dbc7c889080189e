"""The one entrance for numbers and arrays from users: checked and converted to float64.

Missing values, None, True, False and text are not numbers. Quantities are refused, because their units would be lost.
"""

from __future__ import annotations

import math
import numbers
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np

from gbaexplore.basics.errors import UserError, shown, text_of
from gbaexplore.basics.names import canonical, decimals

_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_KINDS = {"b": "True and False", "c": "complex numbers", "M": "dates", "m": "times", "V": "records"}
_KINDS |= dict.fromkeys("UST", "text")
_LABELLED = ("numpy", "pandas", "xarray", "dask", "jax", "jaxlib")  # their "unit" is a label or a column


def number(value: Any, what: str, units: str = "1") -> float:
    """Return a finite number as a float; single precision is converted by `decimals`.

    Args:
        value: a number of Python, NumPy, JAX, ..., or an array of shape ().
        what: the name of the value, for the message.
        units: expected, for the message.

    Raises:
        UserError: anything else.
    """
    return _finite(value, what, "a finite number" + ("" if units == "1" else f" in {units}"))


def whole_number(value: Any, what: str, least: int = 0) -> int:
    """Return a whole number of at least `least`.

    Raises:
        UserError: anything else.
    """
    expected = f"a whole number of at least {least}"
    exact = isinstance(value, (int, np.integer)) and not isinstance(value, (bool, np.timedelta64))
    found: Any = value if exact else _finite(value, what, expected)
    if found % 1 or found < least:
        raise UserError(f"{what} = {shown(value)}; expected {expected}")
    return int(found)


def array(values: Any, what: str, at: Callable[[tuple[int, ...]], str] = str) -> np.ndarray:
    """Return finite numbers as a new float64 array.

    Args:
        values: an array of any library (sparse, masked, of single precision, ...), a table, nested lists.
        what: the name of the values, for the message.
        at: returns the name of a position, for the message.

    Raises:
        UserError: an element is not a finite number; rows differ in length.
    """
    found = np.array(_plain(values, what, "finite numbers"), np.float64)
    wrong = np.argwhere(~np.isfinite(found))
    if len(wrong):
        where = tuple(wrong[0].tolist())
        raise UserError(f"{what} is {found[where]:g}{f' at {at(where)}' if where else ''}; expected finite numbers")
    return found


def from_text(text: str, what: str) -> float:
    """Return the number in a cell of a text table, written with a decimal point.

    Raises:
        UserError: anything else, such as "0_5", "1,5", "nan", "1e400" or "".
    """
    found = float(text) if _DECIMAL.fullmatch(text) else np.nan
    if not math.isfinite(found):
        raise UserError(f'{what}: found "{text[:40]}"; expected a number, such as 0.25')
    return found


def coordinates(values: Any, what: str) -> np.ndarray:
    """Return the numbers of an axis or a column, (n,), made `canonical`.

    Raises:
        UserError: an element is not a finite number; no element; more than one dimension.
    """
    found = _plain(values, what, "finite numbers")
    if found.ndim != 1 or not found.size:
        raise UserError(f"{what} has shape {found.shape}; expected a list of at least one number")
    if not np.isfinite(found).all():
        raise UserError(f"{what} has {found[~np.isfinite(found)][0]:g}; expected finite numbers")
    return canonical(found)


def _finite(value: Any, what: str, expected: str) -> float:
    if type(value) is float and math.isfinite(value):
        return value
    found = _plain(value, what, expected)
    if found.shape != ():
        raise UserError(f"{what} has shape {found.shape}; expected {expected}")
    if not np.isfinite(found):
        raise UserError(f"{what} = {shown(value)}; expected {expected}")
    return float(decimals(found))


def _plain(values: Any, what: str, expected: str) -> np.ndarray:
    """Return real numbers as an array, possibly the caller's own; NaN and infinities are not refused."""
    if isinstance(values, (list, tuple, range)):
        return _stacked(values, what, expected)
    if type(values).__module__.split(".")[0] == "xarray" and hasattr(values, "data"):
        return _plain(values.data, what, expected)
    _refuse_units(values, what, expected)
    if np.ma.is_masked(values):
        raise UserError(f"{what} has masked values; expected {expected}: fill them, or leave out what is missing")
    try:
        if not isinstance(values, np.ndarray) and hasattr(values, "toarray"):  # a sparse matrix
            values = values.toarray()
        found = np.asarray(values.to_numpy() if hasattr(values, "to_numpy") else values)
    except Exception as error:  # any error of any library
        raise UserError(f"{what} can't be read as an array ({text_of(error)}); expected {expected}") from None
    kind = found.dtype.kind
    if kind in "iuf":
        return found
    if kind == "V" and np.can_cast(found.dtype, np.float64):  # JAX's bfloat16
        return found.astype(np.float64)
    if kind == "O" and found.shape:
        rows = [found[i] for i in range(len(found))]  # lists, if rows differ in length
        stacked = _stacked(rows, what, expected)
        return stacked if stacked.size or found.size else stacked.reshape(found.shape)
    if kind == "O" and isinstance(values, (numbers.Real, Decimal)):
        return np.array(_float(values))
    wrong = f"has {_KINDS[kind]}" if found.shape and kind in _KINDS else f"= {shown(values)}"
    raise UserError(f"{what} {wrong}; expected {expected}")


def _stacked(values: Any, what: str, expected: str) -> np.ndarray:
    if set(map(type, values)) <= {float}:
        return np.array(values, np.float64)
    parts = [_plain(value, f"{what}[{i}]", expected) for i, value in enumerate(values)]
    if len({part.shape for part in parts}) > 1:
        raise UserError(f"{what} has rows of different lengths; expected {expected}")
    # Single precision among double would pass for double.
    return np.stack(parts if len({part.dtype for part in parts}) == 1 else [decimals(part) for part in parts])


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:
        return np.inf if value > 0 else -np.inf


def _refuse_units(values: Any, what: str, expected: str) -> None:
    if type(values).__module__.split(".")[0] in _LABELLED:
        return
    units = next((getattr(values, name) for name in ("units", "unit") if hasattr(values, name)), None)
    if units is not None:
        raise UserError(
            f"{what} = {shown(values)} is a quantity with a unit ({units}); expected {expected}: "
            "convert it, and give its magnitude"
        )
