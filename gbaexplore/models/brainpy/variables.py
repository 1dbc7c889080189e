"""The Variables of a BrainPy system by name."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from gbaexplore.basics.errors import UserError, unknown

NAMING = threading.RLock()  # BrainPy numbers its objects' names without a lock


def variable_names(system: Any) -> list[str]:
    """Return the names of a system's Variables."""
    return [name.removeprefix(".") for name in system.vars(method="relative")]


def variable_of(system: Any, name: str) -> Any:
    """Return a system's Variable by name, or a part's ("cells.V")."""
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
    """Record reads and writes of Variables, and restore their values at the end: no traced value stays in one."""
    import brainstate

    with brainstate.StateTraceStack() as trace:
        try:
            yield trace
        finally:
            trace.recovery_original_values()
