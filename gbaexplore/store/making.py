"""Creating a store: built beside its path, then renamed into it, by one process at a time."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gbaexplore.basics.names import STATUS
from gbaexplore.basics.places import exists, real, remote, writing
from gbaexplore.store import lock
from gbaexplore.store.inputs import stacked

if TYPE_CHECKING:
    import xarray as xr

# In an array's folder, because zarr warns about unknown files in a group's folder.
CHECKSUMS = f"{STATUS}/checksums.json"
_ORPHAN_S = 60.0
_HERE, _EXCHANGE = -100, 2  # AT_FDCWD, RENAME_EXCHANGE of Linux's renameat2


def made(path: Path) -> bool:
    """Return whether anything is at a store's path; in an object store, whether a store was copied there completely.

    Raises:
        UserError: the path can't be examined.
    """
    return exists(path / "zarr.json") if remote(path) else exists(real(path))


def ready() -> None:
    """Import what a store is made with, which takes about as long as compiling a study."""
    import dask.array  # noqa: F401
    import xarray as xr  # noqa: F401
    import zarr  # noqa: F401


def create(path: Path, template: xr.Dataset, inputs: Mapping[str, xr.Dataset] | None = None) -> None:
    """Write the template (coordinates, attributes, no values) and the study's inputs to a new store.

    Raises:
        UserError: the folder can't be written to.
    """
    with staged(path, template, inputs):
        pass


@contextlib.contextmanager
def staged(path: Path, template: xr.Dataset, inputs: Mapping[str, xr.Dataset] | None = None) -> Iterator[Path]:
    """Yield a new store of the template beside `path`; at the end it moves to `path` and replaces an old one.

    Raises:
        UserError: the folder can't be written to.
    """
    with beside(path) as new:
        write = _Writer(new)
        write(template, _encoding(template), compute=False)
        for name, ds in stacked(inputs or {}).items():
            write(ds, _coordinates_encoding(ds), group=name)
        (new / CHECKSUMS).write_text(json.dumps(_checksums(new), indent=1))
        yield new


class _Writer:
    """Writes Datasets to a new store.

    Each is made in memory first: zarr hands every file to another thread, which takes longer than making it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.metadata: dict[str, Any] = {}  # what zarr has to find of the Datasets before

    def __call__(self, ds: xr.Dataset, encoding: dict[str, dict[str, Any]], **options: Any) -> None:
        from zarr.storage import MemoryStore

        made = dict(self.metadata)
        ds.to_zarr(MemoryStore(made), zarr_format=3, consolidated=False, encoding=encoding, **options)
        for name in made.keys() - self.metadata.keys():
            file = self.path / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(made[name].to_bytes())
            if file.name == "zarr.json":
                self.metadata[name] = made[name]


@contextlib.contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Yield a path for a new store; at the end the store moves to `path` and replaces an old one.

    Raises:
        UserError: the folder can't be written to.
    """
    with contextlib.ExitStack() as stack:
        stack.enter_context(writing(path, "choose another --store"))
        there = real(path)  # a symbolic link survives
        if remote(there):  # built here, then copied
            new = Path(stack.enter_context(tempfile.TemporaryDirectory())) / there.name
        else:
            if exists(there):  # from here on no worker writes a block that would be lost
                stack.enter_context(lock.without_writers(there))
            new = there.with_name(f".{there.name}.{os.getpid()}.partial")
            there.parent.mkdir(parents=True, exist_ok=True)
            _sweep(there.parent, f".{there.name}.*.partial")
            stack.callback(shutil.rmtree, new, ignore_errors=True)
        yield new
        (_copy if remote(there) else _put)(new, there)


def _copy(new: Path, path: Path) -> None:
    """Copy a store to an empty path; the group's metadata file, which makes it a store, comes last."""
    files = [file.relative_to(new) for file in new.rglob("*") if file.is_file()]
    for file in sorted(files, key=lambda file: (-len(file.parts), file)):
        (path / file).write_bytes((new / file).read_bytes())


def _put(new: Path, path: Path) -> None:
    """Swap a folder with what is at another path, or move it there if the path is free."""
    if not exists(path):
        os.rename(new, path)
    elif not _exchanged(new, path):
        aside = path.with_name(f".{path.name}.{os.getpid()}.aside")
        os.rename(path, aside)
        os.rename(new, path)
        os.rename(aside, new)


def _exchanged(a: Path, b: Path) -> bool:
    """Exchange two folders atomically where the system can (Linux, most file systems); return whether it could."""
    with contextlib.suppress(AttributeError, OSError):  # the C library lacks the function, or there is no C library
        names = os.fsencode(a), os.fsencode(b)
        return ctypes.CDLL(None).renameat2(_HERE, names[0], _HERE, names[1], _EXCHANGE) == 0
    return False


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a store's lock for writing; a lock whose process has died is ignored.

    Raises:
        UserError: another process holds it, or the folder can't be written to.
    """
    with contextlib.ExitStack() as stack:
        with writing(path, "choose another --store", Exception):
            stack.enter_context(lock.held(path))
            if not remote(path):
                _recover(real(path))
        yield


def _recover(path: Path) -> None:
    """Restore a store that a killed process had moved aside."""
    for aside in path.parent.glob(f".{path.name}.*.aside"):
        if exists(path):
            shutil.rmtree(aside, ignore_errors=True)
        else:
            os.rename(aside, path)


def _encoding(template: xr.Dataset) -> dict[str, dict[str, Any]]:
    from zarr.codecs import BloscCodec, Crc32cCodec

    encoding: dict[str, dict[str, Any]] = {}
    for name, variable in template.data_vars.items():
        blosc = BloscCodec(cname="zstd", clevel=3, shuffle="shuffle", typesize=variable.dtype.itemsize)
        # The checksum is a zarr codec, so every reader notices a damaged chunk.
        encoding[str(name)] = {
            "chunks": tuple(sizes[0] for sizes in variable.chunksizes.values()),
            "compressors": (blosc, Crc32cCodec()),
        }
    return encoding | _coordinates_encoding(template)


def _coordinates_encoding(ds: xr.Dataset) -> dict[str, dict[str, Any]]:
    return {str(name): {"dtype": object} for name, coordinate in ds.coords.items() if coordinate.dtype == object}


def _checksums(path: Path) -> dict[str, str]:
    """Return the SHA-256 of each file that never changes: metadata and the coordinates' chunks."""
    files = [file for file in path.rglob("*") if file.is_file()]
    return {str(file.relative_to(path)): hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(files)}


def _sweep(folder: Path, pattern: str) -> None:
    """Remove files that a killed process left unfinished."""
    for orphan in folder.glob(pattern):
        if orphaned(orphan):
            remove(orphan)


def remove(file: Path) -> None:
    """Remove a file, or what is in its place; a folder as far as it can be."""
    if file.is_dir() and not file.is_symlink():
        shutil.rmtree(file, ignore_errors=True)
    else:
        file.unlink(missing_ok=True)


def orphaned(file: Path) -> bool:
    """Return whether a temporary file is stale (not modified for 60 s)."""
    try:
        return time.time() - file.stat().st_mtime > _ORPHAN_S
    except FileNotFoundError:
        return False
