"""Meshes of triangles, or tetrahedra, over a box of parameters, refined where a number changes sign: plain NumPy.

How a boundary is found and followed:

- A mesh of simplices has no hanging nodes and no ambiguous cells: the boundary crosses a simplex in one facet (a
  segment in two dimensions, a triangle or quadrangle in three) and leaves through a face that the next simplex shares.
  So a boundary that is seen anywhere is followed everywhere, whatever its shape.
- Where it crosses an edge it is bracketed between two evaluated points. The new facets of a simplex that was bisected
  are compared with the old one: a simplex is bisected until they agree.
- Lengths are in tolerances, |dx| / tolerance summed over the axes: within a length of 1 of a point lies what is
  within the tolerance of it along every axis. A facet's distance is measured along the axis that crosses it best.

Source of the bisection: Maubach (1995), SIAM J. Sci. Comput. 16:210-227, which keeps simplices from becoming thin.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from gbaexplore.basics.names import canonical

WIDTH = 0.5
"""Tolerances: the widest bracket of a crossing."""
_BEND = 0.75  # tolerances: how far the boundary may be expected to lie from a facet between its crossings
_SHRUNK = 0.75  # of the old facet's size: new ones are a test of it only if they are that much smaller
_NEAR = 0.45 * WIDTH  # of an expected crossing
_PATIENCE = 8  # points on an edge, after which interpolation is given up for bisection

Point = tuple[float, ...]
Edge = tuple[int, int]  # nodes, the lower first


class Facet:
    """Where the boundary crosses a simplex, as a plane through its crossings, (crossing, axis) in tolerances."""

    def __init__(self, crossings: np.ndarray, size: float, bend: float | None) -> None:
        self.size = size
        self.bend = bend  # how far the crossings lie from the facet before this one, if there was one
        self.centre = crossings.mean(axis=0)
        self.normal = np.linalg.svd(crossings - self.centre)[2][-1]

    def above(self, at: np.ndarray) -> np.ndarray:
        """Return how far points (..., axis) lie above the plane, along the axis that crosses it best."""
        return (at - self.centre) @ self.normal / np.abs(self.normal).max()


@dataclass
class Simplex:
    """Nodes in Maubach's order; `tag` says which edge is bisected next."""

    nodes: tuple[int, ...]
    tag: int
    facet: Facet | None = None  # its own, or an ancestor's, which its crossings are compared with
    settled: bool = False

    @property
    def edge(self) -> Edge:
        """The edge that is bisected next."""
        return _edge(self.nodes[0], self.nodes[self.tag])

    @property
    def edges(self) -> list[Edge]:
        """All edges."""
        return [_edge(a, b) for a, b in itertools.combinations(self.nodes, 2)]

    def halves(self, middle: int) -> Iterator[Simplex]:
        """Yield the two halves, when `middle` is the middle of the edge."""
        rest = (middle, *self.nodes[self.tag + 1 :])
        tag = self.tag - 1 or len(self.nodes) - 1
        for kept in (self.nodes[: self.tag], self.nodes[1 : self.tag + 1]):
            yield Simplex((*kept, *rest), tag, self.facet, self.settled)


class Crossing(NamedTuple):
    """Where the boundary crosses an edge, in tolerances."""

    at: np.ndarray  # (axis,) between the ends of the bracket
    width: np.ndarray  # (axis,) of the bracket: between a point on this side and one on the other


