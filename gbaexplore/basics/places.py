"""Paths and URLs: on this machine, or in an object store, which has no locks, no renaming and no appending."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any, cast

from gbaexplore.basics.errors import UserError, text_of

_PACKAGE = Path(__file__).parents[1]
_URL = re.compile(r"([a-z][a-z0-9+.:-]*):/+(.*)", re.IGNORECASE | re.DOTALL)
_OF_ZARR = ("zarr.json", ".zgroup", ".zarray")  # a group or an array, of format 3 or 2, is a folder with one of these


def place(where: str | Path) -> Path:
    """Return the path for a path or URL (such as s3://bucket/folder) that a user gives; `~` is the home folder.

    Raises:
        UserError: not a path, or empty; an unknown user; a URL that can't be used.
    """
    text = _text(where)
    url = _URL.fullmatch(text)
    if url is None:
        return _path(text)
    if _of_file(url):
        return _path_of(text)
    try:
        from upath import UPath

        path = UPath(text.rstrip("/") if isinstance(where, str) and url[2] else where)
        path.fs  # noqa: B018 - what it needs is imported now
        why = "" if remote(cast(Path, path)) else "no such kind of URL is known"
    except Exception as error:  # any error of a package for some kind of URL
        why = text_of(error)
    if why:
        raise UserError(
            f"{where} can't be used ({why}); expected a folder, or a URL of an object store, as text, "
            'whose package is installed: for s3:// pip install "gbaexplore[s3]"'
        )
    return cast(Path, path)


def local(where: str | Path) -> Path:
    """Return the path for a path on this machine that a user gives; `~` is the home folder.

    Raises:
        UserError: as `place`; a URL of an object store.
    """
    url = _URL.fullmatch(_text(where))
    if url is not None and not _of_file(url):
        raise UserError(f"{where} is in an object store; expected a place on this machine")
    return place(where)


def _text(where: Any) -> str:
    if hasattr(where, "fs"):  # a path in an object store
        return str(where)
    try:
        return os.fsdecode(where)
    except TypeError:
        raise UserError(f"{where!r} is not a path; expected the name of a file or folder, as text or a Path") from None


def _path(text: str) -> Path:
    if not text or "\0" in text:
        raise UserError(f"{text!r} is not a path; expected the name of a file or folder")
    expanded = os.path.expanduser(text)
    if expanded.startswith("~"):
        user = text[1:].partition("/")[0]
        raise UserError(f"{text}: there is no user {user} on this machine; for a file of that name, write ./{text}")
    path = Path(expanded)
    # Path drops the dot of "./~", which would be another path when it is read again; and "s3:/a" would be a URL.
    return path.absolute() if str(path).startswith("~") or ":" in str(path).partition("/")[0] else path


def _of_file(url: re.Match[str]) -> bool:
    return url[1].lower() in ("file", "local")


def _path_of(url: str) -> Path:
    from urllib.parse import unquote, urlsplit

    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost"):
        raise UserError(f"{url} is on the machine {parts.netloc}; expected file:///FOLDER, or just the path")
    if parts.query or parts.fragment:
        raise UserError(f"{url} has a ? or #, which end a path in a URL; expected %3F or %23, or just the path")
    return _path(unquote(parts.path, errors="surrogateescape"))


_BESIDE: ContextVar[tuple[Path, list[Path]] | None] = ContextVar("_BESIDE", default=None)


@contextlib.contextmanager
def beside(folder: Path) -> Iterator[list[Path]]:
    """A context in which `inputs` are looked up in a folder first: that of the study file that names them.

    Yields the list that what is `found` goes into.
    """
    read: list[Path] = []
    token = _BESIDE.set((folder, read))
    try:
        yield read
    finally:
        _BESIDE.reset(token)


def inputs(path: Path) -> list[Path]:
    """Return where something to read may be: a relative path is looked up beside the study file, then here."""
    study, here = _BESIDE.get(), path.absolute()
    return [here] if study is None else list(dict.fromkeys([study[0].absolute() / path, here]))


def found(path: Path) -> Path:
    """Note that a study file reads a path, and return it."""
    if (study := _BESIDE.get()) is not None:
        study[1].append(path)
    return path


def remote(path: Path) -> bool:
    """Return whether a path is in an object store."""
    return not isinstance(path, Path)


def real(path: Path) -> Path:
    """Return the target of a symbolic link; any other path unchanged, even below a link.

    Raises:
        UserError: the link points to itself.
    """
    if remote(path) or not os.path.islink(path):
        return path
    found = Path(os.path.realpath(path))
    if os.path.islink(found):
        raise UserError(f"{path} is a link that points to itself; expected a link to a store or a file")
    return found


def names_store(path: Path) -> bool:
    """Return whether a path names a store: NAME.zarr, or a link to it. Any other path names a folder of stores."""
    return ".zarr" in (path.suffix, real(path).suffix)


def check_writable(path: Path) -> None:
    """Raise UserError if a path can't be written: it is inside a store, or its folder can't be made or changed."""
    folders = real(path).parents
    if not remote(path):
        above = next((folder for folder in folders if os.path.lexists(folder)), Path("/"))
        if not os.path.isdir(above):
            what = f"a link to {os.readlink(above)}, which is not a folder" if above.is_symlink() else "not a folder"
            raise UserError(f"{above} is {what}; expected a folder for {path.name}: choose another place")
        if not os.access(above, os.W_OK | os.X_OK):
            raise _unwritable(above, "no permission", f"choose another place for {path.name}")
        _check_names(above, path)
        folders = (above.resolve() / path.name).parents
    for folder in folders:
        if any(_seen(folder / name) for name in _OF_ZARR):
            raise UserError(f"{path} would be inside {folder}, which is a zarr store; choose a place outside of it")


def _check_names(above: Path, path: Path) -> None:
    """Raise UserError if a name is too long for the file system, or would be a URL for zarr."""
    longest = os.pathconf(above, "PC_NAME_MAX")
    if "::" in str(path.absolute()):
        raise UserError(
            f"{path.absolute()} has a :: in it, which makes it a URL for zarr; choose another name or place"
        )
    for name in (*path.parts[:-1], f".{path.name}.{2**22}.partial"):  # as it is called while it is written
        if len(os.fsencode(name)) > longest:
            raise UserError(f"{path} can't be written to: a name in it is too long; choose another name or place")


def _seen(path: Path) -> bool:
    # In an object store we may have access to some folders only.
    try:
        return path.exists()
    except Exception:  # any error of an object store's client
        return False


def exists(path: Path) -> bool:
    """Return whether anything is at a path.

    Raises:
        UserError: the path can't be looked up (its name is too long, permission or access is missing).
    """
    try:
        if remote(path):
            return path.exists()
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except Exception as error:  # any error of an object store's client
        raise UserError(f"{path} can't be looked at: {reason(error)}; choose another name or --store") from None
    return True


def reason(error: Exception) -> str:
    """Return, in a few words, why a path can't be used."""
    return getattr(error, "strerror", None) or text_of(error, 120)


def read(path: Path) -> bytes:
    """Return the content of a file on this machine.

    Raises:
        UserError: it does not exist, is a folder, device or pipe, or can't be read.
    """
    try:
        if path.exists() and not path.is_file():
            raise OSError(f"it is {'a folder' if path.is_dir() else 'not a file'}")
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} can't be read: {reason(error)}; expected a file") from None


@contextlib.contextmanager
def writing(path: Path, fix: str, errors: type[Exception] = OSError) -> Iterator[None]:
    """Raise UserError, with the reason and the fix, if the body fails to write to a path.

    Args:
        errors: the exceptions that mean failure; an object store's client may raise any.
    """
    try:
        yield
    except UserError:
        raise
    except errors as error:
        raise _unwritable(path, reason(error), fix) from None


def _unwritable(path: Path, why: str, fix: str) -> UserError:
    return UserError(f"{path} can't be written to: {why}; {fix}")


def shipped_folder(folder: str) -> Path:
    """Return the folder "data" or "studies": inside the package in an installed wheel, beside it in a checkout."""
    inside = _PACKAGE / folder
    return inside if inside.is_dir() else _PACKAGE.parent / folder
