"""What measures see: each step, or what looks seldom, measures of every k-th step and signals with steps of their own.

Of what looks seldom only the sums that signals are made of are in the loop over steps. A slice is cut into parts that
end where something is due. Where a lane ends before others this could not be, so with it all points run to the end.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from gbaexplore.measures.base import Now, StreamingMeasure

Sweep = Any
"""That of `lanes`, which needs this module."""


def resting(sweep: Sweep, own: Any) -> Callable[[str], Any]:
    """Return a function of an observable's name: its rest, (area, lanes)."""
    if not sweep.batch.needs_rest:
        return lambda name: None
    found = sweep.with_network(lambda p, net: dict(sweep.batch.model.rest(p, net)), own)(sweep.parameters(own))
    return lambda name: found[name]


def observed(sweep: Sweep, measure: StreamingMeasure, look: Callable[[str], Any], rest: Callable[[str], Any]) -> Any:
    """Return what a measure sees, (area, lanes), of several observables a tuple."""
    names = measure.observables(sweep.batch.model)
    found = tuple(rest(name) + look(name) if measure.of_values else look(name) for name in names)
    return found if isinstance(measure.of, (tuple, list)) else found[0]


def opened(sweep: Sweep, look: Callable[[str], Any], rest: Callable[[str], Any]) -> list[Any]:
    """Return the accumulator of every measure that looks at each step, from a first sample; None of the others."""
    batch = sweep.batch
    return [
        None if seldom else _lanes_last(functools.partial(measure.init, run=run))(observed(sweep, measure, look, rest))
        for measure, run, seldom in zip(batch.measures, batch.runs, batch.seldom)
    ]


def updated(
    sweep: Sweep, accs: list[Any], look: Callable[[str], Any], rest: Callable[[str], Any], step: Any
) -> list[Any]:
    """Return the accumulators one sample later; `step` is (lanes,), or () for all lanes at once."""
    batch = sweep.batch
    found: list[Any] = []
    for measure, run, sampling, acc in zip(batch.measures, batch.runs, batch.samplings, accs):
        if acc is None:
            found.append(None)
            continue
        now = Now(sweep.spread(step).astype(jnp.int32), step - sampling.first)
        axes = (-1, -1, Now(-1, None if step.ndim == 0 else -1))
        update = jax.vmap(functools.partial(measure.update, run=run), in_axes=axes, out_axes=-1)
        found.append(update(acc, observed(sweep, measure, look, rest), now))
    return found


class Seldom(NamedTuple):
    """What is carried of all that looks seldom."""

    accs: Any  # of each measure, lanes first; None of one that looks at each step
    signals: Any  # of each signal its state, and what it is made of as it was then, (area, lanes)
    totals: Any  # of each signal, the sum of what it is made of since its last step, (area, lanes)


def first_seldom(sweep: Sweep, look: Callable[[str], Any], rest: Callable[[str], Any]) -> Seldom:
    """Return what points start with."""
    batch = sweep.batch
    signals = [
        jax.tree.map(lambda a: jnp.broadcast_to(a[:, None], (sweep.areas, batch.lanes)), signal.start(sweep.areas))
        for signal in batch.signals
    ]
    states = jax.tree.map(lambda a: a.astype(batch.dtype), signals)
    signals = [(x, look(signal.of)) for signal, x in zip(batch.signals, states)]
    totals = [jnp.zeros((sweep.areas, batch.lanes), batch.dtype) for _ in batch.signals]
    accs = [
        _first(sweep, i, functools.partial(_seen, sweep, i, look, rest, signals), None) if seldom else None
        for i, seldom in enumerate(batch.seldom)
    ]
    return Seldom(accs, signals, totals)


def summed(sweep: Sweep, totals: Any, look: Callable[[str], Any]) -> Any:
    """Return the sums that signals are made of, one step later."""
    return [total + look(signal.of) for total, signal in zip(totals, sweep.batch.signals)]


