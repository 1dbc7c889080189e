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
import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental.layout import Layout, with_layout_constraint

from gbaexplore import programs
from gbaexplore.connectome import Connectome
from gbaexplore.errors import UserError, defined_at, raised_at
from gbaexplore.labels import DIVERGED, OK
from gbaexplore.measures import Now, Peak, Run, StreamingMeasure
from gbaexplore.models.base import Model, Network, Parameters, checked_rest, checked_start, checked_step
from gbaexplore.noise import NOISE, keys, normals
from gbaexplore.stimulus import Pieces

SETTLED = 1e-3
"""A response is over once every state variable, in every area, is within this fraction of its own largest value.
In a positively homogeneous network what can still follow is then at most this fraction of what has been, times the
network's transient gain: a peak is safe for gains up to 1000."""

_SLICE_STEPS = 250
_SHORTEST_SLICE = 25
_LANES = 256
_MOST_STATE = _LANES * 128
_CONSTANT_PIECES = 64

AMPLITUDE = "amplitude"
VELOCITY = "velocity"


class Batch(NamedTuple):
    """What a program is compiled for."""

    model: Model
    measures: tuple[StreamingMeasure, ...]
    runs: tuple[Run, ...]  # one per measure
    first_samples: tuple[int, ...]  # step of each measure's first sample
    fixed: tuple[tuple[str, float], ...]  # parameters that are the same for all points: constants to the compiler
    swept: tuple[str, ...]  # the others
    inhibitory: bool  # whether inhibitory populations get weights of their own
    dt: float
    ceiling: float  # largest change of the principal observable of a point that has not diverged
    dtype: str
    lanes: int
    slice_steps: int
    ragged: bool  # slices differ in length
    refill: bool  # points end early, and their lanes are refilled
    guarded: tuple[bool, ...]  # measures to be restored after a slice that is not theirs
    stepwise: bool  # the stimulus may change at every step
    draws: int  # normal numbers for each area in every step
    depth: int  # steps that are kept of what travels; 0 if nothing does


