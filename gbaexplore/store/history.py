"""What has happened to a store: lines of JSON, oldest first, by the one process that runs it."""

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

# Beside an array's chunks, because zarr warns of files in a group's folder that it does not know.
_FILE = f"{STATUS}/history.jsonl"
_REWRITTEN_S = 5.0


class Log:
    """The history of a store, to add to."""

    def __init__(self, path: Path) -> None:
        self._file = path / _FILE
        self._lines = b""
        self._written = time.monotonic()

    def add(self, event: str, **details: Any) -> None:
        """Say what has happened."""
        when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        self._lines += json.dumps({"event": event, "when": when, **details}).encode() + b"\n"
        # An object store can't append: all of it is written anew, so not for each line.
        if not remote(self._file) or time.monotonic() - self._written > _REWRITTEN_S:
            self.flush()

    def flush(self) -> None:
        """Write what has been kept back."""
        if not self._lines:
            return
        if remote(self._file):
            self._file.write_bytes((self._file.read_bytes() if self._file.exists() else b"") + self._lines)
        else:
            with self._file.open("ab+") as file:
                # A process that was killed may have left half a line.
                half = file.tell() and (file.seek(-1, os.SEEK_END), file.read())[1] != b"\n"
                file.write(b"\n" * bool(half) + self._lines)
        self._lines, self._written = b"", time.monotonic()


def history(path: Path) -> list[dict[str, Any]]:
    """Return what has happened to a store; a line that a killed process left unfinished is left out."""
    found = []
    with contextlib.suppress(OSError):
        for line in own_file(path, _FILE).read_text(errors="replace").splitlines():
            with contextlib.suppress(ValueError, RecursionError):
                if isinstance(event := json.loads(line), dict):
                    found.append(event)
    return found


def copy_history(path: Path, new: Path) -> None:
    """Give a store the history of another; both are folders."""
    with contextlib.suppress(FileNotFoundError):
        shutil.copyfile(path / _FILE, new / _FILE)
