"""One run at a time: a lock beside a store, ignored once its process has died.

Workers write blocks and may outlive their run. So there is a second lock, inside the store: workers share it, and
whoever replaces the store or removes part of it holds it alone.
"""

from __future__ import annotations

import _thread
import contextlib
import fcntl
import hashlib
import json
import logging
import os
import platform
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.names import STATUS
from gbaexplore.basics.places import exists, real, remote

_LOGGER = logging.getLogger(__name__)
_RENEWED_S, _DEAD_S = 20.0, 90.0
# In an array's folder, because zarr warns about unknown files in a group's folder.
_WRITING = f"{STATUS}/writing.lock"
_PATIENCE_S = 10.0  # a block is written in milliseconds, on a busy file system in seconds


@contextlib.contextmanager
def held(path: Path) -> Iterator[None]:
    """Hold the lock of a store, which the store and all symbolic links to it share.

    Raises:
        UserError: another process holds it.
        OSError: its folder can't be written to.
    """
    there = real(path)
    place = there.with_name(f".{there.name}.lock")
    with _object(place, path) if remote(path) else _file(place, path):
        yield


def _me() -> str:
    who = {"process": os.getpid(), "host": platform.node(), "since": time.ctime(), "id": uuid.uuid4().hex}
    return json.dumps(who)


def _refusal(path: Path, holder: str) -> UserError:
    try:
        who = "process {process} on {host} since {since}".format(**json.loads(holder))
    except (ValueError, KeyError):
        who = "another process"
    until = f"; if it has died, its lock ends {_DEAD_S:.0f} s later" if remote(path) else ""
    return UserError(f"{path} is being written by {who}; wait for it, or stop it{until}")


@contextlib.contextmanager
def _file(place: Path, path: Path) -> Iterator[None]:
    """Hold the operating system's lock on a file; it ends with its process."""
    place.parent.mkdir(parents=True, exist_ok=True)
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
            # The previous holder may have removed it after we opened it and before we locked it.
            if _at(place, file):
                file.truncate(0)
                file.write(_me())
                file.flush()
                try:
                    yield
                finally:
                    with contextlib.suppress(OSError):
                        if _at(place, file):  # else somebody has removed it, and it is another run's by now
                            place.unlink()
                return


def _at(place: Path, file: IO[str]) -> bool:
    return exists(place) and os.path.samestat(place.stat(), os.fstat(file.fileno()))


@contextlib.contextmanager
def _object(place: Any, path: Path) -> Iterator[None]:
    """Hold an object that only one process can create; its holder keeps renewing it, so an old one is dead."""
    text = _me()
    try:
        place.fs.pipe_file(place.path, text.encode(), mode="create")
    except FileExistsError:
        _take_over(place, path, text)
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(_RENEWED_S):
            with contextlib.suppress(Exception):  # the next renewal, or the run itself, may succeed
                if _content(place) not in (None, text):
                    _LOGGER.warning("%s: another run has taken the lock, which was not renewed in time", path)
                    return _thread.interrupt_main()
                place.write_text(text)
        return None

    renewing = threading.Thread(target=renew, daemon=True)
    renewing.start()
    try:
        yield
    finally:
        ended.set()
        renewing.join()
        with contextlib.suppress(Exception):
            if _content(place) == text:
                place.unlink()


def _content(place: Any) -> str | None:
    try:
        return place.read_text()
    except FileNotFoundError:
        return None


def _written(place: Any) -> float:
    """Return when an object was written, s, by the store's clock."""
    place.fs.invalidate_cache()
    return place.fs.modified(place.path).timestamp()


def _take_over(place: Any, path: Path, text: str) -> None:
    """Take over the lock of a process that has died, so that only one process does.

    Its age is measured by the store's clock, against an object written now, since our clock may be wrong. If several
    processes find it dead, only one can create the object named after it.
    """
    there = _content(place) or "{}"
    new = place.with_name(f"{place.name}.{uuid.uuid4().hex}")
    new.write_text(text)
    try:
        now = _written(new)
    finally:
        new.unlink()
    if now - _written(place) < _DEAD_S:
        raise _refusal(path, there)
    claim = place.with_name(f"{place.name}.{hashlib.sha256(there.encode()).hexdigest()[:16]}")
    try:
        place.fs.pipe_file(claim.path, text.encode(), mode="create")
    except FileExistsError:
        if now - _written(claim) > _DEAD_S:  # left by a process that died while taking over
            claim.unlink()
        raise _refusal(path, there) from None
    try:
        if (current := _content(place)) not in (there, None):
            raise _refusal(path, current)
        place.write_text(text)
    finally:
        claim.unlink()


@contextlib.contextmanager
def among_writers(path: Path) -> Iterator[Path]:
    """Share the writers' lock of the store now at `path` and yield its folder as `own_folder` does.

    No run replaces the store before the end. An object store has no such lock.

    Raises:
        OSError: there is none, or it can't be written to.
    """
    if remote(path):
        yield path
        return
    with _entered(path, lambda file: fcntl.flock(file, fcntl.LOCK_SH)) as folder:
        yield folder


@contextlib.contextmanager
def without_writers(path: Path) -> Iterator[None]:
    """Keep workers from writing to the store at `path`; afterwards they go on with whatever is there.

    Raises:
        UserError: a worker does not finish writing its block.
        OSError: there is none, or it can't be written to.
    """

    def take(file: int) -> None:
        end = time.monotonic() + _PATIENCE_S
        while True:
            try:
                return fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() > end:
                    raise UserError(
                        f"a worker is still writing to {path}, since {_PATIENCE_S:g} s or more; expected none: wait "
                        "for it, or stop it, and run again"
                    ) from None
                time.sleep(0.02)

    with contextlib.nullcontext() if remote(path) else _entered(path, take):
        yield


@contextlib.contextmanager
def _entered(path: Path, take: Callable[[int], None]) -> Iterator[Path]:
    """Take the lock inside the store at `path` and yield its folder."""
    while True:
        with contextlib.ExitStack() as stack:
            # Opened by its path: NFS may still resolve a cached handle to a folder that another machine has replaced.
            file = os.open(path / _WRITING, os.O_RDWR | os.O_CREAT, 0o666)
            stack.callback(os.close, file)
            folder = stack.enter_context(own_folder(path))
            take(file)
            # The store may have been replaced after we opened the file and before we locked it.
            same = os.path.samestat(os.stat(folder / _WRITING), os.fstat(file))
            if same and os.path.samestat(os.stat(path), os.stat(folder)):
                yield folder
                return


@contextlib.contextmanager
def own_folder(path: Path) -> Iterator[Path]:
    """Yield a name for the folder now at `path` that stays its own, whatever is moved, removed or put at `path`.

    Linux has such names (/proc/self/fd); elsewhere, and in an object store, the path itself is yielded.
    """
    if remote(path):
        yield path
        return
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        own = Path(f"/proc/self/fd/{folder}")
        yield own if own.exists() else path
    finally:
        os.close(folder)
