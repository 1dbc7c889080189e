"""Shapes of the explorer's pictures, as plain arrays for Bokeh and matplotlib: maps, matrices, scatters, curves."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from gbaexplore.basics.names import OK


@dataclass(frozen=True)
class Scale:
    """An axis of a picture: its labels, and where they are drawn.

    Numbers that are evenly spaced are drawn at their values; all else, labels too, at 0, 1, 2, ...
    """

    name: str
    title: str
    labels: list[Any]

    @cached_property
    def even(self) -> bool:
        """Whether the labels are evenly spaced, rising numbers."""
        if not self.numbers or len(self.labels) < 2:
            return False
        steps = np.diff(np.asarray(self.labels, float))
        return bool(steps[0] > 0 and np.allclose(steps, steps[0], rtol=1e-6, atol=0.0))

    @property
    def numbers(self) -> bool:
        """Whether the labels are numbers."""
        return not isinstance(self.labels[0], str)

    @cached_property
    def positions(self) -> np.ndarray:
        """Positions of the labels."""
        return np.asarray(self.labels, float) if self.even else np.arange(len(self.labels), dtype=float)

    @cached_property
    def words(self) -> list[str]:
        """The labels as text, no two the same."""
        words = [short(label) for label in self.labels]
        return words if len(set(words)) == len(words) else [str(label) for label in self.labels]

    @property
    def step(self) -> float:
        """Distance of neighbouring labels."""
        return float(np.ptp(self.positions)) / (len(self.labels) - 1) if len(self.labels) > 1 else 1.0

    @property
    def ends(self) -> tuple[float, float]:
        """Outer edges of the first and the last cell."""
        return float(self.positions[0] - self.step / 2), float(self.positions[-1] + self.step / 2)

    def nearest(self, position: float) -> Any:
        """Return the label whose cell a position is in."""
        return self.labels[int(np.abs(self.positions - position).argmin())]

    def position(self, label: Any) -> float:
        """Return a label's position."""
        return float(self.positions[self.labels.index(label)])


@dataclass(frozen=True)
class Plane:
    """A map or a matrix: values and states over two dimensions."""

    x: Scale
    y: Scale
    title: str  # what the values are, with their unit
    values: np.ndarray  # (y, x) float64; NaN where there is none to show
    state: np.ndarray  # (y, x) uint8: the code of each point's status
    limits: tuple[float, float]  # of the colours; positive, if they are to be logarithmic
    boundaries: dict[str, tuple[list[Any], list[Any]]]  # name -> xs and ys of curves
    downwards: bool = False  # whether the first row is on top, as in a matrix

    @cached_property
    def cover(self) -> np.ndarray:
        """The states that are drawn, (y, x): those of points without a value, OK elsewhere."""
        return np.where(np.isfinite(self.values), OK, self.state).astype(np.uint8)

    def nearest(self, x: float, y: float) -> dict[str, Any]:
        """Return the labels, by dimension, of the cell that a position is in."""
        return {self.x.name: self.x.nearest(x), self.y.name: self.y.nearest(y)}

    def position(self, labels: dict[str, Any]) -> tuple[float, float] | None:
        """Return where a point is; None for one that is at no cell."""
        if not {self.x.name, self.y.name} <= labels.keys():
            return None
        return self.x.position(labels[self.x.name]), self.y.position(labels[self.y.name])

    def neighbour(self, labels: dict[str, Any], right: int, up: int) -> dict[str, Any]:
        """Return the labels of the cell some steps from a point."""
        up = -up if self.downwards else up
        return {
            scale.name: _beside(scale.labels, labels[scale.name], by)
            for scale, by in ((self.x, right), (self.y, up))
            if scale.name in labels
        }


