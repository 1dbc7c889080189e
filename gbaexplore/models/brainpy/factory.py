"""Arguments of the function or class that makes a BrainPy system: parameters and options."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np

from gbaexplore.basics.errors import UserError, unknown
from gbaexplore.identity.code import code_hash

FROM_NETWORK = ("weights", "net")


def arguments_of(factory: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return a factory's arguments by name, including those of the bases of a class that passes on **kwargs."""
    found: dict[str, inspect.Parameter] = {}
    for makes in [factory, *getattr(factory, "__mro__", ())[1:]]:
        arguments = inspect.signature(makes).parameters
        found = {**arguments, **found}
        if not any(argument.kind is argument.VAR_KEYWORD for argument in arguments.values()):
            break
    return {name: a for name, a in found.items() if a.kind not in (a.VAR_POSITIONAL, a.VAR_KEYWORD)}


def completed(factory: Callable[..., Any], options: dict[str, Any]) -> dict[str, Any]:
    """Return the options, once every argument is known to be given or to have a default."""
    known, what = arguments_of(factory), factory.__qualname__
    others = any(a.kind is inspect.Parameter.VAR_KEYWORD for a in inspect.signature(factory).parameters.values())
    for name in options:
        if name not in known and not others:
            raise UserError(unknown(f'options: no argument "{name}" in {what}', name, known, "Arguments"))
    for name, argument in known.items():
        if argument.default is argument.empty and name not in (*options, *FROM_NETWORK):
            raise UserError(
                f'nothing gives the argument "{name}" of {what}; expected options={{"{name}": ...}}, or a default such '
                "as 1.0, which makes it a parameter"
            )
    return options


def described(value: Any, owner: str) -> Any:
    """Return a JSON description that identifies the option's value."""
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    if isinstance(value, (list, tuple)):
        return [described(item, owner) for item in value]
    if isinstance(value, Mapping):
        return {str(key): described(item, owner) for key, item in value.items()}
    if isinstance(value, (np.ndarray, np.generic, jax.Array)):
        array = np.ascontiguousarray(value)
        digest = hashlib.sha256(array.tobytes()).hexdigest()
        return {"shape": list(array.shape), "dtype": str(array.dtype), "sha256": digest}
    if inspect.isclass(value) or inspect.isfunction(value):
        return {"name": value.__qualname__, "code": code_hash(value)}
    # Not objects with state (BrainPy's have an `update`): the first point would change them for all others.
    if hasattr(value, "__dict__") and not inspect.ismodule(value) and not hasattr(value, "update"):
        inside = {name: described(item, owner) for name, item in vars(value).items()}
        return {"kind": type(value).__qualname__, "code": code_hash(type(value)), **inside}
    raise UserError(
        f"an option of {owner} is {type(value).__name__}; expected numbers, text, arrays, functions or initializers, "
        "which a store can identify"
    )
