"""A model's first step and its rest, before anything is compiled."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gbaexplore.basics.errors import UserError, defined_at, raised_at
from gbaexplore.basics.points import AMPLITUDE
from gbaexplore.engine.plan import Batch, Plan
from gbaexplore.engine.programs import Kind
from gbaexplore.models.base import Model
from gbaexplore.models.checks import checked_rest, checked_start, checked_step
from gbaexplore.models.parameters import Parameters
from gbaexplore.models.sending import advanced, checked_sends, looks
from gbaexplore.networks.seen import Network


def try_first_step(plan: Plan, network: Network, values: Mapping[str, float], key: str | None = None) -> None:
    """Take one step of one point, without stimulus.

    Args:
        values: of the parameters; those that are the same at all points may be left out.
        key: from `programs.key`, for what is compiled to be kept; None for a model that has none.

    Raises:
        UserError: the state is no state, or not finite; and whatever the model raises.
    """
    batch = plan.batch
    areas = len(network.weights)
    first = _first(batch, areas)
    with jax.enable_x64(batch.dtype == "float64"):
        net = jax.tree.map(lambda a: np.asarray(a, batch.dtype), network._replace(lengths_mm=None))
        p = Parameters({k: np.full(areas, v, batch.dtype) for k, v in (dict(batch.fixed) | dict(values)).items()})
        compiled = _jitted(first) if key is None else _compiled(Kind.of(batch, key), areas)
        if all(np.isfinite(a).all() for a in jax.tree.leaves(compiled(p, net))):
            return
        swept = {name: value for name, value in values.items() if name not in {AMPLITUDE, *dict(batch.fixed)}}
        kind, at = type(batch.model).__name__, ", ".join(f"{name} = {value:g}" for name, value in swept.items())
        where = defined_at(type(batch.model).start)
        try:
            with jax.debug_nans(True), jax.debug_infs(True), jax.disable_jit():  # now in the line where it happens
                first(*jax.tree.map(jnp.asarray, (p, net)))
        except FloatingPointError as error:
            where = raised_at(error)
        raise UserError(
            f"{kind} is not finite (NaN or infinite) from the start{at and f', at {at}'}; expected finite numbers in "
            f"its first step{where}"
        )


def _first(batch: Batch, areas: int) -> Callable[[Parameters, Network], Any]:
    """Return a function of one point: its start, what is seen and sent of it, and the state after one step."""

    def first(p: Parameters, net: Network) -> Any:
        checked_rest(batch.model, batch.model.rest(p, net), areas)
        random = [jnp.zeros((batch.model.random_start, areas), batch.dtype)] if batch.model.random_start else []
        x = checked_start(batch.model, batch.model.start(p, net, *random), areas)
        nothing = jnp.zeros(batch.model.stimulus_shape(areas), batch.dtype)
        normal = [jnp.zeros((batch.draws, areas), batch.dtype)] if batch.draws else []
        sent = checked_sends(batch.model, x, p, areas)
        seen = looks(batch.model, x, p, net)
        return x, seen, sent, checked_step(batch.model, x, advanced(batch.model, x, p, net, nothing, batch.dt, *normal))

    return first


@functools.lru_cache(maxsize=32)
def _compiled(kind: Kind, areas: int) -> Any:
    return _jitted(_first(kind.batch, areas))


def _jitted(function: Callable[..., Any]) -> Any:
    """Return a function that is called once, so compiled without optimisation: a third less time."""
    return jax.jit(function, compiler_options={"xla_backend_optimization_level": 0})


def resting(model: Model, network: Network, values: Mapping[str, float]) -> dict[str, np.ndarray]:
    """Return the rates that a point's changes are changes from: {observable: (area,)}, float64."""
    with jax.enable_x64(True):
        p = Parameters({name: np.full(len(network.weights), value) for name, value in values.items()})
        return {name: np.asarray(v) for name, v in model.rest(p, network).items()}
