"""How points are simulated: what a program is compiled for, its tables, its clock."""

from __future__ import annotations

import itertools
import math
from typing import Any, NamedTuple

import numpy as np

from gbaexplore.basics.points import SHARED
from gbaexplore.engine.alike import alike
from gbaexplore.engine.delays import Late, late_of
from gbaexplore.engine.platform import accelerated
from gbaexplore.measures.base import Run, Sampling, StreamingMeasure
from gbaexplore.measures.peak import Peak
from gbaexplore.measures.signals import Signal
from gbaexplore.models.base import Model
from gbaexplore.models.setup import Setup
from gbaexplore.networks.seen import Network
from gbaexplore.stimuli.base import Pieces, pieces_of

SETTLED = 1e-3
"""A response is over once every state variable, in every area, is within this fraction of its own largest value.
In a positively homogeneous network what can still follow is then at most this fraction of what has been, times the
network's transient gain: a peak is safe for gains up to 1000."""

_SLICE_STEPS = 250
_SHORTEST_SLICE = 25
_LANES = 16
_MOST_LANES = 64
_ENOUGH_AREAS = 128
_ACCELERATOR_LANES = 8192  # it starts a program for every operation of a step, whatever the number
_CONSTANT_PIECES = 64


class Batch(NamedTuple):
    """What a program is compiled for."""

    model: Model
    measures: tuple[StreamingMeasure, ...]
    runs: tuple[Run, ...]  # one per measure
    samplings: tuple[Sampling, ...]  # which samples each measure sees
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
        return tuple(not seldom and (closes or not self.refill) for seldom, closes in zip(self.seldom, self.closing))

    @property
    def seldom(self) -> tuple[bool, ...]:
        """Measures that are no part of the loop over steps: what they see is looked at between steps."""
        return tuple(_seldom(m, sampling) for m, sampling in zip(self.measures, self.samplings))

    @property
    def needs_rest(self) -> bool:
        """Whether a measure sees more than changes from rest."""
        return any(m.of_values or m.signal is not None for m in self.measures)

    @property
    def signals(self) -> list[Signal]:
        """The signals that are measured, each once."""
        found: list[Signal] = []
        for measure in self.measures:
            if measure.signal is not None and measure.signal not in found:
                found.append(measure.signal)
        return found


def _seldom(measure: StreamingMeasure, sampling: Sampling) -> bool:
    return measure.large or measure.signal is not None or sampling.every > 1


class Tables(NamedTuple):
    """What differs from slice to slice (arrays, so that other times compile nothing anew)."""

    first: Any  # (slices + 1,) step number at which each slice starts
    opens: Any  # (measures, slices) the measure starts with the state before this slice
    active: Any  # (measures, slices)
    quiet: Any  # (slices + 1,) the stimulus is over before this slice
    piece: Any  # (slices,), or (steps,) if the stimulus is stepwise; the last level is zero
    levels: Any  # (area, pieces + 1), of several inputs (input, area, pieces + 1)
    delays: Any = None  # `Delays` of the queue's velocity, if anything travels


class Plan(NamedTuple):
    """A batch's program and its tables."""

    batch: Batch
    tables: Tables

    @property
    def steps(self) -> int:
        """Number of steps of a point that runs to the end."""
        return int(self.tables.first[-1] - self.tables.first[0])


