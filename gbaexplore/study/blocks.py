"""Blocks: the parts of the grid that are computed and written together."""

from __future__ import annotations

import functools
import itertools
import math
from dataclasses import dataclass

from gbaexplore.engine.plan import padded
from gbaexplore.study.grid import Grid

_MOST_POINTS = 8192  # in one queue: about a second of work on one core
_MOST_BYTES = 64 * 2**20
_BLOCKS = 32  # enough blocks to share out evenly in a study that is not large


@dataclass(frozen=True)
class Block:
    """A part of the grid that is computed and written together: a slice of every axis."""

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
    wanted_points: int | None = None  # in one block
    given_shape: tuple[int, ...] | None = None  # of an existing store
    given_queue: int | None = None

    @functools.cached_property
    def shape(self) -> tuple[int, ...]:
        """Number of values of each axis in a block: one label, and enough numbers or rows for a good amount of work."""
        if self.given_shape is not None:
            return self.given_shape
        chosen = min(self.most_points, -(-self.grid.size // (_BLOCKS * self.lanes)) * self.lanes)
        wanted = self.wanted_points or chosen
        shape = []
        lengths = dict(zip(self.grid.names, self.grid.shape))
        inner = math.prod(length for name, length in lengths.items() if name not in self.grid.categorical)
        for name, length in lengths.items():
            if name in self.grid.categorical:
                shape.append(1)
                continue
            inner //= length
            parts = max(1, min(length, round(length * inner / wanted)))
            shape.append(-(-length // parts))
        return tuple(shape)

    @property
    def queue_blocks(self) -> int:
        """Largest number of blocks of one variant in a queue, which keeps the lanes busier than single blocks do."""
        per_variant = len(self.all) // math.prod(len(labels) for labels in self.grid.categorical.values())
        most = min(self.most_points, self.given_queue or self.most_points)
        return max(1, min(per_variant, most // math.prod(self.shape)))

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
        """Return the labels that all points of a block share."""
        at = dict(zip(self.grid.names, (s.start for s in block.slices)))
        return {axis: list(labels)[at[axis]] for axis, labels in self.grid.categorical.items()}


def most_points(bytes_per_point: int) -> int:
    """Return how many points to compute at once at most: more is no faster and takes memory."""
    return min(_MOST_POINTS, max(1, _MOST_BYTES // bytes_per_point))