@dataclass(frozen=True)
class Scatter:
    """The points of a table over two of its columns, with their values and states."""

    axis: str
    rows: list[Any]  # (point,) their labels on the table's axis
    titles: tuple[str, str]  # of the columns, with their units
    xs: np.ndarray  # (point,)
    ys: np.ndarray  # (point,)
    title: str
    values: np.ndarray  # (point,) float64; NaN where there is none to show
    state: np.ndarray  # (point,) uint8
    limits: tuple[float, float]

    @cached_property
    def cover(self) -> np.ndarray:
        """The states that are drawn, (point,): those of points without a value, OK elsewhere."""
        return np.where(np.isfinite(self.values), OK, self.state).astype(np.uint8)

    def _distance(self, x: float, y: float) -> np.ndarray:
        return np.hypot((self.xs - x) / (np.ptp(self.xs) or 1.0), (self.ys - y) / (np.ptp(self.ys) or 1.0))

    def nearest(self, x: float, y: float) -> dict[str, Any]:
        """Return the row nearest to a position, seen as on a square picture."""
        return {self.axis: self.rows[int(self._distance(x, y).argmin())]}

    def position(self, labels: dict[str, Any]) -> tuple[float, float] | None:
        """Return where a point is."""
        at = self.rows.index(labels[self.axis])
        return float(self.xs[at]), float(self.ys[at])

    def neighbour(self, labels: dict[str, Any], right: int, up: int) -> dict[str, Any]:
        """Return the nearest row in a direction, within 45 degrees of it; the same where there is none."""
        x, y = self.position(labels) or (0.0, 0.0)
        across, along = (self.xs - x) / (np.ptp(self.xs) or 1.0), (self.ys - y) / (np.ptp(self.ys) or 1.0)
        forward, aside = across * right + along * up, np.abs(across * up - along * right)
        there = np.where((forward > 0) & (forward >= aside), self._distance(x, y), np.inf)
        return {self.axis: self.rows[int(there.argmin())] if np.isfinite(there).any() else labels[self.axis]}


@dataclass(frozen=True)
class Curves:
    """A variable along one dimension or column: a line for each of some areas, or a single one."""

    dim: str  # the dimension that it is along: of a column, the table's axis
    labels: list[Any]  # (place,) along this dimension
    x: Scale
    xs: np.ndarray  # (place,) where they are drawn, rising if they are numbers
    title: str
    lines: dict[str, np.ndarray]  # name -> (place,); NaN where there is none to show
    bands: dict[str, tuple[np.ndarray, np.ndarray]]  # name -> low and high ends over the seeds, if there are several
    state: np.ndarray  # (place,) uint8

    @cached_property
    def cover(self) -> np.ndarray:
        """The states that are drawn, (place,): those of places without a value, OK elsewhere."""
        known = np.isfinite([*self.lines.values(), np.full(len(self.labels), np.nan)]).any(axis=0)
        return np.where(known, OK, self.state).astype(np.uint8)

    def nearest(self, x: float, _: float) -> dict[str, Any]:
        """Return the label nearest to a position."""
        return {self.dim: self.labels[int(np.abs(self.xs - x).argmin())]}

    def position(self, labels: dict[str, Any]) -> tuple[float, float] | None:
        """Return where a point is on the first line that has a value there."""
        if self.dim not in labels:
            return None
        at = self.labels.index(labels[self.dim])
        known = [line[at] for line in self.lines.values() if np.isfinite(line[at])]
        return (float(self.xs[at]), float(known[0])) if known else None

    def neighbour(self, labels: dict[str, Any], right: int, _: int) -> dict[str, Any]:
        """Return the next label along the curves."""
        return {self.dim: _beside(self.labels, labels[self.dim], right)} if self.dim in labels else {}


Shown: TypeAlias = "Plane | Scatter | Curves"


def _beside(labels: list[Any], label: Any, by: int) -> Any:
    return labels[int(np.clip(labels.index(label) + by, 0, len(labels) - 1))]


def short(label: Any) -> str:
    """Return a label's text on an axis."""
    return f"{label:.6g}" if isinstance(label, float) else str(label)
