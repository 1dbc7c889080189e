"""A run's progress: a bar in a terminal, plain lines elsewhere."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from typing import TextIO

_WIDTH = 24
_NARROWEST = 4
_PLAIN_EVERY_S = 5.0


class Progress:
    """Points done, points per second and time left, written to `out` as they change."""

    def __init__(self, total: int, out: TextIO | None = None) -> None:
        self.total, self.done = total, 0
        self.out = out or sys.stderr
        self.terminal = self.out.isatty()
        self.open = False  # whether the last line has no end yet
        self.stopped = False
        self.started = time.monotonic()
        self.said = self.started

    def add(self, points: int) -> None:
        """Count points as done and show it."""
        self.done += points
        now = time.monotonic()
        if self.stopped:
            return
        if self.terminal:
            self.open = True
            self._write(f"\r{self._line(self._columns())}\x1b[K")
        elif now - self.said >= _PLAIN_EVERY_S or self.done == self.total:
            self.said = now
            self._write(f"{self}\n")

    def stop(self, blocks: int, seconds: float) -> None:
        """Say that the run ends with the blocks that are being computed, and show no more points."""
        self.close()
        self.stopped = True
        what = "the block" if blocks == 1 else f"the {blocks} blocks"
        if self.terminal:
            self._write(f"stopping: waiting for {what} in work, at most {seconds:.0f} s (Ctrl-C again: not at all)\n")

    def close(self) -> None:
        """Finish the bar's line."""
        if self.open:
            self.open = False
            self._write("\n")

    def _line(self, columns: int) -> str:
        """Return the bar with as much beside it as fits: what is done comes first, then the time that is left."""
        share = f"{100 * self.done // self.total}%"
        for words in (
            str(self),
            f"{self.done:,}/{self.total:,} {self._left} left",
            f"{share} {self._left} left",
            share,
        ):
            width = min(_WIDTH, columns - len(words) - 4)  # brackets, a space, and no sign in the last column
            if width >= _NARROWEST:
                filled = width * self.done // self.total
                return f"[{'#' * filled}{'.' * (width - filled)}] {words}"
        return share

    def _columns(self) -> int:
        with contextlib.suppress(OSError, ValueError):
            return os.get_terminal_size(self.out.fileno()).columns or 80
        return 80

    def _write(self, text: str) -> None:
        """Write if possible: a run goes on when its terminal is gone."""
        with contextlib.suppress(OSError):
            self.out.write(text)
            self.out.flush()

    @property
    def seconds(self) -> float:
        """Time since the start, s."""
        return max(time.monotonic() - self.started, 1e-9)

    @property
    def rate(self) -> float:
        """Points per second."""
        return self.done / self.seconds

    @property
    def _left(self) -> str:
        return _clock((self.total - self.done) / self.rate if self.done else 0.0)

    def __str__(self) -> str:
        return f"{self.done:,}/{self.total:,} points  {self.rate:,.0f} points/s  {self._left} left"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
