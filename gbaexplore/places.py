"""Where a store may be: a folder, or a URL of an object store, which has no locks, no renaming and no appending."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from gbaexplore.errors import UserError


def place(where: str | Path) -> Path:
    """Return a folder, or a URL such as s3://bucket/folder, as a path.

    Raises:
        UserError: a URL of a kind that needs a package which is not installed.
    """
    if "://" not in str(where):
        return Path(where)
    try:
        from upath import UPath

        path = UPath(where)
        path.fs  # noqa: B018 - what it needs is imported now
    except (ImportError, ValueError) as error:
        raise UserError(
            f"{where} can't be used ({' '.join(str(error).split())}); expected a folder, or a URL of an object store "
            'whose package is installed: for s3:// pip install "gbaexplore[s3]"'
        ) from None
    return cast(Path, path)


def remote(path: Path) -> bool:
    """Return whether a path is in an object store."""
    return not isinstance(path, Path)


def for_zarr(path: Path) -> Any:
    """Return a path as zarr and xarray take it."""
    return str(path) if remote(path) else path


def exists(path: Path) -> bool:
    """Return whether there is something at a path.

    Raises:
        UserError: that can't be told (a name that is too long, a folder that can't be searched, a URL without access).
    """
    try:
        if remote(path):
            return path.exists()
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except Exception as error:  # of an object store's client: any
        raise UserError(f"{path} can't be looked at: {reason(error)}; choose another name or --store") from None
    return True


def reason(error: Exception) -> str:
    """Return why a place can't be used, in a few words."""
    return getattr(error, "strerror", None) or " ".join(str(error).split())[:120] or type(error).__name__