def through_parts(
    sweep: Sweep, advanced: Any, first: Any, steps: Any, c: Any, accs: Any, rest: Callable[[str], Any]
) -> tuple[Any, Any, Any, Seldom]:
    """Advance all lanes by the steps of a slice, from the number `first` on, and look where something is due.

    Args:
        advanced: a function of how many of the steps are done, and of how many more to take, with what changes.
        accs: of the measures that look at each step.

    Returns:
        What is under way, the state, `accs`, and what is carried of all that looks seldom.
    """
    own = sweep.own(c.point)
    look = sweep.looking_at(c.x, own, c.arriving)
    seldom = _if(c.clock == 0, lambda _: first_seldom(sweep, look, rest), c.seldom)

    def to_signals(end: Any, carry: Any) -> Any:
        """Advance to where a signal has a step, at most to `end`."""
        done, under_way, x, accs, signals, totals = carry
        more = until_due(first + done, first + end, [(steps_ - 1, steps_) for steps_ in own_steps])
        under_way, (x, accs, totals) = advanced(done, more, under_way, (x, accs, totals))
        look = sweep.looking_at(x, own, under_way[1])
        signals, totals = signals_advanced(sweep, first + done + more - 1, signals, totals, look, rest)
        return done + more, under_way, x, accs, signals, totals

    def to_measures(carry: Any) -> Any:
        """Advance to where a measure looks, at most to the end of the slice."""
        # Large accumulators are left out of the loop over signals' steps: it would copy them each time.
        done, under_way, x, accs, seldom = carry
        end = done + until_due(first + done, first + steps, sorted(due))
        moving = done, under_way, x, accs, seldom.signals, seldom.totals
        moved = jax.lax.while_loop(lambda c: c[0] < end, functools.partial(to_signals, end), moving)
        done, under_way, x, accs, signals, totals = moved
        look = sweep.looking_at(x, own, under_way[1])
        seen = measures_looked(sweep, first + done - 1, seldom.accs, signals, look, rest)
        return done, under_way, x, accs, Seldom(seen, signals, totals)

    own_steps = [signal.steps(sweep.batch.dt) for signal in sweep.batch.signals]
    due = {s[:2] for s, seldom_ in zip(sweep.batch.samplings, sweep.batch.seldom) if seldom_}
    start = jnp.asarray(0, jnp.int32), (c.lines, c.arriving), c.x, accs, seldom
    return jax.lax.while_loop(lambda carry: carry[0] < steps, to_measures, start)[1:]


def until_due(step: Any, end: Any, due: Sequence[tuple[int, int]]) -> Any:
    """Return the number of steps from `step` to the next after which something looks, at most to `end`.

    Args:
        due: after which step each looks first, and in how many steps again.
    """
    waits = [jnp.where(step < first, first - step, (first - step) % every) + 1 for first, every in due]
    return functools.reduce(jnp.minimum, waits, end - step)


def signals_advanced(
    sweep: Sweep, step: Any, states: Any, sums: Any, look: Callable[[str], Any], rest: Callable[[str], Any]
) -> tuple[Any, Any]:
    """Return the signals and their sums after the step of this number, the same in all lanes."""
    batch = sweep.batch
    signals, totals = [], []
    for signal, x, total in zip(batch.signals, states, sums):
        steps = signal.steps(batch.dt)
        advanced = functools.partial(signal.advanced, h=steps * batch.dt)

        def advance(state: Any, advanced: Any = advanced, steps: int = steps, of: str = signal.of) -> Any:
            (x, before), total = state
            now = look(of)
            # By the trapezoidal rule: from the state before these steps to the one after them.
            mean = rest(of) + (total + (before - now) / 2) / steps
            return (_lanes_last(advanced)(x, mean), now), jnp.zeros_like(total)

        x, total = _if((step + 1) % steps == 0, advance, (x, total))
        signals.append(x)
        totals.append(total)
    return signals, totals


