"""MATLAB's files: versions 4 to 7 by SciPy, version 7.3, which is HDF5, by h5py."""

from __future__ import annotations

import io
import math
import os
import struct
import zlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from gbaexplore.basics.errors import UserError, text_of
from gbaexplore.networks.formats.found import MOST_BYTES, Found, Table, check_size

_HDF5 = b"\x89HDF\r\n\x1a\n"
_COMPRESSED = 15  # the kind of an element of version 7
_DEEPEST = 4  # structures in structures


def read(data: bytes, what: str) -> Found:
    """Return the variables of a `.mat` file by name: numbers, sparse or not, and names in a cell or char array.

    A field of a structure is `STRUCTURE.FIELD`.

    Raises:
        UserError: a file that can't be read as MATLAB's, or holds more than is read; version 7.3 without h5py.
    """
    if _HDF5 in (data[:8], data[512:520]) or data.startswith(b"MATLAB 7.3"):
        return _of_hdf5(data, what)
    import scipy.io

    try:
        check_size(_unpacked_size(data), what)
        found = scipy.io.loadmat(io.BytesIO(data))
    except UserError:
        raise
    except Exception as error:  # of a file that is not MATLAB's: any
        raise UserError(f"{what} can't be read as a MATLAB file: {text_of(error)}; expected one made by save") from None
    tables: Found = {}
    for name, value in found.items():
        if isinstance(value, scipy.io.matlab.MatlabOpaque):  # the variable's name is inside
            own, kind = (os.fsdecode(value[part].item()) for part in ("s0", "s2"))
            tables[own] = _opaque(own, kind, what)
        elif not name.startswith("__"):
            tables.update(_tables(name, value, what))
    return tables


def _opaque(name: str, kind: str, what: str) -> Table:
    return Table(
        error=UserError(
            f"{what}: {name} is an object of MATLAB's class {kind}, which only MATLAB can read; expected numbers, and "
            f"names in a cell array: for a string array, {name} = cellstr({name}), and save it anew"
        )
    )


def _unpacked_size(data: bytes) -> int:
    """Return how many bytes the elements of a file of version 7 take, found without keeping them."""
    if data[126:128] not in (b"IM", b"MI"):
        return len(data)
    order, total, at = (">" if data[126:128] == b"MI" else "<"), len(data), 128
    while at + 8 <= len(data):
        kind, size = struct.unpack(f"{order}II", data[at : at + 8])
        if kind == _COMPRESSED:
            unpack, packed = zlib.decompressobj(), data[at + 8 : at + 8 + size]
            while packed and total <= MOST_BYTES:
                try:
                    total += len(unpack.decompress(packed, 1 << 20))
                except zlib.error:
                    return total  # as the reader will say
                packed = unpack.unconsumed_tail
        at += 8 + size
    return total


def _tables(name: str, value: Any, what: str, depth: int = 0) -> Iterator[tuple[str, Table]]:
    if hasattr(value, "toarray"):
        yield name, _dense(value, name, what)
    elif isinstance(value, np.ndarray) and value.dtype.names:
        if value.size == 1 and depth < _DEEPEST:
            for field in value.dtype.names:
                yield from _tables(f"{name}.{field}", value.item()[value.dtype.names.index(field)], what, depth + 1)
    elif isinstance(value, np.ndarray) and value.dtype.kind in "OU":
        yield name, _names(value, name, what)
    elif isinstance(value, np.ndarray):
        yield name, Table(value)


def _dense(value: Any, name: str, what: str) -> Table:
    try:
        check_size(8 * math.prod(value.shape), f"{what}: {name}")
    except UserError as error:
        return Table(error=error)
    return Table(value.toarray())


