"""Files of connectomes: folders of CSV tables, read and written, and MATLAB files, read."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from gbaexplore.basics.errors import UserError, listing, text_of
from gbaexplore.basics.numbers import array, from_text
from gbaexplore.basics.places import check_writable, read, writing
from gbaexplore.networks.anatomy import Anatomy, relative

_SUMS = "SHA256SUMS"
_SUM = re.compile(r"(?P<sha>[0-9a-fA-F]{64}) [ *](?P<name>\S.*)")
_RAW, _RELATIVE = "hierarchy_raw", "hierarchy"
_MAT = {"fln": "flnMat", "sln": "slnMat", "wiring_mm": "wiring"}  # as published with the macaque's data


# A folder of CSV tables.


def read_folder(folder: Path, fields: Iterable[str]) -> Anatomy:
    """Return the anatomy in a folder: `areas.csv`, and the fields that have a file.

    Raises:
        UserError: missing files; files that do not match their checksums or each other; cells that are not numbers.
    """
    _check_sums(folder)
    areas, hierarchy = _read_areas(folder / "areas.csv")
    files = {field: folder / f"{field}.csv" for field in fields}
    matrices = {field: _read_matrix(file, areas) for field, file in files.items() if os.path.lexists(file)}
    if "fln" not in matrices:
        raise UserError(f"{folder} has no fln.csv; expected the fraction of labelled neurons, row = target")
    return Anatomy(areas, hierarchy, matrices)


def write_folder(folder: Path, anatomy: Anatomy) -> Path:
    """Write a folder with checksums, from which `read_folder` reads the same bits; return it.

    Raises:
        UserError: the folder has files already, or can't be written to.
    """
    check_writable(folder / _SUMS)
    areas, hierarchy, matrices = anatomy
    tables = {"areas": [["area", _RELATIVE], *zip(areas, hierarchy.tolist())]}
    for field, matrix in matrices.items():
        rows = [[area, *row] for area, row in zip(areas, matrix.tolist())]
        tables[field] = [["target\\source", *areas], *rows]
    with writing(folder, "choose another folder"):
        folder.mkdir(parents=True, exist_ok=True)
        if any(folder.iterdir()):
            raise UserError(f"{folder} has files already; expected a new or an empty folder: choose another")
        for name, table in tables.items():
            with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
                csv.writer(file, lineterminator="\n").writerows(table)
        sums = [f"{_sha256(folder / f'{name}.csv')}  {name}.csv\n" for name in sorted(tables)]
        (folder / _SUMS).write_text("".join(sums), encoding="utf-8")
    return folder


def _sha256(path: Path) -> str:
    return hashlib.sha256(read(path)).hexdigest()


def _check_sums(folder: Path) -> None:
    sums = folder / _SUMS
    for number, line in enumerate(os.fsdecode(read(sums)).splitlines() if os.path.lexists(sums) else (), 1):
        if not line.strip() or line.startswith("#"):
            continue
        found = _SUM.fullmatch(line.strip())
        # Only files in this folder are read.
        if not found or str(Path(found["name"])) != Path(found["name"]).name:
            raise UserError(
                f"{sums}, line {number}: found {line[:100]!r}; expected a SHA-256 and the name of a file beside it, "
                "as sha256sum writes them"
            )
        path, expected = folder / found["name"], found["sha"].lower()
        digest = _sha256(path) if os.path.lexists(path) else "no such file"
        if digest != expected:
            raise UserError(
                f"{path} is not the file that {sums} names (sha256 {digest[:12]}, expected {expected[:12]}); "
                "restore it, or remove SHA256SUMS if the change is meant"
            )


def _rows(path: Path) -> list[list[str]]:
    try:
        text = read(path).decode("utf-8-sig")  # spreadsheets write a byte order mark
        rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(text, newline="")) if row]
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not text in UTF-8 ({error.reason} at byte {error.start}); expected a CSV table: save it with "
            "the encoding UTF-8"
        ) from None
    except csv.Error as error:
        raise UserError(f"{path} can't be read as a CSV table: {error}; expected cells with commas between") from None
    if rows and len(rows[0]) == 1 and any(separator in rows[0][0] for separator in ";\t"):
        raise UserError(
            f"{path} has semicolons or tabs between its cells; expected commas as separators, and decimal points: "
            "save it as CSV, comma separated"
        )
    if len(rows) < 2:
        raise UserError(f"{path} has {len(rows)} rows; expected a header and a row for each area")
    for row in rows:
        if len(row) != len(rows[0]):
            raise UserError(
                f'{path}: the row of "{row[0][:40]}" has {len(row)} cells; expected {len(rows[0])}, as in the first row'
            )
    return rows


def _read_areas(path: Path) -> tuple[tuple[str, ...], np.ndarray]:
    header, *rows = _rows(path)
    if header[:2] not in (["area", _RAW], ["area", _RELATIVE]):
        raise UserError(f"{path} starts with columns {header}; expected area, {_RAW} (or area, {_RELATIVE})")
    values = np.array([from_text(row[1], f"{path}, {row[0]}") for row in rows])
    return tuple(row[0] for row in rows), relative(values) if header[1] == _RAW else values


def _read_matrix(path: Path, areas: tuple[str, ...]) -> np.ndarray:
    (_, *sources), *rows = _rows(path)
    for what, labels in {"columns": tuple(sources), "rows": tuple(row[0] for row in rows)}.items():
        if labels != areas:
            differing = next(((a, b) for a, b in zip(labels, areas) if a != b), (len(labels), len(areas)))
            raise UserError(
                f"{path}: {what} are not the areas of areas.csv in their order "
                f"(found {differing[0]}, expected {differing[1]})"
            )
    return np.array(
        [[from_text(cell, f"{path}, {row[0]}<-{source}") for cell, source in zip(row[1:], areas)] for row in rows]
    )


# A MATLAB file.


def read_mat(path: Path) -> Anatomy:
    """Return the anatomy in a MATLAB file: `flnMat`, `hierVals`, `areaList`, and `slnMat` and `wiring` if present.

    Raises:
        UserError: a file that can't be read as MATLAB's; variables that are missing or do not fit each other.
    """
    found = _variables(path)
    lacking = [name for name in ("flnMat", "hierVals", "areaList") if name not in found]
    if lacking:
        known = [name for name in found if not name.startswith("__")]
        raise UserError(
            f"{path} has no {', '.join(lacking)}; expected flnMat, hierVals and areaList (it has {listing(known)})"
        )
    areas = tuple(_text(cell, i, path) for i, cell in enumerate(np.ravel(found["areaList"])))
    n = len(areas)
    levels = _shaped(found["hierVals"], [(n,), (n, 1), (1, n)], f"{path}: hierVals").ravel()
    matrices = {
        field: _shaped(found[name], [(n, n)], f"{path}: {name}") for field, name in _MAT.items() if name in found
    }
    return Anatomy(areas, relative(levels), matrices)


def _text(cell: Any, i: int, path: Path) -> str:
    # A cell array of text is read as an array of arrays, an array of characters as padded text.
    text = np.asarray(cell)
    if text.dtype.kind != "U" or text.size != 1:
        kind = f"{text.dtype} of shape {text.shape}" if text.size else "empty"
        raise UserError(f"{path}: entry {i + 1} of areaList is {kind}; expected the name of an area in each")
    return str(text.item()).strip()


def _shaped(values: Any, shapes: list[tuple[int, ...]], what: str) -> np.ndarray:
    found = array(values, what)
    if found.shape not in shapes:
        raise UserError(
            f"{what} has shape {found.shape}; expected {shapes[0]}, for the {shapes[0][0]} areas of areaList"
        )
    return found


def _variables(path: Path) -> dict[str, Any]:
    import scipy.io

    try:
        found = scipy.io.loadmat(io.BytesIO(read(path)))
    except UserError:
        raise
    except NotImplementedError:  # HDF5
        raise UserError(
            f"{path} is a MATLAB file of version 7.3; expected version 7 or earlier: in MATLAB, save it anew with "
            "save(file, '-v7')"
        ) from None
    except Exception as error:  # of a file that is not MATLAB's: any
        raise UserError(f"{path} can't be read as a MATLAB file: {text_of(error)}; expected one made by save") from None
    for value in found.values():
        if isinstance(value, scipy.io.matlab.MatlabOpaque):  # the variable's name is inside
            name, kind = (os.fsdecode(value[part].item()) for part in ("s0", "s2"))
            raise UserError(
                f"{path}: {name} is an object of MATLAB's class {kind}, which only MATLAB can read; expected numbers, "
                f"and names in a cell array: for a string array, {name} = cellstr({name}), and save it anew"
            )
    return found
