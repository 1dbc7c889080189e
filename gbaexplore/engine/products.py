"""What areas receive where each lane has a network of its own, with the bits of lanes that share one.

XLA's product of a network with 64 columns adds its terms one after another, each fused with its multiplication. With
fewer columns it has several such sums, of every second term or every fourth, and adds them at the end; so has what is
left of a number of areas that is no multiple of these. `sums` finds their number on the processor at hand.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.extend.core import Literal, Primitive
from jax.interpreters import batching

from gbaexplore.engine.plan import lanes_of
from gbaexplore.engine.platform import accelerated, compiler_options

_MOST_BYTES = 2**20  # of the weights of all lanes: from outside of a core's own cache they take many times as long
_SUMS = (1, 2, 4, 8)


class OneNetwork(Exception):
    """Lanes can't have networks of their own: the model does something else with the weights than weights @ x."""


def may_differ(areas: int, dtype: str) -> bool:
    """Return whether lanes may have networks of their own, which would else take longer than empty lanes do."""
    return areas**2 * lanes_of(areas) * np.dtype(dtype).itemsize <= _MOST_BYTES and not accelerated()


@functools.lru_cache(maxsize=64)
def sums(areas: int, dtype: str, lanes: int) -> int | None:
    """Return of how many sums a product has the bits of weights @ x with so many columns; None if of no such number."""
    if not may_differ(areas, dtype):
        return None
    rng = np.random.default_rng(0)
    # Of all sizes and of both signs, so that another order of the sums would show.
    weights = (rng.standard_normal((areas, areas)) * 10.0 ** rng.uniform(-3, 3, (areas, areas))).astype(dtype)
    x = rng.standard_normal((areas, lanes)).astype(dtype)
    options = compiler_options(jax.default_backend())
    with jax.enable_x64(dtype == "float64"):
        expected = np.asarray(jax.jit(lambda weights, x: weights @ x, compiler_options=options)(weights, x))
        own, zero = np.ascontiguousarray(np.broadcast_to(weights[..., None], (areas, areas, lanes))), x.dtype.type(0)
        for number in _SUMS:
            program = jax.jit(functools.partial(_product, number), compiler_options=options)
            if np.asarray(program(own, x, zero)).tobytes() == expected.tobytes():
                return number
    return None


def _product(number: int, weights: Any, x: Any, zero: Any) -> Any:
    """Return what areas receive, (area, lanes), of (area, area, lanes) weights and (area, lanes) of what is sent.

    Args:
        number: of sums.
        zero: one that the compiler can't know, so that it fuses no other multiplication with an addition.
    """

    def added(terms: range) -> Any:
        parts = [jnp.broadcast_to(zero, x.shape)] * number
        for i, term in enumerate(terms):
            parts[i % number] = parts[i % number] + weights[:, term] * x[term]
        while len(parts) > 1:
            parts = [a + b for a, b in zip(parts[::2], parts[1::2])]
        return parts[0]

    areas = x.shape[0]
    whole = areas - areas % number
    received = added(range(whole))
    return received + added(range(whole, areas)) if whole < areas else received


_product_p = Primitive("own_product")
_product_p.def_abstract_eval(lambda weights, x, zero, *, number: x)


def _of_lanes(args: Sequence[Any], axes: Sequence[int | None], *, number: int) -> tuple[Any, int]:
    weights, x, zero = args
    own, others, _ = axes
    assert own is not None
    lanes = weights.shape[own]
    x = jnp.moveaxis(x, others, -1) if others is not None else jnp.broadcast_to(x[:, None], (*x.shape, lanes))
    return _product(number, jnp.moveaxis(weights, own, -1), x, zero), 1


batching.primitive_batchers[_product_p] = _of_lanes


class Matrices(NamedTuple):
    """Weights of networks by pathway, and what is computed of them outside of the loop over steps."""

    weights: Any  # a tree of (area, area), or with lanes or networks as a further axis
    strength: Any  # the same of (area,): sums over sources


