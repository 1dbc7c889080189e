"""Parameters of a model: how they are declared, and their values at one point."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np

from gbaexplore.basics.errors import unknown


@dataclasses.dataclass(frozen=True)
class ParameterInfo:
    """The declaration of a parameter, from which attributes, labels, `info` and checks derive."""

    name: str
    default: float
    units: str
    doc: str
    minimum: float
    above: float


def parameter(
    default: float, *, units: str, doc: str, minimum: float = -np.inf, above: float = -np.inf, init: bool = True
) -> Any:
    """Declare a parameter of a model: default, unit, meaning and smallest value (`above` excludes the bound itself).

    Without `init` it is no argument of the model: something else gives its value.
    """
    meta = {"units": units, "doc": doc, "minimum": minimum, "above": above}
    return dataclasses.field(default=default, init=init, metadata={"parameter": meta})


class Parameters:
    """The parameters of a point as attributes: the argument `p` of a model's methods."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        # An AttributeError, so that the message can name the line of the model's code.
        known = list(self.__dict__)
        raise AttributeError(unknown(f'no parameter "{name}"', name, known, "Parameters"))


jax.tree_util.register_pytree_node(
    Parameters,
    lambda p: (tuple(vars(p).values()), tuple(vars(p))),
    lambda names, values: Parameters(dict(zip(names, values))),
)
