"""The rows of the verification table, and how they are shown."""

from __future__ import annotations

import importlib.metadata
import platform
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One number that was checked.

    Args:
        what: it is, with its unit. source: of the expected value.
        tolerance: largest relative difference that passes (absolute where 0 is expected).
        text: the expected value as it was printed, if it was.
    """

    what: str
    expected: float
    source: str
    ours: float
    tolerance: float
    text: str = ""

    @property
    def difference(self) -> float:
        """Relative difference; the absolute one where 0 is expected."""
        return abs(self.ours - self.expected) / (abs(self.expected) or 1.0)

    @property
    def passed(self) -> bool:
        """Whether the difference is within the tolerance; NaN is not."""
        return self.difference <= self.tolerance

    @classmethod
    def printed(cls, what: str, text: str, source: str, ours: float) -> Row:
        """Return a row that passes if `ours` rounds to the printed digits.

        >>> Row.printed("V1", "100.0370", "table", 100.03704).passed
        True
        >>> Row.printed("V1", "2.5e-06", "table", 2.56e-06).passed
        False
        """
        mantissa, _, exponent = text.lower().partition("e")
        unit = 10.0 ** (int(exponent or 0) - len(mantissa.partition(".")[2]))
        expected = float(text)
        return cls(what, expected, source, ours, (0.5 + 1e-6) * unit / abs(expected), text)


def versions() -> dict[str, str]:
    """Return the versions that the numbers were computed with."""
    names = ("gbaexplore", "jax", "jaxlib", "numpy", "scipy", "xarray", "brainpy")
    return {"Python": platform.python_version()} | {name: importlib.metadata.version(name) for name in names}


def table(rows: Sequence[Row]) -> str:
    """Return the rows as text for a terminal, the versions below, and how many passed."""
    cells = [_HEADER, *(_cells(row) for row in rows)]
    widths = [max(len(line[i]) for line in cells) for i in range(len(_HEADER))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in cells]
    lines.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join([*lines, "", _used(), _summary(rows)])


def markdown(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table, the versions and how many passed above it."""
    cells = [_HEADER, ["---"] * len(_HEADER), *(_cells(row) for row in rows)]
    lines = ["| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in cells]
    return "\n".join([_summary(rows), "", _used(), "", *lines, ""])


_HEADER = ["what", "expected", "ours", "difference", "allowed", "result", "source"]


def _cells(row: Row) -> list[str]:
    result = "pass" if row.passed else "FAIL"
    numbers = [row.text or f"{row.expected:.8g}", f"{row.ours:.8g}", f"{row.difference:.1e}", f"{row.tolerance:.1e}"]
    return [row.what, *numbers, result, row.source]


def _used() -> str:
    return "Computed with " + ", ".join(f"{name} {version}" for name, version in versions().items()) + "."


def _summary(rows: Sequence[Row]) -> str:
    failed = sum(not row.passed for row in rows)
    return f"{len(rows)} numbers checked: {len(rows) - failed} pass, {failed} fail."
