"""The identity of a traced function: a hash of the program that the compiler gets.

A value's hash combines its operation, the operation's parameters and the hashes of its inputs; a constant's is that of
its bytes. Names, comments, messages, files, jit wrappers, the order of independent lines and unused code do not count.
Everything that changes a number counts, wherever it is: in a closure, a default argument, a class attribute, a dict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend import core as jex

from gbaexplore.identity.code import code_hash

# Only the body of these operations counts, not a custom derivative: where derivatives are computed, their program is
# traced too.
_CALLS = {"jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "remat", "checkpoint"}
_BODIES = ("jaxpr", "call_jaxpr", "fun_jaxpr")
# The name of an operation, and where it runs, change no number.
_SILENT = {"name", "debug_info", "source_info", "effects", "ctx_mesh", "jaxpr_debug_info", "compiler_options_kvs"}


class Traced(NamedTuple):
    """The identity of a traced function."""

    hash: str
    uses: frozenset[str]
    """Names of the inputs that its results depend on."""


class _Value(NamedTuple):
    hash: str
    uses: frozenset[str]


def traced(function: Callable[..., Any], **inputs: Any) -> Traced:
    """Return the identity of a function's results.

    Args:
        inputs: arrays, trees of arrays, or their shapes, by name. The names count, and the order of a tree's leaves,
            but not the names of the leaves.

    Raises:
        UserError: an operation has a parameter without an identity.
    """
    names: list[str] = []
    for name in sorted(inputs):
        count = len(jax.tree.leaves(inputs[name]))
        names += [name] if count == 1 else [f"{name} {i}" for i in range(count)]
    program = jax.make_jaxpr(lambda given: function(**given))(inputs)
    known = [_Value(_digest(name, _kind(v)), frozenset([name])) for name, v in zip(names, program.jaxpr.invars)]
    found = _results(program, known)
    return Traced(_digest(*(value.hash for value in found))[:16], frozenset().union(*(value.uses for value in found)))


# A program, value by value.


def _results(program: Any, inputs: Sequence[_Value]) -> list[_Value]:
    """Return the identities of a program's results, given those of its inputs."""
    jaxpr, constants = (program.jaxpr, program.consts) if hasattr(program, "consts") else (program, ())
    known = dict(zip(jaxpr.constvars, map(_constant, constants))) | dict(zip(jaxpr.invars, inputs))

    def of(v: Any) -> _Value:
        if isinstance(v, jex.Literal):
            aval: Any = v.aval
            return _constant(np.asarray(v.val, aval.dtype))
        return known[v]

    for eqn in jaxpr.eqns:
        given = [of(v) for v in eqn.invars]
        body = next((eqn.params[name] for name in _BODIES if name in eqn.params), None)
        if eqn.primitive.name in _CALLS and body is not None:
            found = _results(body, given)
        else:
            own = {k: _parameter(v) for k, v in sorted(eqn.params.items()) if k not in _SILENT and v is not None}
            line = _digest(eqn.primitive.name, [value.hash for value in given], own)
            uses = frozenset().union(*(value.uses for value in given))
            found = [_Value(_digest(line, i, _kind(v)), uses) for i, v in enumerate(eqn.outvars)]
        known.update(zip(eqn.outvars, found))
    return [of(v) for v in jaxpr.outvars]


def _parameter(value: Any) -> Any:
    """Return the identity of an operation's parameter."""
    if hasattr(value, "eqns") or hasattr(value, "jaxpr"):  # a loop's or a branch's own program
        jaxpr = value.jaxpr if hasattr(value, "consts") else value
        inputs = [_Value(_digest("input", i, _kind(v)), frozenset()) for i, v in enumerate(jaxpr.invars)]
        return _digest(*(found.hash for found in _results(value, inputs)))
    if isinstance(value, Mapping):
        return {str(key): _parameter(part) for key, part in sorted(value.items())}
    if isinstance(value, (tuple, list)):
        return [_parameter(part) for part in value if part is not None or not hasattr(value, "_fields")]
    if isinstance(value, (np.ndarray, np.generic, jax.Array)):
        return _constant(value).hash
    text = str(value)
    # A function on the host that the program calls: its code identifies it.
    return code_hash(value) if (callable(value) and not isinstance(value, type)) or " at 0x" in text else text


def _constant(array: Any) -> _Value:
    if jnp.issubdtype(jnp.result_type(array), jax.dtypes.prng_key):
        array = jax.random.key_data(array)
    array = np.asarray(array)
    return _Value(_digest("array", str(array.dtype), array.shape, array.tobytes()), frozenset())


def _kind(v: Any) -> tuple[str, tuple[int, ...]]:
    aval = v.aval
    return str(getattr(aval, "dtype", type(aval).__name__)), tuple(getattr(aval, "shape", ()))


def _digest(*parts: Any) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()