class Mesh:
    """The boundary between points of positive value and others, over a product of axes' values.

    Args:
        axes: ascending values of each axis, two or more.
        tolerance: along each axis, in its unit.
    """

    def __init__(self, axes: list[np.ndarray], tolerance: np.ndarray) -> None:
        self.tolerance = tolerance
        self.values: dict[Point, float] = {}
        """Of evaluated points; an infinite one has a sign only."""
        self.nodes: list[Point] = []
        self.simplices: dict[int, Simplex] = {}
        self._scaled_nodes: list[np.ndarray] = []
        self._numbers = itertools.count()
        self._star: dict[Edge, dict[int, None]] = {}  # the simplices that share an edge
        self._inner: dict[Edge, list[Point]] = {}  # evaluated points on an edge, its ends apart, in order
        self._open: dict[Edge, None] = {}  # edges that are to be looked at
        self._crossings: dict[Edge, Crossing] = {}
        self._twice: list[Edge] = []  # edges that are crossed more than once
        self._fresh: list[int] = []  # simplices that were not looked at
        for at in itertools.product(*axes):
            self._new_node(_point(at))
        dimension = len(axes)
        lengths = [len(axis) for axis in axes]
        # Kuhn's simplices of each cell: the ways along its sides from its lowest to its highest corner.
        for corner in itertools.product(*(range(length - 1) for length in lengths)):
            for order in itertools.permutations(range(dimension)):
                way = np.array([corner] + [corner] * dimension)
                for step, axis in enumerate(order, 1):
                    way[step:, axis] += 1
                self._add(Simplex(tuple(np.ravel_multi_index(way.T, lengths).tolist()), dimension))

    def proposals(self, at_once: int, goes_on: Callable[[], bool]) -> Iterator[list[Point]]:
        """Yield the points whose `values` are needed next, until the boundary is known to the tolerance.

        Args:
            at_once: how many points take no more time than one.
            goes_on: whether to refine further. What has been begun is brought to its end.
        """
        known = 0
        while True:
            yield [*self.nodes[known:], *self._expected()]
            known = len(self.nodes)
            while trials := self._trials(at_once):
                yield trials
            coarse = self._coarse()
            if not coarse or not goes_on():
                return
            self._refine(coarse)

    def crossings(self) -> dict[Edge, Crossing]:
        """Return where the boundary crosses the edges of the mesh, in the axes' units."""
        return {
            edge: Crossing(found.at * self.tolerance, found.width * self.tolerance)
            for edge, found in self._crossings.items()
        }

    def facets(self) -> Iterator[list[Edge]]:
        """Yield the pieces of the boundary as the edges that they cross: two, or three in three dimensions.

        Seen from the positive side, triangles turn anticlockwise.
        """
        for simplex in self.simplices.values():
            above = [n for n in simplex.nodes if self._sign(n)]
            below = [n for n in simplex.nodes if not self._sign(n)]
            if not above or not below:
                continue
            ring = [_edge(a, b) for i, a in enumerate(above) for b in (below if i % 2 == 0 else below[::-1])]
            if len(simplex.nodes) == 3:
                yield ring
            else:
                # Three or four crossings in the order of a ring, as triangles.
                yield from (self._turned([ring[0], b, c], above[0]) for b, c in itertools.pairwise(ring[1:]))

    def _turned(self, triangle: list[Edge], above: int) -> list[Edge]:
        corners = np.array([self._crossings[edge].at for edge in triangle])
        side = np.linalg.det(np.vstack([corners[1:] - corners[0], self._scaled_nodes[above] - corners[0]]))
        return triangle if side >= 0 else triangle[::-1]

    # Points.

    def _new_node(self, point: Point) -> int:
        self.nodes.append(point)
        self._scaled_nodes.append(self._scaled(point))
        return len(self.nodes) - 1

    def _scaled(self, point: Point) -> np.ndarray:
        return np.array(point) / self.tolerance

    def _ends(self, edge: Edge) -> tuple[np.ndarray, np.ndarray]:
        return self._scaled_nodes[edge[0]], self._scaled_nodes[edge[1]]

    def _sign(self, node: int) -> bool:
        return self.values[self.nodes[node]] > 0

    # Where the boundary crosses edges.

    def _trials(self, at_once: int) -> list[Point]:
        """Return points on the edges whose crossings are not known well enough; note what is known of all others."""
        wide: list[tuple[Edge, list[Point], int]] = []
        for edge in self._open:
            line = [self.nodes[edge[0]], *self._inner.get(edge, ()), self.nodes[edge[1]]]
            signs = [self.values[point] > 0 for point in line]
            changes = [i for i, (a, b) in enumerate(itertools.pairwise(signs)) if a != b]
            if len(changes) > 1:
                self._twice.append(edge)
            if len(changes) % 2:
                crossing = self._crossed(line[changes[0]], line[changes[0] + 1])
                self._crossings[edge] = crossing
                if crossing.width.sum() > WIDTH:
                    wide.append((edge, line, changes[0]))
        self._open = dict.fromkeys(edge for edge, _, _ in wide)
        room = at_once // max(1, len(wide))
        return [point for edge, line, first in wide for point in self._tried(edge, line, first, room)]

    def _crossed(self, a: Point, b: Point) -> Crossing:
        low, high = self.values[a], self.values[b]
        share = low / (low - high) if math.isfinite(low - high) else 0.5
        start, stop = self._scaled(a), self._scaled(b)
        return Crossing(start + share * (stop - start), np.abs(stop - start))

    def _tried(self, edge: Edge, line: list[Point], first: int, room: int) -> list[Point]:
        """Return new points in the bracket that begins at `first` on an edge's line: one or two, or up to `room`."""
        a, b = (self._scaled(point) for point in line[first : first + 2])
        length = _length(b - a)
        guess = self._root(line, first) if len(line) <= 2 + _PATIENCE else None
        if guess is None:
            sections = _sections(length / WIDTH, room)
            shares = np.arange(1, sections) / sections
        else:
            # One on each side: if the guess is good, they are the bracket.
            shares = guess + np.array([-_NEAR, _NEAR]) / length
        return self._placed(edge, [a + share * (b - a) for share in shares if 0 < share < 1])

    def _root(self, line: list[Point], first: int) -> float | None:
        """Return how far into the bracket a straight line through two values is 0: from 0 to 1, or None."""
        near = [p for p in line[max(0, first - 1) : first + 3] if math.isfinite(self.values[p])]
        if len(near) < 2:
            return None
        a, b = self._scaled(line[first]), self._scaled(line[first + 1])
        # The two smallest values tell most of the slope where the boundary is, if their line points inside.
        p, q = sorted(near, key=lambda point: abs(self.values[point]))[:2]
        for one, other in ((p, q), (line[first], line[first + 1])):
            low, high = self.values[one], self.values[other]
            if low != high and math.isfinite(high - low):
                root = self._scaled(one) + low / (low - high) * (self._scaled(other) - self._scaled(one))
                share = float((root - a) @ (b - a) / ((b - a) @ (b - a)))
                if 0 < share < 1:
                    return share
        return None

    def _placed(self, edge: Edge, at: list[np.ndarray]) -> list[Point]:
        """Return points in the axes' units that are new on an edge; they are on it from now on."""
        line = self._inner.get(edge, [])
        new = [point for point in (_point(place * self.tolerance) for place in at) if point not in line]
        self._inner[edge] = sorted([*line, *new], key=lambda point: self._along(edge, point))
        return new

    def _along(self, edge: Edge, point: Point) -> float:
        a, b = self._ends(edge)
        return float((self._scaled(point) - a) @ (b - a))

    # Refinement.

    def _coarse(self) -> list[int]:
        """Return the simplices in which the boundary isn't known well enough."""
        found = {number: None for number in self._fresh if number in self.simplices and not self._agrees(number)}
        for edge in self._twice:
            # A boundary that crosses an edge more than once is finer than the mesh.
            if edge in self._star and _length(np.subtract(*self._ends(edge))) > 1:
                found |= self._star[edge]
        self._fresh, self._twice = [], []
        return list(found)

    def _agrees(self, number: int) -> bool:
        """Return whether the boundary in a simplex lies where its larger ancestor had it."""
        simplex = self.simplices[number]
        crossings = np.array([self._crossings[edge].at for edge in simplex.edges if edge in self._crossings])
        if not len(crossings):
            return True
        size = max(_length(a - b) for a, b in itertools.combinations(crossings, 2))
        if size <= 1:
            return True
        bend = None
        if simplex.facet is not None:
            bend = float(np.abs(simplex.facet.above(crossings)).max())
            # A smooth boundary bends by a quarter each time that a simplex is halved, one with a corner by more.
            before = simplex.facet.bend
            further = 0.5 if before is None else min(1.0, max(0.25, bend / max(before, 1e-9)))
            if bend * further <= _BEND:
                simplex.settled |= size <= _SHRUNK * simplex.facet.size
                return simplex.settled
        simplex.facet, simplex.settled = Facet(crossings, size, bend), False
        return False

    def _refine(self, coarse: list[int]) -> None:
        """Halve simplices along every axis, where the boundary is expected in them."""
        for _ in self.tolerance:
            for number in coarse:
                if number in self.simplices:
                    self._bisect(number)
            coarse = [n for n in self._fresh if n in self.simplices and self._is_expected(self.simplices[n])]

    def _is_expected(self, simplex: Simplex) -> bool:
        if simplex.facet is None or simplex.settled:
            return False
        sides = simplex.facet.above(np.array([self._scaled_nodes[node] for node in simplex.nodes]))
        return bool(sides.min() < 0 < sides.max())

    def _expected(self) -> list[Point]:
        """Return points around where the boundary is expected to cross new edges, before their ends are known."""
        found = []
        for number in self._fresh:
            simplex = self.simplices.get(number)
            if simplex is None or simplex.facet is None:
                continue
            sides = simplex.facet.above(np.array([self._scaled_nodes[node] for node in simplex.nodes]))
            for (i, p), (j, q) in itertools.combinations(sorted(zip(simplex.nodes, sides.tolist())), 2):
                if p * q < 0 and not self._inner.get((i, j)) and self.nodes[j] not in self.values:
                    found += self._around((i, j), p / (p - q))
        return found

    def _around(self, edge: Edge, guess: float) -> list[Point]:
        a, b = self._ends(edge)
        shares = guess + np.array([-3, -1, 1, 3]) * _NEAR / _length(b - a)
        return self._placed(edge, [a + share * (b - a) for share in shares if 0 < share < 1])

    def _bisect(self, number: int) -> None:
        """Halve a simplex, and all that share the edge, after those that have another edge to be bisected first."""
        edge = self.simplices[number].edge
        while others := [other for other in self._star[edge] if self.simplices[other].edge != edge]:
            self._bisect(others[0])
        middle = self._middle(edge)
        for sharing in list(self._star[edge]):
            for half in self._removed(sharing).halves(middle):
                self._add(half)
        for known in (self._star, self._inner, self._crossings, self._open):
            known.pop(edge, None)

    def _middle(self, edge: Edge) -> int:
        """Return a new node in the middle of an edge; its halves inherit what is known on it."""
        a, b = (np.array(self.nodes[node]) for node in edge)
        point = _point((a + b) / 2)
        middle = self._new_node(point)
        inner, here = self._inner.get(edge, []), self._along(edge, point)
        self._inner[edge[0], middle] = [p for p in inner if p != point and self._along(edge, p) < here]
        self._inner[edge[1], middle] = [p for p in inner[::-1] if p != point and self._along(edge, p) > here]
        return middle

    def _add(self, simplex: Simplex) -> None:
        number = next(self._numbers)
        self.simplices[number] = simplex
        self._fresh.append(number)
        for edge in simplex.edges:
            if edge not in self._star:
                self._star[edge] = {}
                self._open[edge] = None
            self._star[edge][number] = None

    def _removed(self, number: int) -> Simplex:
        simplex = self.simplices.pop(number)
        for edge in simplex.edges:
            del self._star[edge][number]
        return simplex


def _sections(wanted: float, room: int) -> int:
    """Return into how many parts to divide at once, so that in the fewest rounds there are as many as wanted.

    >>> _sections(64, 9), _sections(64, 70), _sections(64, 1)
    (8, 64, 2)
    """
    rounds = max(1, math.ceil(round(math.log(wanted) / math.log(max(2, room + 1)), 9)))
    return math.ceil(round(wanted ** (1 / rounds), 9))


def _edge(a: int, b: int) -> Edge:
    return (a, b) if a < b else (b, a)


def _point(at: object) -> Point:
    return tuple(canonical(np.asarray(at)).tolist())


def _length(offset: np.ndarray) -> float:
    return float(np.abs(offset).sum())
