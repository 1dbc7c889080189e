"""`BrainPyState`: the values of a system's Variables."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jax


@jax.tree_util.register_pytree_node_class
class BrainPyState:
    """The values of a system's Variables; its attributes are the changes of the monitored ones.

    Args:
        variables: first the monitored ones, then all others that a step changes, each of any shape.
        initial: initial values of the monitored ones, or of all of them if points may end early.
        steps: () int32, the number of steps taken.
    """

    def __init__(self, monitors: tuple[str, ...], variables: list[Any], initial: list[Any], steps: Any) -> None:
        self._monitors, self._variables, self._initial, self._steps = monitors, variables, initial, steps

    def __getattr__(self, name: str) -> Any:
        if name not in self.__dict__.get("_monitors", ()):
            raise AttributeError(name)
        at = self._monitors.index(name)
        return change_of(self._variables[at], self._initial[at])

    # Like a NamedTuple of the observables.

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
    """Return the change of a Variable as real numbers; a spike is 1."""
    return value.astype(float) - initial.astype(float)
