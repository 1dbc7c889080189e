"""Delays: what travels is kept for as long as it is under way, and read in blocks of steps.

What arrives during a block of K steps by a pathway that is at least K steps long has left before the block: all K
values are read at once, as one contiguous piece of the source's past. A value between two steps is interpolated
linearly, so there are two pieces for each pathway. Shorter pathways are heard step by step.

The past of each area is a ring of rows, one for each step, that ends with a copy of its first K rows: so K rows in
succession are one piece wherever they begin.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.points import VELOCITY
from gbaexplore.models.base import Model
from gbaexplore.networks.connectome import Connectome
from gbaexplore.networks.seen import Network

BLOCK = 4  # steps that are read at once: 16 are no faster


class Late(NamedTuple):
    """What a program is compiled for, of delays."""

    rows: int  # of the ring: steps that are kept
    close: int  # at most how many (source, step) are heard step by step


class Delays(NamedTuple):
    """Each pathway's delay and weights, at one velocity; a kind is a population that gets weights of its own."""

    lag: Any  # (source, target) whole steps that what travels is under way
    now: Any  # (source, kind, target) weight of what left `lag` steps ago
    before: Any  # (source, kind, target) weight of what left one step earlier
    close_source: Any  # (close,) of pathways that are shorter than a block: the area
    close_lag: Any  # (close,) and how many steps ago
    close_weight: Any  # (kind, target, close)


def late_of(model: Model, connectome: Connectome, values: Mapping[str, np.ndarray], dt: float) -> Late | None:
    """Return what a program has to keep of what travels, at these velocities; None if nothing does."""
    if not model.has_sends or VELOCITY not in values:
        return None
    if connectome.lengths_mm is None:
        raise UserError(
            f"{connectome.name} has no lengths of its pathways, which {type(model).__name__} needs for its delays; "
            "expected a Connectome with lengths_mm=..., (target, source) in mm"
        )
    network = Network.of(connectome)
    slowest, fastest = (late_at(network, float(end(values[VELOCITY])), dt) for end in (np.min, np.max))
    return slowest._replace(close=fastest.close)


def late_at(network: Network, velocity: float, dt: float) -> Late:
    """Return what a program has to keep at one velocity: all that a point's bits depend on, but `rows`."""
    lags = _lags(network, velocity, dt)
    # Each short pathway takes two steps of its source's past. A few sizes, so that few programs are compiled.
    short = (lags < BLOCK) & _there(network)
    heard = int(np.minimum(2 * short.sum(axis=0), BLOCK + 1).sum())
    sizes = (0, len(lags) // 4, len(lags), len(lags) * (BLOCK + 1))
    return Late(max(int(lags.max()) + 2, BLOCK + 1), next(size for size in sizes if size >= heard))


def _there(network: Network) -> np.ndarray:
    """Return which pathways there are, (target, source)."""
    return np.any([np.asarray(weights) != 0 for weights in _kinds(network)], axis=0)


def _kinds(network: Network) -> list[Any]:
    """Return all weights, those that have a name last."""
    return [network.weights, *network.by_pathway.values()]


def _lags(network: Network, velocity: float, dt: float) -> np.ndarray:
    """Return how many steps what travels is under way on each pathway, (target, source); 0 where there is none."""
    return np.where(_there(network), network.lengths_mm, 0.0) * 1e-3 / velocity / dt


def delays_of(network: Network, velocity: float, dt: float, late: Late, dtype: str) -> Delays:
    """Return the tables of one velocity."""
    lags, part = np.divmod(_lags(network, velocity, dt), 1.0)
    lags = lags.astype(np.int32)
    kinds = _kinds(network)
    weights = np.array(kinds, np.float64)  # (kind, target, source)
    short = lags < BLOCK
    target, source = np.nonzero(short & _there(network))
    # One column for each step of a source's past that anything hears.
    steps = np.concatenate([lags[target, source], lags[target, source] + 1])
    column_of, column = np.unique(np.tile(source, 2) * (BLOCK + 1) + steps, return_inverse=True)
    close = np.zeros((len(kinds), len(lags), late.close))
    for matrix, now, before in zip(close, weights * (1 - part), weights * part):
        heard = np.concatenate([now[target, source], before[target, source]])
        np.add.at(matrix, (np.tile(target, 2), column), heard)
    padded = np.zeros(late.close, np.int64)
    padded[: len(column_of)] = column_of

    def by_source(w: np.ndarray) -> np.ndarray:
        return np.where(short, 0.0, w).transpose(2, 0, 1).astype(dtype)

    return Delays(
        lag=lags.T,
        now=by_source(weights * (1 - part)),
        before=by_source(weights * part),
        close_source=(padded // (BLOCK + 1)).astype(np.int32),
        close_lag=(padded % (BLOCK + 1)).astype(np.int32),
        close_weight=close.astype(dtype),
    )


# On the device. A line is (area, rows + block, lanes); `tick` is the number of the step that is being taken.


def first_line(late: Late, x: Any) -> Any:
    """Return the past before the start: the start, for ever."""
    return jnp.broadcast_to(x[:, None], (x.shape[0], late.rows + BLOCK, x.shape[1]))


def leaving(late: Late, line: Any, x: Any, tick: Any) -> Any:
    """Return the line with what leaves now."""
    row = tick % late.rows
    line = lax.dynamic_update_slice_in_dim(line, x[:, None], row, 1)
    return lax.dynamic_update_slice_in_dim(line, x[:, None], jnp.where(row < BLOCK, row + late.rows, row), 1)


def heard_in_block(late: Late, delays: Delays, line: Any, tick: Any) -> Any:
    """Return what arrives by long pathways in the block that starts now, (kind, area, block, lanes)."""

    def piece(past: Any, row: Any) -> Any:
        return lax.dynamic_slice_in_dim(past, row, BLOCK)

    def add(heard: Any, source: Any) -> tuple[Any, None]:
        past, lag, now, before = source
        # Two pieces, each fused into its product: one piece of K + 1 rows that is used twice takes three times as long.
        first = jax.vmap(functools.partial(piece, past))((tick - lag) % late.rows)
        second = jax.vmap(functools.partial(piece, past))((tick - lag - 1) % late.rows)
        return heard + now[..., None, None] * first + before[..., None, None] * second, None

    kinds, areas = delays.close_weight.shape[:2]
    nothing = jnp.zeros((kinds, areas, BLOCK, line.shape[-1]), line.dtype)
    return lax.scan(add, nothing, (line, delays.lag, delays.now, delays.before))[0]


def arriving(late: Late, delays: Delays, line: Any, heard: Any, step: Any, tick: Any) -> list[Any]:
    """Return what arrives now, of each kind, (area, lanes): in the step of this number of a block."""
    long = lax.dynamic_index_in_dim(heard, step, 2, keepdims=False)
    if late.close:
        near = line[delays.close_source, (tick - delays.close_lag) % late.rows]
        long = long + jnp.einsum("kic,cl->kil", delays.close_weight, near)
    return list(long)
