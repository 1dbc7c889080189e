"""Ctrl-C, and what else asks a program to end, as something to ask for.

As an exception it is raised wherever the main thread happens to be, and lost in callbacks and in libraries that
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
    """Raise KeyboardInterrupt when Ctrl-C is pressed, as Python does, and remember it in case that is lost.

    A batch system's SIGTERM and the end of a terminal (SIGHUP, unless `nohup` has it ignored) count as Ctrl-C.
    """

    def handle(_: int, frame: FrameType | None) -> None:
        _pressed.set()
        # There Python would print it and go on.
        if frame is None or frame.f_code.co_name != "_xla_gc_callback":
            raise KeyboardInterrupt

    if threading.current_thread() is threading.main_thread():
        _watched[:] = [signal.SIGINT]
        _watched.extend(n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) != signal.SIG_IGN)
        for number in _watched:
            signal.signal(number, handle)


class Interrupts:
    """While it is entered, Ctrl-C raises nothing; what was pressed before counts."""

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

            # What is closed in a hurry complains about it.
            logging.getLogger("distributed").setLevel(logging.CRITICAL)
            raise KeyboardInterrupt