def measures_looked(
    sweep: Sweep, step: Any, before: Any, signals: Any, look: Callable[[str], Any], rest: Callable[[str], Any]
) -> Any:
    """Return the accumulators of measures that look seldom after the step of this number, the same in all lanes."""
    batch, accs = sweep.batch, []
    for i, (acc, sampling) in enumerate(zip(before, batch.samplings)):
        if batch.seldom[i]:
            sample = (step - sampling.first) // sampling.every
            due = ((step - sampling.first) % sampling.every == 0) & (sample >= 0) & (sample < sampling.number)
            seen = functools.partial(_seen, sweep, i, look, rest, signals)
            later = functools.partial(_later, sweep, i, seen, Now(step, sample))
            if batch.measures[i].places_samples:  # a new accumulator would make XLA copy the old one in every round
                acc = _if(due, later, acc)
            else:
                acc = _if(due & (sample == 0), functools.partial(_first, sweep, i, seen), acc)
                acc = _if(due & (sample > 0), later, acc)
        accs.append(acc)
    return accs


def results(sweep: Sweep, i: int, acc: Any, own: Any) -> dict[str, Any]:
    """Return the results of the measure i in all lanes that get points, these first."""
    batch = sweep.batch
    measure, run = batch.measures[i], batch.runs[i]

    def one(given: Any) -> dict[str, Any]:
        values, by_area, acc = given
        return measure.finish(acc, rest_of(measure, batch.model, sweep.rest(values, by_area)), run)

    used = min(sweep.size, batch.lanes)
    first = functools.partial(jax.tree.map, lambda v: jnp.moveaxis(v, -1, 0)[:used])
    by_area = None if own.by_area is None else first(own.by_area)
    # Lane by lane, since what is computed at the end may be much larger than what is kept.
    return jax.lax.map(one, (first(own.values), by_area, acc))


def rest_of(measure: Any, model: Any, rest: Any) -> Any:
    """Return the rest of what a measure sees."""
    found = tuple(rest[name] for name in measure.observables(model))
    if measure.signal is not None:
        return jnp.zeros_like(found[0])
    return found if isinstance(measure.of, (tuple, list)) else found[0]


def _seen(sweep: Sweep, i: int, look: Callable[[str], Any], rest: Callable[[str], Any], signals: list[Any]) -> Any:
    """Return what the measure i sees, in the lanes that get points: samples take memory."""
    measure, batch = sweep.batch.measures[i], sweep.batch
    if measure.signal is None:
        seen = observed(sweep, measure, look, rest)
    else:
        seen = _lanes_last(measure.signal.value)(signals[batch.signals.index(measure.signal)][0])
    return jax.tree.map(lambda v: v[..., : sweep.size], seen)


def _first(sweep: Sweep, i: int, seen: Callable[[], Any], _: Any) -> Any:
    init = functools.partial(sweep.batch.measures[i].init, run=sweep.batch.runs[i])
    # The lanes are first: only so is a row placed in the samples of all lanes at once.
    return jax.vmap(init, -1, 0)(seen())


def _later(sweep: Sweep, i: int, seen: Callable[[], Any], now: Now, acc: Any) -> Any:
    spread = jnp.broadcast_to(now.step, (sweep.areas,)).astype(jnp.int32)
    update = functools.partial(sweep.batch.measures[i].update, now=Now(spread, now.sample), run=sweep.batch.runs[i])
    return jax.vmap(update, (0, -1), 0)(acc, seen())


def _lanes_last(function: Any) -> Any:
    return jax.vmap(function, in_axes=-1, out_axes=-1)


def _if(condition: Any, function: Callable[[Any], Any], value: Any) -> Any:
    """Return function(value), or the value: as a loop of one round or none, which changes large arrays in place."""
    return jax.lax.fori_loop(0, condition.astype(jnp.int32), lambda _, value: function(value), value)
