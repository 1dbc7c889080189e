"""The variables of a BrainPy system, by their names."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from gbaexplore.basics.errors import UserError, unknown

NAMING = threading.RLock()  # BrainPy counts the names of its objects without one


def variable_names(system: Any) -> list[str]:
    """Return the names of a system's variables, as it calls them."""
    return [name.removeprefix(".") for name in system.vars(method="relative")]


def variable_of(system: Any, name: str) -> Any:
    """Return a system's Variable by its name, or that of a part ("cells.V")."""
    import brainpy.math as bm

    found = system
    for part in name.split("."):
        found = getattr(found, part, None)
    if not isinstance(found, bm.Variable):
        known = variable_names(system)
        raise UserError(unknown(f'no Variable "{name}" in {type(system).__name__}', name, known, "Variables"))
    return found


@contextlib.contextmanager
def tracked() -> Iterator[Any]:
    """Follow what is read and written, and put it back at the end: no value of a trace stays in a Variable."""
    import brainstate

    with brainstate.StateTraceStack() as trace:
        try:
            yield trace
        finally:
            trace.recovery_original_values()
