"""A store's history: lines of JSON, oldest first, written by the process that runs the study."""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

from gbaexplore.basics.names import STATUS
from gbaexplore.basics.places import remote
from gbaexplore.store.own import own_file

# In an array's folder, because zarr warns about unknown files in a group's folder.
_FILE = f"{STATUS}/history.jsonl"
_REWRITTEN_S = 5.0


class Log:
    """The history of a store, open for new events."""

    def __init__(self, path: Path) -> None:
        self._file = path / _FILE
        self._lines = b""
        self._written = time.monotonic()

    def add(self, event: str, **details: Any) -> None:
        """Add an event."""
        when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self._lines += json.dumps({"event": event, "when": when, **details}).encode() + b"\n"
        # An object store can't append: the whole file is rewritten, so not with every line.
        if not remote(self._file) or time.monotonic() - self._written > _REWRITTEN_S:
            self.flush()

    def flush(self) -> None:
        """Write the events that were buffered."""
        if not self._lines:
            return
        if remote(self._file):
            self._file.write_bytes((self._file.read_bytes() if self._file.exists() else b"") + self._lines)
        else:
            with self._file.open("ab+") as file:
                # A killed process may have left half a line.
                half = file.tell() and (file.seek(-1, os.SEEK_END), file.read())[1] != b"\n"
                file.write(b"\n" * bool(half) + self._lines)
        self._lines, self._written = b"", time.monotonic()


def history(path: Path) -> list[dict[str, Any]]:
    """Return a store's events; a line that a killed process left unfinished is skipped."""
    found = []
    with contextlib.suppress(OSError):
        for line in own_file(path, _FILE).read_text(errors="replace").splitlines():
            with contextlib.suppress(ValueError, RecursionError):
                event = json.loads(line)
                if isinstance(event, dict) and isinstance(event.get("event"), str):
                    found.append(event)
    return found


def copy_history(path: Path, new: Path) -> None:
    """Copy the history of one store folder to another."""
    with contextlib.suppress(FileNotFoundError):
        shutil.copyfile(path / _FILE, new / _FILE)
