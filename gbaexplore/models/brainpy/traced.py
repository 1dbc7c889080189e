"""Checks of a BrainPy system's traced program: reproducible, no random numbers, double precision."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

from gbaexplore.basics.errors import UserError

RANDOM = "update of {} draws random numbers, which would be the same in every point; expected a system without noise"


def check_same(name: str, first: Any, second: Any) -> None:
    """Raise UserError for a system that differs each time it is built."""
    texts = [re.sub("0x[0-9a-f]+", "", str(traced)) for traced in (first, second)]
    pairs = zip(first.consts, second.consts)
    if texts[0] != texts[1] or not all(np.array_equal(a, b) for a, b in pairs):
        raise UserError(
            f"{name} is a different system each time it is built, as with random numbers drawn without a seed of its "
            "own; expected the same one: give initial values (such as x_initializer=bp.init.ZeroInit()), or set the "
            "seed in the function that makes it"
        )


def check_double(name: str, traced: Any) -> None:
    """Raise UserError for a system that computes in single precision in a study of float64."""
    variables = [v for equation in _equations(traced.jaxpr) for v in (*equation.invars, *equation.outvars)]
    low = {str(v.aval.dtype) for v in variables if hasattr(v.aval, "dtype")} & {"float32", "float16", "bfloat16"}
    if low:
        raise UserError(
            f"{name} computes in {min(low)} in a study of float64; expected arrays made while the system is built, by "
            "jax.numpy or brainpy.math without a dtype, or by NumPy in float64"
        )


def draws_numbers(jaxpr: Any) -> bool:
    """Return whether a traced program draws random numbers."""
    names = (equation.primitive.name for equation in _equations(jaxpr))
    return any(name.startswith(("random_", "threefry", "rng_")) for name in names)


def _equations(jaxpr: Any) -> Iterator[Any]:
    """Yield the operations of a program and of the programs inside it."""
    for equation in jaxpr.eqns:
        yield equation
        for value in equation.params.values():
            for inner in value if isinstance(value, (tuple, list)) else [value]:
                inner = getattr(inner, "jaxpr", inner)
                if hasattr(inner, "eqns"):
                    yield from _equations(inner)
