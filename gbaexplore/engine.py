"""A batch of points through time: pure JAX, positions instead of labels.

How it is made fast, and kept exact:

- A model's step is written for one point and vmapped with the batch on the *last* axis, so that all points
  share one matrix product. Parameters are spread over areas inside the loop, where XLA fuses them away: a
  per-point scalar times a per-area vector would make vmap turn the layout round, at four times the cost.
- A batch has a fixed number of lanes, each with a clock of its own. Time is cut into slices of equal length;
  between slices, lanes whose point is finished take the next point from the queue (continuous batching).
- Everything that changes at a known time (a pulse's edges, a window's) changes between slices, so there are no
  masks inside the loop; only times that share no useful divisor need them (`ragged`).
- A point's arithmetic never depends on its lane or its neighbours: its bits are the same in any batch.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.layout import Layout, with_layout_constraint

from gbaexplore.labels import DIVERGED, OK
from gbaexplore.measures import Now, Peak, Run, StreamingMeasure
from gbaexplore.models.base import Model, Network
from gbaexplore.stimulus import Pieces

SETTLED = 1e-3
"""A response is over once every observable is within this fraction of its own largest change. In a positively
homogeneous network what can still follow is then at most this fraction of what has been, times the network's
transient gain; the largest change of an observable is safe for gains up to 1000."""

_SLICE_STEPS = 250
_SHORTEST_SLICE = 25
_LANES = 256
_CONSTANT_PIECES = 64

AMPLITUDE = "amplitude"


class Batch(NamedTuple):
    """What a program is compiled for; every field is hashable."""

    model: Model
    measures: tuple[StreamingMeasure, ...]
    runs: tuple[Run, ...]  # one per measure
    first_samples: tuple[int, ...]  # step of each measure's first sample
    fixed: tuple[tuple[str, float], ...]  # parameters that are the same for all points: constants to the compiler
    dt: float
    ceiling: float  # largest change of the principal observable of a point that has not diverged
    dtype: str
    lanes: int
    slice_steps: int
    ragged: bool  # slices differ in length
    refill: bool  # points end early, and their lanes are refilled
    guarded: tuple[bool, ...]  # measures to be restored after a slice that is not theirs
    stepwise: bool  # the stimulus may change at every step


class Tables(NamedTuple):
    """What differs from slice to slice (arrays, so that other times compile nothing anew)."""

    first: Any  # (slices + 1,) step number at which each slice starts
    opens: Any  # (measures, slices) the measure starts with the state before this slice
    active: Any  # (measures, slices)
    quiet: Any  # (slices + 1,) the stimulus is over before this slice
    piece: Any  # (slices,), or (steps,) if the stimulus is stepwise; the last level is zero
    levels: Any  # (area, pieces + 1)


class Plan(NamedTuple):
    """A batch's program and its tables."""

    batch: Batch
    tables: Tables

    @property
    def steps(self) -> int:
        """Number of steps of a point that runs to the end."""
        return int(self.tables.first[-1] - self.tables.first[0])


