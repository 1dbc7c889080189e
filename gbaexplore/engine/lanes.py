"""Lanes: points that are simulated side by side, slice by slice, refilled when one is over."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gbaexplore.basics.names import DIVERGED, OK
from gbaexplore.basics.points import AMPLITUDE
from gbaexplore.engine import delays, measuring
from gbaexplore.engine.delays import Late
from gbaexplore.engine.noise import normals
from gbaexplore.engine.plan import SETTLED, Batch
from gbaexplore.engine.points import Own, PointFunctions, each_of_lanes
from gbaexplore.measures.peak import Peak


class _Lanes(NamedTuple):
    """What is carried from slice to slice; per lane unless it says otherwise."""

    point: Any  # (lanes,) which point each lane works on
    clock: Any  # () or (lanes,) the next slice, of all lanes or of each
    ended: Any  # (lanes,) bool, it has diverged
    x: Any  # the model's state
    lines: Any  # (area, rows, lanes) the past of each thing sent, that of step `tick` in row tick % rows; or ()
    arriving: Any  # what arrived in the last step where outputs may look at it, (area, lanes); or {}
    tick: Any  # () steps that all lanes have made
    accs: Any  # the accumulators of measures that look at each step
    seldom: Any  # and what is carried of all that looks seldom


class _Refilled(NamedTuple):
    """The same where lanes take the next point as soon as theirs is over; a lane's point is `size` if none is left."""

    lanes: _Lanes
    top: Any  # the largest value of all that has to come back to zero, and of what is sent, seen between slices
    queued: Any  # () the next point of the queue
    out: Any  # of finished points, (..., size + 1): accumulators
    status: Any  # (size + 1,)
    slices: Any  # () how many have been run


