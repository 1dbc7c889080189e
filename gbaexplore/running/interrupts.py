"""Ctrl-C, and other requests to end, as a condition to check.

An exception is raised wherever the main thread happens to be, and is lost in callbacks and in libraries that
catch everything.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any

_watched = [signal.SIGINT]
_pressed = threading.Event()


def watch() -> None:
    """Raise KeyboardInterrupt when Ctrl-C is pressed, as Python does, and remember it in case the exception is lost.

    A batch system's SIGTERM and the end of a terminal (SIGHUP, unless `nohup` has it ignored) count as Ctrl-C.
    """

    def handle(_: int, frame: FrameType | None) -> None:
        _pressed.set()
        # Python would print it there and go on.
        if frame is None or frame.f_code.co_name != "_xla_gc_callback":
            raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        _watched[:] = [signal.SIGINT]
        _watched.extend(n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) != signal.SIG_IGN)
        for number in _watched:
            signal.signal(number, handle)


class Interrupted(KeyboardInterrupt):
    """A run that was interrupted; the text says what is kept."""


class Interrupts:
    """A context in which Ctrl-C raises nothing until `check`; an earlier Ctrl-C counts too."""

    def __enter__(self) -> Interrupts:
        self._before: dict[signal.Signals, Any] = {}
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, lambda *_: _pressed.set()) for number in _watched}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
            _pressed.clear()

    def check(self) -> None:
        """Raise KeyboardInterrupt if Ctrl-C has been pressed."""
        if _pressed.is_set():
            import logging

            _pressed.clear()  # the next one is another
            # Libraries that are closed in a hurry log errors.
            logging.getLogger("distributed").setLevel(logging.CRITICAL)
            raise KeyboardInterrupt
