"""Blocks: the parts of the grid that are written together, and queues of them, which are computed together."""

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from gbaexplore.engine.plan import padded
from gbaexplore.networks.connectome import Connectome
from gbaexplore.study.grid import Grid, is_object

_MOST_POINTS = 8192  # in one queue: about a second of work on one core
_MOST_BYTES = 64 * 2**20
_BLOCKS = 32  # enough blocks to share out evenly in a study that is not large


@dataclass(frozen=True)
class Block:
    """A part of the grid: a slice of every axis."""

    slices: tuple[slice, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        """Number of values along each axis."""
        return tuple(s.stop - s.start for s in self.slices)

    @property
    def size(self) -> int:
        """Number of points."""
        return math.prod(self.shape)


@dataclass(frozen=True, eq=False)
class Blocks:
    """The division of a grid into blocks, and of blocks into queues."""

    grid: Grid
    most_points: int  # points that may be computed at once
    lanes: int  # points side by side
    joined: frozenset[str] = frozenset()  # axes of labels whose points may be in one queue: see `joined_axes`
    wanted_points: int | None = None  # in one block
    given_shape: tuple[int, ...] | None = None  # of an existing store
    given_queue: int | None = None

    @functools.cached_property
    def shape(self) -> tuple[int, ...]:
        """Number of values of each axis in a block: enough for a good amount of work.

        There is one label, or several where their points may share lanes that those of one would not fill.
        """
        if self.given_shape is not None:
            return self.given_shape
        chosen = min(self.most_points, -(-self.grid.size // (_BLOCKS * self.lanes)) * self.lanes)
        wanted = self.wanted_points or chosen
        single = set(self.grid.categorical) - (self.joined if self.grid.numbers < self.lanes else set())
        shape = []
        lengths = dict(zip(self.grid.names, self.grid.shape))
        inner = math.prod(length for name, length in lengths.items() if name not in single)
        for name, length in lengths.items():
            if name in single:
                shape.append(1)
                continue
            inner //= length
            parts = max(1, min(length, round(length * inner / wanted)))
            shape.append(-(-length // parts))
        return tuple(shape)

    @property
    def groups(self) -> int:
        """Number of combinations of labels whose points are never in one queue."""
        return math.prod(len(labels) for axis, labels in self.grid.categorical.items() if axis not in self.joined)

    @property
    def queue_blocks(self) -> int:
        """Largest number of blocks in a queue, which keeps the lanes busier than single blocks do."""
        most = min(self.most_points, self.given_queue or self.most_points)
        return max(1, min(len(self.all) // self.groups, most // math.prod(self.shape)))

    @property
    def fewest_blocks(self) -> int:
        """Number of blocks below which a queue has empty lanes, if its size is given."""
        return self.queue_blocks if self.given_queue else 1

    @functools.cached_property
    def queue_points(self) -> int:
        """Number of points to which a queue's arrays are padded.

        Whole sets of lanes: a small grid with some more values then has the same program, and is not compiled anew.
        """
        block = math.prod(self.shape)  # of any size that is given, or of some points more than most
        points = min(self.given_queue or self.queue_blocks * block, max(self.most_points, block))
        return max(points, min(self.most_points, padded(points, self.lanes)))

    @functools.cached_property
    def all(self) -> list[Block]:
        """The blocks of the grid, in C order."""
        starts = [range(0, length, size) for length, size in zip(self.grid.shape, self.shape)]
        return [
            Block(tuple(slice(a, min(a + n, m)) for a, n, m in zip(at, self.shape, self.grid.shape)))
            for at in itertools.product(*starts)
        ]

    def labels_of(self, block: Block) -> dict[str, str]:
        """Return the labels that all points of a block share, which has one of each axis."""
        at = dict(zip(self.grid.names, (s.start for s in block.slices)))
        return {axis: list(labels)[at[axis]] for axis, labels in self.grid.categorical.items()}

    def parts_of(self, block: Block) -> list[tuple[Block, tuple[slice, ...]]]:
        """Return the parts of a block that have one label of each axis, and their places in it."""
        own = [
            [slice(i, i + 1) for i in range(s.start, s.stop)] if name in self.grid.categorical else [s]
            for name, s in zip(self.grid.names, block.slices)
        ]
        starts = [s.start for s in block.slices]
        return [
            (Block(part), tuple(slice(s.start - a, s.stop - a) for s, a in zip(part, starts)))
            for part in itertools.product(*own)
        ]

    def labels_apart(self, block: Block, which: np.ndarray) -> Iterator[tuple[tuple[str, ...], np.ndarray]]:
        """Yield each combination of labels of which a block has points in a mask of it, and the mask of these."""
        for own, place in self.parts_of(block):
            if which[place or ...].any():
                mask = np.zeros_like(which)
                mask[place or ...] = which[place or ...]
                yield tuple(self.labels_of(own).values()), mask

    def group_of(self, block: Block) -> tuple[int, ...]:
        """Return what tells blocks apart that are never in one queue."""
        single = set(self.grid.categorical) - self.joined
        return tuple(s.start for name, s in zip(self.grid.names, block.slices) if name in single)


def joined_axes(grid: Grid, lanes: int, shared: bool) -> frozenset[str]:
    """Return the axes of labels whose points may be in one queue.

    Labels that stand for values of parameters may: their points differ as those along an axis of numbers do. So may
    connectomes with fewer points than there are lanes, which would otherwise be empty.

    Args:
        shared: whether lanes may have networks of their own.
    """
    kinds = {axis: _kinds(grid, axis) for axis in grid.categorical}
    values = {axis for axis, found in kinds.items() if found == {None}}
    points = grid.numbers * math.prod(len(grid.categorical[axis]) for axis in values)
    if not shared or points >= lanes:
        return frozenset(values)
    return frozenset(axis for axis, found in kinds.items() if found <= {None, Connectome})


def has_connectomes(grid: Grid, axes: frozenset[str]) -> bool:
    """Return whether labels of some axes stand for connectomes."""
    return any(Connectome in _kinds(grid, axis) for axis in axes)


def _kinds(grid: Grid, axis: str) -> set[type | None]:
    """Return what the labels of an axis stand for: types of objects, and None for values of parameters."""
    things = itertools.chain.from_iterable(grid.categorical[axis].values())
    return {type(thing) if is_object(thing) else None for thing in things}


def most_points(bytes_per_point: int) -> int:
    """Return how many points to compute at once at most: more is no faster and takes memory."""
    return min(_MOST_POINTS, max(1, _MOST_BYTES // bytes_per_point))
