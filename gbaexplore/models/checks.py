"""Whether what a model returns has the shape and kind that it must have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from gbaexplore.basics.errors import UserError, defined_at
from gbaexplore.basics.numbers import number
from gbaexplore.models.base import Model

_LARGEST = float(np.finfo(np.float32).max)


def checked_values(model: Model, values: Mapping[str, np.ndarray]) -> None:
    """Raise UserError for a parameter value below what its declaration allows, or that `model.check` refuses."""
    for name, found in values.items():
        if not np.isfinite(found).all():
            raise UserError(f"{name} has a value that is not a finite number; expected finite numbers")
    for name, info in type(model).parameters().items():
        low = np.min(values[name])
        if low < info.minimum or low <= info.above:
            bound = f"at least {info.minimum:g}" if np.isfinite(info.minimum) else f"above {info.above:g}"
            raise UserError(f"{name} = {low:g} {info.units}; expected {bound}: {info.doc}")
        if np.abs(values[name]).max() > _LARGEST:
            raise UserError(f"{name} reaches beyond {_LARGEST:.2g} {info.units}; expected what single precision holds")
    model.check(values)


def parameter_values(model: Model) -> dict[str, float]:
    """Return the value that a model has of each of its parameters.

    Raises:
        UserError: one is no finite number.
    """
    return {
        name: number(getattr(model, name), f"{name} of {type(model).__name__}") for name in type(model).parameters()
    }


def checked_start(model: Model, x: Any, areas: int) -> Any:
    """Return the state that `model.start` made.

    Raises:
        UserError: it is no NamedTuple with the observables in it, (area,) each.
    """
    where = defined_at(type(model).start)
    if not hasattr(x, "_fields") or not all(hasattr(x, name) for name in model.observables):
        raise UserError(
            f"{type(model).__name__}.start returns {_fields_of(x)}; expected a NamedTuple with the observables among "
            f"its fields: {', '.join(model.observables)}{where}"
        )
    for name in model.observables:
        if any(np.shape(array) != (areas,) for array in jax.tree.leaves(getattr(x, name))):
            raise UserError(
                f"{type(model).__name__}.start makes {name} of shape {np.shape(getattr(x, name))}; expected one number "
                f"per area: ({areas},){where}"
            )
    return x


def checked_rest(model: Model, rates: Any, areas: int) -> Any:
    """Return the rates that `model.rest` gave.

    Raises:
        UserError: they are not (area,) of each observable.
    """
    where, kind = defined_at(type(model).rest), type(model).__name__
    if not isinstance(rates, Mapping) or not set(model.observables) <= set(rates):
        raise UserError(
            f"{kind}.rest returns {_fields_of(rates)}; expected {{observable: rates}} for "
            f"{', '.join(model.observables)}{where}"
        )
    for name in model.observables:
        if np.shape(rates[name]) != (areas,):
            raise UserError(
                f"{kind}.rest makes {name} of shape {np.shape(rates[name])}; expected one number per area: "
                f"({areas},){where}"
            )
    return rates


def checked_step(model: Model, x: Any, new: Any) -> Any:
    """Return the state `new` that `model.step` made of `x`.

    Raises:
        UserError: it is not a state like the one before: other fields, shapes or types of number.
    """
    where = defined_at(type(model).step)
    structure: Any = jax.tree.structure(x)
    if structure != jax.tree.structure(new):
        raise UserError(
            f"{type(model).__name__}.step returns {_fields_of(new)}; expected a {type(x).__name__} as it got: "
            f"{', '.join(x._fields)}{where}"
        )
    for name, before, after in zip(x._fields, x, new):
        for a, b in zip(jax.tree.leaves(before), jax.tree.leaves(after)):
            if np.shape(a) != np.shape(b) or jnp.result_type(a) != jnp.result_type(b):
                raise UserError(
                    f"{type(model).__name__}.step makes {name} {jnp.result_type(b)} of shape {np.shape(b)}; expected "
                    f"{jnp.result_type(a)} of shape {np.shape(a)}, as before the step{where}"
                )
    return new


def _fields_of(x: Any) -> str:
    if hasattr(x, "_fields"):
        return f"{type(x).__name__}({', '.join(x._fields)})"
    return f"a {type(x).__name__}" + (f" of {', '.join(map(str, x))}" if isinstance(x, Mapping) else "")
