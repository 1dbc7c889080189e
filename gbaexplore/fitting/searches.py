"""Searches: several runs of an optimiser side by side, each of which asks for points and is told of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.fitting.optimisers.base import Optimiser, Search, Told
from gbaexplore.fitting.ranges import Range, values_at
from gbaexplore.fitting.records import Part, Records

_NOTHING_NEW = 100  # generations of a search that has only asked for what is known


class _Asked(NamedTuple):
    """What a search has proposed."""

    units: np.ndarray  # (point, parameter) from 0 to 1
    rows: np.ndarray  # their values


class Searches:
    """The searches of a fit, side by side, from their start.

    Args:
        seed: of all their random numbers.
    """

    def __init__(self, optimiser: Optimiser, ranges: Mapping[str, Range], seed: int) -> None:
        self.optimiser, self.ranges = optimiser, ranges
        self.running: dict[int, Search] = {}
        self.asked: dict[int, _Asked] = {}
        self.converged: list[int] = []
        self.refused: dict[tuple[float, ...], str] = {}  # values -> why the model refuses them
        self._place: dict[tuple[float, ...], int] = {}  # values -> evaluation
        self._old = dict.fromkeys(range(optimiser.restarts), 0)
        for number, start in enumerate(_starts(optimiser.restarts, len(ranges), seed)):
            rng = np.random.default_rng([seed, number])
            self.running[number] = optimiser.search(len(ranges), start, rng)
            self._hear(number, None)

    @property
    def size(self) -> int:
        """Number of points that are proposed together."""
        return sum(len(asked.rows) for asked in self.asked.values())

    def wanted(self, records: Records, most: int) -> Iterator[Part]:
        """Yield what to evaluate next, which the records hold when this goes on.

        It ends when all searches have converged, or `most` evaluations are there.
        """
        generation = 0
        try:
            while self.asked:
                new = list(self._new(records))
                self._check_stored(records, new)
                pending = new[max(0, len(records) - len(self._place) + len(new)) :]
                pending = pending[: most - len(records)] if len(records) < most else []
                for first in range(0, len(pending), records.evaluations.most):
                    rows, restarts = zip(*pending[first : first + records.evaluations.most])
                    yield Part(np.array(rows), np.full(len(rows), generation), np.array(restarts))
                if len(records) < len(self._place):
                    return  # the budget is spent
                told = {number: self._told(asked, records) for number, asked in self.asked.items()}
                for number, answer in told.items():
                    self._hear(number, answer)
                generation += 1
        finally:
            for search in self.running.values():
                search.close()

    def _new(self, records: Records) -> Iterator[tuple[tuple[float, ...], int]]:
        """Yield the values that have not been asked for before, and who asks."""
        for number, asked in self.asked.items():
            known = len(self._place)
            rows = [row for row in dict.fromkeys(map(tuple, asked.rows.tolist())) if row not in self._place]
            rows = [row for row in rows if row not in self.refused]
            for row, why in zip(rows, records.evaluations.refusals(np.array(rows))):
                if why:
                    self.refused[row] = why
                    continue
                self._place[row] = len(self._place)
                yield row, number
            self._old[number] = 0 if len(self._place) > known else self._old[number] + 1

    def _check_stored(self, records: Records, new: list[tuple[tuple[float, ...], int]]) -> None:
        """Raise UserError if the store holds other values than are proposed now, in the same order."""
        first = len(self._place) - len(new)
        for i, (row, _) in enumerate(new[: max(0, len(records) - first)], start=first):
            if tuple(records.rows[i].tolist()) != row:
                raise UserError(
                    f"{records.path} holds another proposal as evaluation {i} than {type(self.optimiser).__name__} "
                    "makes now; expected the same: its package, or the loss's numbers, have changed since: choose "
                    "another --store, or name"
                )

    def _told(self, asked: _Asked, records: Records) -> Told:
        at = np.array([self._place.get(tuple(row), -1) for row in asked.rows.tolist()])
        known = at >= 0
        loss = np.full(len(at), np.inf)
        loss[known] = np.where(np.isnan(records.losses[at[known]]), np.inf, records.losses[at[known]])
        if not self.optimiser.needs_residuals:
            return Told(loss)
        residuals = np.full((len(at), 1 if records.residuals is None else records.residuals.shape[1]), np.nan)
        if records.residuals is not None:
            residuals[known] = records.residuals[at[known]]
        if records.jacobian is None:
            return Told(loss, residuals)
        slopes = np.stack([one.slopes(column) for one, column in zip(self.ranges.values(), asked.rows.T)], axis=-1)
        jacobian = np.full((*residuals.shape, len(self.ranges)), np.nan)
        jacobian[known] = records.jacobian[at[known]] * slopes[known][:, None]
        return Told(loss, residuals, jacobian)

    def _hear(self, number: int, answer: Told | None) -> None:
        """Tell a search what it asked for, and keep what it asks for next; drop it if it has converged."""
        self.asked.pop(number, None)
        try:
            search = self.running[number]
            units = np.asarray(next(search) if answer is None else search.send(answer), float)
        except StopIteration:
            self.converged.append(number)
            return
        if self._old[number] > _NOTHING_NEW:
            self.converged.append(number)
            return
        self.asked[number] = _Asked(units, self._values(units))

    def _values(self, units: np.ndarray) -> np.ndarray:
        shape = f"(points, {len(self.ranges)})"
        if units.ndim != 2 or units.shape[1] != len(self.ranges) or not len(units) or not np.isfinite(units).all():
            raise UserError(
                f"{type(self.optimiser).__name__} proposed an array of shape {units.shape}; expected finite "
                f"numbers from 0 to 1, {shape}"
            )
        return values_at(self.ranges, np.clip(units, 0.0, 1.0))


def _starts(count: int, parameters: int, seed: int) -> np.ndarray:
    """Return where searches begin, (search, parameter): the middle, then a Latin hypercube."""
    from scipy.stats import qmc

    spread = qmc.LatinHypercube(parameters, rng=np.random.default_rng([seed, 2**32])).random(max(1, count - 1))
    return np.vstack([np.full(parameters, 0.5), 0.1 + 0.8 * spread])[:count]
