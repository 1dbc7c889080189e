"""Safe access to a store's own files: never outside the store, never a pipe or device."""

from __future__ import annotations

import os
import stat
from pathlib import Path, PurePosixPath

from gbaexplore.basics.places import remote


def own_file(path: Path, name: str) -> Path:
    """Return the path of a store's file, by its name in the store.

    Raises:
        OSError: the name, or a symbolic link, leads out of the store; it is a pipe, a device or a folder.
    """
    file, pure = path / name, PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or "\0" in name:
        raise OSError(0, "is not a file of the store's own")
    if remote(path):
        return file
    try:
        inside = file.resolve().is_relative_to(path.resolve())
    except RuntimeError as error:
        raise OSError(0, "is a link that points to itself") from error
    if not inside:
        raise OSError(0, "is a link that leads out of the store")
    mode = os.stat(file).st_mode
    if not stat.S_ISREG(mode):
        raise OSError(0, "is not a regular file")
    return file


def own_text(path: Path, name: str) -> str:
    """Return what is in a store's text file; see `own_file`."""
    return own_file(path, name).read_text()