def make_plan(setup: Setup, measures: tuple[StreamingMeasure, ...] = ()) -> Plan:
    """Return how to simulate points: which steps, in which slices, with which program."""
    connectome, dt, n_steps = setup.connectome, setup.dt, setup.n_steps
    areas = connectome.areas
    model = setup.model.prepared_for(Network.of(connectome), dt, setup.precision)
    pieces = pieces_of(setup.stimulus, connectome, dt, n_steps)
    values = setup.values
    draws = model.normals_per_step(values)
    # What is computed of a state at rest need not be 0, nor come back as the state does.
    at_rest = not draws and not model.random_start and not model.has_outputs and model.starts_at_rest(values)
    onset, over = int(pieces.edges[0]), int(pieces.edges[-1])
    windows = [measure.steps(dt, n_steps) for measure in measures]
    samplings = [measure.sampling(dt, n_steps) for measure in measures]
    # A signal goes its own way even while what it is made of rests.
    signals = any(measure.signal is not None for measure in measures)
    start, end = _span(measures, windows, onset, at_rest and not signals, n_steps)
    if not _watched(model, measures, samplings, windows, start, end):
        measures, windows, samplings = (*measures, Peak()), [*windows, (0, end)], [*samplings, Sampling(0, 1, end)]
    seldom = [_seldom(m, sampling) for m, sampling in zip(measures, samplings)]

    # A sample is the state after its step: a measure opens on the step after its first sample's.
    opening = [max(start, first + 1) if first >= start or not at_rest else start for first, _ in windows]
    stepwise = len(pieces.levels) > _CONSTANT_PIECES
    marks = {start, end, *((onset, over) if stepwise else pieces.edges.tolist())}
    marks |= {
        mark
        for looks_seldom, opens, (_, stop) in zip(seldom, opening, windows)
        if not looks_seldom
        for mark in (opens, stop)
    }
    slice_steps, first = _slices(np.array(sorted(mark for mark in marks if start <= mark <= end)))

    late = late_of(model, connectome, values, dt)
    ragged = bool(np.any(np.diff(first) != slice_steps))
    refill = at_rest and all(m.ends_early and opens <= onset + 1 for m, opens in zip(measures, opening))
    refill = refill and not any(seldom)
    # All lanes share the place of "now" in what is kept: none may wait for the others within a slice.
    refill = refill and not (late and ragged)
    batch = Batch(
        model=model,
        measures=measures,
        runs=tuple(
            Run(dt, onset, count, areas, setup.ceiling, every * dt, m.measured(model)[0])
            for m, (_, every, count) in zip(measures, samplings)
        ),
        samplings=tuple(samplings),
        fixed=tuple(setup.fixed.items()),
        swept=tuple(setup.swept),
        by_area=tuple(sorted(connectome.values)),
        by_pathway=tuple(sorted(connectome.further_weights)),
        dt=dt,
        ceiling=setup.ceiling,
        dtype=setup.precision,
        lanes=_ACCELERATOR_LANES if accelerated() else lanes_of(len(areas), late=late is not None),
        slice_steps=slice_steps,
        ragged=ragged,
        refill=refill,
        closing=tuple(stop < end for _, stop in windows),
        stepwise=stepwise,
        draws=draws,
        shared=bool(draws) and setup.noise == SHARED,
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
        levels=np.moveaxis(np.append(pieces.levels, np.zeros_like(pieces.levels[:1]), axis=0), 0, -1).astype(
            batch.dtype
        ),
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
    model: Model,
    measures: tuple[StreamingMeasure, ...],
    samplings: list[Sampling],
    windows: list[tuple[int, int]],
    start: int,
    end: int,
) -> bool:
    """Return whether a Peak sees every step of the first observable: it watches the ceiling too."""
    principal = next(iter(model.observables))
    return any(
        isinstance(m, Peak)
        and not _seldom(m, sampling)
        and m.observable(model) == principal
        and first <= start
        and stop >= end
        for m, sampling, (first, stop) in zip(measures, samplings, windows)
    )


def lanes_of(areas: int, late: bool = False) -> int:
    """Return how many points a processor simulates side by side: 64 in networks of up to 32 areas, 16 from 65 on.

    These have the same bits on every processor. Where others have them too, a queue takes what suits it: `lanes_for`.
    A point of a small network costs least with 64; fewer and larger arrays are no faster. From 65 areas on it costs up
    to half as much again with 16 as with 64, but a study of a few dozen points then has work for several cores, and
    no lane runs empty (`benchmarks/areas.py`). With delays it is 32 for all.
    """
    return 2 * _LANES if late else min(_MOST_LANES, max(1, _ENOUGH_AREAS // areas) * _LANES)


def padded(points: int, lanes: int) -> int:
    """Return the number of points to which a queue of some points is padded, where `lanes_of` gives so many lanes."""
    step = lanes // 2 if lanes == _MOST_LANES and points <= lanes // 2 else lanes
    return -(-points // step) * step


def share_of(points: int) -> int | None:
    """Return how many points that all run to the end a queue should hold, for a thread that gets so many; None for any.

    As many as fill its lanes: among few points, a queue that fills them not quite is a good part of the work.
    """
    return None if points > 8 * _MOST_LANES else min(_MOST_LANES, -(-points // _LANES) * _LANES)


def lanes_for(points: int, batch: Batch) -> int:
    """Return how many lanes a queue of some points takes.

    It must not change a bit: XLA may take another algorithm, with other last bits, for a product with fewer columns.
    With half of 64 lanes it does not; with others that is for `alike` to say.
    """
    if batch.late is not None or batch.lanes > _MOST_LANES:
        return batch.lanes  # with delays, 16 points of one velocity take longer than 32
    if batch.lanes == _MOST_LANES and points <= _MOST_LANES // 2:
        return _MOST_LANES // 2
    # Besides what is done for each of its points, a step takes about as long as for 8 more.
    best = min(range(_LANES, _MOST_LANES + 1, _LANES), key=lambda lanes: -(-points // lanes) * (lanes + _LANES // 2))
    return best if alike(len(batch.runs[0].areas), batch.dtype, batch.lanes, best) else batch.lanes


def _slices(edges: np.ndarray) -> tuple[int, np.ndarray]:
    """Return the slices' length, and where each starts (and the end), such that every edge is a start."""
    lengths = np.diff(edges)
    common = math.gcd(*(int(length) for length in lengths))
    size = max(d for d in range(1, _SLICE_STEPS + 1) if common % d == 0)
    if size < min(_SHORTEST_SLICE, int(lengths.sum())):
        size = _SLICE_STEPS
    starts = [np.arange(a, b, size) for a, b in itertools.pairwise(edges)]
    return size, np.concatenate([*starts, edges[-1:]])
