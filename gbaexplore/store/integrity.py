"""Whether a store is as it was written: every chunk, what stands around the chunks, and what should not be there."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from gbaexplore.basics.errors import text_of
from gbaexplore.basics.names import MISSING, OK, PENDING, STATUS
from gbaexplore.basics.places import for_zarr
from gbaexplore.store import lock, making, stores


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be."""

    file: Path  # inside the store
    what: str
    where: str = ""
    remove: tuple[Path, ...] = ()
    """Files without which the block is pending and sound, the one to be removed first first."""
    harmless: bool = False

    def __str__(self) -> str:
        where = f" ({self.where})" if self.where else ""
        return f"{'left over' if self.harmless else 'damaged'}: {self.file}: {self.what}{where}"


def check(path: Path) -> list[Finding]:
    """Return what is wrong with a store, nothing if all is well; every chunk is read and decoded.

    Raises:
        UserError: it is not a store.
    """
    found = [Finding(file, what) for file, what in stores.changed_files(path)]
    if found:  # what the chunks mean is not known for sure
        return found
    import zarr

    group = zarr.open_group(for_zarr(path), mode="r")
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
        # Without its status the block is pending, so that goes first.
        return Finding(files[name].relative_to(path), what, where, (files[STATUS], files[name]))

    # The status is read before what it speaks of: a run may be writing.
    try:
        state = np.asarray(status[block])
    except Exception as error:
        yield finding(STATUS, text_of(error, 120))
        return
    if (state == PENDING).all():
        written = [name for name in arrays if name != STATUS and files[name].exists()]
        if written and making.orphaned(files[written[0]]):
            # By the time that they are removed, a late worker may have finished it: so its status goes first here too.
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
    """A chunk has all of the dimensions that are not the grid's."""
    return (*index, *[0] * (array.ndim - len(index)))


def _range(name: str, labels: np.ndarray) -> str:
    first, last = (value if isinstance(value, str) else f"{value:g}" for value in (labels[0], labels[-1]))
    return f"{name} {first}" if len(labels) == 1 else f"{name} {first} to {last}"


def repair(path: Path, findings: list[Finding]) -> int:
    """Remove what is damaged, so that the next run computes it again; return how many findings can't be mended.

    Raises:
        UserError: a run is writing to the store, or a worker that a run has left behind.
    """
    with making.locked(path), lock.without_writers(path):
        for finding in findings:
            for file in finding.remove:
                file.unlink(missing_ok=True)
    return sum(not finding.remove for finding in findings)
