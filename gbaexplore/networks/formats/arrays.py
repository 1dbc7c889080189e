"""NumPy's files: `.npy`, one array, and `.npz`, arrays by name. Nothing is unpickled."""

from __future__ import annotations

import io
import math

import numpy as np

from gbaexplore.basics.errors import UserError, text_of
from gbaexplore.networks.formats import archives
from gbaexplore.networks.formats.found import Found, Table, check_size


def read_npy(data: bytes, what: str) -> Found:
    """Return the one array of a `.npy` file: numbers, or names.

    Raises:
        UserError: it can't be read, or holds objects of Python, or more than is read.
    """
    file = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(file)
        header = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = header(file)
        if dtype.hasobject:
            raise UserError(f"{what} holds objects of Python, which are not unpickled; expected numbers or text")
        check_size(math.prod(shape) * dtype.itemsize, what)
        array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
    except UserError:
        raise
    except Exception as error:  # of a file that is not NumPy's: any
        raise UserError(f"{what} can't be read as NumPy's file: {text_of(error)}; expected one of numpy.save") from None
    if array.dtype.kind in "US":
        return {"": Table(rows=tuple(_word(word) for word in array.ravel().tolist()))}
    return {"": Table(array)}


def read_npz(data: bytes, what: str) -> Found:
    """Return the arrays of a `.npz` file by name.

    Raises:
        UserError: it is not an archive, or holds more than is read.
    """
    found: Found = {}
    for name, content in archives.members(data, what):
        if name.endswith(".npy"):
            try:
                found[name.removesuffix(".npy")] = read_npy(content(), f"{what}, {name}")[""]
            except UserError as error:
                found[name.removesuffix(".npy")] = Table(error=error)
    return found


def _word(word: str | bytes) -> str:
    return word.decode("utf-8", "replace") if isinstance(word, bytes) else word
