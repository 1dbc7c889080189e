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
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.points import NOISE, VELOCITY
from gbaexplore.engine import programs
from gbaexplore.engine.delays import delays_of, late_at
from gbaexplore.engine.lanes import Sweep
from gbaexplore.engine.noise import START, keys, normals
from gbaexplore.engine.plan import Plan, Tables, lanes_for
from gbaexplore.engine.platform import compiler_options
from gbaexplore.networks.seen import Network


class Results(NamedTuple):
    """What came out of a batch: NumPy arrays, the point first.

    The values of a point that diverged are those of the moment at which it was ended: see `without_diverged`.
    """

    values: list[dict[str, np.ndarray]]  # per measure of the plan (it may end with one more): variable -> (point, ...)
    status: np.ndarray  # (point,) uint8, OK or DIVERGED
    slices: int  # slices that the batch ran


def simulate_batch(
    plan: Plan, network: Network, points: Mapping[str, np.ndarray], count: int, size: int, key: str | None = None
) -> Results:
    """Return the measures of a queue of points that share one network.

    Args:
        plan: from `plan`, for these parameters.
        network: its numbers, as a model's step sees them.
        points: (point,) or (point, area) values of each swept parameter, (point,) of the stimulus' "amplitude"; with
            noise, also the points' hashes.
        count: how many points; 0 only compiles.
        size: how many points the arrays are padded to, so that a short queue compiles nothing anew.
        key: from `programs.key`, if it is known already: what is compiled has to be that.

    Raises:
        UserError: the model or a measure has changed since `key` was taken.
    """
    seen = network._replace(lengths_mm=None)
    key = key or programs.key(programs.program(plan.batch))
    if plan.batch.late is None:
        return _queue(plan, key, seen, points, count, size)
    # Points of one velocity share their delays: a queue for each, with one of few programs.
    own = {name: _rows(values, max(count, 1)) for name, values in points.items()}
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
    return [{name: array.shape[1:] for name, array in found.items()} for found in values]


def _queue(plan: Plan, key: str, network: Network, points: Mapping[str, np.ndarray], count: int, size: int) -> Results:
    """Return the measures of points that differ in nothing but numbers that lanes have of their own."""
    batch = plan.batch
    order = np.arange(count)
    if batch.shared and count:  # lanes of one seed side by side
        order = np.argsort(points[NOISE][:count], kind="stable")
        points = {name: _rows(values, count)[order] for name, values in points.items()}
    with jax.enable_x64(batch.dtype == "float64"):
        program, arguments = _called(plan, key, network, points, count, size)
        values, status, slices = jax.device_get(program(*arguments))
    back = np.argsort(order)
    made = [{name: array[back] for name, array in found.items()} for found in values]
    return Results(made, status[back], int(slices))


def _called(
    plan: Plan, key: str, network: Network, points: Mapping[str, np.ndarray], count: int, size: int
) -> tuple[Any, tuple[Any, ...]]:
    """Return the program of a queue, and what it is called with."""
    batch, tables = plan
    batch = batch._replace(lanes=lanes_for(size, batch))
    program = _program(programs.Kind.of(batch, key), size, len(tables.first) - 1, jax.default_backend())
    padded = {name: _rows(v, size).astype(batch.dtype) for name, v in points.items() if name != NOISE}
    noise = keys(np.resize(points[NOISE], size)) if batch.draws or batch.model.random_start else None
    numbers = batch.model.random_start
    starts = _start_numbers(noise, numbers, len(network.weights), batch.dtype) if numbers else None
    net = jax.tree.map(lambda a: np.asarray(a, dtype=batch.dtype), network)
    return program, (padded, noise, starts, np.int32(count), net, tables)


@functools.partial(jax.jit, static_argnames=("numbers", "areas", "dtype"))
def _start_numbers(keys: Any, numbers: int, areas: int, dtype: str) -> Any:
    """Return the random numbers that points start with, (point, number, area).

    In a program of their own: XLA computes them anew wherever the start is used, and with delays, where that is often,
    two or more numbers took it minutes to compile.
    """
    return jnp.moveaxis(normals(keys.T, jnp.int32(START), numbers, areas), -1, 0).astype(dtype)


def _rows(values: np.ndarray, count: int) -> np.ndarray:
    """Return values, the point first, of so many points; they are repeated, or cut."""
    return np.resize(values, (count, *values.shape[1:]))


@functools.lru_cache(maxsize=32)
def _program(kind: programs.Kind, size: int, n_slices: int, backend: str) -> Any:
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

    def sweep(points: Any, noise: Any, starts: Any, count: Any, network: Network, tables: Tables) -> Any:
        return Sweep(batch, size, n_slices, points, noise, starts, count, network, tables).run()

    return jax.jit(sweep, compiler_options=compiler_options(backend))
