"""One writer at a time: a lock beside a store, that counts for nothing once its process has died."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gbaexplore.errors import UserError
from gbaexplore.places import exists, remote

_RENEWED_S, _DEAD_S = 20.0, 90.0


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock of a store.

    Raises:
        UserError: another process holds it.
        OSError: its folder can't be written to.
    """
    place = path.with_name(f".{path.name}.lock")
    with _object(place, path) if remote(path) else _file(place, path):
        yield


def _me() -> str:
    return json.dumps({"process": os.getpid(), "host": platform.node(), "since": time.ctime()})


def _refusal(path: Path, holder: str) -> UserError:
    try:
        who = "process {process} on {host} since {since}".format(**json.loads(holder))
    except (ValueError, KeyError):
        who = "another process"
    until = f"; if it has died, its lock ends {_DEAD_S:.0f} s later" if remote(path) else ""
    return UserError(f"{path} is being written by {who}; wait for it, or stop it{until}")


@contextlib.contextmanager
def _file(place: Path, path: Path) -> Iterator[None]:
    """The operating system's lock on a file: it ends with its process."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with place.open("a+") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.seek(0)
                raise _refusal(path, file.read()) from None
            except OSError as error:
                raise UserError(
                    f"{path}: its file system has no locks ({error.strerror}), which keep two runs apart; choose a "
                    "--store on another one"
                ) from None
            # Whoever held it before may have removed it between our opening and our locking it.
            if exists(place) and os.path.samestat(place.stat(), os.fstat(file.fileno())):
                file.truncate(0)
                file.write(_me())
                file.flush()
                try:
                    yield
                finally:
                    with contextlib.suppress(OSError):
                        place.unlink()
                return


@contextlib.contextmanager
def _object(place: Any, path: Path) -> Iterator[None]:
    """An object that only one process can create, and that it keeps renewing: one that it has not has died."""
    text = _me()
    try:
        place.fs.pipe_file(place.path, text.encode(), mode="create")
    except FileExistsError:
        if time.time() - place.stat().st_mtime < _DEAD_S:
            raise _refusal(path, place.read_text()) from None
        place.write_text(text)
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(_RENEWED_S):
            with contextlib.suppress(Exception):  # the next time, or the run itself, may do better
                place.write_text(text)

    renewing = threading.Thread(target=renew, daemon=True)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()
        with contextlib.suppress(Exception):
            place.unlink()
