"""A function of one point as one of all lanes, which are the last axis of every value in it, the intermediate ones too.

`jax.vmap` moves the lanes to the front where an array gets an axis more or fewer, as where a row of a point's random
numbers is taken. All that follows is then computed in the other layout, at twice the time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax import lax
from jax.extend.core import Literal


def each(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of arrays of one point as one of arrays of all lanes, the last axis."""

    def mapped(*args: Any) -> Any:
        one = jax.tree.map(lambda a: jax.ShapeDtypeStruct(a.shape[:-1], a.dtype), args)
        closed, shape = jax.make_jaxpr(function, return_shape=True)(*one)
        values = jax.tree.leaves(args)
        lanes = values[0].shape[-1]
        found = _evaluated(closed.jaxpr, [(c, False) for c in closed.consts], [(v, True) for v in values], lanes)
        spread = [v if has else jax.numpy.broadcast_to(v[..., None], (*v.shape, lanes)) for v, has in found]
        return jax.tree.unflatten(jax.tree.structure(shape), spread)

    return mapped


def _evaluated(jaxpr: Any, consts: list[Any], args: list[Any], lanes: int) -> list[Any]:
    """Return the outputs of a traced function: pairs of a value and whether it has lanes."""
    known = dict(zip([*jaxpr.constvars, *jaxpr.invars], [*consts, *args]))

    def read(atom: Any) -> Any:
        return (atom.val, False) if isinstance(atom, Literal) else known[atom]

    for equation in jaxpr.eqns:
        given = [read(atom) for atom in equation.invars]
        if equation.primitive.name in ("jit", "pjit"):
            inner = equation.params["jaxpr"]
            made = _evaluated(inner.jaxpr, [(c, False) for c in inner.consts], given, lanes)
        else:
            made = _applied(equation, given, lanes)
        known.update(zip(equation.outvars, made))
    return [read(atom) for atom in jaxpr.outvars]


def _applied(equation: Any, given: list[Any], lanes: int) -> list[Any]:
    primitive, params = equation.primitive, equation.params
    values, mapped = [value for value, _ in given], [has for _, has in given]
    if mapped == [True] and primitive is lax.squeeze_p:
        return [(lax.squeeze(values[0], params["dimensions"]), True)]
    if mapped == [True] and primitive is lax.reshape_p and params["dimensions"] is None:
        return [(lax.reshape(values[0], (*params["new_sizes"], lanes)), True)]
    if mapped == [True] and primitive is lax.broadcast_in_dim_p:
        places = (*params["broadcast_dimensions"], len(params["shape"]))
        return [(lax.broadcast_in_dim(values[0], (*params["shape"], lanes), places), True)]

    def bound(*values: Any) -> Any:
        return primitive.bind(*values, **primitive.get_bind_params(params))

    if any(mapped):
        bound = jax.vmap(bound, [-1 if has else None for has in mapped], -1)
    found = bound(*values)
    return [(value, any(mapped)) for value in (found if primitive.multiple_results else [found])]
