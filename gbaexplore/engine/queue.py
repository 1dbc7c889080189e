"""A batch of points through time: pure JAX, positions instead of labels.

How it is made fast, and kept exact:

- A model's step is written for one point and vmapped with the batch on the *last* axis, so that all points
  share one matrix product; lanes with networks of their own have one each (`products`). Parameters are spread over
  areas inside the loop, where XLA fuses them away: a per-point scalar times a per-area vector would make vmap turn
  the layout round, at four times the cost.
- A batch has a fixed number of lanes. Time is cut into slices of equal length. Where points may end early, each lane
  has a clock of its own, and takes the next point of the queue between slices (continuous batching); else all lanes
  go through all slices, round by round.
- Everything that changes at a known time (a pulse's edges, a window's) changes between slices, so there are no
  masks inside the loop; only times that share no useful divisor need them (`ragged`).
- A point's arithmetic never depends on its lane or its neighbours: its bits are the same in any batch.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.points import NOISE, VELOCITY
from gbaexplore.engine import programs
from gbaexplore.engine.delays import delays_of, late_at
from gbaexplore.engine.lanes import Sweep, points_axes
from gbaexplore.engine.noise import START, keys, normals
from gbaexplore.engine.plan import Plan, Tables, lanes_for
from gbaexplore.engine.platform import compiler_options
from gbaexplore.engine.points import Queued
from gbaexplore.engine.products import OneNetwork, sums
from gbaexplore.networks.seen import Network


class Results(NamedTuple):
    """What came out of a batch: NumPy arrays, the point first.

    The values of a point that diverged are those of the moment at which it was ended: see `without_diverged`.
    """

    values: list[dict[str, np.ndarray]]  # per measure of the plan (it may end with one more): variable -> (point, ...)
    status: np.ndarray  # (point,) uint8, OK or DIVERGED
    slices: int  # slices that the batch ran


def simulate_batch(
    plan: Plan,
    network: Network,
    points: Mapping[str, np.ndarray],
    count: int,
    size: int,
    key: str | None = None,
    which: np.ndarray | None = None,
) -> Results:
    """Return the measures of a queue of points.

    Args:
        plan: from `plan`, for these parameters.
        network: its numbers, as a model's step sees them; of several networks, these first: (network, area, ...).
        points: (point,) or (point, area) values of each swept parameter, (point,) of the stimulus' "amplitude"; with
            noise, also the points' hashes.
        count: how many points; 0 only compiles.
        size: how many points the arrays are padded to, so that a short queue compiles nothing anew.
        key: from `programs.key`, if it is known already: what is compiled has to be that.
        which: (point,) each point's network, of several; not with delays.

    Raises:
        UserError: the model or a measure has changed since `key` was taken.
        OneNetwork: there are several, and the points of a queue have to share one.
    """
    seen = network._replace(lengths_mm=None)
    key = key or programs.key(programs.program(plan.batch))
    if plan.batch.late is None:
        return _queue(plan, key, seen, points, count, size, which)
    if which is not None:
        raise OneNetwork
    # Points of one velocity share their delays: a queue for each, with one of few programs.
    own = {name: rows(values, max(count, 1)) for name, values in points.items()}
    velocity = own.get(VELOCITY, np.full(max(count, 1), dict(plan.batch.fixed).get(VELOCITY)))
    groups = [np.flatnonzero(velocity == v) for v in np.unique(velocity)] if count else [np.arange(1)]
    parts = []
    for which in groups:
        late_plan = _at_velocity(plan, network, float(velocity[which[0]]))
        chosen = {name: values[which] for name, values in own.items()}
        parts.append(_queue(late_plan, key, seen, chosen, len(which) if count else 0, size))
    back = np.argsort(np.concatenate(groups))[:count]
    values = [
        {name: np.concatenate([part.values[i][name] for part in parts])[back] for name in found}
        for i, found in enumerate(parts[0].values)
    ]
    status = np.concatenate([part.status for part in parts])[back]
    return Results(values, status, sum(part.slices for part in parts))


def in_queues(count: int, *, points: Mapping[str, np.ndarray], size: int, **parts: Any) -> Results:
    """Return the measures of any number of points, in queues of at most `size`; see `simulate_batch`.

    Args:
        count: 0 only compiles.
        parts: the other arguments; `which` as the points.
    """
    if count <= size:
        return simulate_batch(points=points, count=count, size=size, **parts)
    found, which = [], parts.pop("which", None)
    for first in range(0, count, size):
        own = slice(first, min(first + size, count))
        chosen = {name: rows(values, count)[own] for name, values in points.items()}
        of = None if which is None else which[own]
        found.append(simulate_batch(points=chosen, count=own.stop - first, size=size, which=of, **parts))
    values = [
        {name: np.concatenate([part.values[i][name] for part in found]) for name in one}
        for i, one in enumerate(found[0].values)
    ]
    return Results(values, np.concatenate([part.status for part in found]), sum(part.slices for part in found))


def split(results: Results, counts: Sequence[int]) -> list[Results]:
    """Return the results of so many points, one after another; the slices of all belong to the first."""
    ends = np.cumsum(counts)[:-1]
    status = np.split(results.status, ends)
    values = [{name: np.split(array, ends) for name, array in found.items()} for found in results.values]
    return [
        Results([{name: arrays[i] for name, arrays in v.items()} for v in values], status[i], results.slices * (not i))
        for i in range(len(counts))
    ]


def _at_velocity(plan: Plan, network: Network, velocity: float) -> Plan:
    """Return a plan for points of one velocity. Their bits do not depend on which others the study has."""
    batch, tables = plan
    assert batch.late is not None
    late = late_at(network, velocity, batch.dt)._replace(rows=batch.late.rows)
    delays = delays_of(network, velocity, batch.dt, late, batch.dtype)
    return Plan(batch._replace(late=late), tables._replace(delays=delays))


def shapes(
    plan: Plan, network: Network, points: Mapping[str, np.ndarray], size: int, key: str
) -> list[dict[str, tuple[int, ...]]]:
    """Return the shape of each variable of a point, for each measure of a plan; it is traced, and not compiled.

    Args:
        points, size, key: as for `simulate_batch`.

    Raises:
        UserError: the model or a measure has changed since `key` was taken.
    """
    if plan.batch.late is not None:
        velocity = points[VELOCITY] if VELOCITY in points else np.array(dict(plan.batch.fixed)[VELOCITY])
        plan = _at_velocity(plan, network, float(velocity.flat[0]))
    with jax.enable_x64(plan.batch.dtype == "float64"):
        program, arguments = _called(plan, key, network._replace(lengths_mm=None), points, 0, size)
        values, _, _ = jax.eval_shape(program, *arguments)
    return [
        {name: tuple(np.delete(array.shape, axis).tolist()) for name, array in found.items()}
        for axis, found in zip(points_axes(plan.batch), values)
    ]


def _queue(
    plan: Plan,
    key: str,
    network: Network,
    points: Mapping[str, np.ndarray],
    count: int,
    size: int,
    which: np.ndarray | None = None,
) -> Results:
    """Return the measures of points that differ in nothing but numbers that lanes have of their own."""
    batch = plan.batch
    order = np.arange(count)
    if batch.shared and count:  # lanes of one seed side by side
        order = np.argsort(points[NOISE][:count], kind="stable")
        points = {name: rows(values, count)[order] for name, values in points.items()}
        which = None if which is None else which[order]
    with jax.enable_x64(batch.dtype == "float64"):
        program, arguments = _called(plan, key, network, points, count, size, which)
        values, status, slices = jax.device_get(program(*arguments))
    back = np.argsort(order)
    made = [
        {name: np.moveaxis(array, axis, 0)[back] for name, array in found.items()}
        for axis, found in zip(points_axes(batch), values)
    ]
    return Results(made, status[back], int(slices))


def _called(
    plan: Plan,
    key: str,
    network: Network,
    points: Mapping[str, np.ndarray],
    count: int,
    size: int,
    which: np.ndarray | None = None,
) -> tuple[Any, tuple[Any, ...]]:
    """Return the program of a queue, and what it is called with."""
    batch, tables = plan
    areas = len(batch.runs[0].areas)
    own_sums, lanes = None, lanes_for(size, batch)
    if which is not None:
        lanes = min(lanes, batch.lanes)  # more would only make the weights of all lanes larger
        own_sums = sums(areas, batch.dtype, lanes)
        if own_sums is None:
            raise OneNetwork
    batch = batch._replace(lanes=lanes)
    program = _program(programs.Kind.of(batch, key), size, len(tables.first) - 1, own_sums, jax.default_backend())
    padded = {name: rows(v, size).astype(batch.dtype) for name, v in points.items() if name != NOISE}
    noise = keys(np.resize(points[NOISE], size)) if batch.draws or batch.model.random_start else None
    numbers = batch.model.random_start
    starts = _start_numbers(noise, numbers, areas, batch.dtype) if numbers else None
    net = jax.tree.map(lambda a: np.asarray(a, dtype=batch.dtype), network)
    if which is not None:
        net = jax.tree.map(lambda a: np.moveaxis(a, 0, -1), net)
        which = np.resize(which, size).astype(np.int32)
    return program, (Queued(padded, noise, starts, which, np.int32(count)), net, tables)


@functools.partial(jax.jit, static_argnames=("numbers", "areas", "dtype"))
def _start_numbers(keys: Any, numbers: int, areas: int, dtype: str) -> Any:
    """Return the random numbers that points start with, (point, number, area).

    In a program of their own: XLA computes them anew wherever the start is used, and with delays, where that is often,
    two or more numbers took it minutes to compile.
    """
    return jnp.moveaxis(normals(keys.T, jnp.int32(START), numbers, areas), -1, 0).astype(dtype)


def rows(values: np.ndarray, count: int) -> np.ndarray:
    """Return values, the point first, of so many points: repeated, or cut."""
    return np.resize(values, (count, *values.shape[1:]))


@functools.lru_cache(maxsize=32)
def _program(kind: programs.Kind, size: int, n_slices: int, own_sums: int | None, backend: str) -> Any:
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

    def sweep(queued: Queued, network: Network, tables: Tables) -> Any:
        return Sweep(batch, size, n_slices, own_sums, queued, network, tables).run()

    return jax.jit(sweep, compiler_options=compiler_options(backend))
