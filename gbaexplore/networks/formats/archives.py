"""Archives: members by name, read from the archive itself; nothing is unpacked to a disk."""

from __future__ import annotations

import bz2
import functools
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator

from gbaexplore.basics.errors import UserError, text_of
from gbaexplore.networks.formats.found import MOST_BYTES, check_size


def members(data: bytes, what: str) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Yield each file of a ZIP archive: its name, and a function that reads it.

    Raises:
        UserError: it is no archive; its files are larger together than what is read.
    """
    try:
        archive = zipfile.ZipFile(io.BytesIO(data))
    except Exception as error:  # of a file that is no archive: any
        raise UserError(f"{what} can't be read as a ZIP archive: {text_of(error)}; expected a whole one") from None
    files = [info for info in archive.infolist() if not info.is_dir()]
    check_size(sum(info.file_size for info in files), what)
    for info in files:
        yield info.filename, functools.partial(_read, archive, info, what)


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo, what: str) -> bytes:
    # Of other methods, zipfile unpacks more than the list says.
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UserError(f"{what}, {info.filename} is packed in a rare way; expected an archive as systems make it")
    try:
        return archive.read(info)  # no more than the archive's list says
    except (RuntimeError, NotImplementedError, zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
        raise UserError(
            f"{what}, {info.filename} can't be read: {text_of(error)}; expected a whole archive without a password"
        ) from None


def unpacked(data: bytes, what: str) -> bytes:
    """Return the content of a `.bz2` file.

    Raises:
        UserError: it can't be read, or is larger than what is read.
    """
    try:
        found = bz2.BZ2File(io.BytesIO(data)).read(MOST_BYTES + 1)
    except (OSError, EOFError) as error:
        raise UserError(f"{what} can't be read: {text_of(error)}; expected a whole .bz2 file") from None
    check_size(len(found), what)
    return found
