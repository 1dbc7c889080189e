"""How points are simulated: what a program is compiled for, its tables, its clock."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from gbaexplore.basics.points import SHARED
from gbaexplore.engine.delays import Late, late_of
from gbaexplore.measures.base import Run, StreamingMeasure
from gbaexplore.measures.peak import Peak
from gbaexplore.models.base import Model
from gbaexplore.networks.connectome import Connectome
from gbaexplore.networks.seen import Network
from gbaexplore.stimuli.base import Pieces

SETTLED = 1e-3
"""A response is over once every state variable, in every area, is within this fraction of its own largest value.
In a positively homogeneous network what can still follow is then at most this fraction of what has been, times the
network's transient gain: a peak is safe for gains up to 1000."""

_SLICE_STEPS = 250
_SHORTEST_SLICE = 25
_LANES = 16
_MOST_LANES = 64
_ENOUGH_AREAS = 128
_CONSTANT_PIECES = 64


class Batch(NamedTuple):
    """What a program is compiled for."""

    model: Model
    measures: tuple[StreamingMeasure, ...]
    runs: tuple[Run, ...]  # one per measure
    first_samples: tuple[int, ...]  # step of each measure's first sample
    fixed: tuple[tuple[str, float], ...]  # parameters that are the same for all points: constants to the compiler
    swept: tuple[str, ...]  # the others
    by_area: tuple[str, ...]  # values of areas that the network has
    by_pathway: tuple[str, ...]  # and further weights
    dt: float
    ceiling: float  # largest change of the principal observable of a point that has not diverged
    dtype: str
    lanes: int
    slice_steps: int
    ragged: bool  # slices differ in length
    refill: bool  # points end early, and their lanes are refilled
    closing: tuple[bool, ...]  # measures whose window ends before the last step
    stepwise: bool  # the stimulus may change at every step
    draws: int  # normal numbers for each area in every step
    shared: bool  # all lanes have the same of them as a rule
    late: Late | None  # how what travels is kept, if anything does

    @property
    def guarded(self) -> tuple[bool, ...]:
        """Measures to be restored after a slice that is not theirs."""
        return tuple(
            not m.places_samples and (closes or not self.refill) for m, closes in zip(self.measures, self.closing)
        )


class Tables(NamedTuple):
    """What differs from slice to slice (arrays, so that other times compile nothing anew)."""

    first: Any  # (slices + 1,) step number at which each slice starts
    opens: Any  # (measures, slices) the measure starts with the state before this slice
    active: Any  # (measures, slices)
    quiet: Any  # (slices + 1,) the stimulus is over before this slice
    piece: Any  # (slices,), or (steps,) if the stimulus is stepwise; the last level is zero
    levels: Any  # (area, pieces + 1)
    delays: Any = None  # `Delays` of the queue's velocity, if anything travels


class Plan(NamedTuple):
    """A batch's program and its tables."""

    batch: Batch
    tables: Tables

    @property
    def steps(self) -> int:
        """Number of steps of a point that runs to the end."""
        return int(self.tables.first[-1] - self.tables.first[0])


def make_plan(
    model: Model,
    measures: tuple[StreamingMeasure, ...],
    connectome: Connectome,
    pieces: Pieces,
    swept: Mapping[str, np.ndarray],
    fixed: Mapping[str, float],
    dt: float,
    n_steps: int,
    ceiling: float,
    precision: str,
    noise: str = SHARED,
) -> Plan:
    """Return how to simulate points: which steps, in which slices, with which program.

    Args:
        measures: may be empty.
        pieces: the stimulus of amplitude 1.
        swept: every value that a swept parameter takes in the study (not only in one batch).
        fixed: all other parameters of the model.
        noise: whose is one, which changes no bit here: see `points.noise_hashes`.
    """
    areas = connectome.areas
    model = model.prepared_for(Network.of(connectome), dt, precision)
    values = {**{name: np.asarray([value]) for name, value in fixed.items()}, **swept}
    draws = model.normals_per_step(values)
    # What is computed of a state at rest need not be 0, nor come back as the state does.
    at_rest = not draws and not model.random_start and not model.has_outputs and model.starts_at_rest(values)
    onset, over = int(pieces.edges[0]), int(pieces.edges[-1])
    windows = [measure.steps(dt, n_steps) for measure in measures]
    start, end = _span(measures, windows, onset, at_rest, n_steps)
    if not _watched(model, measures, windows, start, end):
        measures, windows = (*measures, Peak()), [*windows, (0, end)]

    # A sample is the state after its step: a measure opens on the step after its first sample's.
    opening = [max(start, first + 1) if first >= start or not at_rest else start for first, _ in windows]
    stepwise = len(pieces.levels) > _CONSTANT_PIECES
    marks = {start, end, *((onset, over) if stepwise else pieces.edges.tolist())}
    marks |= {
        mark
        for m, opens, (_, stop) in zip(measures, opening, windows)
        if not m.places_samples
        for mark in (opens, stop)
    }
    slice_steps, first = _slices(np.array(sorted(mark for mark in marks if start <= mark <= end)))

    late = late_of(model, connectome, values, dt)
    ragged = bool(np.any(np.diff(first) != slice_steps))
    refill = at_rest and all(m.ends_early and opens <= onset + 1 for m, opens in zip(measures, opening))
    # All lanes share the place of "now" in what is kept: none may wait for the others within a slice.
    refill = refill and not (late and ragged)
    batch = Batch(
        model=model,
        measures=measures,
        runs=tuple(Run(dt, onset, stop - first_, areas, ceiling) for first_, stop in windows),
        first_samples=tuple(first_ for first_, _ in windows),
        fixed=tuple(fixed.items()),
        swept=tuple(swept),
        by_area=tuple(sorted(connectome.values)),
        by_pathway=tuple(sorted(connectome.further_weights)),
        dt=dt,
        ceiling=ceiling,
        dtype=precision,
        lanes=lanes_of(len(areas), late=late is not None),
        slice_steps=slice_steps,
        ragged=ragged,
        refill=refill,
        closing=tuple(stop < end for _, stop in windows),
        stepwise=stepwise,
        draws=draws,
        shared=bool(draws) and noise == SHARED,
        late=late,
    )
    return Plan(batch, _tables(batch, pieces, first, opening, [stop for _, stop in windows]))