def with_strength(weights: Any) -> Matrices:
    """Return matrices, (area, area, network), with their sums over sources."""
    # One by one: sums of several at once have other last bits than that of one.
    one = functools.partial(jax.tree.map, lambda w: w.sum(axis=1))
    strength = lax.map(one, jax.tree.map(lambda w: jnp.moveaxis(w, -1, 0), weights))
    return Matrices(weights, jax.tree.map(lambda s: s.T, strength))


def with_own_products(function: Callable[..., Any], number: int, zero: Any) -> Callable[..., Any]:
    """Return a function of one point (weights, ...), of `Matrices` in which lanes may differ in place of weights.

    Raises:
        OneNetwork: it does something else with weights than weights @ x and weights.sum(axis=1).
    """

    def changed(matrices: Matrices, *args: Any) -> Any:
        closed, shape = jax.make_jaxpr(function, return_shape=True)(matrices.weights, *args)
        given = list(zip(jax.tree.leaves(matrices.weights), jax.tree.leaves(matrices.strength)))
        given += [(value, None) for value in jax.tree.leaves(args)]
        found = _evaluated(closed.jaxpr, closed.consts, given, number, zero)
        return jax.tree.unflatten(jax.tree.structure(shape), found)

    return changed


def _evaluated(jaxpr: Any, consts: Sequence[Any], args: Sequence[tuple[Any, Any]], number: int, zero: Any) -> list[Any]:
    """Return the outputs of a traced function of pairs: a value and None, or weights and their strength."""
    known = dict(zip(jaxpr.invars, args)) | {v: (c, None) for v, c in zip(jaxpr.constvars, consts)}

    def read(atom: Any) -> tuple[Any, Any]:
        return (atom.val, None) if isinstance(atom, Literal) else known[atom]

    def plain(atom: Any) -> Any:
        value, strength = read(atom)
        if strength is not None:
            raise OneNetwork
        return value

    for equation in _needed(jaxpr):
        primitive, params = equation.primitive, equation.params
        (value, strength), *others = [read(atom) for atom in equation.invars] or [(None, None)]
        if strength is not None and primitive is lax.reduce_sum_p and params["axes"] == (1,):
            found = [strength]
        elif strength is not None and _is_product(equation) and others[0][1] is None:
            found = [_product_p.bind(value, others[0][0], zero, number=number)]
        elif primitive.name in ("jit", "pjit") and any(s is not None for _, s in [(value, strength), *others]):
            inner = params["jaxpr"]
            found = _evaluated(inner.jaxpr, inner.consts, [(value, strength), *others], number, zero)
        else:
            found = primitive.bind(*map(plain, equation.invars), **primitive.get_bind_params(params))
            found = found if primitive.multiple_results else [found]
        known |= {v: (value, None) for v, value in zip(equation.outvars, found)}
    return [plain(atom) for atom in jaxpr.outvars]


def _needed(jaxpr: Any) -> list[Any]:
    """Return the operations that results depend on, as of `zeros_like(weights[0])` nothing does but its shape."""
    wanted, found = {atom for atom in jaxpr.outvars if not isinstance(atom, Literal)}, []
    for equation in reversed(jaxpr.eqns):
        if equation.effects or not wanted.isdisjoint(equation.outvars):
            wanted |= {atom for atom in equation.invars if not isinstance(atom, Literal)}
            found.append(equation)
    return found[::-1]


def _is_product(equation: Any) -> bool:
    """Return whether an operation is matrix @ x, of an x that has one number an area."""
    if equation.primitive is not lax.dot_general_p:
        return False
    matrix, x = (atom.aval for atom in equation.invars)
    return (
        x.ndim == 1
        and equation.params["dimension_numbers"] == (((1,), (0,)), ((), ()))
        and equation.params["precision"] is None
        and equation.outvars[0].aval.dtype == matrix.dtype == x.dtype
    )


def check_unused(function: Callable[..., Any], weights: Any) -> None:
    """Raise OneNetwork if what a function returns depends on weights."""
    jaxpr = jax.make_jaxpr(function)(weights).jaxpr
    used = [atom for equation in _needed(jaxpr) for atom in equation.invars] + jaxpr.outvars
    if any(not isinstance(atom, Literal) and atom in jaxpr.invars for atom in used):
        raise OneNetwork
