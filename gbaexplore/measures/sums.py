"""Sums of many float32 terms."""

from __future__ import annotations

from typing import Any


def plus(total: Any, lost: Any, term: Any) -> tuple[Any, Any]:
    """Return a sum with one more term, and its rounding error so far: Kahan's compensated sum.

    `total - lost` is the sum without rounding errors; both start at 0.
    """
    term = term - lost
    larger = total + term
    return larger, (larger - total) - term
