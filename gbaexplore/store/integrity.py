"""Checking and repairing a store: every chunk, the metadata, and leftover files."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gbaexplore.basics.errors import printable, text_of
from gbaexplore.basics.names import MISSING, OK, PENDING, STATUS
from gbaexplore.store import lock, making, stores


@dataclass(frozen=True)
class Finding:
    """A problem found in a store."""

    file: Path  # inside the store
    what: str
    where: str = ""
    remove: tuple[Path, ...] = ()
    """Files to remove, in this order, to make the block pending and sound."""
    harmless: bool = False

    def __str__(self) -> str:
        where = f" ({self.where})" if self.where else ""
        return printable(f"{'left over' if self.harmless else 'damaged'}: {self.file}: {self.what}{where}")


def check(path: Path) -> list[Finding]:
    """Return the problems of a store, an empty list if there are none; every chunk is read and decoded.

    Raises:
        UserError: it is not a store.
    """
    found = [Finding(file, what) for file, what in stores.changed_files(path)]
    if found:  # the chunks can't be interpreted reliably
        return found
    import zarr

    group = zarr.open_group(stores.zarr_store(path), mode="r")
    arrays: dict[str, Any] = {name: group[name] for name in stores.variables(path)}
    status = arrays[STATUS]
    axes = {name: np.asarray(group[name]) for name in status.metadata.dimension_names or ()}
    blocks = itertools.product(*(range(-(-n // size)) for n, size in zip(status.shape, status.chunks)))
    with ThreadPoolExecutor() as pool:
        for some in pool.map(lambda index: list(_check_block(path, arrays, axes, index)), blocks):
            found += some
    found += [
        Finding(file.relative_to(path), "a write that was cut off", remove=(file,), harmless=True)
        for file in sorted(path.rglob("*.partial"))
        if making.orphaned(file)
    ]
    return found


def _check_block(
    path: Path, arrays: dict[str, Any], axes: dict[str, np.ndarray], index: tuple[int, ...]
) -> Iterator[Finding]:
    status = arrays[STATUS]
    block = tuple(slice(i * size, min((i + 1) * size, n)) for i, size, n in zip(index, status.chunks, status.shape))
    where = ", ".join(_range(name, labels[part]) for (name, labels), part in zip(axes.items(), block))
    files = {name: path / name / array.metadata.encode_chunk_key(_key(array, index)) for name, array in arrays.items()}

    def finding(name: str, what: str) -> Finding:
        # Without its status the block is pending, so the status goes first.
        return Finding(files[name].relative_to(path), what, where, (files[STATUS], files[name]))

    # A run may be writing, so the status is read before the values.
    try:
        state = np.asarray(status[block])
    except Exception as error:
        yield finding(STATUS, text_of(error, 120))
        return
    if (state == PENDING).all():
        written = [name for name in arrays if name != STATUS and files[name].exists()]
        if written and making.orphaned(files[written[0]]):
            # A late worker may finish the block before they are removed, so the status goes first here too.
            yield Finding(
                files[written[0]].relative_to(path), "a block that was not finished", where,
                (files[STATUS], *(files[name] for name in written)), harmless=True,
            )  # fmt: skip
        return
    for name, array in arrays.items():
        if name == STATUS:
            continue
        if not files[name].exists():
            yield finding(name, "missing")
            continue
        try:
            values = np.asarray(array[block])
        except Exception as error:
            yield finding(name, text_of(error, 120))
            continue
        known = values[state == OK]
        if (np.isinf(known) if MISSING in array.attrs else ~np.isfinite(known)).any():
            yield finding(name, "a non-finite value at a point marked ok")


def _key(array: Any, index: tuple[int, ...]) -> tuple[int, ...]:
    """Return the chunk index of a block; a chunk spans every dimension that is not the grid's."""
    return (*index, *[0] * (array.ndim - len(index)))


def _range(name: str, labels: np.ndarray) -> str:
    first, last = (value if isinstance(value, str) else f"{value:g}" for value in (labels[0], labels[-1]))
    return f"{name} {first}" if len(labels) == 1 else f"{name} {first} to {last}"


def repair(path: Path, findings: list[Finding]) -> int:
    """Remove damaged blocks, so that the next run recomputes them; return how many problems can't be repaired.

    Raises:
        UserError: a run, or a worker that a run left behind, is writing to the store.
    """
    with making.locked(path), lock.without_writers(path):
        for finding in findings:
            for file in finding.remove:
                making.remove(file)
    return sum(not finding.remove for finding in findings)