def plan(
    model: Model,
    measures: tuple[StreamingMeasure, ...],
    areas: tuple[str, ...],
    pieces: Pieces,
    swept: Mapping[str, np.ndarray],
    fixed: Mapping[str, float],
    dt: float,
    n_steps: int,
    ceiling: float,
    precision: str,
    most_points: int,
    early_end: bool = True,
    lanes: int = _LANES,
) -> Plan:
    """Return how to simulate points: which steps, in which slices, with which program.

    Args:
        measures: may be empty.
        pieces: the stimulus of amplitude 1.
        swept: every value that a swept parameter takes in the study (not only in one batch).
        fixed: all other parameters of the model.
        most_points: the largest number of points that one call will get.
        early_end: whether a point may end when its response is over or it has diverged. It changes no bit
            of any result, and is there to show that.
    """
    values = {**{name: np.asarray([value]) for name, value in fixed.items()}, **swept}
    at_rest = model.starts_at_rest(values)
    onset, over = int(pieces.edges[0]), int(pieces.edges[-1])
    windows = [measure.steps(dt, n_steps) for measure in measures]

    # At rest nothing happens before the stimulus; after the last window nothing is seen.
    end = max((stop for _, stop in windows), default=n_steps)
    waits = [onset] + [first for m, (first, _) in zip(measures, windows) if not m.skips_rest]
    start = min([*waits, end - 1]) if at_rest else 0

    # The ceiling must be watched at every step: a Peak that sees them all does it by the way.
    principal = next(iter(model.observables))
    if not any(
        isinstance(m, Peak) and m.observable(model) == principal and first <= start + (not at_rest) and stop >= end
        for m, (first, stop) in zip(measures, windows)
    ):
        watch = Peak()
        measures, windows = (*measures, watch), [*windows, (0, end)]

    # A sample is the state after its step: a measure opens on the step after its first sample's.
    opening = [max(start, first + 1) if first >= start or not at_rest else start for first, _ in windows]
    stepwise = len(pieces.levels) > _CONSTANT_PIECES
    edges = {start, end, *(() if stepwise else pieces.edges), *((onset, over) if stepwise else ())}
    for measure, opens, (_, stop) in zip(measures, opening, windows):
        if not measure.places_samples:
            edges |= {opens, stop}
    edges = np.array(sorted(int(edge) for edge in edges if start <= edge <= end))
    slice_steps, first = _slices(edges)

    refill = early_end and at_rest and all(
        m.ends_early and opens <= max(onset, start) for m, opens in zip(measures, opening)
    )
    batch = Batch(
        model=model,
        measures=measures,
        runs=tuple(Run(dt, onset, stop - first_, areas) for first_, stop in windows),
        first_samples=tuple(first_ for first_, _ in windows),
        fixed=tuple(fixed.items()),
        dt=dt,
        ceiling=ceiling,
        dtype=precision,
        lanes=min(lanes, max(16, -(-most_points // 16) * 16)),
        slice_steps=slice_steps,
        ragged=bool(np.any(np.diff(first) != slice_steps)),
        refill=refill,
        guarded=tuple(not m.places_samples and (not refill or stop < end) for m, (_, stop) in zip(measures, windows)),
        stepwise=stepwise,
    )
    at = np.arange(start, end) if stepwise else first[:-1]
    piece = np.searchsorted(pieces.edges, at, side="right") - 1
    piece[(piece < 0) | (piece >= len(pieces.levels))] = len(pieces.levels)
    tables = Tables(
        first=first.astype(np.int32),
        opens=np.array([first[:-1] == opens for opens in opening]),
        active=np.array([(first[:-1] >= opens) & (first[:-1] < stop) for opens, (_, stop) in zip(opening, windows)]),
        quiet=first >= over,
        piece=piece.astype(np.int32),
        levels=np.vstack([pieces.levels, np.zeros(len(areas))]).T.astype(precision),
    )
    return Plan(batch, tables)


def _slices(edges: np.ndarray) -> tuple[int, np.ndarray]:
    """Return the slices' length, and where each starts (and the end), such that every edge is a start."""
    lengths = np.diff(edges)
    common = math.gcd(*(int(length) for length in lengths))
    size = max(d for d in range(1, _SLICE_STEPS + 1) if common % d == 0)
    if size < min(_SHORTEST_SLICE, int(lengths.sum())):
        size = _SLICE_STEPS
    starts = [np.arange(a, b, size) for a, b in zip(edges[:-1], edges[1:])]
    return size, np.concatenate([*starts, edges[-1:]])


class Results(NamedTuple):
    """What came out of a batch: NumPy arrays, the point first."""

    values: list[dict[str, np.ndarray]]  # per measure of the plan (it may end with one more): variable -> (point, ...)
    status: np.ndarray  # (point,) uint8, OK or DIVERGED
    slices: int  # slices that the batch ran


def simulate_batch(
    plan: Plan, network: Network, points: Mapping[str, np.ndarray], count: int, size: int
) -> Results:
    """Return the measures of a queue of points that share one network.

    Args:
        plan: from `plan`, for these parameters.
        network: hierarchy (area,) and FLN (area, area).
        points: (point,) values of each swept parameter and of the stimulus' "amplitude".
        count: how many points; 0 only compiles.
        size: how many points the arrays are padded to, so that a short queue compiles nothing anew.
    """
    batch, tables = plan
    with jax.enable_x64(batch.dtype == "float64"):
        program = _program(batch, size, len(tables.first) - 1, jax.default_backend())
        padded = {name: np.resize(v, size).astype(batch.dtype) for name, v in points.items()}
        net = Network(*(np.asarray(a, dtype=batch.dtype) for a in network))
        values, status, slices = jax.device_get(program(padded, np.int32(count), net, tables))
    status = status[:count]
    diverged = status == DIVERGED
    return Results([_bounded(v, diverged, count, batch) for v in values], status, int(slices))


def rest(model: Model, hierarchy: np.ndarray, fln: np.ndarray, values: Mapping[str, float]) -> dict[str, np.ndarray]:
    """Return the rates that a point's changes are changes from: {observable: (area,)}, float64."""
    with jax.enable_x64(True):
        p = _Parameters({name: np.full(len(hierarchy), value) for name, value in values.items()})
        return {name: np.asarray(v) for name, v in model.rest(p, Network(hierarchy, fln)).items()}


def _bounded(values: dict[str, np.ndarray], diverged: np.ndarray, count: int, batch: Batch) -> dict[str, np.ndarray]:
    """Return the values without NaN: a point that has diverged is cut off at the ceiling."""
    found = {}
    for name, array in values.items():
        array = array[:count].copy()
        array[diverged] = np.clip(np.nan_to_num(array[diverged], nan=batch.ceiling), -batch.ceiling, batch.ceiling)
        found[name] = array
    return found


@functools.lru_cache(maxsize=32)
def _program(batch: Batch, size: int, n_slices: int, backend: str) -> Any:
    """Return the compiled-on-first-use program for one kind of batch, the same object every time."""
    # Wider vectors than LLVM's default are worth a tenth of the time on this kernel.
    options = {"xla_cpu_prefer_vector_width": 512} if backend == "cpu" else None
    return jax.jit(functools.partial(_sweep, batch, size, n_slices), compiler_options=options)


def _sweep(batch: Batch, size: int, n_slices: int, points: Any, count: Any, net: Network, tables: Tables) -> Any:
    """Return (values, status, slices run) of a queue of points; traced once per program."""
    lanes, n = batch.lanes, len(batch.runs[0].areas)
    model, dtype = batch.model, jnp.dtype(batch.dtype)
    integer = jnp.int32

    def spread(values: Any) -> Any:
        """Per point (lanes,), per area (n, 1) or one number -> (n, lanes); XLA fuses it into its use."""
        return jnp.broadcast_to(jnp.asarray(values), (n, lanes))

    def parameters(point: Any) -> dict[str, Any]:
        return {name: v[jnp.minimum(point, size - 1)] for name, v in points.items()}

    def everywhere(p: dict[str, Any]) -> _Parameters:
        return _Parameters(
            {name: spread(jnp.asarray(value, dtype)) for name, value in batch.fixed}
            | {name: spread(v) for name, v in p.items()}
        )

    hierarchy = net.hierarchy[:, None]
    each = functools.partial(jax.vmap, in_axes=-1, out_axes=-1)

    def starting(p: _Parameters) -> Any:
        return each(lambda p, h: model.start(p, Network(h, net.fln)))(p, spread(hierarchy))

    def stepping(x: Any, p: _Parameters, stimulus: Any) -> Any:
        def one(x: Any, p: Any, h: Any, stimulus: Any) -> Any:
            return model.step(x, p, Network(h, net.fln), stimulus, batch.dt)

        # Without this, one constant array in a model's step makes XLA turn the state's layout round: 2.6 x slower.
        return jax.tree.map(_batch_last, each(one)(x, p, spread(hierarchy), stimulus))

    def observed(measure: StreamingMeasure, x: Any) -> Any:
        return getattr(x, measure.observable(model))

    def select(lane: Any, new: Any, old: Any) -> Any:
        return jax.tree.map(lambda a, b: jnp.where(lane, a, b), new, old)

    def updating(accs: Any, x: Any, step: Any) -> Any:
        """One more sample for every measure; `step` is (lanes,), or () when all lanes are at the same one."""
        found = []
        for measure, run, first, acc in zip(batch.measures, batch.runs, batch.first_samples, accs):
            now = Now(spread(step).astype(integer), step - first)
            axes = (-1, -1, Now(-1, None if step.ndim == 0 else -1))
            update = functools.partial(measure.update, run=run)
            found.append(jax.vmap(update, in_axes=axes, out_axes=-1)(acc, observed(measure, x), now))
        return found

    def initial(x: Any) -> Any:
        return [
            each(functools.partial(m.init, run=run))(observed(m, x)) for m, run in zip(batch.measures, batch.runs)
        ]

    def one_slice(clock: Any, x: Any, accs: Any, p: dict[str, Any], ended: Any) -> tuple[Any, Any]:
        """Every lane through the slice that its clock says."""
        at = jnp.minimum(clock, n_slices - 1)
        opening, before = initial(x), accs
        accs = [
            acc if m.places_samples else select(tables.opens[i][at], new, acc)
            for i, (m, new, acc) in enumerate(zip(batch.measures, opening, accs))
        ]
        first = tables.first[at]
        # Without refilling all clocks are one clock; a scalar lets a Trace write rows instead of scattering.
        common = first if batch.refill else first[0]
        length = tables.first[at + 1] - first
        amplitude = p[AMPLITUDE][None, :]
        drive = None if batch.stepwise else amplitude * tables.levels[:, tables.piece[at]]

        def one_step(i: Any, carry: Any) -> Any:
            x, accs = carry
            stimulus = drive
            if batch.stepwise:
                stimulus = amplitude * tables.levels[:, tables.piece[first + i - tables.first[0]]]
            new = stepping(x, everywhere(p), stimulus)
            sampled = updating(accs, new, common + i)
            if batch.ragged and batch.refill:
                new, sampled = select(i < length, (new, sampled), (x, accs))
            return new, sampled

        steps = batch.slice_steps
        if batch.ragged:
            steps = length.max() if batch.refill else length[0]
        x, sampled = jax.lax.fori_loop(0, steps, one_step, (x, accs))
        return x, [
            select(tables.active[i][at] & ~ended, new, old) if guarded else new
            for i, (guarded, new, old) in enumerate(zip(batch.guarded, sampled, accs))
        ]

    def highest(accs: Any) -> Any:
        """The largest change of each lane so far, NaN if there was one."""
        principal = next(iter(model.observables))
        seen = (
            each(m.highest)(acc) for m, acc in zip(batch.measures, accs) if m.observable(model) == principal
            and isinstance(m, Peak)
        )
        return jnp.max(functools.reduce(jnp.maximum, seen), axis=0)

    def body(carry: Any) -> Any:
        point, queued, clock, ended, x, top, accs, out, status, slices = carry
        p = parameters(point)
        x, accs = one_slice(clock, x, accs, p, ended)
        clock = clock + 1

        top = {name: jnp.maximum(t, jnp.abs(getattr(x, name))) for name, t in top.items()}
        small = [jnp.all(jnp.abs(getattr(x, name)) <= SETTLED * t, axis=0) for name, t in top.items()]
        settled = jnp.stack(small).all(0) & tables.quiet[jnp.minimum(clock, n_slices)]
        ended = ended | ~(highest(accs) <= batch.ceiling)
        finished = clock >= n_slices
        if batch.refill:
            finished = finished | settled | ended
        done = finished & (point < count)

        def write(out: Any) -> Any:
            # Row `size` is where lanes that are not done write to.
            rows = jnp.where(done, point, size)
            return jax.tree.map(lambda o, acc: o.at[rows].set(jnp.moveaxis(acc, -1, 0)), out[0], accs), out[1].at[
                rows
            ].set(jnp.where(ended, DIVERGED, OK).astype(jnp.uint8))

        out, status = jax.lax.cond(jnp.any(done), write, lambda out: out, (out, status))
        taken = jnp.cumsum(done, dtype=integer)
        point = jnp.where(done, jnp.minimum(queued + taken - 1, size), point)
        queued = queued + taken[-1]
        clock, ended = jnp.where(done, 0, clock), ended & ~done
        x = select(done, starting(everywhere(parameters(point))), x)
        top = {name: jnp.where(done, 0, t) for name, t in top.items()}
        return point, queued, clock, ended, x, top, accs, out, status, slices + 1

    point = jnp.arange(lanes, dtype=integer)
    x = starting(everywhere(parameters(point)))
    accs = initial(jax.tree.map(jnp.zeros_like, x))
    out = jax.tree.map(lambda acc: jnp.zeros((size + 1, *acc.shape[:-1]), acc.dtype), accs)
    top = {name: jnp.zeros((n, lanes), dtype) for name in model.observables}
    carry = (
        jnp.minimum(point, size), jnp.asarray(lanes, integer), jnp.zeros(lanes, integer), jnp.zeros(lanes, bool),
        x, top, accs, out, jnp.zeros(size + 1, jnp.uint8), jnp.asarray(0, integer),
    )  # fmt: skip
    final = jax.lax.while_loop(lambda carry: jnp.any(carry[0] < count), body, carry)
    return _finished(batch, size, points, net, final[7]), final[8], final[9]


def _batch_last(array: Any) -> Any:
    return with_layout_constraint(array, Layout(major_to_minor=tuple(range(array.ndim))))


def _finished(batch: Batch, size: int, points: Any, net: Network, out: Any) -> list[dict[str, Any]]:
    """Return the measures' results, (point, ...)."""

    def one(p: dict[str, Any], accs: Any) -> list[dict[str, Any]]:
        n = len(batch.runs[0].areas)
        fixed = {name: jnp.full(n, value, batch.dtype) for name, value in batch.fixed}
        swept = {name: jnp.broadcast_to(v, (n,)) for name, v in p.items()}
        rest = batch.model.rest(_Parameters(fixed | swept), net)
        return [
            m.finish(acc, rest[m.observable(batch.model)], run)
            for m, run, acc in zip(batch.measures, batch.runs, accs)
        ]

    return jax.vmap(one, axis_size=size)(points, jax.tree.map(lambda o: o[:size], out))


@jax.tree_util.register_pytree_node_class
class _Parameters:
    """Parameters by name, as attributes, inside a step."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)

    def tree_flatten(self) -> tuple[tuple[Any, ...], tuple[str, ...]]:
        return tuple(self.__dict__.values()), tuple(self.__dict__)

    @classmethod
    def tree_unflatten(cls, names: tuple[str, ...], values: tuple[Any, ...]) -> _Parameters:
        return cls(dict(zip(names, values)))