class Tables(NamedTuple):
    """What differs from slice to slice (arrays, so that other times compile nothing anew)."""

    first: Any  # (slices + 1,) step number at which each slice starts
    opens: Any  # (measures, slices) the measure starts with the state before this slice
    active: Any  # (measures, slices)
    quiet: Any  # (slices + 1,) the stimulus is over before this slice
    piece: Any  # (slices,), or (steps,) if the stimulus is stepwise; the last level is zero
    levels: Any  # (area, pieces + 1)
    lag: Any = None  # (area, area) whole steps that what travels is under way, row = target
    lag_part: Any = None  # (area, area) and the part of a step beyond


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
    connectome: Connectome,
    pieces: Pieces,
    swept: Mapping[str, np.ndarray],
    fixed: Mapping[str, float],
    dt: float,
    n_steps: int,
    ceiling: float,
    precision: str,
    early_end: bool = True,
) -> Plan:
    """Return how to simulate points: which steps, in which slices, with which program.

    Args:
        measures: may be empty.
        pieces: the stimulus of amplitude 1.
        swept: every value that a swept parameter takes in the study (not only in one batch).
        fixed: all other parameters of the model.
        early_end: whether a point may end when its response is over or it has diverged. It changes no bit
            of any result, and is there to show that.
    """
    areas = connectome.areas
    model = model.fitted(len(areas), dt, precision)
    values = {**{name: np.asarray([value]) for name, value in fixed.items()}, **swept}
    draws = model.draws(values)
    at_rest = not draws and model.starts_at_rest(values)
    onset, over = int(pieces.edges[0]), int(pieces.edges[-1])
    windows = [measure.steps(dt, n_steps) for measure in measures]

    # At rest nothing happens before the stimulus; after the last window nothing is seen.
    # A measure opens one step after its first sample: there is a step even after a window of one sample.
    end = max((max(stop, first + 2) for first, stop in windows), default=n_steps)
    waits = [onset] + [first for m, (first, _) in zip(measures, windows) if not m.skips_rest]
    start = min([*waits, end - 1]) if at_rest else 0

    # The ceiling must be watched at every step: a Peak that sees them all does it by the way.
    principal = next(iter(model.observables))
    if not any(
        isinstance(m, Peak) and m.observable(model) == principal and first <= start and stop >= end
        for m, (first, stop) in zip(measures, windows)
    ):
        watch = Peak()
        measures, windows = (*measures, watch), [*windows, (0, end)]

    # A sample is the state after its step: a measure opens on the step after its first sample's.
    opening = [max(start, first + 1) if first >= start or not at_rest else start for first, _ in windows]
    stepwise = len(pieces.levels) > _CONSTANT_PIECES
    marks = {start, end, *((onset, over) if stepwise else pieces.edges.tolist())}
    for measure, opens, (_, stop) in zip(measures, opening, windows):
        if not measure.places_samples:
            marks |= {opens, stop}
    slice_steps, first = _slices(np.array(sorted(mark for mark in marks if start <= mark <= end)))

    depth = _depth(model, connectome, values, dt)
    ragged = bool(np.any(np.diff(first) != slice_steps))
    refill = early_end and at_rest and all(m.ends_early and opens <= onset + 1 for m, opens in zip(measures, opening))
    # All lanes share the place of "now" in what is kept: none may wait for the others within a slice.
    refill = refill and not (depth and ragged)
    batch = Batch(
        model=model,
        measures=measures,
        runs=tuple(Run(dt, onset, stop - first_, areas) for first_, stop in windows),
        first_samples=tuple(first_ for first_, _ in windows),
        fixed=tuple(fixed.items()),
        swept=tuple(swept),
        inhibitory=connectome.fln_inhibitory is not None,
        dt=dt,
        ceiling=ceiling,
        dtype=precision,
        lanes=_lanes(len(areas), late=depth > 0),
        slice_steps=slice_steps,
        ragged=ragged,
        refill=refill,
        guarded=tuple(not m.places_samples and (not refill or stop < end) for m, (_, stop) in zip(measures, windows)),
        stepwise=stepwise,
        draws=draws,
        depth=depth,
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


def _depth(model: Model, connectome: Connectome, values: Mapping[str, np.ndarray], dt: float) -> int:
    """Return how many steps of what travels have to be kept for the slowest pathway; 0 if nothing travels."""
    if model.travels is None:
        return 0
    if VELOCITY not in model.parameters():
        raise UserError(
            f'in {type(model).__name__} "{model.travels}" travels, but there is no velocity; expected a parameter '
            f'{VELOCITY}: float = parameter(3.5, units="m/s", doc=..., above=0)'
        )
    if connectome.wiring_mm is None:
        raise UserError(
            f"{connectome.name} has no wiring distances, which {type(model).__name__} needs for its delays; expected a "
            "Connectome with wiring_mm=..., (target, source) in mm"
        )
    return int(_lags(Network.of(connectome), float(np.min(values[VELOCITY])), dt).max()) + 2


def _lags(network: Network, velocity: float, dt: float) -> np.ndarray:
    """Return how many steps what travels is under way on each pathway, (area, area); 0 where there is none."""
    there = np.asarray(network.fln) > 0
    if network.fln_inhibitory is not None:
        there |= np.asarray(network.fln_inhibitory) > 0
    return np.where(there, network.wiring_mm, 0.0) * 1e-3 / velocity / dt


def _lanes(areas: int, late: bool) -> int:
    """Return how many points are simulated side by side: 256, fewer in networks of more than 128 areas.

    With delays it is a quarter: what is kept for them has to stay near the core, and points side by side share
    their velocity.

    It must not depend on how many points there are: XLA takes another algorithm, with other last bits, for a
    product with fewer columns. In networks of more than 128 areas the product is nearly all of the cost, and a point
    costs the same with 16 to 512 lanes (`benchmarks/areas.py`): fewer make less of a short queue's work idle.
    """
    lanes = min(_LANES, max(16, _MOST_STATE // areas // 16 * 16))
    return max(16, lanes // 4) if late else lanes


def _slices(edges: np.ndarray) -> tuple[int, np.ndarray]:
    """Return the slices' length, and where each starts (and the end), such that every edge is a start."""
    lengths = np.diff(edges)
    common = math.gcd(*(int(length) for length in lengths))
    size = max(d for d in range(1, _SLICE_STEPS + 1) if common % d == 0)
    if size < min(_SHORTEST_SLICE, int(lengths.sum())):
        size = _SLICE_STEPS
    starts = [np.arange(a, b, size) for a, b in itertools.pairwise(edges)]
    return size, np.concatenate([*starts, edges[-1:]])


class Results(NamedTuple):
    """What came out of a batch: NumPy arrays, the point first."""

    values: list[dict[str, np.ndarray]]  # per measure of the plan (it may end with one more): variable -> (point, ...)
    status: np.ndarray  # (point,) uint8, OK or DIVERGED
    slices: int  # slices that the batch ran


def simulate_batch(
    plan: Plan, network: Network, points: Mapping[str, np.ndarray], count: int, size: int, key: str | None = None
) -> Results:
    """Return the measures of a queue of points that share one network.

    Args:
        plan: from `plan`, for these parameters.
        network: hierarchy (area,) and FLN (area, area).
        points: (point,) values of each swept parameter and of the stimulus' "amplitude"; with noise, also the
            points' hashes.
        count: how many points; 0 only compiles.
        size: how many points the arrays are padded to, so that a short queue compiles nothing anew.
        key: from `programs.key`, if it is known already: what is compiled has to be that.

    Raises:
        UserError: the model or a measure has changed since `key` was taken.
    """
    seen = network._replace(wiring_mm=None)
    key = key or programs.key(programs.program(plan.batch))
    if not plan.batch.depth:
        return _queue(plan, key, seen, points, count, size)
    # Points of one velocity share their delays: a queue for each, all with one program.
    own = {name: np.resize(values, max(count, 1)) for name, values in points.items()}
    velocity = own.get(VELOCITY, np.full(max(count, 1), dict(plan.batch.fixed).get(VELOCITY)))
    groups = [np.flatnonzero(velocity == v) for v in np.unique(velocity)] if count else [np.arange(1)]
    parts = []
    for which in groups:
        lag, part = np.divmod(_lags(network, float(velocity[which[0]]), plan.batch.dt), 1.0)
        tables = plan.tables._replace(lag=lag.astype(np.int32), lag_part=part.astype(plan.batch.dtype))
        chosen = {name: values[which] for name, values in own.items()}
        parts.append(_queue(Plan(plan.batch, tables), key, seen, chosen, len(which) if count else 0, size))
    back = np.argsort(np.concatenate(groups))[:count]
    values = [
        {name: np.concatenate([part.values[i][name] for part in parts])[back] for name in found}
        for i, found in enumerate(parts[0].values)
    ]
    status = np.concatenate([part.status for part in parts])[back]
    return Results(values, status, sum(part.slices for part in parts))


def _queue(plan: Plan, key: str, network: Network, points: Mapping[str, np.ndarray], count: int, size: int) -> Results:
    """Return the measures of points that differ in nothing but numbers that lanes have of their own."""
    batch, tables = plan
    with jax.enable_x64(batch.dtype == "float64"):
        kind = _Kind(batch, key, batch._replace(model=None, measures=()))  # type: ignore[arg-type]
        program = _program(kind, size, len(tables.first) - 1, jax.default_backend())
        padded = {name: np.resize(v, size).astype(batch.dtype) for name, v in points.items() if name != NOISE}
        noise = keys(np.resize(points[NOISE], size)) if batch.draws else None
        net = jax.tree.map(lambda a: np.asarray(a, dtype=batch.dtype), network)
        values, status, slices = jax.device_get(program(padded, noise, np.int32(count), net, tables))
    status = status[:count]
    diverged = status == DIVERGED
    bounded = [_bounded(measure, v, diverged, batch) for measure, v in zip(batch.measures, values)]
    return Results(bounded, status, int(slices))


def try_first_step(plan: Plan, network: Network, values: Mapping[str, float]) -> None:
    """Take one step of one point, without stimulus.

    Args:
        values: of the parameters; those that are the same at all points may be left out.

    Raises:
        UserError: the state is no state, or not finite; and whatever the model raises.
    """
    batch = plan.batch
    areas = len(network.hierarchy)

    def first(p: Parameters, net: Network) -> Any:
        checked_rest(batch.model, batch.model.rest(p, net), areas)
        x = checked_start(batch.model, batch.model.start(p, net), areas)
        nothing = jnp.zeros_like(net.hierarchy)
        normal = [jnp.zeros((batch.draws, areas), batch.dtype)] if batch.draws else []
        net = net._replace(arriving=nothing, arriving_inhibitory=None if net.fln_inhibitory is None else nothing)
        return x, checked_step(batch.model, x, batch.model.step(x, p, net, nothing, batch.dt, *normal))

    with jax.enable_x64(batch.dtype == "float64"):
        net = jax.tree.map(lambda a: jnp.asarray(a, batch.dtype), network._replace(wiring_mm=None))
        p = Parameters({k: jnp.full(areas, v, batch.dtype) for k, v in (dict(batch.fixed) | dict(values)).items()})
        if all(np.isfinite(a).all() for a in jax.tree.leaves(jax.jit(first)(p, net))):
            return
        swept = {name: value for name, value in values.items() if name not in {AMPLITUDE, *dict(batch.fixed)}}
        kind, at = type(batch.model).__name__, ", ".join(f"{name} = {value:g}" for name, value in swept.items())
        where = defined_at(type(batch.model).start)
        try:
            with jax.debug_nans(True), jax.debug_infs(True), jax.disable_jit():  # now in the line where it happens
                first(p, net)
        except FloatingPointError as error:
            where = raised_at(error)
        raise UserError(
            f"{kind} is not finite (NaN or infinite) from the start{at and f', at {at}'}; expected finite numbers in "
            f"its first step{where}"
        )


def rest(model: Model, network: Network, values: Mapping[str, float]) -> dict[str, np.ndarray]:
    """Return the rates that a point's changes are changes from: {observable: (area,)}, float64."""
    with jax.enable_x64(True):
        p = Parameters({name: np.full(len(network.hierarchy), value) for name, value in values.items()})
        return {name: np.asarray(v) for name, v in model.rest(p, network).items()}


def _bounded(measure: StreamingMeasure, values: dict[str, np.ndarray], diverged: np.ndarray, batch: Batch) -> Any:
    """Return the values without NaN: the rates of a point that has diverged are cut off at the ceiling."""
    variables = measure.variables(batch.model)
    rate = batch.model.observables[measure.observable(batch.model)]
    found = {}
    for name, array in values.items():
        array = array[: len(diverged)].copy()
        top = batch.ceiling if variables[name].units == rate else 0.0
        array[diverged] = np.nan_to_num(array[diverged], nan=top, posinf=top, neginf=-top)
        if top:
            array[diverged] = np.clip(array[diverged], -top, top)
        found[name] = array
    return found


@dataclass(frozen=True)
class _Kind:
    """A batch that is told from others by what the compiler gets of its model and measures, not by what these are."""

    batch: Batch = field(compare=False)
    key: str
    rest: Batch  # without them


@functools.lru_cache(maxsize=32)
def _program(kind: _Kind, size: int, n_slices: int, backend: str) -> Any:
    """Return the compiled-on-first-use program for one kind of batch, the same object every time.

    Raises:
        UserError: what would be compiled now is not what the key stands for.
    """
    batch = kind.batch
    if programs.key(programs.program(batch)) != kind.key:
        raise UserError(
            f"{type(batch.model).__name__} or a measure is another program than when it was first looked at; expected "
            "one that stays: run again after what it uses has changed, and draw random numbers by `normal` alone"
        )
    # Wider vectors than LLVM's default are worth a tenth of the time on this kernel.
    options = {"xla_cpu_prefer_vector_width": 512} if backend == "cpu" else None

    def sweep(points: Any, noise: Any, count: Any, network: Network, tables: Tables) -> Any:
        return _Sweep(batch, size, n_slices, points, noise, count, network, tables).run()

    return jax.jit(sweep, compiler_options=options)


class _Lanes(NamedTuple):
    """What is carried from slice to slice; per lane unless it says otherwise."""

    point: Any  # (lanes,) which point each lane works on; `size` for none
    clock: Any  # (lanes,) its next slice
    ended: Any  # (lanes,) bool, it has diverged
    x: Any  # the model's state
    line: Any  # (depth, area, lanes) the last values of what travels, the one of `tick` at row tick % depth; or None
    tick: Any  # () steps that all lanes have made
    top: Any  # the largest value of all that has to come back to zero, seen between slices
    accs: Any  # the measures' accumulators
    queued: Any  # () the next point of the queue
    out: Any  # the accumulators of finished points, (size + 1, ...)
    status: Any  # (size + 1,)
    slices: Any  # () how many have been run


class _Sweep:
    """A queue of points through a batch's lanes; its methods are traced once per program."""

    def __init__(
        self, batch: Batch, size: int, n_slices: int, points: Any, noise: Any, count: Any, network: Network, tables: Any
    ) -> None:
        self.batch, self.size, self.n_slices = batch, size, n_slices
        self.points, self.noise, self.count = points, noise, count
        self.network, self.tables = network, tables
        self.areas = len(batch.runs[0].areas)

    def run(self) -> Any:
        """Return (values of each measure, status, slices run)."""
        done = jax.lax.while_loop(lambda c: jnp.any(c.point < self.count), self.next_slice, self.first_lanes())
        return self.finished(done.out), done.status, done.slices

    def first_lanes(self) -> _Lanes:
        lanes = self.batch.lanes
        point = jnp.minimum(jnp.arange(lanes, dtype=jnp.int32), self.size)
        x = self.start(point)
        accs = self.opened(jax.tree.map(jnp.zeros_like, x))
        return _Lanes(
            point=point,
            clock=jnp.zeros(lanes, jnp.int32),
            ended=jnp.zeros(lanes, bool),
            x=x,
            line=self.line(x),
            tick=jnp.asarray(0, jnp.int32),
            top=jax.tree.map(jnp.zeros_like, self.batch.model.away(x)),
            accs=accs,
            queued=jnp.asarray(lanes, jnp.int32),
            out=[jax.tree.map(self.nothing_finished, acc) for acc in self.lanes_first(accs)],
            status=jnp.zeros(self.size + 1, jnp.uint8),
            slices=jnp.asarray(0, jnp.int32),
        )

    def nothing_finished(self, acc: Any) -> Any:
        return jnp.zeros((self.size + 1, *acc.shape[1:]), acc.dtype)

    def lanes_first(self, accs: list[Any]) -> list[Any]:
        return [
            jax.tree.map(functools.partial(jnp.moveaxis, source=_lane_axis(measure), destination=0), acc)
            for measure, acc in zip(self.batch.measures, accs)
        ]

    # One point's functions, for all lanes.

    def spread(self, values: Any) -> Any:
        """Per lane (lanes,), per area (area, 1) or one number -> (area, lanes); XLA fuses it into its use."""
        return jnp.broadcast_to(jnp.asarray(values), (self.areas, self.batch.lanes))

    def swept(self, point: Any) -> dict[str, Any]:
        return {name: v[jnp.minimum(point, self.size - 1)] for name, v in self.points.items()}

    def parameters(self, swept: dict[str, Any]) -> Parameters:
        fixed = {name: jnp.asarray(value, self.batch.dtype) for name, value in self.batch.fixed}
        return Parameters({name: self.spread(v) for name, v in {**fixed, **swept}.items()})

    def with_network(self, function: Any, **arriving: Any) -> Any:
        """Return function(*args, network) for a point as one for all lanes; `arriving` are (area, lanes)."""
        own = {"hierarchy": self.spread(self.network.hierarchy[:, None]), **arriving}
        mapped = _each(lambda own, *args: function(*args, self.network._replace(**own)))
        return functools.partial(mapped, own)

    def start(self, point: Any) -> Any:
        def one(p: Any, network: Network) -> Any:
            return checked_start(self.batch.model, self.batch.model.start(p, network), self.areas)

        return self.with_network(one)(self.parameters(self.swept(point)))

    # What is under way from area to area.

    def line(self, x: Any) -> Any:
        """What has been before the start: the start, for ever."""
        if not self.batch.depth:
            return None
        return jnp.broadcast_to(
            getattr(x, self.batch.model.travels or ""), (self.batch.depth, self.areas, self.batch.lanes)
        )

    def on_its_way(self, line: Any, x: Any, tick: Any) -> Any:
        """The line with what leaves now."""
        if not self.batch.depth:
            return None
        leaving = getattr(x, self.batch.model.travels or "")
        return jax.lax.dynamic_update_index_in_dim(line, leaving, tick % self.batch.depth, 0)

    def arriving(self, line: Any, tick: Any) -> dict[str, Any]:
        """What arrives now in each area, {field of the network: (area, lanes)}."""
        if not self.batch.depth:
            return {}
        # All lanes have the same delays: whole rows of lanes are fetched, each pathway's two steps around its delay.
        lag, part = self.tables.lag, self.tables.lag_part
        steps = jnp.concatenate([lag, lag + 1], axis=1)
        row = ((tick - steps) % self.batch.depth) * self.areas + jnp.tile(jnp.arange(self.areas), 2)
        late = line.reshape(-1, self.batch.lanes).at[row].get(mode="promise_in_bounds")
        weights = {"arriving": self.network.fln, "arriving_inhibitory": self.network.fln_inhibitory}
        return {
            name: jnp.einsum("ij,ijl->il", jnp.concatenate([w * (1 - part), w * part], axis=1), late)
            for name, w in weights.items()
            if w is not None
        }

    def step(
        self, x: Any, swept: dict[str, Any], stimulus: Any, normal: tuple[Any, ...], arriving: dict[str, Any]
    ) -> Any:
        def one(x: Any, p: Any, stimulus: Any, *rest: Any) -> Any:
            *normal, network = rest
            new = self.batch.model.step(x, p, network, stimulus, self.batch.dt, *normal)
            return checked_step(self.batch.model, x, new)

        # Without this, one constant array in a model's step makes XLA turn the state's layout round: 2.6 x slower.
        return jax.tree.map(
            _batch_last, self.with_network(one, **arriving)(x, self.parameters(swept), stimulus, *normal)
        )

    def normal(self, key: Any, step: Any) -> tuple[Any, ...]:
        """Return what a step gets of random numbers: ((draws, area, lanes),), or nothing."""
        if key is None:
            return ()
        return (normals(key, step, self.batch.draws, self.areas).astype(self.batch.dtype),)

    def opened(self, x: Any) -> list[Any]:
        """Every measure's accumulator, from a first sample."""
        batch = self.batch
        return [
            jax.vmap(functools.partial(measure.init, run=run), -1, _lane_axis(measure))(self.observed(measure, x))
            for measure, run in zip(batch.measures, batch.runs)
        ]

    def updated(self, accs: list[Any], x: Any, step: Any) -> list[Any]:
        """Every measure's accumulator, one sample later; `step` is (lanes,), or () for all lanes at once."""
        batch = self.batch
        found = []
        for measure, run, first, acc in zip(batch.measures, batch.runs, batch.first_samples, accs):
            now = Now(self.kept(measure, self.spread(step).astype(jnp.int32)), step - first)
            lane = _lane_axis(measure)
            axes = (lane, -1, Now(-1, None if step.ndim == 0 else -1))
            update = jax.vmap(functools.partial(measure.update, run=run), in_axes=axes, out_axes=lane)
            found.append(update(acc, self.observed(measure, x), now))
        return found

    def observed(self, measure: StreamingMeasure, x: Any) -> Any:
        return self.kept(measure, getattr(x, measure.observable(self.batch.model)))

    def kept(self, measure: StreamingMeasure, values: Any) -> Any:
        """Leave out the lanes that never get a point, where samples would take memory: (area, lanes)."""
        return jax.tree.map(lambda v: v[:, : self.size], values) if measure.places_samples else values

    # A slice.

    def next_slice(self, c: _Lanes) -> _Lanes:
        """Every lane through its next slice; those that are finished then take the next points."""
        x, line, tick, accs = self.through_slice(c)
        clock = c.clock + 1
        away = self.batch.model.away(x)
        top = jax.tree.map(lambda t, a: jnp.maximum(t, jnp.abs(a)), c.top, away)
        small = jax.tree.map(lambda t, a: (jnp.abs(a) <= SETTLED * t).reshape(-1, a.shape[-1]).all(0), top, away)
        if line is not None:
            largest = getattr(top, self.batch.model.travels or "")
            small = small, (jnp.abs(line) <= SETTLED * largest).all((0, 1))
        settled = jnp.stack(jax.tree.leaves(small)).all(0) & self.tables.quiet[jnp.minimum(clock, self.n_slices)]
        ended = c.ended | ~(self.highest(accs) <= self.batch.ceiling)
        over = clock >= self.n_slices
        done = (over | settled | ended if self.batch.refill else over) & (c.point < self.count)

        out, status = self.written(c, accs, done, ended)
        taken = jnp.cumsum(done, dtype=jnp.int32)
        point = jnp.where(done, jnp.minimum(c.queued + taken - 1, self.size), c.point)
        start = self.start(point)
        return _Lanes(
            point=point,
            clock=jnp.where(done, 0, clock),
            ended=ended & ~done,
            x=_select(done, start, x),
            line=_select(done, self.line(start), line),
            tick=tick,
            top=jax.tree.map(lambda t: jnp.where(done, 0, t), top),
            accs=accs,
            queued=c.queued + taken[-1],
            out=out,
            status=status,
            slices=c.slices + 1,
        )

    def through_slice(self, c: _Lanes) -> tuple[Any, Any, Any, list[Any]]:
        """State, what is under way, ticks and accumulators of every lane after the slice that its clock says."""
        batch, tables = self.batch, self.tables
        at = jnp.minimum(c.clock, self.n_slices - 1)
        # A lane's new point must not see its last one's accumulators: the watched ceiling would end it at once.
        fresh = c.clock == 0
        before = [
            acc if measure.places_samples else _select(tables.opens[i][at] | fresh, new, acc)
            for i, (measure, new, acc) in enumerate(zip(batch.measures, self.opened(c.x), c.accs))
        ]
        first = tables.first[at]
        length = tables.first[at + 1] - first
        # Without refilling all clocks are one clock; a scalar lets a Trace write rows instead of scattering.
        common = first if batch.refill else first[0]
        swept = self.swept(c.point)
        amplitude = swept[AMPLITUDE][None, :]
        key = None if self.noise is None else self.noise[jnp.minimum(c.point, self.size - 1)].T
        constant = None if batch.stepwise else amplitude * tables.levels[:, tables.piece[at]]

        def one_step(i: Any, carry: Any) -> Any:
            x, line, accs = carry
            stimulus = constant
            if batch.stepwise:
                stimulus = amplitude * tables.levels[:, tables.piece[first + i - tables.first[0]]]
            line = self.on_its_way(line, x, c.tick + i)
            new = self.step(x, swept, stimulus, self.normal(key, common + i), self.arriving(line, c.tick + i))
            sampled = self.updated(accs, new, common + i)
            if batch.ragged and batch.refill:
                return _select(i < length, (new, line, sampled), carry)
            return new, line, sampled

        steps = batch.slice_steps
        if batch.ragged:
            steps = length.max() if batch.refill else length[0]
        x, line, after = jax.lax.fori_loop(0, steps, one_step, (c.x, c.line, before))
        kept = [
            _select(tables.active[i][at] & ~c.ended, new, old) if guarded else new
            for i, (guarded, new, old) in enumerate(zip(batch.guarded, after, before))
        ]
        return x, line, c.tick + steps, kept

    def highest(self, accs: list[Any]) -> Any:
        """The largest change of each lane's principal observable so far, NaN if there was one."""
        principal = next(iter(self.batch.model.observables))
        seen = [
            _each(measure.highest)(acc)
            for measure, acc in zip(self.batch.measures, accs)
            if isinstance(measure, Peak) and measure.observable(self.batch.model) == principal
        ]
        return jnp.max(functools.reduce(jnp.maximum, seen), axis=0)

    def written(self, c: _Lanes, accs: list[Any], done: Any, ended: Any) -> tuple[Any, Any]:
        """Results with those of the finished lanes; row `size` is where the others are written."""

        def write(out: Any) -> Any:
            rows = jnp.where(done, c.point, self.size)
            values = jax.tree.map(lambda o, acc: o.at[rows[: len(acc)]].set(acc), out[0], self.lanes_first(accs))
            return values, out[1].at[rows].set(jnp.where(ended, DIVERGED, OK).astype(jnp.uint8))

        return jax.lax.cond(jnp.any(done), write, lambda out: out, (c.out, c.status))

    def finished(self, out: Any) -> list[dict[str, Any]]:
        """The measures' results, (point, ...)."""
        batch = self.batch

        def one(swept: dict[str, Any], accs: Any) -> list[dict[str, Any]]:
            values = {name: jnp.asarray(value, batch.dtype) for name, value in batch.fixed} | swept
            p = Parameters({name: jnp.broadcast_to(v, (self.areas,)) for name, v in values.items()})
            rest = batch.model.rest(p, self.network)
            return [
                measure.finish(acc, rest[measure.observable(batch.model)], run)
                for measure, run, acc in zip(batch.measures, batch.runs, accs)
            ]

        return jax.vmap(one, axis_size=self.size)(self.points, jax.tree.map(lambda o: o[: self.size], out))


def _each(function: Any) -> Any:
    """Return a function of one point as one of all lanes, which are the last axis."""
    return jax.vmap(function, in_axes=-1, out_axes=-1)


def _lane_axis(measure: StreamingMeasure) -> int:
    # The lanes are last, for the arithmetic; but a row can only be placed in an array whose lanes are first.
    return 0 if measure.places_samples else -1


def _select(lane: Any, new: Any, old: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(lane, a, b), new, old)


def _batch_last(array: Any) -> Any:
    return with_layout_constraint(array, Layout(major_to_minor=tuple(range(array.ndim))))
