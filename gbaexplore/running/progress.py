"""A run's progress: a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import time
from typing import TextIO

_WIDTH = 24
_PLAIN_EVERY_S = 5.0


class Progress:
    """Points done, points per second and time left, written to `out` as they change."""

    def __init__(self, total: int, out: TextIO | None = None) -> None:
        self.total, self.done = total, 0
        self.out = out or sys.stderr
        self.terminal = self.out.isatty()
        self.started = time.monotonic()
        self.said = self.started

    def add(self, points: int) -> None:
        """Count points as done and show it."""
        self.done += points
        now = time.monotonic()
        if self.terminal:
            filled = _WIDTH * self.done // self.total
            self._write(f"\r[{'#' * filled}{'.' * (_WIDTH - filled)}] {self}\x1b[K")
        elif now - self.said >= _PLAIN_EVERY_S or self.done == self.total:
            self.said = now
            self._write(f"{self}\n")

    def close(self) -> None:
        """Finish the bar's line."""
        if self.terminal and self.done:
            self._write("\n")

    def _write(self, text: str) -> None:
        """Write if possible: a run goes on when its terminal is gone."""
        with contextlib.suppress(OSError):
            self.out.write(text)
            self.out.flush()

    @property
    def seconds(self) -> float:
        """Time since the start, s."""
        return max(time.monotonic() - self.started, 1e-9)

    def __str__(self) -> str:
        rate = self.done / self.seconds
        left = (self.total - self.done) / rate if rate else 0.0
        return f"{self.done:,}/{self.total:,} points  {rate:,.0f} points/s  {_clock(left)} left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
