"""Upgrading a store of an earlier version, so that no store mixes both kinds of values."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from gbaexplore.basics.errors import UserError
from gbaexplore.basics.names import MISSING, OK, PENDING, STATUS
from gbaexplore.basics.places import exists, real, reason, remote
from gbaexplore.store import earlier, making, stores
from gbaexplore.store.history import Log


def renamed(path: Path, names: Mapping[str, str]) -> dict[str, str]:
    """Return those of the names, earlier name -> name, whose variables have the earlier one in a store."""
    return {old: new for old, new in names.items() if _has(path, old) and not _has(path, new)}


def rename(path: Path, names: Mapping[str, str]) -> None:
    """Give variables of a store of an earlier version the names that they have now: earlier name -> name.

    Raises:
        UserError: it is in an object store; the folder can't be written to.
    """
    _check_local(path)
    with making.beside(path) as new:
        shutil.copytree(real(path), new, ignore=shutil.ignore_patterns("*.lock", "*.partial"))
        for old, now in names.items():
            (new / old).rename(new / now)
        sums = json.loads((new / making.CHECKSUMS).read_text()).items()
        parts = [(*file.partition("/"), digest) for file, digest in sums]
        checksums = {names.get(first, first) + slash + rest: digest for first, slash, rest, digest in parts}
        (new / making.CHECKSUMS).write_text(json.dumps(checksums, indent=1))
        Log(new).add("upgraded")


def _has(path: Path, variable: str) -> bool:
    return exists(path / variable / "zarr.json")


def _check_local(path: Path) -> None:
    if remote(path):
        raise UserError(
            f"{path} was made by an earlier gbaexplore, and an object store can't be rewritten in one step: copy it to "
            "a folder, run the study there, and copy it back; or give the study another name"
        )


def upgrade(path: Path) -> None:
    """Rewrite a store of an earlier version beside its path and replace it in one step.

    Points marked ok with a non-finite value become pending again.

    Raises:
        UserError: it is in an object store; a chunk is damaged; the folder can't be written to.
    """
    if not earlier.made(path):
        return
    _check_local(path)
    ds, sizes = stores.open_study(path), stores.block_shape(path)
    with making.beside(path) as new:
        shutil.copytree(real(path), new, ignore=shutil.ignore_patterns("*.lock", "*.partial"))
        for at in itertools.product(*(range(0, n, size) for n, size in zip(ds[STATUS].shape, sizes))):
            block = tuple(slice(a, min(a + size, n)) for a, size, n in zip(at, sizes, ds[STATUS].shape))
            try:
                part = ds.isel(dict(zip(ds[STATUS].dims, block))).load()
            except Exception as error:  # a checksum that is wrong, bytes that can't be unpacked
                raise UserError(
                    f"{path} can't be read ({reason(error)}); `gbaexplore check {path} --repair` marks what is damaged "
                    "to be computed again"
                ) from None
            state = part[STATUS].values
            if (state == PENDING).all():
                continue
            arrays = {str(name): array.values for name, array in part.data_vars.items()}
            for name, values in arrays.items():
                wrong = np.isinf(values) if MISSING in ds[name].attrs else ~np.isfinite(values)
                state[(state == OK) & wrong.any(axis=tuple(range(state.ndim, values.ndim)))] = PENDING
            stores.write_block(new, block, arrays)
        checksums = json.loads((new / making.CHECKSUMS).read_text())
        for name, file in earlier.describe(new, ds).items():
            checksums[name] = hashlib.sha256(file.read_bytes()).hexdigest()
        (new / making.CHECKSUMS).write_text(json.dumps(checksums, indent=1))
        Log(new).add("upgraded")
