"""`load_connectome`, and the table of formats that it reads."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath

from gbaexplore.basics.errors import UserError, did_you_mean
from gbaexplore.basics.places import found, inputs, local, read, shipped_folder
from gbaexplore.networks import folders
from gbaexplore.networks.connectome import Connectome
from gbaexplore.networks.formats import archives, arrays, delimited, graphs, matlab
from gbaexplore.networks.formats.found import Found, Table, check_size
from gbaexplore.networks.roles import Asked, Roles

DATA = shipped_folder("data")

FORMATS: dict[str, Callable[[bytes, str], Found]] = {
    ".csv": delimited.read,
    ".tsv": delimited.read,
    ".txt": delimited.read,
    ".npy": arrays.read_npy,
    ".npz": arrays.read_npz,
    ".mat": matlab.read,
    ".graphml": graphs.read,
}
"""How a file is read, by what its name ends with; any of them may be packed as `.bz2`, and be in a `.zip`."""
_PACKED, _ARCHIVE = ".bz2", ".zip"
_UNNAMED = ("", "arr_0")  # what NumPy calls an array that has no name
_Contents = Iterator[tuple[str, Callable[[], bytes]]]


def load_connectome(
    source: str | Path,
    *,
    weights: str | None = None,
    lengths: str | None = None,
    labels: str | Sequence[str] | None = None,
    values: Sequence[str] | Mapping[str, str] | None = None,
) -> Connectome:
    """Return a shipped connectome by its name, or one from a file, an archive or a folder.

    Rows of matrices are targets, columns are sources; for a file in which it is the other way round, take
    `load_connectome(...).transposed()`. Lengths and positions are in mm.

    | what | how it is read |
    |---|---|
    | `.zip` | an archive of The Virtual Brain (`weights`, `tract_lengths`, `centres`), or of any files below |
    | a folder | any of the files below that are in it; `Connectome.to_folder` writes one |
    | `.mat` | variables of any names; a cell or char array has the names of areas. Version 7.3 needs h5py |
    | `.npz`, `.npy` | arrays by name; one array. Nothing is unpickled |
    | `.csv`, `.tsv`, `.txt` | a table with or without names: rows are targets |
    | `.graphml` | attributes of nodes and edges by name; an edge goes from source to target. Needs NetworkX |

    What is called as it usually is (`weights`, `SC`, `Cmat`, `tract_lengths`, `dist`, `labels`, `centres` and others)
    is found. Where names are not clear, the error lists what is there, and the arguments say it. Areas without names
    are a00, a01, ... If there is a hierarchy, areas are sorted by it; called `hierarchy_raw` or `hierVals`, it is
    divided by its largest value.

    A folder may have a table `areas.csv`, with the names (`area`), and values of areas in its other columns; an
    `about.json` with the `long_name` and `units` of what is there; and a `SHA256SUMS`, as `sha256sum` writes it, by
    which its files are checked.

    Args:
        source: name or path; in a study file, a relative path is looked up beside it, then in the working folder.
        weights, lengths: the name that the weights, or the lengths, have there.
        labels: the name that the areas' names have there; or a list of names.
        values: names of values of areas; or a mapping, new name -> name there.

    Raises:
        UserError: no such connectome; a file that can't be read, or is larger than 2 GiB; it is not clear what is what;
            tables that do not fit each other; files that do not match their checksums.
    """
    asked = Asked(weights, lengths, labels, values)
    path = _path(source)
    name, contents = (
        (path.absolute().name, _in_folder(path)) if os.path.isdir(path) else (_stem(path.name), _in_file(path))
    )
    tables: dict[str, Found] = {}
    about: dict[str, dict[str, str]] = {}
    for member, content in contents:
        if PurePosixPath(member).name == folders.ABOUT:
            about = folders.about_of(content(), f"{path}, {member}")
        else:
            tables[member] = _tables(content, member, str(path))
    return Connectome(name, **Roles(_by_name(tables), about, asked, str(path)).parts())._sorted()


def _path(source: str | Path) -> Path:
    """Return the folder or file that is meant."""
    path = local(source)
    shipped = sorted(p.name for p in DATA.iterdir() if p.is_dir())
    if source in shipped:  # a folder of that name here is ./NAME, or a Path
        return DATA / str(source)
    places = inputs(path)
    there = next((place for place in places if os.path.lexists(place)), None)
    if there is not None and (os.path.isdir(there) or _suffix(there.name) in (*FORMATS, _ARCHIVE)):
        return found(there)
    looked = f"; looked in {' and '.join(str(place.parent) for place in places)}"
    if _suffix(path.name) not in (*FORMATS, _ARCHIVE):
        raise UserError(
            f'no connectome "{source}"{did_you_mean(str(source), shipped)}{looked}; expected one of '
            f"{', '.join(shipped)}, a folder, or a file {', '.join((_ARCHIVE, *FORMATS))}"
        )
    raise UserError(f"{path} can't be read: No such file or directory{looked}; expected a file")


# What is in a folder, an archive, a file: names, and functions that return bytes.


def _in_folder(folder: Path) -> _Contents:
    folders.check_sums(folder)
    for file in sorted(folder.iterdir()):
        if (_suffix(file.name) in FORMATS and not file.name.startswith(".")) or file.name == folders.ABOUT:
            yield file.name, _reading(file)


def _in_file(path: Path) -> _Contents:
    content = _reading(path)
    if _suffix(path.name) != _ARCHIVE:
        yield path.name, content
        return
    for member, inside in archives.members(content(), str(path)):
        parts = PurePosixPath(member).parts
        # Files that the system that made the archive has added for itself.
        if any(part.startswith((".", "__MACOSX")) for part in parts):
            continue
        if _suffix(member) in FORMATS or parts[-1] == folders.ABOUT:
            yield member, inside


def _reading(file: Path) -> Callable[[], bytes]:
    def content() -> bytes:
        if file.is_file():
            check_size(file.stat().st_size, str(file))
        return read(file)

    return content


# Tables.


def _tables(content: Callable[[], bytes], member: str, path: str) -> Found:
    """Return the tables of one file; of one that can't be read, why."""
    what = path if PurePosixPath(path).name == member else f"{path}, {member}"
    try:
        data = content()
        if member.lower().endswith(_PACKED):
            data = archives.unpacked(data, what)
        return FORMATS[_suffix(member)](data, what)
    except UserError as error:
        return {"": Table(error=error)}


def _by_name(tables: Mapping[str, Found]) -> Found:
    """Return all tables by names: a file's, where it has one table, or FILE/TABLE."""
    if len(tables) == 1:
        (member, found), *_ = tables.items()
        if set(found) == {""} and found[""].error is not None:
            raise found[""].error
        stem = _stem(PurePosixPath(member).name)
        return {stem if name in _UNNAMED else name: table for name, table in found.items()}
    whole = [_stem(member) for member in tables]
    short = [PurePosixPath(stem).name for stem in whole]
    names = [name if short.count(name) == 1 else stem for name, stem in zip(short, whole)]
    return {
        name if table in _UNNAMED else f"{name}/{table}": content
        for name, found in zip(names, tables.values())
        for table, content in found.items()
    }


def _suffix(name: str) -> str:
    """Return what a file's name ends with, without `.bz2`, in small letters."""
    return PurePosixPath(name.lower().removesuffix(_PACKED)).suffix


def _stem(name: str) -> str:
    """Return a file's name without what it ends with."""
    plain = name[: -len(_PACKED)] if name.lower().endswith(_PACKED) else name
    return plain[: -len(_suffix(plain))] if _suffix(plain) in (*FORMATS, _ARCHIVE) else plain
