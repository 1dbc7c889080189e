"""Work on a thread of its own, beside what does not need its result yet."""

from __future__ import annotations

import atexit
import threading
from collections.abc import Callable
from typing import Any

from gbaexplore.basics.errors import UserError, one_line
from gbaexplore.running.interrupts import Interrupts


class InBackground:
    """The result of a function that runs on its own thread."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(function,), daemon=True)
        self._thread.start()

    def _run(self, function: Callable[[], Any]) -> None:
        try:
            function()
        except BaseException as error:  # raised again by `result`
            self._error = error

    def __enter__(self) -> InBackground:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # The interpreter aborts if it ends while XLA compiles on another thread.
        if kind is not None and issubclass(kind, KeyboardInterrupt):
            atexit.register(self._thread.join)
        else:
            self._thread.join()

    def result(self, interrupts: Interrupts) -> None:
        """Wait for the result; raise the function's exception, with its line if it comes from a model."""
        while self._thread.is_alive():
            self._thread.join(0.05)
            interrupts.check()
        if isinstance(self._error, UserError):
            raise self._error
        if self._error is not None:
            raise UserError(f"the study can't be simulated: {one_line(self._error)}; fix the model or the measure")