def _tables(batch: Batch, pieces: Pieces, first: np.ndarray, opening: list[int], stops: list[int]) -> Tables:
    """Return what differs from slice to slice; these begin, and the last ends, at the steps `first`."""
    begins = first[:-1]
    at = np.arange(first[0], first[-1]) if batch.stepwise else begins
    piece = np.searchsorted(pieces.edges, at, side="right") - 1
    piece[(piece < 0) | (piece >= len(pieces.levels))] = len(pieces.levels)
    return Tables(
        first=first.astype(np.int32),
        opens=np.array([begins == opens for opens in opening]),
        active=np.array([(begins >= opens) & (begins < stop) for opens, stop in zip(opening, stops)]),
        quiet=first >= int(pieces.edges[-1]),
        piece=piece.astype(np.int32),
        levels=np.vstack([pieces.levels, np.zeros(pieces.levels.shape[1])]).T.astype(batch.dtype),
    )


def _span(
    measures: tuple[StreamingMeasure, ...], windows: list[tuple[int, int]], onset: int, at_rest: bool, n_steps: int
) -> tuple[int, int]:
    """Return the first step that is simulated, and the one after the last.

    At rest nothing happens before the stimulus; after the last window nothing is seen.
    """
    # A measure opens one step after its first sample: there is a step even after a window of one sample.
    end = max((max(stop, first + 2) for first, stop in windows), default=n_steps)
    waits = [onset] + [first for m, (first, _) in zip(measures, windows) if not m.skips_rest]
    return min([*waits, end - 1]) if at_rest else 0, end


def _watched(
    model: Model, measures: tuple[StreamingMeasure, ...], windows: list[tuple[int, int]], start: int, end: int
) -> bool:
    """Return whether a Peak sees every step of the first observable: it watches the ceiling too."""
    principal = next(iter(model.observables))
    return any(
        isinstance(m, Peak) and m.observable(model) == principal and first <= start and stop >= end
        for m, (first, stop) in zip(measures, windows)
    )


def lanes_of(areas: int, late: bool = False) -> int:
    """Return how many points are simulated side by side: 64 in networks of up to 32 areas, 16 from 65 on.

    A point of a small network costs least with 64; fewer and larger arrays are no faster. From 65 areas on it costs up
    to half as much again with 16 as with 64, but a study of a few dozen points then has work for several cores, and
    no lane runs empty (`benchmarks/areas.py`). With delays it is 32 for all.

    It must not depend on how many points there are: XLA takes another algorithm, with other last bits, for a
    product with fewer columns.
    """
    return 2 * _LANES if late else min(_MOST_LANES, max(1, _ENOUGH_AREAS // areas) * _LANES)


def _slices(edges: np.ndarray) -> tuple[int, np.ndarray]:
    """Return the slices' length, and where each starts (and the end), such that every edge is a start."""
    lengths = np.diff(edges)
    common = math.gcd(*(int(length) for length in lengths))
    size = max(d for d in range(1, _SLICE_STEPS + 1) if common % d == 0)
    if size < min(_SHORTEST_SLICE, int(lengths.sum())):
        size = _SLICE_STEPS
    starts = [np.arange(a, b, size) for a, b in itertools.pairwise(edges)]
    return size, np.concatenate([*starts, edges[-1:]])
