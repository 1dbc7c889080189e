"""The state of a BrainPy system: the values of its variables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax


@jax.tree_util.register_pytree_node_class
class BrainPyState:
    """The values of a system's Variables; its attributes are the changes of the monitored ones.

    Args:
        variables: the monitored ones first, then all others that a step changes, each of any shape.
        initial: values of the first of them: the monitored ones, all of them if a response can be over.
        steps: () int32, how many there have been.
    """

    def __init__(self, monitors: tuple[str, ...], variables: list[Any], initial: list[Any], steps: Any) -> None:
        self._monitors, self._variables, self._initial, self._steps = monitors, variables, initial, steps

    def __getattr__(self, name: str) -> Any:
        if name not in self.__dict__.get("_monitors", ()):
            raise AttributeError(name)
        at = self._monitors.index(name)
        return change_of(self._variables[at], self._initial[at])

    # As in a NamedTuple of the observables.

    @property
    def _fields(self) -> tuple[str, ...]:
        return self._monitors

    def __iter__(self) -> Iterator[Any]:
        return (getattr(self, name) for name in self._monitors)

    def tree_flatten(self) -> tuple[tuple[Any, ...], tuple[str, ...]]:
        return (self._variables, self._initial, self._steps), self._monitors

    @classmethod
    def tree_unflatten(cls, monitors: tuple[str, ...], children: tuple[Any, ...]) -> BrainPyState:
        return cls(monitors, *children)


def change_of(value: Any, initial: Any) -> Any:
    """Return the change of a Variable, as real numbers: spikes are 1."""
    return value.astype(float) - initial.astype(float)