class Sweep(PointFunctions):
    """A queue of points through a batch's lanes; its methods are traced once per program."""

    def run(self) -> Any:
        """Return (values of each measure, status, slices run)."""
        out, status, slices = self.refilled() if self.batch.refill else self.in_rounds()
        return self.finished(out), status, slices

    def in_rounds(self) -> Any:
        """Take all lanes through all slices, round by round; return (accumulators or results, status, slices run).

        Programs are smaller so, and take less time to compile, than where lanes are refilled.
        """
        lanes = self.batch.lanes
        used = min(self.size, lanes)
        rounds = -(-self.count // lanes)

        def begun(r: Any) -> _Lanes:
            point = jnp.minimum(r * lanes + jnp.arange(lanes, dtype=jnp.int32), self.size)
            return self.begun(point, jnp.asarray(0, jnp.int32))

        def ended(c: _Lanes) -> Any:
            return [*self.made(c.accs, c.seldom, self.own(c.point)), self.status_of(c.ended)]

        def placed(r: Any, done: Any) -> Any:
            c = jax.lax.fori_loop(0, self.n_slices, lambda _, c: self.through_slice(c), begun(r))

            def place(axis: int, out: Any, a: Any) -> Any:
                return jax.lax.dynamic_update_slice_in_dim(
                    out, jax.lax.slice_in_dim(a, 0, used, axis=axis), r * used, axis
                )

            return [jax.tree.map(functools.partial(place, axis), o, a) for axis, o, a in zip(axes, done, ended(c))]

        def nothing(axis: int, a: Any) -> Any:
            shape = list(a.shape)
            shape[axis] = -(-self.size // used) * used
            return jnp.zeros(shape, a.dtype)

        axes = [*points_axes(self.batch), 0]
        form = jax.eval_shape(lambda: ended(begun(0)))
        first = [jax.tree.map(functools.partial(nothing, axis), a) for axis, a in zip(axes, form)]
        *out, status = jax.lax.fori_loop(0, rounds, placed, first)
        return out, status, rounds * self.n_slices

    def refilled(self) -> Any:
        """The same, where a lane takes the next point as soon as its own is over."""
        lanes = self.batch.lanes
        point = jnp.minimum(jnp.arange(lanes, dtype=jnp.int32), self.size)
        c = self.begun(point, jnp.zeros(lanes, jnp.int32))
        own = self.own(point)
        first = _Refilled(
            lanes=c,
            top=jax.tree.map(jnp.zeros_like, (self.batch.model.distance_from_rest(c.x), self.sent(c.x, own))),
            queued=jnp.asarray(lanes, jnp.int32),
            out=[jax.tree.map(self.nothing_finished, acc) for acc in self.made(c.accs, c.seldom, own)],
            status=jnp.zeros(self.size + 1, jnp.uint8),
            slices=jnp.asarray(0, jnp.int32),
        )
        done = jax.lax.while_loop(lambda c: jnp.any(c.lanes.point < self.count), self.next_slice, first)
        return done.out, done.status, done.slices

    def begun(self, point: Any, clock: Any) -> _Lanes:
        """Return lanes that are about to work on these points."""
        x = self.start(point)
        arriving, own = self.arriving_at_first(x, point), self.own(point)
        look = self.looking_at(jax.tree.map(jnp.zeros_like, x), own, arriving)
        rest = measuring.resting(self, own)
        return _Lanes(
            point=point,
            clock=clock,
            ended=jnp.zeros(self.batch.lanes, bool),
            x=x,
            lines=self.lines(x, point),
            arriving=arriving,
            tick=jnp.asarray(0, jnp.int32),
            accs=measuring.opened(self, look, rest),
            seldom=measuring.first_seldom(self, look, rest),
        )

    def nothing_finished(self, acc: Any) -> Any:
        return jnp.zeros((*acc.shape[:-1], self.size + 1), acc.dtype)

    def made(self, accs: list[Any], seldom: measuring.Seldom, own: Own) -> list[Any]:
        """What is kept of the points that are finished: accumulators, or results where these are made."""
        return [
            measuring.results(self, i, seldom.accs[i], own) if looks_seldom else acc
            for i, (looks_seldom, acc) in enumerate(zip(self.batch.seldom, accs))
        ]

    def status_of(self, ended: Any) -> Any:
        return jnp.where(ended, DIVERGED, OK).astype(jnp.uint8)

    # A slice.

    def next_slice(self, carried: _Refilled) -> _Refilled:
        """Every lane through its next slice; those that are finished then take the next points."""
        before, c = carried.lanes, self.through_slice(carried.lanes)
        own = self.own(c.point)
        away = self.batch.model.distance_from_rest(c.x), self.sent(c.x, own)
        top = jax.tree.map(lambda t, a: jnp.maximum(t, jnp.abs(a)), carried.top, away)
        small = jax.tree.map(lambda t, a: (jnp.abs(a) <= SETTLED * t).reshape(-1, a.shape[-1]).all(0), top, away)
        for line, largest in zip(c.lines, top[1].values()):
            small = small, (jnp.abs(line) <= SETTLED * largest[:, None]).all((0, 1))
        settled = jnp.stack(jax.tree.leaves(small)).all(0) & self.tables.quiet[jnp.minimum(c.clock, self.n_slices)]
        done = ((c.clock >= self.n_slices) | settled | c.ended) & (c.point < self.count)

        out, status = self.written(carried, lambda: self.made(c.accs, c.seldom, own), done, c.ended)
        lane = jnp.arange(self.batch.lanes)  # a cumulative sum of `done`, in one piece
        taken = jnp.sum(done[:, None] & (lane[:, None] <= lane), axis=0, dtype=jnp.int32)
        point = jnp.where(done, jnp.minimum(carried.queued + taken - 1, self.size), before.point)
        start = self.start(point)
        lanes = c._replace(
            point=point,
            clock=jnp.where(done, 0, c.clock),
            ended=c.ended & ~done,
            x=_select(done, start, c.x),
            lines=_select(done, self.lines(start, point), c.lines),
            arriving=_select(done, self.arriving_at_first(start, point), c.arriving),
        )
        top = jax.tree.map(lambda t: jnp.where(done, 0, t), top)
        return _Refilled(lanes, top, carried.queued + taken[-1], out, status, carried.slices + 1)

    def common_noise(self, c: _Lanes, key: Any, first: Any) -> Any:
        """Return whether all lanes have one key, and then the numbers of a slice's steps, (step, draws, area).

        They are made once instead of once a lane; lanes without a point follow the others.
        """
        if not self.batch.shared:
            return None
        alike = ((key == key[:, :1]).all(0) | (c.point >= self.count)).all()
        shape = (self.batch.draws, self.areas, self.batch.slice_steps)

        def made() -> Any:
            steps = first + jnp.arange(self.batch.slice_steps, dtype=jnp.int32)
            return normals(key[:, :1], steps, self.batch.draws, self.areas)

        numbers = jax.lax.cond(alike, made, lambda: jnp.zeros(shape, jnp.float32))
        return alike, jnp.moveaxis(numbers, -1, 0)

    def through_slice(self, c: _Lanes) -> _Lanes:
        """Advance each lane by its current slice."""
        batch, tables = self.batch, self.tables
        at = jnp.minimum(c.clock, self.n_slices - 1)
        # A lane's new point must not see its last one's accumulators: the watched ceiling would end it at once.
        fresh = c.clock == 0
        own = self.own(c.point)
        look, rest = self.looking_at(c.x, own, c.arriving), measuring.resting(self, own)
        before = [
            _select(tables.opens[i][at] | fresh, new, acc)
            for i, (new, acc) in enumerate(zip(measuring.opened(self, look, rest), c.accs))
        ]
        first = tables.first[at]
        length = tables.first[at + 1] - first
        amplitude = own.values[AMPLITUDE][None, :]
        key = self.key(c.point) if batch.draws else None
        numbers = self.common_noise(c, key, first)
        constant = None if batch.stepwise else self.stimulus(amplitude, tables.piece[at])

        def one_step(i: Any, carry: Any, arriving: dict[str, Any]) -> Any:
            x, accs, totals = carry
            stimulus = constant
            if batch.stepwise:
                stimulus = self.stimulus(amplitude, tables.piece[first + i - tables.first[0]])
            new = self.step(x, own, stimulus, self.normal(key, numbers, i, first + i), arriving)
            look = self.looking_at(new, own, arriving)
            seen = new, measuring.updated(self, accs, look, rest, first + i), measuring.summed(self, totals, look)
            return _select(i < length, seen, carry) if batch.ragged and batch.refill else seen

        steps = batch.slice_steps
        if batch.ragged:
            steps = length.max() if batch.refill else length

        def advanced(begin: Any, count: Any, under_way: Any, carry: Any) -> tuple[Any, Any]:
            if batch.late is None:
                return under_way, jax.lax.fori_loop(begin, begin + count, lambda i, c: one_step(i, c, {}), carry)
            return self.through_blocks(batch.late, one_step, begin, count, c, under_way, carry)

        if not any(batch.seldom):
            under_way, (x, after, _) = advanced(0, steps, (c.lines, c.arriving), (c.x, before, []))
            seldom = c.seldom
        else:
            under_way, x, after, seldom = measuring.through_parts(self, advanced, first, steps, c, before, rest)
        kept = [
            _select(tables.active[i][at] & ~c.ended, new, old) if guarded else new
            for i, (guarded, new, old) in enumerate(zip(batch.guarded, after, before))
        ]
        look = self.looking_at(x, own, under_way[1])
        return c._replace(
            clock=c.clock + 1,
            ended=c.ended | ~(self.highest(kept) <= batch.ceiling) | ~self.finite(look),
            x=x,
            lines=under_way[0],
            arriving=under_way[1],
            tick=c.tick + steps,
            accs=kept,
            seldom=seldom,
        )

    def stimulus(self, amplitude: Any, piece: Any) -> Any:
        """Return what drives the areas in a piece of the stimulus, that of all lanes, (), or of each, (lanes,)."""
        levels = self.tables.levels[..., piece]
        return amplitude * (levels if piece.ndim else levels[..., None])

    def through_blocks(
        self, late: Late, one_step: Any, begin: Any, steps: Any, c: _Lanes, under_way: Any, carry: Any
    ) -> tuple[Any, Any]:
        """Advance all lanes by some steps of a slice, block by block, where what was sent arrives late."""
        own = self.own(c.point)

        def one_block(b: Any, carry: Any) -> Any:
            start = c.tick + begin + b * delays.BLOCK
            heard = [delays.heard_in_block(late, self.tables.delays, line, start) for line in carry[0][0]]

            def late_step(s: Any, carry: Any) -> Any:
                (lines, last), state = carry
                sent = self.sent(state[0], own)
                lines = [delays.leaving(late, line, s_, start + s) for line, s_ in zip(lines, sent.values())]
                found = [
                    delays.arriving(late, self.tables.delays, line, far, s, start + s)
                    for line, far in zip(lines, heard)
                ]
                arrived, *further = (dict(zip(sent, kind)) for kind in zip(*found))
                named = {"arrived": arrived, "arrived_by": dict(zip(self.network.by_pathway, further))}
                state = one_step(begin + b * delays.BLOCK + s, state, named)
                return (lines, named if last else last), state

            return jax.lax.fori_loop(0, jnp.minimum(delays.BLOCK, steps - b * delays.BLOCK), late_step, carry)

        return jax.lax.fori_loop(0, -(-steps // delays.BLOCK), one_block, (under_way, carry))

    def highest(self, accs: list[Any]) -> Any:
        """The largest change of each lane's principal observable so far, NaN if there was one."""
        principal = next(iter(self.batch.model.observables))
        seen = [
            each_of_lanes(measure.highest)(acc)
            for measure, acc in zip(self.batch.measures, accs)
            if isinstance(measure, Peak) and acc is not None and measure.observable(self.batch.model) == principal
        ]
        largest = functools.reduce(jnp.maximum, seen)
        return jnp.max(largest, axis=tuple(range(largest.ndim - 1)))

    def finite(self, look: Callable[[str], Any]) -> Any:
        """Whether each lane's observables are finite: what is not, in one step, hardly becomes so again."""
        observed = jax.tree.leaves([look(name) for name in self.batch.model.observables])
        return functools.reduce(jnp.logical_and, [jnp.isfinite(a).all(tuple(range(a.ndim - 1))) for a in observed])

    def written(self, c: _Refilled, made: Callable[[], list[Any]], done: Any, ended: Any) -> tuple[Any, Any]:
        """Results with those of the finished lanes; column `size` is where the others are written."""

        def write(out: Any) -> Any:
            columns = jnp.where(done, c.lanes.point, self.size)
            values = jax.tree.map(lambda o, acc: o.at[..., columns].set(acc), out[0], made())
            return values, out[1].at[columns].set(self.status_of(ended))

        return jax.lax.cond(jnp.any(done), write, lambda out: out, (c.out, c.status))

    def finished(self, out: Any) -> list[dict[str, Any]]:
        """The measures' results, with the points where `points_axes` says."""
        batch = self.batch

        def one(values: dict[str, Any], by_area: Any, out: Any) -> list[dict[str, Any]]:
            rest = self.rest(values, by_area)
            return [
                made if seldom else measure.finish(made, measuring.rest_of(measure, batch.model, rest), run)
                for measure, run, seldom, made in zip(batch.measures, batch.runs, batch.seldom, out)
            ]

        by_area = None
        if self.which is not None:
            by_area = {name: v[:, self.which].T for name, v in self.network.by_area.items()}
        axes = points_axes(batch)
        cut = functools.partial(jax.lax.slice_in_dim, start_index=0, limit_index=self.size)
        out = [jax.tree.map(functools.partial(cut, axis=axis), o) for axis, o in zip(axes, out)]
        return jax.vmap(one, (0, 0, axes), axes, axis_size=self.size)(self.points, by_area, out)


def points_axes(batch: Batch) -> list[int]:
    """Return which axis of each measure's results has the points.

    Accumulators have the lanes last, and are turned round by NumPy, as XLA takes long to compile that. Results of what
    looks seldom may be large; they are made point by point.
    """
    return [0 if seldom else -1 for seldom in batch.seldom]


def _select(lane: Any, new: Any, old: Any) -> Any:
    return jax.tree.map(lambda a, b: jnp.where(lane, a, b), new, old)
