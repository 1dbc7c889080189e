"""Whether a network's product has the same bits with another number of points side by side, on this processor."""

from __future__ import annotations

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gbaexplore.engine.platform import compiler_options


@functools.lru_cache(maxsize=64)
def alike(areas: int, dtype: str, lanes: int, other: int) -> bool:
    """Return whether each column of weights @ x, and what follows from it, has the same bits in `other` as in `lanes`.

    XLA chooses the algorithm of a product by its shape and by the processor. Of what else a step does, each number is
    computed for itself, in vectors of which 16 lanes are a multiple.
    """
    if lanes == other:
        return True
    rng = np.random.default_rng(0)
    # Of all sizes and of both signs, so that another order of the sums would show.
    weights = (rng.standard_normal((areas, areas)) * 10.0 ** rng.uniform(-3, 3, (areas, areas))).astype(dtype)
    x = rng.standard_normal((areas, max(lanes, other))).astype(dtype)

    def steps(weights: jax.Array, x: jax.Array) -> jax.Array:
        def step(_: Any, x: jax.Array) -> jax.Array:
            arrived = jax.vmap(lambda x: weights @ x, -1, -1)(x)
            return x + arrived / (1 + jnp.exp(-jnp.abs(arrived)))

        return jax.lax.fori_loop(0, 3, step, x)

    program = jax.jit(steps, compiler_options=compiler_options(jax.default_backend()))
    with jax.enable_x64(dtype == "float64"):
        found = [np.asarray(program(weights, x[:, :columns])) for columns in (lanes, other)]
    shared = min(lanes, other)
    return found[0][:, :shared].tobytes() == found[1][:, :shared].tobytes()
