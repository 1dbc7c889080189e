"""Parameters of a model: their declaration, and their values at one point."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import numpy as np

from gbaexplore.basics.errors import unknown


@dataclasses.dataclass(frozen=True)
class ParameterInfo:
    """What is declared of a parameter, once: attributes, labels, `info` and checks derive from it."""

    name: str
    default: float
    units: str
    doc: str
    minimum: float
    above: float


def parameter(default: float, *, units: str, doc: str, minimum: float = -np.inf, above: float = -np.inf) -> Any:
    """Declare a parameter of a model: its default, unit, meaning and smallest value (`above`: excluded)."""
    meta = {"units": units, "doc": doc, "minimum": minimum, "above": above}
    return dataclasses.field(default=default, metadata={"parameter": meta})


class Parameters:
    """The parameters of a point by name, as attributes: what a model's functions get as `p`."""

    def __init__(self, values: dict[str, Any]) -> None:
        self.__dict__.update(values)

    def __getattr__(self, name: str) -> Any:
        # An AttributeError, so that the line of the model's code that asked can be told.
        known = list(self.__dict__)
        raise AttributeError(unknown(f'no parameter "{name}"', name, known, "Parameters"))


jax.tree_util.register_pytree_node(
    Parameters,
    lambda p: (tuple(vars(p).values()), tuple(vars(p))),
    lambda names, values: Parameters(dict(zip(names, values))),
)