def _names(value: np.ndarray, name: str, what: str) -> Table:
    # A cell array of text is read as an array of arrays, an array of characters as padded text.
    found = []
    for i, cell in enumerate(value.ravel()):
        text = np.asarray(cell)
        if text.dtype.kind != "U" or text.size != 1:
            kind = f"{text.dtype} of shape {text.shape}" if text.size else "empty"
            return Table(
                error=UserError(f"{what}: entry {i + 1} of {name} is {kind}; expected the name of an area in each")
            )
        found.append(str(text.item()).strip())
    return Table(rows=tuple(found))


# Version 7.3.


def _of_hdf5(data: bytes, what: str) -> Found:
    try:
        import h5py
    except ImportError:
        raise UserError(
            f"{what} is a MATLAB file of version 7.3, which h5py reads; expected it to be installed: pip install "
            "\"gbaexplore[files]\", or in MATLAB save(file, '-v7')"
        ) from None
    found: Found = {}
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            _collect(file, "", file, what, found, 0)
    except UserError:
        raise
    except Exception as error:  # of a file that is not HDF5: any
        raise UserError(f"{what} can't be read as a MATLAB file: {text_of(error)}; expected one made by save") from None
    return found


def _collect(group: Any, prefix: str, file: Any, what: str, found: Found, depth: int) -> None:
    import h5py

    for name in group:
        # A link to elsewhere could name any file.
        if name.startswith("#") or not isinstance(group.get(name, getlink=True), h5py.HardLink):
            continue
        thing, own = group[name], prefix + name
        try:
            if isinstance(thing, h5py.Dataset):
                found[own] = _of_dataset(thing, file, own, what)
            elif "MATLAB_sparse" in thing.attrs:
                found[own] = _of_sparse(thing, own, what)
            elif depth < _DEEPEST:
                _collect(thing, f"{own}.", file, what, found, depth + 1)
        except UserError as error:
            found[own] = Table(error=error)


def _content(dataset: Any, name: str, what: str) -> np.ndarray:
    if dataset.external or dataset.is_virtual:
        raise UserError(f"{what}: the data of {name} are in another file; expected them in this one")
    check_size(dataset.size * dataset.dtype.itemsize, f"{what}: {name}")
    return dataset[()]


def _of_dataset(dataset: Any, file: Any, name: str, what: str) -> Table:
    import h5py

    kind = dataset.attrs.get("MATLAB_class", b"")
    kind = kind.decode() if isinstance(kind, bytes) else str(kind)
    if dataset.attrs.get("MATLAB_empty"):
        return Table(error=UserError(f"{what}: {name} is empty; expected numbers or names"))
    if kind == "char":
        return Table(rows=tuple(_words(_content(dataset, name, what))))
    if h5py.check_ref_dtype(dataset.dtype) is not None:
        cells = [file[cell] for cell in _content(dataset, name, what).T.ravel()]
        words = [_words(_content(c, name, what)) if c.attrs.get("MATLAB_class") == b"char" else [] for c in cells]
        odd = next((i for i, word in enumerate(words) if len(word) != 1 or cells[i].attrs.get("MATLAB_empty")), None)
        if odd is not None:
            text = f"{what}: entry {odd + 1} of {name} is no text; expected the name of an area in each"
            return Table(error=UserError(text))
        return Table(rows=tuple(word[0] for word in words))
    if dataset.dtype.kind not in "fiub":
        return _opaque(name, kind or str(dataset.dtype), what)
    return Table(np.asarray(_content(dataset, name, what)).T)  # MATLAB's first dimension is HDF5's last


def _words(codes: np.ndarray) -> list[str]:
    """Return the lines of a char array, which are columns of codes."""
    return ["".join(map(chr, line)).strip() for line in np.atleast_2d(codes.T).tolist()]


def _of_sparse(group: Any, name: str, what: str) -> Table:
    import scipy.sparse

    starts = _content(group["jc"], name, what)
    # Without an entry there are no arrays of them.
    rows, values = (_content(group[part], name, what) if part in group else np.empty(0) for part in ("ir", "data"))
    size = int(group.attrs["MATLAB_sparse"]), len(starts) - 1
    return _dense(scipy.sparse.csc_matrix((values, rows, starts), shape=size), name, what)
